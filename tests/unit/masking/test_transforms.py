import base64
import datetime as dt
import hmac
from decimal import Decimal

import polars as pl
import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

from leeward.api.plaintransforms import PartialMask
from leeward.api.transforms import Generalize
from leeward_masking.ciphers.keys import derive
from leeward_masking.errors import JobError
from leeward_masking.transforms import basic
from leeward_masking.transforms.basic import Transform
from leeward_masking.transforms.dates import DateShift
from leeward_masking.values.canonical import canonical_text
from unit.masking.support import from_base64url

MATERIAL = b"m" * 64
NOON = dt.datetime(2026, 1, 31, 12, 30, 5)

COLUMNS = {
    "text": pl.Series("c", ["Ana", "", None, "Žofie 😀", "a\nb"]),
    "integer": pl.Series("c", [0, -12, None, 2**40]),
    "small": pl.Series("c", [0, 255, None], pl.UInt8),
    "float": pl.Series("c", [0.5, -0.0, None, float("nan"), 1e20]),
    "boolean": pl.Series("c", [True, False, None]),
    "date": pl.Series("c", [dt.date(2026, 1, 31), dt.date(1969, 12, 31), None]),
    "datetime": pl.Series("c", [NOON, None]),
    "zoned": pl.Series("c", [NOON, None]).dt.replace_time_zone("Europe/Berlin"),
    "time": pl.Series("c", [dt.time(9, 30), None]),
    "decimal": pl.Series("c", [Decimal("7.50"), None], pl.Decimal(10, 2)),
    "category": pl.Series("c", ["a", None], pl.Categorical),
    "nulls": pl.Series("c", [None, None], pl.String),
    "empty": pl.Series("c", [], pl.String),
}
ANY_TEXT: dict[str, Transform] = {
    "replace": basic.replace("X"),
    "partialMask": basic.partial_mask(PartialMask(keep_first=1, keep_last=1)),
    "hash": basic.keyed_hash(MATERIAL, 32),
    "tokenize": basic.tokenize(MATERIAL),
    "encrypt siv": basic.encrypt_siv(MATERIAL),
    "encrypt gcm": basic.encrypt_gcm(MATERIAL),
    "encrypt fernet": basic.encrypt_fernet(MATERIAL[:32]),
    "prefix": basic.generalize(Generalize(prefix=1)),
}


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
@pytest.mark.parametrize("transform", ANY_TEXT.values(), ids=ANY_TEXT)
def test_text_comes_out_of_every_type_and_null_stays_null(
    transform: Transform, column: pl.Series
) -> None:
    masked = transform(column)
    assert masked.dtype == pl.String
    assert masked.name == "c"
    assert masked.is_null().to_list() == column.is_null().to_list()


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_redact_leaves_nulls_of_the_same_type(column: pl.Series) -> None:
    masked = basic.redact(column)
    assert masked.null_count() == len(masked) == len(column)
    assert (masked.dtype, masked.name) == (column.dtype, "c")


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        ("text", ["Ana", "", None, "Žofie 😀", "a\nb"]),
        ("integer", ["0", "-12", None, "1099511627776"]),
        ("float", ["0.5", "0", None, "NaN", "1e+20"]),
        ("boolean", ["true", "false", None]),
        ("date", ["2026-01-31", "1969-12-31", None]),
        ("datetime", ["2026-01-31T12:30:05", None]),
        ("zoned", ["2026-01-31T11:30:05Z", None]),
        ("time", ["09:30:00", None]),
        ("decimal", ["7.5", None]),
        ("category", ["a", None]),
    ],
)
def test_canonical_text(column: str, texts: list[str | None]) -> None:
    assert canonical_text(COLUMNS[column]).to_list() == texts


def test_canonical_text_does_not_depend_on_the_file_format() -> None:
    for left, right in [
        (pl.Series([7], dtype=pl.Int8), pl.Series([7.0])),
        (pl.Series([NOON]).cast(pl.Datetime("ms")), pl.Series([NOON]).cast(pl.Datetime("ns"))),
        (pl.Series(["7"]), pl.Series([Decimal("7.00")], dtype=pl.Decimal(10, 2))),
    ]:
        assert canonical_text(left).to_list() == canonical_text(right).to_list()


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (PartialMask(keep_last=4), ["******6789", "****", "*2345", "", None, "**😀xyz"]),
        (PartialMask(keep_first=2), ["01********", "12**", "12***", "", None, "é€****"]),
        (
            PartialMask(keep_first=3, keep_last=2, symbol="#"),
            ["012#####89", "####", "#####", "", None, "é€😀#yz"],
        ),
        (PartialMask(), ["**********", "****", "*****", "", None, "******"]),
    ],
)
def test_partial_mask_hides_short_values_entirely(
    rule: PartialMask, expected: list[str | None]
) -> None:
    values = pl.Series("c", ["0123456789", "1234", "12345", "", None, "é€😀xyz"])
    assert basic.partial_mask(rule)(values).to_list() == expected


