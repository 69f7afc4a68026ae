"""The manifests in the guides are what the API takes."""

import re
from pathlib import Path

import pytest
import yaml

from leeward.api import KINDS_BY_NAME
from leeward.api.transforms import TRANSFORMS
from leeward.plans.shared.model import Manifest

GUIDES = Path(__file__).parents[3] / "docs" / "guides"
NAMES = {
    "keyvault": 1,
    "transit": 1,
    "dataset": 2,
    "datasetpreview": 2,
    "maskingjob": 1,
    "privacy-models": 1,
    "unmasking": 2,
    "keydelivery": 3,
    "s3": 2,
}


def manifests(guide: str) -> list[Manifest]:
    text = (GUIDES / f"{guide}.md").read_text()
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [document for block in blocks for document in yaml.safe_load_all(block)]


@pytest.mark.parametrize("guide", NAMES)
def test_manifests_of_the_guides_are_valid(guide: str) -> None:
    found = manifests(guide)
    assert len(found) == NAMES[guide]
    for manifest in found:
        assert manifest["apiVersion"] == "leeward.dev/v1alpha1"
        KINDS_BY_NAME[manifest["kind"]].spec.model_validate(manifest["spec"])


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_every_transform_says_what_it_protects_from_and_what_not(transform: str) -> None:
    text = (GUIDES / "transforms.md").read_text()
    sections = {part.split("\n")[0]: part for part in re.split(r"^## ", text, flags=re.MULTILINE)}
    (section,) = [part for head, part in sections.items() if transform in re.split("[, ]+", head)]
    assert re.search(r"^Against:\s|[.] Against:\s", section, re.MULTILINE)
    assert re.search(r"Not against:\s", section)
    assert re.search(rf"name: [a-z_]+,? *{transform}: ", section), "it has no example"
