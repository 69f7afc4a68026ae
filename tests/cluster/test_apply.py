"""A wrong manifest is refused by ``kubectl apply``, which names the field and the remedy."""

import json
import subprocess
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from cluster.clinic import Manifest, dataset, masking_job, resource, vault

pytestmark = pytest.mark.cluster

RunKubectl = Callable[..., "subprocess.CompletedProcess[str]"]
PHONE = {"name": "phone", "redact": {}}


def job(*columns: Manifest, **changes: Any) -> Manifest:
    return masking_job("job", "admissions", list(columns), **changes)


def key_with(**changes: Any) -> Manifest:
    return resource("KeyVault", "vault", {"keys": [{"name": "key"} | changes]})


def preview(**changes: Any) -> Manifest:
    spec = {"purpose": "research", "dataset": {"name": "d"}, "recipientKey": "A" * 43 + "="}
    return resource("DatasetPreview", "preview", spec | changes)


def bins(*borders: str) -> Manifest:
    return job({"name": "income", "generalize": {"bins": list(borders)}})


GRANT = {"name": "research", "kinds": ["MaskingJob"]}
NO_SPEC = {name: part for name, part in vault().items() if name != "spec"}


BAD: dict[str, tuple[Manifest, list[str]]] = {
    "unknown transform": (
        job({"name": "phone", "scramble": {}}),
        ["spec.columns[0]", '"phone" has no known transform: give it one of keep, drop, redact'],
    ),
    "grant of what a preview does not do": (
        key_with(
            algorithm="AES256_GCM",
            grants=[{"name": "look", "kinds": ["DatasetPreview"], "operations": ["Open", "Seal"]}],
        ),
        ["grants[0].operations", "a DatasetPreview only opens files: remove the other operations"],
    ),
    "grant of what long-lived pods do not do": (
        key_with(
            algorithm="AES256_GCM",
            grants=[{"name": "wards", "kinds": ["KeyDelivery"], "operations": ["Open", "Seal"]}],
        ),
        ["grants[0].operations", "a KeyDelivery neither seals nor masks: remove Seal and Mask"],
    ),
    "unknown transform beside a known one": (
        job({"name": "phone", "redact": {}, "scramble": {}}),
        ["spec.columns", '"phone" has unknown transform "scramble": use one of keep, drop'],
    ),
    "misspelt parameter": (
        job({"name": "phone", "partialMask": {"keeplast": 4}}),
        ['"phone": partialMask has no parameter "keeplast"', "has keepFirst, keepLast, symbol"],
    ),
    "no transform": (
        job({"name": "phone"}),
        ["spec.columns[0]", '"phone" has no known transform: give it one of keep, drop, redact'],
    ),
    "two transforms": (
        job({"name": "phone", "redact": {}, "partialMask": {"keepLast": 4}}),
        ["spec.columns[0]", '"phone" has redact and partialMask: keep one of them'],
    ),
    "parameter of another transform": (
        job({"name": "phone", "redact": {"keepLast": 4}}),
        ["spec.columns", '"phone": redact has no parameter "keepLast": remove it; redact has none'],
    ),
    "parameters of two generalizations": (
        job({"name": "postcode", "generalize": {"prefix": 3, "dateTo": "Year"}}),
        ["spec.columns[0].generalize", "needs exactly one of bins, quantiles, dateTo, prefix"],
    ),
    "two rules for one column": (
        job(PHONE, {"name": "phone", "drop": {}}),
        ["spec.columns[1]: Duplicate value", "key phone already exists", "remove one"],
    ),
    "a rule and a match for one column": (
        job(PHONE, {"name": "rest", "match": {"names": ["age", "phone"]}, "keep": {}}),
        ["spec.columns", "key phone already exists", "two rules for one column", "remove one"],
    ),
    "two matches for one column": (
        job(
            {"name": "some", "match": {"names": ["age", "ward"]}, "keep": {}},
            {"name": "rest", "match": {"names": ["ward"]}, "drop": {}},
        ),
        ["key ward already exists", "two rules for one column", "remove one"],
    ),
    "negative bin": (
        bins("-1", "5"),
        ["spec.columns[0].generalize.bins", "a bin cannot be negative: start at 0"],
    ),
    "falling bins": (
        bins("0", "50", "20"),
        ["spec.columns[0].generalize.bins", "bins must rise", "from small to large"],
    ),
    "bin that is no number": (
        bins("0", "many"),
        ["spec.columns[0].generalize.bins[1]", 'must be a decimal number, as "20000" or "0.5"'],
    ),
    "name too long": (
        job(PHONE) | {"metadata": {"name": "j" * 53}},
        ["metadata.name", "at most 52 characters", "choose a shorter or simpler name"],
    ),
    "name with a dot": (
        vault("clinic.north"),
        ["metadata.name", "must be a DNS label", "choose a shorter or simpler name"],
    ),
    "field that does not exist": (job(PHONE, retries=3), ['unknown field "spec.retries"']),
    "banned algorithm": (
        key_with(algorithm="3DES"),
        ["spec.keys[0].algorithm", "3DES is banned", "Sweet32", "use AES256_GCM"],
    ),
    "banned algorithm in another spelling": (
        key_with(algorithm="aes-ecb"),
        ["aes-ecb is banned: equal blocks stay visible; use AES256_GCM"],
    ),
    "banned algorithm of a family": (
        key_with(algorithm="RSAES_PKCS1_v1_5"),
        ["RSAES_PKCS1_v1_5 is banned", "Bleichenbacher", "use RSA3072_OAEP"],
    ),
    "unknown algorithm": (
        key_with(algorithm="ROT13"),
        ["spec.keys[0].algorithm", "unknown algorithm ROT13: use one of AES256_GCM, "],
    ),
    "operation that the algorithm has not": (
        key_with(
            algorithm="AES256_SIV",
            grants=[{"name": "seal", "kinds": ["MaskingJob"], "operations": ["Seal"]}],
        ),
        ["spec.keys[0].grants", "AES256_SIV or FF1_AES256", "granted for Mask, Unmask only"],
    ),
    "sealing without opening by a symmetric key": (
        key_with(
            algorithm="AES256_GCM",
            grants=[{"name": "seal", "kinds": ["MaskingJob"], "operations": ["Seal"]}],
        ),
        ["spec.keys[0].grants", "Seal without Open needs a public-key", "add Open"],
    ),
    "authority of a key that signs nothing": (
        key_with(algorithm="AES256_GCM", authority={"trustDomain": "clinic.example"}),
        ["spec.keys[0].authority", "an authority signs certificates", "ECDSA_P256"],
    ),
    "algorithm that the profile does not allow": (
        resource(
            "KeyVault",
            "vault",
            {"profile": "Approved", "keys": [{"name": "k", "algorithm": "CHACHA20_POLY1305"}]},
        ),
        ["spec.keys", "profile Approved does not allow", "use one of AES256_GCM"],
    ),
    "renewal of a key that is imported": (
        key_with(
            algorithm="ED25519",
            origin={"import": {"secretRef": {"name": "a", "key": "b"}}},
            rotation={"every": "90d"},
        ),
        ["spec.keys[0].rotation", "cannot be renewed by the operator"],
    ),
    "rotation by the second": (
        key_with(algorithm="AES256_GCM", rotation={"every": "500ms"}),
        ["spec.keys[0].rotation.every", "at least one minute (1m)"],
    ),
    "authority for an hour": (
        key_with(
            algorithm="ED25519", authority={"trustDomain": "clinic.example", "lifetime": "23h"}
        ),
        ["spec.keys[0].authority.lifetime", "one day (1d) to 30 years"],
    ),
    "grant for a kind that does not exist": (
        key_with(
            algorithm="AES256_GCM",
            grants=[{"name": "seal", "kinds": ["Pod"], "operations": ["Seal"]}],
        ),
        ["spec.keys[0].grants[0].kinds[0]", 'supported values: "MaskingJob", "DatasetPreview"'],
    ),
    "two keys of one name": (
        resource("KeyVault", "vault", {"keys": [{"name": "k", "algorithm": "AES256_GCM"}] * 2}),
        ["spec.keys[1]: Duplicate value"],
    ),
    "vault without keys": (
        resource("KeyVault", "vault", {"keys": []}),
        ["spec.keys", "at least 1 items"],
    ),
    "two members of a provider": (
        resource("KeyVault", "vault", {"provider": {}, "keys": vault()["spec"]["keys"]}),
        ["spec.provider", "name exactly one provider: embedded: {} or transit"],
    ),
    "csv options of a Parquet file": (
        dataset("d", "d.parquet", format="Parquet", csv={"delimiter": ";"}),
        ["spec.csv", "remove csv, or set format to CSV"],
    ),
    "delimiter that is the quote": (
        dataset("d", "d.csv", csv={"delimiter": '"'}),
        ["spec.csv.quote", "delimiter and quote are the same character"],
    ),
    "path that leaves the volume": (
        dataset("d", "../d.csv"),
        ["spec.location.volume.path", "without '..'", "as raw/visits.csv"],
    ),
    "escape that is the delimiter": (
        dataset("d", "d.csv", csv={"escape": ","}),
        ["spec.csv.escape", "escape is the delimiter or the quote"],
    ),
    "comment beside an escape": (
        dataset("d", "d.csv", csv={"escape": "\\", "comment": "#"}),
        ["spec.csv.comment", "lines of comment cannot be told"],
    ),
    "encoding that is not known": (
        dataset("d", "d.csv", csv={"encoding": "EBCDIC"}),
        ["spec.csv.encoding", "Unsupported value"],
    ),
    "path of a sealed Dataset that is a folder": (
        dataset("d", "raw/", sealed=True),
        ["spec.location.volume.path", "names a file: take away the '/'"],
    ),
    "no location": (
        dataset("d", "d.csv", location={}),
        ["spec.location", "name exactly one location: volume: {claimName, path}, or s3: {"],
    ),
    "format that does not exist": (
        dataset("d", "d.csv", format="Excel"),
        ["spec.format", 'supported values: "ArrowIPC", "CSV", "JSONL", "Parquet"'],
    ),
    "no purpose": (
        resource("MaskingJob", "job", {"source": {"name": "d"}, "output": job()["spec"]["output"]}),
        ["spec.purpose", "Required value"],
    ),
    "no spec": (NO_SPEC, ["spec: Required value"]),
    "duration of two units": (
        job(PHONE, activeDeadline="1h30m"),
        ["spec.activeDeadline", "must be a length of time", "as 30s, 90m, 36h or 7d"],
    ),
    "purpose that is no label": (
        job(PHONE, purpose="Care Research"),
        ["spec.purpose", "must be a DNS label", "as clinic-north"],
    ),
    "amount with a word": (
        job(PHONE, resources={"limits": {"cpu": "2 cores"}}),
        ["spec.resources.limits.cpu", "must be a Kubernetes quantity", "as 500m, 2 or 1Gi"],
    ),
    "label with a blank": (
        job(PHONE, podTemplate={"labels": {"team": "a b"}}),
        ["spec.podTemplate.labels[team]", "must be the value of a label", "as team-a"],
    ),
    "delimiter of two characters": (
        dataset("d", "d.csv", csv={"delimiter": "\\t"}),
        ["spec.csv.delimiter", "must be one ASCII character", "a tab needs the double quotes"],
    ),
    "end of a grant without a time": (
        dataset("d", "d.csv", grants=[GRANT | {"notAfter": "2027-12-31"}]),
        ["spec.grants[0].notAfter", "as 2027-12-31T00:00:00Z"],
    ),
    "label of the operator": (
        job(PHONE, podTemplate={"labels": {"leeward.dev/role": "x"}}),
        ["spec.podTemplate.labels", "are set by the operator", "choose another prefix"],
    ),
    "toleration that says two things": (
        job(PHONE, podTemplate={"tolerations": [{"operator": "Exists", "value": "x"}]}),
        ["spec.podTemplate.tolerations[0]", "operator Exists takes no value"],
    ),
    "too many rows": (preview(rows=101), ["spec.rows", "less than or equal to 100"]),
    "recipient key that is none": (
        preview(recipientKey="A" * 44),
        ["spec.recipientKey", "must be an X25519 public key", "leeward dataset preview makes one"],
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_manifest_is_refused(run_kubectl: RunKubectl, namespace: str, name: str) -> None:
    manifest, messages = BAD[name]
    done = run_kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(manifest))
    assert done.returncode != 0
    assert [message for message in messages if message not in done.stderr] == [], done.stderr


def changed(manifest: Manifest, path: str, value: Any) -> Manifest:
    """A copy with another value at ``spec.a.b``; None takes the field away."""
    copy = deepcopy(manifest)
    *parents, last = path.split(".")
    node: Any = copy
    for part in parents:
        node = node[int(part)] if part.isdigit() else node[part]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return copy


AGAIN = "cannot be changed: delete the resource and create it again"
SEALED = dataset("sealed", "sealed.csv.lwe1", sealed=True)
ON_TRANSIT = resource(
    "KeyVault",
    "on-transit",
    {
        "provider": {
            "transit": {
                "address": "https://bao.example:8200",
                "key": "leeward",
                "auth": {"kubernetes": {"role": "leeward"}},
            }
        },
        "keys": [{"name": "data", "algorithm": "AES256_GCM"}],
    },
)
IMMUTABLE: dict[str, tuple[Manifest, str, Any, list[str]]] = {
    "source": (job(PHONE), "spec.source", {"name": "other"}, ["spec.source", AGAIN]),
    "purpose": (job(PHONE), "spec.purpose", "care", ["spec.purpose", AGAIN]),
    "columns": (job(PHONE), "spec.columns", [PHONE | {"name": "mail"}], ["spec.columns", AGAIN]),
    "columns taken away": (job(PHONE), "spec.columns", None, ["spec.columns", AGAIN]),
    "default action": (job(PHONE), "spec.defaultAction", "Keep", ["spec.defaultAction", AGAIN]),
    "output": (job(PHONE), "spec.output.dataset", "other", ["spec.output", AGAIN]),
    "provider": (
        ON_TRANSIT,
        "spec.provider",
        {"embedded": {}},
        ["spec.provider", "stays with the root key or with Transit: make another KeyVault"],
    ),
    **{
        f"transit {field}": (
            ON_TRANSIT,
            f"spec.provider.transit.{field}",
            "other",
            ["spec.provider.transit", "mount, key and namespace cannot be changed"],
        )
        for field in ("mount", "key", "namespace")
    },
    "rows": (preview(), "spec.rows", 5, ["spec.rows", AGAIN]),
    "location": (SEALED, "spec.location.volume.path", "raw/other.csv", ["spec.location", AGAIN]),
    "format": (SEALED, "spec.format", "Parquet", ["spec.format", AGAIN]),
    "key": (SEALED, "spec.sealedWith.key", "data", ["spec.sealedWith", AGAIN]),
    "no key any more": (
        SEALED,
        "spec.sealedWith",
        None,
        ["spec.sealedWith", "create another Dataset"],
    ),
    "algorithm": (
        vault(),
        "spec.keys.0.algorithm",
        "HPKE_X25519",
        ["spec.keys[0].algorithm", "add a key with another name"],
    ),
    "key taken away": (
        vault(),
        "spec.keys",
        vault()["spec"]["keys"][1:],
        ["spec.keys", "a key cannot be removed", "take away its grants instead"],
    ),
}


@pytest.mark.parametrize("name", IMMUTABLE)
def test_immutable_field_is_kept(run_kubectl: RunKubectl, namespace: str, name: str) -> None:
    manifest, path, value, messages = IMMUTABLE[name]
    first = run_kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(manifest))
    assert first.returncode == 0, first.stderr
    second = json.dumps(changed(manifest, path, value))
    done = run_kubectl("-n", namespace, "apply", "-f", "-", stdin=second)
    assert done.returncode != 0
    assert [message for message in messages if message not in done.stderr] == [], done.stderr


