"""Every manifest under examples/ is one that the API server takes as it stands."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from leeward.api import KINDS

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_example_is_accepted(
    run_kubectl: Callable[..., "subprocess.CompletedProcess[str]"], namespace: str, path: Path
) -> None:
    """On trial, in a namespace that is there; nothing is dropped or warned about."""
    for document in yaml.safe_load_all(path.read_text()):
        if "namespace" in document["metadata"]:
            document["metadata"]["namespace"] = namespace
        done = run_kubectl(
            "-n", namespace, "apply", "--dry-run=server", "-f", "-", stdin=json.dumps(document)
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_there_is_one_example_per_kind() -> None:
    for kind in KINDS:
        text = (ROOT / "examples" / f"{kind.kind.lower()}.yaml").read_text()
        assert yaml.safe_load(text)["kind"] == kind.kind
