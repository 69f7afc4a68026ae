import datetime as dt
import re
import string
from typing import Any, get_args

import polars as pl
import pytest

from leeward.api.transforms import Alphabet, FormatPreserving
from leeward_masking.ciphers.keys import derive
from leeward_masking.ciphers.siv import SLICE
from leeward_masking.errors import JobError
from leeward_masking.transforms.formatpreserving import (
    ALPHABETS,
    MAX_CHARACTERS,
    FormatPreservingMask,
)
from unit.masking import ff1reference
from unit.masking.support import KEY_REF

MATERIAL = bytes(range(32))
KEY = derive(MATERIAL, "formatPreserving", 32)
CARD = "4111 1111 1111 1111"
REMEDY = "formatPreserving.unsuitable to Redact"


def transform(**parameters: Any) -> FormatPreservingMask:
    rule = {"key": KEY_REF, "alphabet": "Digits", **parameters}
    return FormatPreservingMask(MATERIAL, FormatPreserving.model_validate(rule))


def mask(values: list[str | None], **parameters: Any) -> list[str | None]:
    found: list[str | None] = transform(**parameters)(pl.Series("c", values, pl.String)).to_list()
    return found


def one(value: str, **parameters: Any) -> str:
    (masked,) = mask([value], **parameters)
    assert masked is not None
    return masked


def refusal(values: pl.Series, **parameters: Any) -> JobError:
    with pytest.raises(JobError) as caught:
        transform(**parameters)(values)
    assert caught.value.code == "UnsuitableColumn"
    assert caught.value.column == "c"
    return caught.value


def shape(text: str) -> str:
    return re.sub(r"[A-Za-z0-9]", "x", text)


def is_luhn(text: str) -> bool:
    digits = [int(letter) for letter in text if letter.isdigit()][::-1]
    return (sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])) % 10 == 0


@pytest.mark.parametrize("alphabet", get_args(Alphabet))
def test_is_ff1_over_the_alphabet(alphabet: Alphabet) -> None:
    letters = ALPHABETS[alphabet].decode()
    values = [(letters * 9)[start : start + 9 + start % 3] for start in range(12)]
    for value, masked in zip(values, mask([*values], alphabet=alphabet), strict=True):
        plain = [letters.index(letter) for letter in value]
        sealed = ff1reference.encrypt(KEY, len(letters), b"", plain)
        assert masked == "".join(letters[numeral] for numeral in sealed)


def test_alphabets_are_what_their_names_say() -> None:
    texts = {name: letters.decode() for name, letters in ALPHABETS.items()}
    assert texts["Alphanumeric"] == string.digits + string.ascii_uppercase + string.ascii_lowercase
    assert texts["UpperHexadecimal"] == texts["LowerHexadecimal"].upper() == "0123456789ABCDEF"
    assert texts["Letters"] == string.ascii_uppercase + string.ascii_lowercase
    assert texts["UpperAlphanumeric"] == texts["LowerAlphanumeric"].upper()


def test_kept_characters_are_the_tweak_and_stay() -> None:
    sealed = ff1reference.encrypt(KEY, 10, b"41|11", [1] * 12)
    middle = "".join(map(str, sealed))
    assert one("41" + "1" * 14, keepFirst=2, keepLast=2) == f"41{middle}11"
    assert one("4 1" + "1" * 14, keepFirst=2, keepLast=2) == f"4 1{middle}11"


def test_kept_characters_may_be_of_another_alphabet() -> None:
    masked = one("QQ 12-34-56 C", keepFirst=2, keepLast=1)
    assert re.fullmatch(r"QQ \d\d-\d\d-\d\d C", masked)
    assert masked != "QQ 12-34-56 C"


def test_separators_stay_and_do_not_count() -> None:
    values = ["4111111111111111", CARD, "4111-1111-1111-1111", "(4111)1111/11111111."]
    masked = [one(value) for value in values]
    assert [shape(text) for text in masked] == [shape(value) for value in values]
    assert len({re.sub(r"\D", "", text) for text in masked}) == 1
    assert mask([*values]) == masked


def test_lengths_and_shapes_may_be_mixed() -> None:
    values = [("9" * 20)[: 6 + place % 14] + "-" * (place % 3) for place in range(300)]
    assert mask([*values]) == [one(value) for value in values[:42]] * 7 + [
        one(value) for value in values[294:]
    ]


def test_null_and_empty_stay() -> None:
    assert mask([None, "", None]) == [None, "", None]
    assert mask([]) == []
    first, *rest = mask(["123456", None, ""])
    assert first != "123456"
    assert rest == [None, ""]


def test_equal_values_stay_equal_across_columns_and_slices() -> None:
    values = [f"{number % 1000:06}" for number in range(SLICE + 100)]
    masked = transform()(pl.Series("c", values))
    again = transform()(pl.Series("d", values[SLICE:]))
    assert masked[SLICE:].to_list() == again.to_list()
    assert masked.n_unique() == 1000


def test_integers_become_text_of_the_same_length() -> None:
    numbers = [1234567890, 100000, -7654321, None]
    masked = transform()(pl.Series("c", numbers))
    assert masked.dtype == pl.String
    assert masked.to_list() == mask(["1234567890", "100000", "-7654321", None])


