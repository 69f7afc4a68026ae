"""The masking engine against plain models of what it does, over random columns."""

import base64
import csv
import datetime as dt
import hashlib
import hmac
import io
import re
import tempfile
from collections.abc import Callable
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path

import numpy as np
import polars as pl
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given
from hypothesis import strategies as st

from leeward.api.plaintransforms import PartialMask
from leeward.api.transforms import FormatPreserving, Generalize, IpPrefix
from leeward.api.valuetransforms import Noise, NumberRange, TimePart, TopBottomCode
from leeward_masking.ciphers.ff1 import BatchFf1
from leeward_masking.ciphers.keys import derive
from leeward_masking.ciphers.siv import BatchSiv
from leeward_masking.errors import JobError
from leeward_masking.report.stats import DistinctSketch
from leeward_masking.sources.columnar.parquetfooter import read_row_groups
from leeward_masking.sources.text.csvsource import CsvReader
from leeward_masking.sources.text.csvtypes import TypeInference, parse_column
from leeward_masking.storage.content import PlainContent
from leeward_masking.storage.volume import VolumeFile
from leeward_masking.transforms import basic
from leeward_masking.transforms.dates import DateShift, time_part
from leeward_masking.transforms.formatpreserving import FormatPreservingMask
from leeward_masking.transforms.noise import NoiseMask
from leeward_masking.transforms.randommask import RangeMask
from leeward_masking.transforms.topbottom import top_bottom_code
from unit.masking import ff1reference

TEXTS = st.lists(st.none() | st.text(max_size=60), max_size=40)
CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=12)


@given(st.binary(min_size=64, max_size=64), st.lists(st.none() | st.binary(max_size=70)))
def test_siv_is_that_of_the_library_row_by_row(key: bytes, values: list[bytes | None]) -> None:
    single = AESSIV(key)
    expected = [
        None
        if value is None
        else base64.urlsafe_b64encode(single.encrypt(value, None)).rstrip(b"=").decode()
        for value in values
    ]
    column = pl.Series("v", values, pl.Binary)
    assert BatchSiv(key).seal(column).to_list() == expected
    vectors = [vector.tobytes() for vector in BatchSiv(key).prf(column)]
    assert vectors == [single.encrypt(value or b"", None)[:16] for value in values]


@st.composite
def numeral_rows(draw: st.DrawFn) -> tuple[int, list[list[int]]]:
    """A radix, and rows of one length with at least a million possible values."""
    radix = draw(st.integers(2, 65536))
    least = next(length for length in range(2, 21) if radix**length >= 1_000_000)
    length = draw(st.integers(least, least + 40))
    numeral = st.integers(0, radix - 1)
    rows = st.lists(st.lists(numeral, min_size=length, max_size=length), min_size=1, max_size=6)
    return radix, draw(rows)


@given(
    st.sampled_from([16, 24, 32]).flatmap(lambda size: st.binary(min_size=size, max_size=size)),
    st.binary(max_size=40),
    numeral_rows(),
)
def test_ff1_is_that_of_the_standard_row_by_row(
    key: bytes, tweak: bytes, plain: tuple[int, list[list[int]]]
) -> None:
    radix, rows = plain
    numerals = np.array(rows, np.uint16)
    tweaks = np.tile(np.frombuffer(tweak, np.uint8), (len(rows), 1))
    cipher = BatchFf1(key, radix)
    sealed = cipher.encrypt(numerals, tweaks)
    assert sealed.tolist() == [ff1reference.encrypt(key, radix, tweak, row) for row in rows]
    assert cipher.decrypt(sealed, tweaks).tolist() == rows
    assert ff1reference.decrypt(key, radix, tweak, sealed[0].tolist()) == rows[0]


