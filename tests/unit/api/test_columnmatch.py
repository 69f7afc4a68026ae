"""Patterns of column names: RE2, of the whole name, and in linear time."""

import pytest
from pydantic import ValidationError

from leeward.api.columnmatch import Match


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("addr_.*", "addr_street", True),
        ("addr_.*", "my_addr_street", False),
        ("a|b", "ab", False),
        ("(?i)PHONE[0-9]?", "phone2", True),
        ("name", "name\n", False),
        ("straße|街道", "街道", True),
        ("(a+)+b", "a" * 256, False),
    ],
)
def test_a_pattern_is_of_the_whole_name(pattern: str, name: str, fits: bool) -> None:
    assert Match(pattern=pattern).fits(name, "String", [], None) is fits


@pytest.mark.parametrize("pattern", ["lab_[0-9]{4}", r"\pL{2,9}_x", "a{3,}", r"\p{Greek}+"])
def test_short_counts_are_taken(pattern: str) -> None:
    Match(pattern=pattern)


@pytest.mark.parametrize(
    "pattern",
    ["a{10}", "a{1,99}", r"\w{9}", "([a-z]{9}){9}", "a{9}{9}", "(a)*{3}", "a{9}?{9}", "a+{2}"],
)
def test_what_grows_beyond_measure_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError, match="at most 9"):
        Match(pattern=pattern)


@pytest.mark.parametrize("pattern", ["(", "(?=a)", r"(a)\1", "a" * 129, ""])
def test_what_is_none_is_refused_with_an_example(pattern: str) -> None:
    with pytest.raises(ValidationError):
        Match(pattern=pattern)


@pytest.mark.parametrize("members", [{}, {"names": ["a"], "type": "Date"}])
def test_names_stand_alone(members: dict[str, object]) -> None:
    fault = Match.model_validate(members).fault()
    assert fault is not None
    assert "names alone" in fault[0]