def test_pods_are_fixed_once_the_job_is_admitted(run_kubectl: RunKubectl, namespace: str) -> None:
    manifest = masking_job("admitted", "nowhere", [PHONE])
    larger = changed(manifest, "spec.resources", {"limits": {"memory": "2Gi"}})
    for document in (manifest, larger):
        done = run_kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(document))
        assert done.returncode == 0, done.stderr
    admission = {
        "jobName": "mj-admitted-0",
        "image": "masking:1",
        "configDigest": f"sha256:{'0' * 64}",
        "admittedAt": "2027-01-01T00:00:00Z",
    }
    patch = json.dumps({"status": {"admission": admission}})
    status = ("-n", namespace, "patch", "mj", "admitted", "--subresource=status", "--type=merge")
    assert run_kubectl(*status, "-p", patch).returncode == 0
    done = run_kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(manifest))
    assert done.returncode != 0
    assert "cannot be changed once the job is admitted" in done.stderr


def test_the_way_to_a_transit_key_may_change(run_kubectl: RunKubectl, namespace: str) -> None:
    moved = changed(ON_TRANSIT, "spec.provider.transit.address", "https://other.example")
    moved = changed(moved, "spec.provider.transit.auth.kubernetes.role", "other")
    for manifest in (ON_TRANSIT, moved):
        done = run_kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(manifest))
        assert done.returncode == 0, done.stderr
