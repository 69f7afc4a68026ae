"""The image of the workloads cannot be found: it is said, and all goes on once it is put right."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from cluster.clinic import Clinic, dataset, masking_job

pytestmark = [pytest.mark.cluster, pytest.mark.disruptive]

KEEP = [{"name": "rest", "match": {"names": ["id", "word"]}, "keep": {}}]
CHART = "charts/leeward"
MISSING = "no-such-tag"


def helm(*args: str) -> str:
    binary = shutil.which("helm")
    assert binary, "no helm: run make cluster-test, or install helm for a cluster of your own"
    context = os.environ.get("KUBE_CONTEXT")
    start = [binary, *(["--kube-context", context] if context else [])]
    done = subprocess.run([*start, *args], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, f"helm {' '.join(args)}\n{done.stdout}{done.stderr}"
    return done.stdout


def set_tag(tag: str) -> None:
    """What somebody does who corrects masking.image in the Helm values."""
    release = ("leeward", CHART, "--namespace", "leeward-system")
    changes = ("--reuse-values", "--set-string", f"masking.image.tag={tag}")
    helm("upgrade", *release, *changes, "--wait", "--timeout", "180s")


@pytest.fixture
def image_missing() -> Iterator[str]:
    """The release names an image that is nowhere; yields the right tag, which comes back."""
    given = ("leeward", "-n", "leeward-system", "--all", "-o", "json")
    values = json.loads(helm("get", "values", *given))
    right = str(values["masking"]["image"]["tag"])
    set_tag(MISSING)
    yield right
    set_tag(right)


def test_image_missing_and_put_right(clinic: Clinic, request: pytest.FixtureRequest) -> None:
    clinic.put("raw/words.csv", b"id,word\n1,one\n2,two\n")
    clinic.apply(dataset("seen", "raw/words.csv"))
    clinic.reason("dataset", "seen", "Inspected")
    right = request.getfixturevalue("image_missing")

    clinic.apply(dataset("unseen", "raw/words.csv"), masking_job("stuck", "seen", KEEP))
    for kind, name, type_ in (("dataset", "unseen", "Ready"), ("maskingjob", "stuck", "Running")):
        condition = clinic.reason(kind, name, "ImageMissing", type_)
        assert f":{MISSING} cannot be pulled" in condition["message"]
        assert "correct masking.image in the Helm values" in condition["message"]
    assert not clinic.get("dataset", "stuck-out").get("status", {}).get("digest")

    set_tag(right)
    clinic.reason("dataset", "unseen", "Inspected")
    clinic.reason("maskingjob", "stuck", "Published")
    images = {
        container["image"].rpartition(":")[2]
        for job in clinic.items("jobs", "leeward.dev/name=stuck")
        for container in job["spec"]["template"]["spec"]["containers"]
    }
    assert MISSING not in images