def test_hash_is_hmac_sha_256_of_the_canonical_text() -> None:
    key = derive(MATERIAL, "hash", 32).hex().encode()
    values = ["", "a", "x" * 55, "x" * 64, "x" * 5000, "Žofie"]
    expected = [hmac.new(key, value.encode(), "sha256").hexdigest() for value in values]
    column = pl.Series("c", values)
    assert basic.keyed_hash(MATERIAL, 64)(column).to_list() == expected
    assert basic.keyed_hash(MATERIAL, 16)(column).to_list() == [e[:16] for e in expected]


def test_tokens_lead_back_with_the_key() -> None:
    key = derive(MATERIAL, "tokenize", 64)
    values = ["Ana", "", "Žofie 😀"]
    tokens = basic.tokenize(MATERIAL)(pl.Series("c", values)).to_list()
    assert [AESSIV(key).decrypt(from_base64url(t), None).decode() for t in tokens] == values


def test_a_number_has_the_token_of_its_text() -> None:
    tokenize = basic.tokenize(MATERIAL)
    assert tokenize(pl.Series([4711])).to_list() == tokenize(pl.Series(["4711"])).to_list()


def test_uses_of_one_key_are_independent() -> None:
    column = pl.Series(["Ana"])
    assert basic.tokenize(MATERIAL)(column)[0] != basic.encrypt_siv(MATERIAL)(column)[0]


def test_gcm_uses_a_fresh_nonce_for_every_value() -> None:
    key = derive(MATERIAL, "encrypt", 32)
    sealed = basic.encrypt_gcm(MATERIAL)(pl.Series("c", ["Ana", "Ana", None, ""])).to_list()
    assert sealed[0] != sealed[1]
    assert sealed[2] is None
    for text, value in zip(sealed, ["Ana", "Ana", None, ""], strict=True):
        if value is not None:
            raw = from_base64url(text)
            assert AESGCM(key).decrypt(raw[:12], raw[12:], None).decode() == value


def test_fernet_tokens_are_read_with_the_key_itself() -> None:
    material = bytes(range(32))
    values = ["Ana", "Ana", None, "", "Žofie 😀", "x" * 5000]
    fernet = Fernet(base64.urlsafe_b64encode(material))
    times = iter([1_800_000_000.9, 0])
    encrypt = basic.encrypt_fernet(material, lambda: next(times))
    tokens = encrypt(pl.Series("c", values)).to_list()
    assert [token and fernet.decrypt(token).decode() for token in tokens] == values
    assert tokens[0] != tokens[1]
    tokens += encrypt(pl.Series("c", ["Bo"])).to_list()
    assert {fernet.extract_timestamp(token) for token in tokens if token} == {1_800_000_000}


def test_a_fernet_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32"):
        basic.encrypt_fernet(MATERIAL)


def test_bins_are_half_open() -> None:
    bins = basic.bins(["0", "20000", "50000.5"])
    numbers = [-1, 0, 19999, 20000, 50000, 50001, None]
    labels: list[str | None] = [
        "<0",
        "[0, 20000)",
        "[0, 20000)",
        "[20000, 50000.5)",
        "[20000, 50000.5)",
    ]
    labels += [">=50000.5", None]
    assert bins(pl.Series("c", numbers)).to_list() == labels
    assert bins(pl.Series("c", numbers, pl.Float64, strict=False)).to_list() == labels
    assert bins(pl.Series("c", numbers, pl.Decimal(10, 2), strict=False)).to_list() == labels
    assert bins(pl.Series("c", [float("nan"), float("inf"), 50000.5])).to_list() == [
        None,
        ">=50000.5",
        ">=50000.5",
    ]


def test_bins_of_large_integers_are_exact() -> None:
    bins = basic.bins(["9007199254740993"])
    near = pl.Series("c", [9007199254740992, 9007199254740993])
    assert bins(near).to_list() == ["<9007199254740993", ">=9007199254740993"]
    assert bins(pl.Series("c", [2**64 - 1], pl.UInt64)).to_list() == [">=9007199254740993"]


def test_bins_of_decimals_are_exact() -> None:
    bins = basic.bins(["12345678901234567.89", "12345678901234567.895"])
    near = [Decimal("12345678901234567.88"), Decimal("12345678901234567.89"), None]
    labels = ["<12345678901234567.89", "[12345678901234567.89, 12345678901234567.895)", None]
    assert bins(pl.Series("c", near, pl.Decimal(38, 2))).to_list() == labels


