"""What the guides show is what the API takes: manifests, parts of them, and rules."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from leeward.api import KINDS_BY_NAME
from leeward.api.maskingjob import MaskingJobSpec
from leeward.api.privacymodel import PrivacyModel
from leeward.api.transforms import TRANSFORMS, ColumnRule

DOCS = Path(__file__).parents[3] / "docs"
GUIDES = DOCS / "guides"
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
PARTS: list[type[BaseModel]] = [*(kind.spec for kind in KINDS_BY_NAME.values()), PrivacyModel]


def blocks(path: Path) -> list[Any]:
    """All that stands in the YAML blocks of a page."""
    found = re.findall(r"^ *```yaml\n(.*?)^ *```", path.read_text(), re.MULTILINE | re.DOTALL)
    return [document for block in found for document in yaml.safe_load_all(block)]


def written_rules(path: Path) -> Iterator[Any]:
    """Rules that stand in a line of text, or indented as ``- name: ...``."""
    text = re.sub(r"^ *```.*?^ *```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    for inline in re.findall(r"`(\{name: [^`]*\})`", text):
        yield yaml.safe_load(inline)
    for indented in re.findall(r"^    - name: .*\n(?:      .*\n)+", text, re.MULTILINE):
        yield from yaml.safe_load(indented)


def check_rule(rule: Any) -> None:
    assert ColumnRule.model_validate(rule).fault() is None


def check_part(part: dict[str, Any]) -> None:
    """Some members of a spec: those that are there are right, for one kind at least."""
    faults = []
    for model in PARTS:
        try:
            model.model_validate(part)
        except ValidationError as error:
            faults.append([one for one in error.errors() if one["type"] != "missing"])
        else:
            return
    assert not all(faults), faults


@pytest.mark.parametrize("guide", NAMES)
def test_manifests_of_the_guides_are_there(guide: str) -> None:
    manifests = [one for one in blocks(GUIDES / f"{guide}.md") if "kind" in one]
    assert len(manifests) == NAMES[guide]


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.stem)
def test_what_is_written_as_yaml_is_valid(page: Path) -> None:
    for found in blocks(page):
        if isinstance(found, list):
            for one in found:
                check_part({"keys": [one]}) if "algorithm" in one else check_rule(one)
        elif "kind" in found:
            assert found["apiVersion"] == "leeward.dev/v1alpha1"
            spec = KINDS_BY_NAME[found["kind"]].spec.model_validate(found["spec"])
            if isinstance(spec, MaskingJobSpec):
                assert [rule.fault() for rule in spec.columns if rule.fault()] == []
                assert spec.privacy_model is None or spec.privacy_model.fault() is None
        else:
            check_part(found.get("spec", found))


@pytest.mark.parametrize(("guide", "number"), [("transforms", 12), ("maskingjob", 1)])
def test_rules_in_the_text_are_valid(guide: str, number: int) -> None:
    rules = list(written_rules(GUIDES / f"{guide}.md"))
    assert len(rules) >= number
    for rule in rules:
        check_rule(rule)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_every_transform_says_what_it_protects_from_and_what_not(transform: str) -> None:
    text = (GUIDES / "transforms.md").read_text()
    sections = {part.split("\n")[0]: part for part in re.split(r"^## ", text, flags=re.MULTILINE)}
    (section,) = [part for head, part in sections.items() if transform in re.split("[, ]+", head)]
    assert re.search(r"^Against:\s|[.] Against:\s", section, re.MULTILINE)
    assert re.search(r"Not against:\s", section)
    assert re.search(rf"name: [a-z_]+,? *{transform}: ", section), "it has no example"