class TestLuhn:
    def test_valid_numbers_stay_valid(self) -> None:
        values = [CARD, "5555-5555-5555-4444", "378282246310005", "79927398713"]
        masked = mask([*values], checkDigit="Luhn")
        assert all(is_luhn(text or "") for text in masked)
        assert all(new and new[:-1] != old[:-1] for new, old in zip(masked, values, strict=True))

    def test_the_digits_before_the_last_are_ff1(self) -> None:
        sealed = ff1reference.encrypt(KEY, 10, b"7992|", [7, 3, 9, 8, 7, 1])
        masked = one("79927398713", checkDigit="Luhn", keepFirst=4)
        assert masked[:-1] == "7992" + "".join(map(str, sealed))
        assert is_luhn(masked)

    def test_numbers_with_another_last_digit_stay_apart(self) -> None:
        masked = mask([f"7992739871{digit}" for digit in range(10)], checkDigit="Luhn")
        assert len(set(masked)) == 10
        assert [is_luhn(text or "") for text in masked] == [digit == 3 for digit in range(10)]

    def test_the_check_digit_does_not_count(self) -> None:
        assert is_luhn(one("1234566", checkDigit="Luhn")) == is_luhn("1234566")
        refusal(pl.Series("c", ["123455"]), checkDigit="Luhn")

    def test_kept_characters_must_be_digits(self) -> None:
        refusal(pl.Series("c", ["A79927398713"]), checkDigit="Luhn", keepFirst=1)


UNSUITABLE = [
    ("12345", {}, "fewer than 6 characters to encrypt"),
    ("-", {}, "fewer than 6 characters"),
    ("12345678", {"keepFirst": 2, "keepLast": 1}, "fewer than 6 characters"),
    ("abc", {"alphabet": "Alphanumeric"}, "fewer than 4 characters"),
    ("1234567X", {}, "neither of alphabet Digits nor an ASCII separator"),
    ("AB123456", {"keepFirst": 1}, "neither of alphabet Digits"),
    ("123456\N{NO-BREAK SPACE}7", {}, "neither of alphabet Digits"),
    ("1234567\N{ARABIC-INDIC DIGIT THREE}", {}, "neither of alphabet Digits"),
    ("\N{FULLWIDTH DIGIT ONE}23456789", {"keepFirst": 1}, "neither of alphabet Digits"),
    ("123456\t7", {}, "neither of alphabet Digits"),
    ("1234567a", {"alphabet": "UpperHexadecimal"}, "neither of alphabet UpperHexadecimal"),
    ("1" * (MAX_CHARACTERS + 1), {}, "more than 128 characters"),
    ("é" * (MAX_CHARACTERS + 1), {}, "more than 128 characters"),
    ("é" * MAX_CHARACTERS, {}, "neither of alphabet Digits"),
]


@pytest.mark.parametrize(("value", "parameters", "words"), UNSUITABLE)
def test_a_value_that_does_not_fit_is_refused_with_its_row(
    value: str, parameters: dict[str, Any], words: str
) -> None:
    fitting = "7" * 20
    error = refusal(pl.Series("c", [fitting, None, "", value, fitting, value]), **parameters)
    assert error.row == 4
    assert words in error.message
    assert REMEDY in error.remedy
    for text in (value, fitting):
        assert len(text) < 4 or text not in error.message + error.remedy


@pytest.mark.parametrize(("value", "parameters", "words"), UNSUITABLE)
def test_a_value_that_does_not_fit_is_removed_where_the_rule_says_so(
    value: str, parameters: dict[str, Any], words: str
) -> None:
    fitting = "7" * 20
    values = [value, fitting, None, value, "", value]
    masked = mask([*values], unsuitable="Redact", **parameters)
    assert masked == [None, one(fitting, **parameters), None, None, "", None]


def test_the_row_is_counted_over_nulls_and_slices() -> None:
    values = ["123456", None] * (SLICE // 2) + [None, "123456", "12"]
    assert refusal(pl.Series("c", values)).row == SLICE + 3


def test_the_longest_value_that_is_taken() -> None:
    value = "12-" * (MAX_CHARACTERS // 3) + "34"
    assert len(value) == MAX_CHARACTERS
    assert shape(one(value)) == shape(value)


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("c", [0.5]),
        pl.Series("c", [True]),
        pl.Series("c", [dt.date(2026, 1, 31)]),
        pl.Series("c", [["SECRET"]]),
        pl.Series("c", [], pl.Float64),
    ],
    ids=["float", "boolean", "date", "list", "empty"],
)
def test_other_columns_are_refused(column: pl.Series) -> None:
    assert "SECRET" not in refusal(column).message


def test_other_rules_are_told_by_the_tweak() -> None:
    value = "7" * 14
    kept = [
        one(value, keepFirst=first, keepLast=last)[first : 14 - last]
        for first, last in [(2, 1), (1, 2), (3, 0), (0, 3)]
    ]
    assert len(set(kept)) == 4