@given(
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from(["None", "Luhn"]),
    st.lists(st.none() | st.text("0123456789 -+", max_size=24) | st.text(max_size=12), max_size=30),
)
def test_formats_are_preserved_and_lead_back(
    first: int, last: int, check: str, values: list[str | None]
) -> None:
    material = bytes(32)
    last = 0 if check == "Luhn" else last
    rule = FormatPreserving.model_validate(
        {
            "key": {"vault": {"name": "v"}, "key": "k"},
            "alphabet": "Digits",
            "keepFirst": first,
            "keepLast": last,
            "checkDigit": check,
            "unsuitable": "Redact",
        }
    )
    column = pl.Series("v", values, pl.String)
    masked = FormatPreservingMask(material, rule)(column).to_list()
    key = derive(material, "formatPreserving", 32)

    def back(text: str) -> str:
        digits = re.sub("[^0-9]", "", text)
        has_check = check == "Luhn"
        end = len(digits) - has_check - last
        tweak = f"{digits[:first]}|{digits[end : end + last]}" if first + last else ""
        core = ff1reference.decrypt(key, 10, tweak.encode(), [int(d) for d in digits[first:end]])
        plain = digits[:first] + "".join(map(str, core)) + digits[end:]
        if has_check:
            plain = next(
                found for digit in "0123456789" if luhn(found := plain[:-1] + digit) == luhn(digits)
            )
        letters = iter(plain)
        return re.sub("[0-9]", lambda _: next(letters), text)

    kept = first + last + (check == "Luhn")
    for old, new in zip(values, masked, strict=True):
        # ASCII without letters.
        fits = old is not None and re.fullmatch(r"[ -@\[-`{-~]*", old)
        enough = fits and len(re.sub("[^0-9]", "", old or "")) >= 6 + kept
        assert new == old or new is None or enough
        if enough:
            assert new is not None
            assert back(new) == old
        elif old:
            assert new is None


def luhn(digits: str) -> int:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        total += sum(divmod(int(digit) * (1 + place % 2), 10))
    return total % 10


@given(st.binary(min_size=32, max_size=32), st.integers(16, 64), TEXTS)
def test_hash_is_hmac_sha_256(material: bytes, length: int, values: list[str | None]) -> None:
    key = derive(material, "hash", 32).hex().encode()
    expected = [
        None if v is None else hmac.digest(key, v.encode(), hashlib.sha256).hex()[:length]
        for v in values
    ]
    column = pl.Series("v", values, pl.String)
    assert basic.keyed_hash(material, length)(column).to_list() == expected


@given(st.integers(0, 6), st.integers(0, 6), TEXTS)
def test_partial_mask(first: int, last: int, values: list[str | None]) -> None:
    def model(value: str) -> str:
        hidden = len(value) - first - last
        if hidden <= 0:
            return "*" * len(value)
        return value[:first] + "*" * hidden + value[len(value) - last :]

    rule = PartialMask(keep_first=first, keep_last=last)
    masked = basic.partial_mask(rule)(pl.Series("v", values, pl.String))
    assert masked.to_list() == [None if value is None else model(value) for value in values]


DECIMALS = st.decimals(-(10**9), 10**9, places=2)
PARTS: dict[str, Callable[[dt.datetime], int]] = {
    "Year": lambda moment: moment.year,
    "Quarter": lambda moment: (moment.month + 2) // 3,
    "Month": lambda moment: moment.month,
    "Week": lambda moment: moment.isocalendar().week,
    "Weekday": lambda moment: moment.isoweekday(),
    "Hour": lambda moment: moment.hour,
}


@given(st.sampled_from(sorted(PARTS)), st.lists(st.none() | st.datetimes()))
def test_parts_of_times(part: str, moments: list[dt.datetime | None]) -> None:
    rule = TimePart.model_validate({"part": part})
    found = time_part(rule, pl.Series("v", moments, pl.Datetime("us"))).to_list()
    assert found == [None if moment is None else PARTS[part](moment) for moment in moments]


@given(st.integers(1, 31), st.integers(1, 127), st.lists(st.none() | st.ip_addresses()))
def test_networks_hold_their_addresses(
    v4: int, v6: int, addresses: list[IPv4Address | IPv6Address | None]
) -> None:
    column = pl.Series("v", [a and str(a) for a in addresses], pl.String)
    found = basic.generalize(Generalize(ip_prefix=IpPrefix(v4=v4, v6=v6)))(column)
    for address, text in zip(addresses, found, strict=True):
        plain = getattr(address, "ipv4_mapped", None) or address
        assert text == (
            plain and str(ip_network((plain, v4 if plain.version == 4 else v6), strict=False))
        )


@given(st.lists(DECIMALS, min_size=2, max_size=2), st.lists(st.none() | DECIMALS))
def test_top_and_bottom_codes(borders: list[Decimal], values: list[Decimal | None]) -> None:
    low, high = sorted(borders)
    rule = TopBottomCode(bottom=f"{low:f}", top=f"{high:f}")
    expected = [None if value is None else min(max(value, low), high) for value in values]
    column = pl.Series("v", values, pl.Decimal(38, 2))
    assert top_bottom_code(rule, column).to_list() == expected
    floats = top_bottom_code(rule, column.cast(pl.Float64)).to_list()
    assert floats == [None if value is None else float(value) for value in expected]


