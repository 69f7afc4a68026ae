"""Manifests at the limits of the schemas are accepted, and every field is described."""

import json
import subprocess
from collections.abc import Callable, Iterator

import pytest

from cluster.clinic import Manifest, key_ref, masking_job, resource
from leeward.api import KINDS, Kind

pytestmark = pytest.mark.cluster

RunKubectl = Callable[..., "subprocess.CompletedProcess[str]"]
PHONE = {"name": "phone", "redact": {}}


def test_amounts_may_be_whole_numbers(run_kubectl: RunKubectl, namespace: str) -> None:
    manifest = masking_job(
        "whole-numbers",
        "admissions",
        [PHONE],
        resources={"requests": {"cpu": 1}, "limits": {"cpu": 2, "memory": "1Gi"}},
    )
    done = run_kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(manifest))
    assert done.returncode == 0, done.stderr


def test_the_largest_vault_is_accepted(run_kubectl: RunKubectl, namespace: str) -> None:
    names = [f"{'n' * 55}-{number}" for number in range(32)]
    grant = {"kinds": ["MaskingJob"], "operations": ["Mask"], "namespaces": names, "names": names}
    grants = [grant | {"name": f"grant-{number}"} for number in range(32)]
    key = {"algorithm": "AES256_SIV", "grants": grants}
    largest = resource("KeyVault", "largest", {"keys": [key | {"name": f"k{i}"} for i in range(4)]})
    done = run_kubectl("-n", namespace, "create", "-f", "-", stdin=json.dumps(largest))
    assert done.returncode == 0, done.stderr


def test_a_vault_with_a_thousand_grants_is_accepted(
    run_kubectl: RunKubectl, namespace: str
) -> None:
    grant = {"kinds": ["MaskingJob", "DatasetPreview"], "operations": ["Seal", "Open"]}
    grants = [grant | {"name": f"grant-{number}", "maxDeliveries": 10} for number in range(32)]
    key = {"algorithm": "AES256_GCM", "grants": grants}
    crowded = resource(
        "KeyVault", "crowded", {"keys": [key | {"name": f"k{i}"} for i in range(32)]}
    )
    done = run_kubectl("-n", namespace, "create", "-f", "-", stdin=json.dumps(crowded))
    assert done.returncode == 0, done.stderr


def test_the_largest_manifest_is_accepted(run_kubectl: RunKubectl, namespace: str) -> None:
    """The API server also limits what rules cost while they run."""
    token = {"tokenize": {"key": key_ref("tokens")}}
    columns: list[Manifest] = [
        {"name": f"column_with_a_longer_name_{i}"} | token for i in range(199)
    ]
    names = [f"measure_with_a_longer_name_{i}" for i in range(1000)]
    columns.append({"name": "rest", "match": {"names": names}, "keep": {}})
    largest = masking_job("largest", "admissions", columns)
    for _ in range(2):
        done = run_kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(largest))
        assert done.returncode == 0, done.stderr
        largest["metadata"]["labels"] = {"changed": "yes"}


def undescribed(schema: Manifest, path: str) -> Iterator[str]:
    for name, member in schema.get("properties", {}).items():
        if not member.get("description"):
            yield f"{path}.{name}"
        yield from undescribed(member, f"{path}.{name}")
        yield from undescribed(member.get("items", {}), f"{path}.{name}[]")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_explain_describes_every_field(run_kubectl: RunKubectl, kind: Kind) -> None:
    shown = " ".join(run_kubectl("explain", kind.plural).stdout.split())
    assert kind.description in shown
    served = json.loads(run_kubectl("get", "--raw", "/openapi/v3/apis/leeward.dev/v1alpha1").stdout)
    schema = served["components"]["schemas"][f"dev.leeward.v1alpha1.{kind.kind}"]
    parts = {part: schema["properties"][part] for part in ("spec", "status")}
    assert [path for part in parts for path in undescribed(parts[part], part)] == []
