"""Detection on whatever text: spans lie in the note, apart from each other, and replace exactly."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from leeward_masking.freetext import FreeTextDetector, replaced

DETECTOR = FreeTextDetector()
PIECES = st.one_of(
    st.text(max_size=6),
    st.sampled_from(
        [
            "a@b.org",
            "Mary Jones",
            "Dr ",
            "患者张伟",
            "4111 1111 1111 1111",
            "+44 20 7946 0321",
            "born 3 May 1980",
            "DE89370400440532013000",
            "\r\n",
            " ",
            "\ufdd0",
            "👩‍👩‍👧",
            "e\u0301",
            "１３８",
        ]
    ),
)
NOTES = st.lists(st.one_of(st.none(), st.lists(PIECES, max_size=8).map("".join)), max_size=6)


def nothing(_entity: str, values: pl.Series) -> pl.Series:
    return pl.Series([""]).new_from_index(0, len(values))


@given(NOTES)
def test_spans_are_in_order_and_replaced_exactly(texts: list[str | None]) -> None:
    notes = pl.Series("note", texts, pl.String)
    spans = DETECTOR.find(notes)
    left: list[str | None] = list(texts)
    reached = (-1, 0)
    for row, start, end in spans.select("row", "start", "end").iter_rows():
        text = texts[row]
        assert text is not None
        assert 0 <= start < end <= len(text)
        assert (row, start) >= reached
        reached = (row, end)
    for row, start, end in reversed(spans.select("row", "start", "end").rows()):
        left[row] = str(left[row])[:start] + str(left[row])[end:]
    assert replaced(notes, spans, {}, nothing).to_list() == left
