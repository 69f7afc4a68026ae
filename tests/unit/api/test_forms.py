"""Texts of a certain form: what is taken, and the words for what is not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from leeward.api.csvoptions import AsciiCharacter
from leeward.api.dataset import Volume
from leeward.api.meta import Decimal, Duration, Moment, Name, ObjectName
from leeward.api.workload import LabelValue, Quantity, ResourceAmounts

TAKEN: list[tuple[Any, Any]] = [
    (Quantity, "500m"),
    (Quantity, "1.5Gi"),
    (Duration, "90m"),
    (Decimal, "-0.5"),
    (Name, "clinic-north"),
    (ObjectName, "clinic-bao.v2"),
    (Moment, "2027-12-31T00:00:00Z"),
    (Moment, "2027-12-31t09:30:00.5+01:00"),
    (AsciiCharacter, "\t"),
    (LabelValue, ""),
    (LabelValue, "team-a"),
]
REFUSED: list[tuple[Any, Any, str]] = [
    (Quantity, "2 cores", "as 500m, 2 or 1Gi"),
    (Quantity, -1, "not negative"),
    (Quantity, True, "valid string"),
    (Quantity, 0.5, "valid string"),
    (Duration, "1h30m", "as 30s, 90m, 36h or 7d"),
    (Duration, "0s", "as 30s"),
    (Decimal, "many", 'as "20000" or "0.5"'),
    (Name, "Clinic North", "as clinic-north"),
    (Name, "clinic\n", "as clinic-north"),
    (Name, "", "as clinic-north"),
    (ObjectName, "../../leeward-system/secrets/leeward-root-key", "the name of an object"),
    (ObjectName, "a..b", "the name of an object"),
    (ObjectName, "", "the name of an object"),
    (Moment, "2027-12-31", "as 2027-12-31T00:00:00Z"),
    (AsciiCharacter, "\\t", "a tab needs the double quotes"),
    (LabelValue, "a b", "as team-a"),
]


@pytest.mark.parametrize(("form", "text"), TAKEN)
def test_a_text_of_the_form_is_taken(form: Any, text: str) -> None:
    assert TypeAdapter(form).validate_python(text) == text


@pytest.mark.parametrize(("form", "given", "words"), REFUSED)
def test_another_text_is_answered_with_what_is_wanted(form: Any, given: Any, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(form).validate_python(given)
    (error,) = caught.value.errors()
    assert words in error["msg"]


def test_a_quantity_may_be_a_whole_number() -> None:
    """As in a container: ``cpu: 2``."""
    assert ResourceAmounts.model_validate({"cpu": 2}).manifest() == {"cpu": "2"}


@pytest.mark.parametrize("path", ["/raw/visits.csv", "../visits.csv", "raw//visits.csv", ""])
def test_a_path_stays_on_its_volume(path: str) -> None:
    with pytest.raises(ValidationError, match=r"as raw/visits[.]csv"):
        Volume(claim_name="data", path=path)
