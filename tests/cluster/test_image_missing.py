"""The image of the workloads cannot be found: it is said, and all goes on once it is put right."""

import json
from collections.abc import Callable, Iterator

import pytest

from cluster.clinic import KEEP_WORDS, Clinic, dataset, masking_job

pytestmark = [pytest.mark.cluster, pytest.mark.disruptive]

Helm = Callable[..., str]
CHART = "charts/leeward"
MISSING = "no-such-tag"


@pytest.fixture
def set_tag(helm: Helm) -> Callable[[str], None]:
    """What somebody does who corrects masking.image in the Helm values."""

    def run(tag: str) -> None:
        release = ("leeward", CHART, "--namespace", "leeward-system")
        changes = ("--reuse-values", "--set-string", f"masking.image.tag={tag}")
        helm("upgrade", *release, *changes, "--wait", "--timeout", "180s")

    return run


@pytest.fixture
def image_missing(helm: Helm, set_tag: Callable[[str], None]) -> Iterator[str]:
    """The release names an image that is nowhere; yields the right tag, which comes back."""
    given = ("leeward", "-n", "leeward-system", "--all", "-o", "json")
    values = json.loads(helm("get", "values", *given))
    right = str(values["masking"]["image"]["tag"])
    set_tag(MISSING)
    yield right
    set_tag(right)


def test_image_missing_and_put_right(
    clinic: Clinic, set_tag: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    clinic.put("raw/words.csv", b"id,word\n1,one\n2,two\n")
    clinic.apply(dataset("seen", "raw/words.csv"))
    clinic.reason("dataset", "seen", "Inspected")
    right = request.getfixturevalue("image_missing")

    clinic.apply(dataset("unseen", "raw/words.csv"), masking_job("stuck", "seen", KEEP_WORDS))
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
