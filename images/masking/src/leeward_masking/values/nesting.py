"""Nested columns as flat ones and back: a leaf in structs becomes a column, one in lists a list.

Rules, gatherers and reports see flat blocks whose columns have the names of leaves. What a leaf in
a list holds is masked value by value, whatever the lengths of the lists. Going back, a struct in
which no leaf has a value is null: that it was there and empty is not kept.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from leeward.formats.columnpaths import ELEMENTS, Path, format_path, same_list
from leeward_masking.errors import JobError

_LISTS: Final = (pl.List, pl.Array)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One column of the flat form.

    Attributes:
        name: Its name.
        path: Where it lies; the first segment is the column of the file.
        dtype: Type of the flat column: in as many lists as the path has ``[]``.
    """

    name: str
    path: Path
    dtype: pl.DataType


class Layout:
    """How the columns of a file are made flat.

    Args:
        schema: Of the file.
        whole: Names of columns that are taken as they are, structs and lists, too.
        escaped: Whether names of columns that are not nested are written as those of keys are.

    Raises:
        JobError: ``DuplicateColumn``: two leaves have the same name.
    """

    def __init__(
        self, schema: pl.Schema, whole: Collection[str] = (), *, escaped: bool = False
    ) -> None:
        self._leaves: list[Leaf] = []
        for name, dtype in schema.items():
            if escaped or _is_nested(dtype):
                self._add((name,), dtype, 0, frozenset(whole))
            else:
                self._leaves.append(Leaf(name, (name,), dtype))
        self._by_name = {leaf.name: leaf for leaf in self._leaves}
        if len(self._by_name) < len(self._leaves):
            raise _name_twice([leaf.name for leaf in self._leaves])
        self.schema = pl.Schema({leaf.name: leaf.dtype for leaf in self._leaves})
        self._is_flat = all(leaf.path == (leaf.name,) for leaf in self._leaves)

    def _add(self, path: Path, dtype: pl.DataType, depth: int, whole: frozenset[str]) -> None:
        name = format_path(path)
        if name not in whole:
            if isinstance(dtype, pl.Struct) and dtype.fields:
                for field in dtype.fields:
                    self._add((*path, field.name), _instance(field.dtype), depth, whole)
                return
            if isinstance(dtype, _LISTS):
                self._add((*path, ELEMENTS), _instance(dtype.inner), depth + 1, whole)
                return
        for _ in range(depth):
            dtype = pl.List(dtype)
        self._leaves.append(Leaf(name, path, dtype))

    def flatten(self, frame: pl.DataFrame) -> pl.DataFrame:
        """A block of the file with one column for each leaf."""
        if self._is_flat:
            return frame
        return pl.DataFrame(
            [
                _take(frame.get_column(str(leaf.path[0])), leaf.path[1:]).alias(leaf.name)
                for leaf in self._leaves
            ]
        )

    def nest(self, frame: pl.DataFrame) -> pl.DataFrame:
        """A flat block as it lies in a file; leaves that were dropped are not there."""
        if self._is_flat:
            return frame
        tops: dict[str, list[tuple[Path, pl.Series]]] = {}
        for column in frame.iter_columns():
            leaf = self._by_name[column.name]
            tops.setdefault(str(leaf.path[0]), []).append((leaf.path[1:], column))
        return pl.DataFrame([_build(parts).alias(name) for name, parts in tops.items()])


def list_depth(name: str, dtype: pl.DataType) -> int:
    """In how many lists the values of a flat column lie, one in another."""
    depth = 0
    for _ in range(name.count("[]")):
        if not isinstance(dtype, pl.List):
            break
        dtype, depth = _instance(dtype.inner), depth + 1
    return depth


def value_dtype(name: str, dtype: pl.DataType) -> pl.DataType:
    """The type of the values of a flat column, inside of all its lists."""
    for _ in range(list_depth(name, dtype)):
        if isinstance(dtype, pl.List):
            dtype = _instance(dtype.inner)
    return dtype


def values_of(column: pl.Series) -> pl.Series:
    """The values of a flat column, one after another, out of all its lists."""
    for _ in range(list_depth(column.name, column.dtype)):
        column = explode(column)
    return column