@pytest.mark.parametrize(
    ("unit", "day"),
    [
        ("Day", dt.date(2026, 5, 17)),
        ("Month", dt.date(2026, 5, 1)),
        ("Quarter", dt.date(2026, 4, 1)),
        ("Year", dt.date(2026, 1, 1)),
        ("Decade", dt.date(2020, 1, 1)),
    ],
)
def test_date_to(unit: str, day: dt.date) -> None:
    dates = pl.Series("c", [dt.date(2026, 5, 17), None])
    cut = basic.date_to(unit)
    assert cut(dates).to_list() == [day, None]
    assert cut(dates.cast(pl.Datetime("ms"))).to_list() == [day, None]


@pytest.mark.parametrize("unit", ["Day", "Week", "Month", "Quarter", "Year", "Decade"])
def test_units_of_the_first_and_the_last_year_are_dates_that_all_readers_know(unit: str) -> None:
    ends = pl.Series("c", [dt.date(1, 1, 1), dt.date(9, 12, 31), dt.date(9999, 12, 31)])
    first, ninth, last = basic.date_to(unit)(ends).to_list()
    assert first == dt.date(1, 1, 1)
    assert ninth.year in (1, 9)
    assert last.year in (9990, 9999)


def test_prefix() -> None:
    values = pl.Series("c", ["12345", "12", "", None, "é€😀x"])
    assert basic.prefix(3)(values).to_list() == ["123**", "**", "", None, "é€😀*"]


class TestDateShift:
    shift = DateShift(MATERIAL, 30)

    def test_is_constant_per_subject_and_keeps_distances(self) -> None:
        subjects = pl.Series(["a", "b", "a", None, "b"])
        start = dt.date(2026, 3, 1)
        days = pl.Series("c", [start, start, start + dt.timedelta(5), start, None])
        moved = self.shift(days, subjects).to_list()
        assert moved[2] - moved[0] == dt.timedelta(5)
        assert moved[3:] == [None, None]
        again = self.shift(days.cast(pl.Datetime("us")), subjects).to_list()
        assert [m and m.date() for m in again] == moved

    def test_follows_the_canonical_text_of_the_subject(self) -> None:
        numbers = self.shift.days(pl.Series([1, 2, 3]))
        assert numbers.tolist() == self.shift.days(pl.Series(["1", "2", "3"])).tolist()

    def test_nanoseconds_stay(self) -> None:
        moments = pl.Series("d", [1, None, 1_600_000_000_123_456_789]).cast(pl.Datetime("ns"))
        subjects = pl.Series(["a", "b", "c"])
        moved = self.shift(moments, subjects)
        assert moved.dtype == moments.dtype
        by = moved.to_physical() - moments.to_physical()
        days = self.shift.days(subjects).tolist()
        assert by.to_list() == [days[0] * 86_400 * 10**9, None, days[2] * 86_400 * 10**9]

    def test_no_moment_is_moved_out_of_what_nanoseconds_reach(self) -> None:
        last = pl.Series("d", [0] * 9 + [2**63 - 1] * 9).cast(pl.Datetime("ns"))
        with pytest.raises(JobError, match="1678 to 2261") as refused:
            self.shift(last, pl.Series([f"{n}" for n in range(18)]))
        assert refused.value.row is not None
        assert refused.value.row > 9

    def test_every_shift_but_zero_is_equally_likely(self) -> None:
        days = pl.Series(self.shift.days(pl.Series(range(60_000)))).value_counts()
        assert sorted(days.get_column("")) == [d for d in range(-30, 31) if d]
        # 1000 expected of each; the chance that one lies outside by chance is below 1e-9.
        assert 790 < days.get_column("count").min() <= days.get_column("count").max() < 1210  # type: ignore[operator]

    def test_keeps_the_time_of_day(self) -> None:
        moved = self.shift(pl.Series("c", [NOON]), pl.Series(["a"]))[0]
        assert moved.time() == NOON.time()


@pytest.mark.parametrize(
    ("transform", "column"),
    [
        (basic.bins(["0"]), "text"),
        (basic.date_to("Month"), "integer"),
        (lambda c: DateShift(MATERIAL, 3)(c, c), "text"),
        (basic.tokenize(MATERIAL), "list"),
    ],
)
def test_unsuitable_columns_are_refused(transform: Transform, column: str) -> None:
    values = COLUMNS | {"list": pl.Series("c", [["SECRET"]])}
    with pytest.raises(JobError) as caught:
        transform(values[column])
    assert caught.value.code == "UnsuitableColumn"
    assert caught.value.column == "c"
    assert "SECRET" not in caught.value.message
