"""Which columns of codes are equal."""

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

IntArray: TypeAlias = npt.NDArray[np.int64]
CodeArray: TypeAlias = npt.NDArray[np.int32]
SubjectArray: TypeAlias = npt.NDArray[np.uint64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
FloatArray: TypeAlias = npt.NDArray[np.float64]

_KEY_LIMIT: Final = 1 << 62
_DENSE: Final = 1 << 21


def densify(keys: IntArray, space: int) -> tuple[IntArray, int]:
    """Number the distinct keys from 0 in ascending order.

    Args:
        keys: Shape (n,), each from 0 to ``space`` - 1.
        space: How many keys there could be.

    Returns:
        The number of each key, shape (n,), and how many distinct ones there are.
    """
    if space <= max(_DENSE, 4 * len(keys)):
        present = np.zeros(space, np.bool_)
        present[keys] = True
        places = np.cumsum(present, dtype=np.int64)
        return places[keys] - 1, int(places[-1]) if space else 0
    distinct, inverse = np.unique(keys, return_inverse=True)
    return inverse.astype(np.int64, copy=False), len(distinct)


def group(columns: Sequence[npt.NDArray[np.integer]], sizes: Sequence[int]) -> tuple[IntArray, int]:
    """Number the distinct combinations from 0 in lexicographic order.

    Combinations become one number in mixed radix. Where that would leave 64 bits, what is there is
    numbered anew first: there are never more combinations than entries.

    Args:
        columns: Codes of each attribute, each of shape (n,).
        sizes: How many codes each attribute has.

    Returns:
        The number of each entry's combination, shape (n,), and how many there are.
    """
    keys = np.zeros(len(columns[0]) if columns else 0, np.int64)
    space = 1
    for column, size in zip(columns, sizes, strict=True):
        if space * size >= _KEY_LIMIT:
            keys, space = densify(keys, space)
        keys *= size
        keys += column
        space *= size
    return densify(keys, space)


def representatives(numbers: IntArray, count: int) -> IntArray:
    """One entry of each group, shape (count,); ``numbers`` are those of ``densify``."""
    found = np.empty(count, np.int64)
    found[numbers] = np.arange(len(numbers))
    return found


def sums(numbers: IntArray, weights: IntArray, count: int) -> IntArray:
    """The sum of the weights in each group, exact below 2^53; shape (count,)."""
    return np.bincount(numbers, weights, count).astype(np.int64)