@given(
    st.sampled_from(["Laplace", "Gaussian"]),
    st.sampled_from(["0.05", "1", "2.5", "100"]),
    st.lists(DECIMALS, min_size=2, max_size=2),
    st.lists(st.none() | DECIMALS, max_size=20),
    st.sampled_from([pl.Decimal(38, 2), pl.Float64()]),
)
def test_noise_is_rounded_and_clamped(
    distribution: str,
    step: str,
    bounds: list[Decimal],
    values: list[Decimal | None],
    dtype: pl.DataType,
) -> None:
    low, high = sorted(bounds)
    parameters = {"scale": "1000", "roundTo": step, "lower": f"{low:f}", "upper": f"{high:f}"}
    rule = Noise.model_validate(parameters | {"distribution": distribution})
    found = NoiseMask(rule)(pl.Series("v", values, pl.Decimal(38, 2)).cast(dtype))
    for old, text in zip(values, found.cast(pl.String), strict=True):
        assert (old is None) == (text is None)
        if text is not None:
            number = Decimal(text)
            assert low <= number <= high
            assert number in (low, high) or number % Decimal(step) == 0


@given(
    st.lists(DECIMALS, min_size=2, max_size=2),
    st.lists(st.none() | st.lists(st.none() | st.integers(-100, 100), max_size=5), max_size=8),
)
def test_random_numbers_lie_in_their_range(
    bounds: list[Decimal], lists: list[list[int | None] | None]
) -> None:
    low, high = sorted(bounds)
    mask = RangeMask(NumberRange(lower=f"{low:f}", upper=f"{high:f}"))
    for inner in (pl.Float64(), pl.Decimal(30, 2)):
        column = pl.Series("v", lists, pl.List(pl.Int64)).cast(pl.List(inner))
        found = mask(column).to_list()
        assert [row and [v is None for v in row] for row in found] == [
            row and [v is None for v in row] for row in lists
        ]
        numbers = [v for row in found for v in row or [] if v is not None]
        assert all(low <= Decimal(str(v)) <= high for v in numbers)


@given(st.binary(min_size=32, max_size=32), st.integers(1, 3650), TEXTS)
def test_date_shift_stays_in_range_and_never_stands_still(
    material: bytes, most: int, subjects: list[str | None]
) -> None:
    days = DateShift(material, most).days(pl.Series("s", subjects, pl.String))
    assert all(1 <= abs(int(day)) <= most for day in days)
    by_subject: dict[str | None, int] = {}
    for subject, day in zip(subjects, days, strict=True):
        assert by_subject.setdefault(subject or "", int(day)) == day


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=12
        )
    ),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(1, 40),
)
def test_csv_as_the_standard_library_writes_it(
    rows: list[list[str]], line_end: str, block_bytes: int
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerow([f"c{place}" for place in range(len(rows[0]))])
    writer.writerows(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_bytes(text.getvalue().encode())
        with VolumeFile(path) as file:
            reader = CsvReader(PlainContent(file, ""), None, None, block_bytes=block_bytes)
            found = pl.concat(reader.blocks())
    assert found.rows() == [tuple(cell or None for cell in row) for row in rows]


@given(st.lists(st.none() | st.from_regex(r"-?[0-9]{1,19}(\.[0-9]{1,3})?|x", fullmatch=True)))
def test_inferred_types_lose_nothing_but_the_form_of_reals(values: list[str | None]) -> None:
    column = pl.Series("v", values, pl.String)
    inference = TypeInference()
    inference.add(column)
    kind = inference.type()
    parsed = parse_column(column, kind, 1)
    if kind == "Float":
        assert parsed.to_list() == [None if value is None else float(value) for value in values]
    else:
        assert parsed.cast(pl.String).to_list() == values


@given(st.binary(max_size=200), st.integers(0, 1000))
def test_a_footer_of_anything_is_read_or_refused(footer: bytes, size: int) -> None:
    try:
        groups = read_row_groups(footer, size)
    except JobError as error:
        assert error.code == "MalformedData"  # noqa: PT017
    else:
        assert all(4 <= group.start <= group.end <= size for group in groups)


@given(st.lists(st.lists(st.integers(0, 50)), max_size=5))
def test_distinct_values_of_blocks(blocks: list[list[int]]) -> None:
    sketch = DistinctSketch()
    for block in blocks:
        sketch.add(pl.Series("v", block, pl.Int64))
    assert sketch.count() == len({value for block in blocks for value in block})