def map_values(
    column: pl.Series,
    function: Callable[..., pl.Series],
    beside: Sequence[pl.Series] = (),
) -> pl.Series:
    """Apply a function to the values of a flat column, and leave its lists as they are.

    Args:
        column: The column.
        function: Given the values, and beside each what its row holds in the other columns.
        beside: Other columns of the block.

    Raises:
        JobError: Whatever the function raises; its row is that of the block.
    """
    depth = list_depth(column.name, column.dtype)
    if not depth:
        return function(column, *beside)
    layers = [column]
    rows = np.arange(len(column), dtype=np.uint32)
    for _ in range(depth):
        lengths = layers[-1].list.len().fill_null(0).to_numpy()
        rows = np.repeat(rows, lengths)
        layers.append(explode(layers[-1]))
    places = pl.Series(rows)
    try:
        result = function(layers[-1], *(_beside(column, other, places) for other in beside))
    except JobError as error:
        if error.row is None:
            raise
        raise error.at_row(int(rows[error.row - 1]) + 1) from None
    for layer in reversed(layers[:-1]):
        result = relist(layer, result)
    return result.alias(column.name)


def _beside(column: pl.Series, other: pl.Series, places: pl.Series) -> pl.Series:
    """A column of the block, repeated for each value: its own element where it is beside it."""
    if list_depth(other.name, other.dtype) and same_list(column.name, other.name):
        return values_of(other)
    return other.gather(places)


def explode(lists: pl.Series) -> pl.Series:
    """The elements of all lists; of null and of empty ones none."""
    return lists.explode(empty_as_null=False, keep_nulls=False)


def relist(lists: pl.Series, elements: pl.Series) -> pl.Series:
    """Lists of the same lengths with other elements, null where they were null."""
    if lists.null_count():
        # Behind a null there can be elements that nobody sees.
        present = lists.is_not_null()
        places = (present.cum_sum().cast(pl.Int64) - 1).set(~present, None)
        return relist(lists.drop_nulls(), elements).gather(places)
    return pl.select(
        pl.lit(lists).list.eval(
            pl.element().map_batches(
                lambda _: elements, is_elementwise=True, return_dtype=elements.dtype
            )
        )
    ).to_series()


def _take(column: pl.Series, path: Path) -> pl.Series:
    """What lies at a path below a column, in as many lists as the path leads through."""
    if not path:
        return column
    segment, rest = path[0], path[1:]
    if segment is ELEMENTS:
        lists = column.arr.to_list() if isinstance(column.dtype, pl.Array) else column
        return lists if not rest else relist(lists, _take(explode(lists), rest))
    return _take(column.struct.unnest().get_column(segment), rest)


def _build(parts: Sequence[tuple[Path, pl.Series]]) -> pl.Series:
    """The column of which these are the parts, at their paths below it."""
    path, first = parts[0]
    if not path:
        return first
    if path[0] is ELEMENTS:
        elements = [(path[1:], explode(series)) for path, series in parts]
        return relist(first, _build(elements))
    fields: dict[str, list[tuple[Path, pl.Series]]] = {}
    for path, series in parts:
        fields.setdefault(str(path[0]), []).append((path[1:], series))
    frame = pl.DataFrame([_build(below).alias(name) for name, below in fields.items()])
    struct = frame.to_struct()
    absent = np.logical_and.reduce([column.is_null().to_numpy() for column in frame.iter_columns()])
    return struct.set(pl.Series(absent), None) if absent.any() else struct


def _is_nested(dtype: pl.DataType) -> bool:
    return isinstance(dtype, _LISTS) or (isinstance(dtype, pl.Struct) and bool(dtype.fields))


def _instance(dtype: object) -> pl.DataType:
    """Polars lets the inner type of a list be a class."""
    if isinstance(dtype, pl.DataType):
        return dtype
    if isinstance(dtype, type) and issubclass(dtype, pl.DataType):
        return dtype()
    raise TypeError("no type of Polars")


def _name_twice(names: Sequence[str]) -> JobError:
    name = next(name for name in names if names.count(name) > 1)
    return JobError(
        "DuplicateColumn",
        f'two columns have the name "{name}": one with a dot or brackets in its own name, one in a'
        " struct or list",
        "give one of them another name",
        column=name[:256],
    )
