"""Columns inside of columns: names of any keys, and rows of any shape, come back as they were."""

from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from leeward.formats.columnpaths import enclosing, expand, format_path, parse_path
from leeward_masking.values.nesting import Layout, map_values, values_of

KEYS = st.text(st.sampled_from('ab.[]\\ "é'), min_size=1, max_size=5)
SCHEMA = pl.Schema(
    {
        "id": pl.Int64(),
        "a": pl.Struct({"x": pl.String(), "in.ner": pl.Struct({"y": pl.Int64()})}),
        "v": pl.List(pl.Struct({"n": pl.String(), "w": pl.List(pl.Int64())})),
        "m": pl.List(pl.List(pl.String())),
    }
)
NUMBERS = st.none() | st.integers(-9, 9)
TEXTS = st.none() | st.text(max_size=3)
ROWS = st.fixed_dictionaries(
    {
        "id": NUMBERS,
        "a": st.none()
        | st.fixed_dictionaries(
            {"x": TEXTS, "in.ner": st.none() | st.fixed_dictionaries({"y": NUMBERS})}
        ),
        "v": st.none()
        | st.lists(
            st.none()
            | st.fixed_dictionaries({"n": TEXTS, "w": st.none() | st.lists(NUMBERS, max_size=3)}),
            max_size=3,
        ),
        "m": st.none() | st.lists(st.none() | st.lists(TEXTS, max_size=3), max_size=3),
    }
)


def settled(value: Any) -> Any:
    """Structs in which nothing is are null."""
    if isinstance(value, dict):
        made = {key: settled(inner) for key, inner in value.items()}
        return None if all(inner is None for inner in made.values()) else made
    return [settled(inner) for inner in value] if isinstance(value, list) else value


@given(st.lists(st.none() | KEYS, min_size=1, max_size=5))
def test_names_lead_to_their_paths(segments: list[str | None]) -> None:
    path = ("k", *segments)
    name = format_path(path)
    assert parse_path(name) == path
    outer = [format_path(path[:end]) for end in range(len(path) - 1, 0, -1)]
    assert list(enclosing(name)) == outer
    assert expand({outer[-1]: 1, name: 2}, [name, "other"]) == {name: 2}


@given(st.lists(ROWS, min_size=1, max_size=6), st.integers(0, 3))
def test_rows_of_any_shape_come_back(rows: list[dict[str, Any]], start: int) -> None:
    frame = pl.DataFrame(rows, schema=SCHEMA)[start:]
    layout = Layout(frame.schema)
    flat = layout.flatten(frame)
    assert flat.schema == layout.schema
    expected = [{key: settled(value) for key, value in row.items()} for row in frame.to_dicts()]
    assert layout.nest(flat).to_dicts() == expected


@given(st.lists(ROWS, min_size=1, max_size=6))
def test_values_in_lists_are_mapped_where_they_are(rows: list[dict[str, Any]]) -> None:
    frame = pl.DataFrame(rows, schema=SCHEMA)
    flat = Layout(frame.schema).flatten(frame)
    for name in ("v[].w[]", "v[].n", "m[][]"):
        column = flat.get_column(name)
        assert map_values(column, lambda values: values).to_list() == column.to_list()
        seen: list[Any] = []
        map_values(column, lambda values, seen=seen: seen.extend(values.to_list()) or values)
        assert seen == values_of(column).to_list()
