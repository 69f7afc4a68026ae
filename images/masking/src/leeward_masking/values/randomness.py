"""Random numbers for masking, from the operating system's generator alone.

Whoever could guess how they were made would take them away again. So every value has 64 bits of its
own from the kernel (getrandom(2): ChaCha20, seeded from hardware): there is no seed to give, to
log or to try out, no state that a worker could share with another or take up again, and nothing
that one value tells about the next. Bulk generators as PCG64 are made for simulations: their state
can be computed from what they gave out. Reading a million numbers takes about 20 ms.
"""

import os
from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Random: TypeAlias = Callable[[int], bytes]
"""Returns that many random bytes; ``os.urandom`` outside of tests."""

WORDS: Final = 1 << 64
_CONTINUOUS: Final = 53
"""Bits of a number in (0, 1]."""


def words(count: int, random: Random = os.urandom) -> NDArray[np.uint64]:
    """Independent, uniform 64-bit numbers, shape (count,)."""
    return np.frombuffer(random(8 * count), np.uint64)


def uniform(drawn: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Multiples of 2**-53 in (0, 1], all equally likely, from the upper 53 bits of each word."""
    upper = (drawn >> np.uint64(64 - _CONTINUOUS)) + np.uint64(1)
    return upper.astype(np.float64) * 2.0**-_CONTINUOUS


def below(bound: int, count: int, random: Random = os.urandom) -> NDArray[np.uint64]:
    """Whole numbers in 0..bound-1, all equally likely, shape (count,).

    Args:
        bound: 1 to 2**64.
        count: How many.
        random: The source.
    """
    drawn = words(count, random)
    if bound == WORDS:
        return drawn
    # Above this the last, incomplete run of remainders begins: taking it would favour some.
    limit = np.uint64(WORDS - 1 - WORDS % bound)
    drawn = drawn.copy()
    while (rejected := np.flatnonzero(drawn > limit)).size:
        drawn[rejected] = words(rejected.size, random)
    return drawn % np.uint64(bound)


def laplace(count: int, random: Random = os.urandom) -> NDArray[np.float64]:
    """Laplace numbers of scale 1, shape (count,): a random sign before an exponential number.

    The lowest bit of a word is the sign, its upper 53 bits the exponential number by inversion.
    """
    drawn = words(count, random)
    size = -np.log(uniform(drawn))
    return np.where(drawn & np.uint64(1), size, -size)


def gaussian(count: int, random: Random = os.urandom) -> NDArray[np.float64]:
    """Gaussian numbers of standard deviation 1, shape (count,) (Box and Muller 1958)."""
    pairs = uniform(words(2 * ((count + 1) // 2), random)).reshape(2, -1)
    radius = np.sqrt(-2.0 * np.log(pairs[0]))
    angle = 2.0 * np.pi * pairs[1]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]
