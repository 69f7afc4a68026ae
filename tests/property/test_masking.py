"""The masking engine against plain models of what it does, over random columns."""

import base64
import csv
import hashlib
import hmac
import io
import tempfile
from pathlib import Path

import polars as pl
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given, settings
from hypothesis import strategies as st

from leeward.api.transforms import PartialMask
from leeward_masking import transforms
from leeward_masking.content import PlainContent
from leeward_masking.csvsource import CsvReader
from leeward_masking.csvtypes import TypeInference, parse_column
from leeward_masking.dates import DateShift
from leeward_masking.errors import JobError
from leeward_masking.footer import read_row_groups
from leeward_masking.keys import derive
from leeward_masking.siv import BatchSiv
from leeward_masking.stats import DistinctSketch

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


@given(st.binary(min_size=32, max_size=32), st.integers(16, 64), TEXTS)
def test_hash_is_hmac_sha_256(material: bytes, length: int, values: list[str | None]) -> None:
    key = derive(material, "hash", 32).hex().encode()
    expected = [
        None if v is None else hmac.digest(key, v.encode(), hashlib.sha256).hex()[:length]
        for v in values
    ]
    column = pl.Series("v", values, pl.String)
    assert transforms.keyed_hash(material, length)(column).to_list() == expected


@given(st.integers(0, 6), st.integers(0, 6), TEXTS)
def test_partial_mask(first: int, last: int, values: list[str | None]) -> None:
    def model(value: str) -> str:
        hidden = len(value) - first - last
        if hidden <= 0:
            return "*" * len(value)
        return value[:first] + "*" * hidden + value[len(value) - last :]

    rule = PartialMask(keep_first=first, keep_last=last)
    masked = transforms.partial_mask(rule)(pl.Series("v", values, pl.String))
    assert masked.to_list() == [None if value is None else model(value) for value in values]


@given(st.binary(min_size=32, max_size=32), st.integers(1, 3650), TEXTS)
def test_date_shift_stays_in_range_and_never_stands_still(
    material: bytes, most: int, subjects: list[str | None]
) -> None:
    days = DateShift(material, most).days(pl.Series("s", subjects, pl.String))
    assert all(1 <= abs(int(day)) <= most for day in days)
    by_subject: dict[str | None, int] = {}
    for subject, day in zip(subjects, days, strict=True):
        assert by_subject.setdefault(subject or "", int(day)) == day


@settings(deadline=None)
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
        with path.open("rb", buffering=0) as file:
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
