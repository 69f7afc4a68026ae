"""Values that are led back: tokens, ciphertexts, and preserved formats."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.formats.jobconfig import RuleConfig, UnmaskTokensConfig
from leeward_masking.errors import JobError
from leeward_masking.rules.plan import compile_plan
from leeward_masking.tasks.unmasking import unmask_tokens
from unit.masking.support import KEY_REF, MATERIAL, OUTPUT_KEY, Volume

TEXTS = ["Ada", "", None, "Zebulon Quackenbush", "王小明", "x" * 5000, "4711"]
NUMBERS = ["12 3456-7890", "0000000", None, "4111 1111 1111 1111", ""]
MAKERS: dict[str, tuple[dict[str, Any], str]] = {
    "tokenize": ({"tokenize": {"key": KEY_REF}}, "AES256_SIV"),
    "encrypt with GCM": ({"encrypt": {"key": KEY_REF}}, "AES256_GCM"),
    "encrypt with SIV": ({"encrypt": {"key": KEY_REF}}, "AES256_SIV"),
    "encrypt with Fernet": ({"encrypt": {"key": KEY_REF}}, "FERNET"),
}
SHAPES: list[dict[str, Any]] = [
    {},
    {"keepFirst": 1, "unsuitable": "Redact"},
    {"keepLast": 1},
    {"checkDigit": "Luhn"},
]


def led(transform: dict[str, Any], key: str, values: pl.Series, **changes: Any) -> pl.Series:
    config = RuleConfig.model_validate(
        {"rule": {"name": "v", **transform}, "columns": ["v"], "keyRole": "k", "keyAlgorithm": key}
        | changes
    )
    material = MATERIAL if key == "AES256_SIV" else MATERIAL[:32]
    plan = compile_plan([config], pl.Schema({"v": values.dtype}), lambda _: material)
    return plan.mask(values.to_frame("v")).frame.get_column("v")


@pytest.mark.parametrize("name", MAKERS)
def test_what_was_made_is_led_back(name: str) -> None:
    transform, key = MAKERS[name]
    made = led(transform, key, pl.Series("v", TEXTS))
    assert made.to_list()[0] != "Ada"
    assert led(transform, key, made, undo=True).to_list() == TEXTS


@given(st.lists(st.one_of(st.none(), st.text(max_size=40)), min_size=1, max_size=20))
def test_tokens_of_any_text_are_led_back(texts: list[str | None]) -> None:
    transform, key = MAKERS["tokenize"]
    made = led(transform, key, pl.Series("v", texts, pl.String))
    assert led(transform, key, made, undo=True).to_list() == texts


@pytest.mark.parametrize("shape", SHAPES)
def test_formats_are_led_back(shape: dict[str, Any]) -> None:
    transform = {"formatPreserving": {"key": KEY_REF, "alphabet": "Digits", **shape}}
    made = led(transform, "FF1_AES256", pl.Series("v", NUMBERS))
    back = led(transform, "FF1_AES256", made, undo=True).to_list()
    assert back == [
        None if new is None else old for old, new in zip(NUMBERS, made.to_list(), strict=True)
    ]


def test_numbers_come_back_as_their_text() -> None:
    transform, key = MAKERS["tokenize"]
    made = led(transform, key, pl.Series("v", [7, -12]))
    assert led(transform, key, made, undo=True).to_list() == ["7", "-12"]


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("token", ["", "Ada", "0B6A", "=", "é", "0B6AsPyvtYxyxm61bjWf9rWRbmH6"])
def test_what_the_key_did_not_make_is_refused_by_its_row(name: str, token: str) -> None:
    transform, key = MAKERS[name]
    good = led(transform, key, pl.Series("v", ["Ada", None]))
    with pytest.raises(JobError) as raised:
        led(transform, key, good.append(pl.Series([token])), undo=True)
    assert raised.value.code == "UnsuitableColumn"
    assert raised.value.row == 3
    assert token not in raised.value.message.split() or not token


@pytest.mark.parametrize("name", MAKERS)
def test_a_changed_token_is_refused(name: str) -> None:
    transform, key = MAKERS[name]
    (token,) = led(transform, key, pl.Series("v", ["Ada Lovelace"])).to_list()
    changed = token[:9] + ("A" if token[9] != "A" else "B") + token[10:]
    with pytest.raises(JobError):
        led(transform, key, pl.Series("v", [changed]), undo=True)


@pytest.mark.parametrize(
    "transform", [{"tokenize": {"key": KEY_REF}}, {"encrypt": {"key": KEY_REF}}]
)
def test_tokens_are_text(transform: dict[str, Any]) -> None:
    with pytest.raises(JobError) as raised:
        led(transform, "AES256_SIV", pl.Series("v", [7]), undo=True)
    assert "tokens are text" in raised.value.message


def test_a_hash_leads_nowhere() -> None:
    transform = {"hash": {"key": KEY_REF}}
    with pytest.raises(JobError) as raised:
        led(transform, "HMAC_SHA256", pl.Series("v", ["a"]), undo=True)
    assert raised.value.code == "InvalidConfig"


def tokens_config(volume: Volume, tokens: list[str], form: str) -> UnmaskTokensConfig:
    rule = {"name": "patient", "tokenize": {"key": KEY_REF}}
    output = {"path": str(volume.output), "format": form}
    asked = {"rule": rule, "columns": ["value"], "keyRole": "k", "keyAlgorithm": "AES256_SIV"}
    return UnmaskTokensConfig.model_validate(
        {"tokens": tokens, "rule": asked | {"undo": True}, "output": output}
    )


def tokens_of(*texts: str) -> list[str]:
    transform, key = MAKERS["tokenize"]
    made: list[str] = led(transform, key, pl.Series("v", texts)).to_list()
    return made


def test_a_list_of_tokens_becomes_a_sealed_table(volume: Volume) -> None:
    tokens = tokens_of("4711", "Ada")
    config = tokens_config(volume, tokens, "Parquet")
    result = unmask_tokens(config, lambda _: MATERIAL, OUTPUT_KEY)
    assert volume.masked().to_dict(as_series=False) == {"token": tokens, "value": ["4711", "Ada"]}
    assert result.source is None
    assert result.output is not None
    assert (result.output.rows, [c.name for c in result.output.columns]) == (2, ["token", "value"])
    assert result.report is not None
    assert [c.transform for c in result.report.columns] == ["keep", "tokenize"]
    assert "led back" in (result.report.columns[1].note or "")
    csv = tokens_config(volume, tokens, "CSV")
    unmask_tokens(csv, lambda _: MATERIAL, OUTPUT_KEY)
    assert volume.opened().decode().splitlines() == [
        "token,value",
        f"{tokens[0]},4711",
        f"{tokens[1]},Ada",
    ]


def test_a_token_in_a_note_is_led_back_by_tokenize() -> None:
    found = {"freeText": {"languages": ["en"], "replacement": {"tokenize": {"key": KEY_REF}}}}
    transform, key = MAKERS["tokenize"]
    (note,) = led(found, key, pl.Series("v", ["write to ada@clinic.example"])).to_list()
    token = note.partition("[MAIL:")[2].rstrip("]")
    back = led(transform, key, pl.Series("v", [token]), undo=True)
    assert back.to_list() == ["ada@clinic.example"]


def test_one_token_that_the_key_did_not_make_leaves_nothing(volume: Volume) -> None:
    config = tokens_config(volume, [*tokens_of("4711"), "Zebulon"], "Parquet")
    with pytest.raises(JobError) as raised:
        unmask_tokens(config, lambda _: MATERIAL, OUTPUT_KEY)
    assert raised.value.row is None
    assert raised.value.message.startswith("token 2 of 2 was not made by this rule")
    assert "Zebulon" not in raised.value.message
    assert volume.nothing_written()
