import pytest

from leeward.cli.errors import UsageError
from leeward.cli.kinds import parse_kind, parse_reference


@pytest.mark.parametrize(
    "text", ["mj", "MJ", "maskingjob", "maskingjobs", "MaskingJob", "maskingjobs.leeward.dev"]
)
def test_every_name_of_a_kind(text: str) -> None:
    assert parse_kind(text).kind == "MaskingJob"


def test_an_unknown_kind_is_told_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        parse_kind("pod")
    assert "KeyVault (kv)" in caught.value.remedy


@pytest.mark.parametrize("text", ["visits", "mj/", "/visits", "mj/a/b"])
def test_a_reference_is_kind_and_name(text: str) -> None:
    with pytest.raises(UsageError):
        parse_reference(text)
