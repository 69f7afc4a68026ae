"""Numbers of a fixed count of numerals, those of all rows at once, in limbs of at most 32 bits.

A limb holds as many numerals as fit. So a limb times a word plus a limb stays below 2^64, and
numpy's uint64 is exact whatever the size of the numbers.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint64]
Limbs = list[Numbers]
"""Of every row one number: its limbs, the least significant first, shape (n,) each."""
Numerals = NDArray[np.uint16]

_WORD: Final = 32
_LOW: Final = (1 << _WORD) - 1


class Modulus:
    """Arithmetic modulo radix^count on numbers that are written with ``count`` numerals.

    Args:
        radix: 2 to 65536.
        count: Numerals, at least 1.
    """

    def __init__(self, radix: int, count: int) -> None:
        per_limb = 1
        while radix ** (per_limb + 1) <= 1 << _WORD:
            per_limb += 1
        self._radix: Final = radix
        self._spans: Final = [
            range(max(0, end - per_limb), end) for end in range(count, 0, -per_limb)
        ]
        self._bases: Final = [radix ** len(span) for span in self._spans]

    def read(self, numerals: Numerals) -> Limbs:
        """The numbers that are written in rows of numerals, shape (n, count)."""
        columns = np.ascontiguousarray(numerals.T)
        limbs: Limbs = []
        for span in self._spans:
            number = columns[span[0]].astype(np.uint64)
            for place in span[1:]:
                number *= self._radix
                number += columns[place]
            limbs.append(number)
        return limbs

    def write(self, limbs: Limbs, numerals: Numerals) -> None:
        """Write the numbers into rows of numerals, shape (n, count)."""
        columns = np.empty(numerals.shape[::-1], np.uint16)
        for span, limb in zip(self._spans, limbs, strict=True):
            rest = limb
            for place in reversed(span[1:]):
                above = rest // self._radix
                columns[place] = rest - above * self._radix
                rest = above
            columns[span[0]] = rest
        numerals[:] = columns.T

    def add(self, left: Limbs, right: Limbs) -> Limbs:
        """The sums."""
        sums: Limbs = []
        carry: Numbers | int = 0
        for base, one, other in zip(self._bases, left, right, strict=True):
            total = one + other + carry
            carry = (total >= base).astype(np.uint64)
            sums.append(total - carry * base)
        return sums

    def subtract(self, left: Limbs, right: Limbs) -> Limbs:
        """The differences."""
        differences: Limbs = []
        kept: Numbers | int = 1
        for base, one, other in zip(self._bases, left, right, strict=True):
            total = one + (base - 1) - other + kept
            kept = (total >= base).astype(np.uint64)
            differences.append(total - kept * base)
        return differences

    def words(self, limbs: Limbs, count: int) -> Limbs:
        """The numbers in at most ``count`` 32-bit words, the least significant first.

        They must fit; words that are left out are zero.
        """
        words = [limbs[-1]]
        for limb in reversed(limbs[:-1]):
            carry = limb
            for place, word in enumerate(words):
                total = word * self._bases[0] + carry
                words[place] = total & _LOW
                carry = total >> _WORD
            if len(words) < count:
                words.append(carry)
        return words

    def reduce(self, words: Limbs) -> Limbs:
        """The residues of numbers in at least two 32-bit words, the most significant first."""
        limbs: Limbs = []
        for base in self._bases[:-1]:
            rest = np.zeros_like(words[0])
            quotient: Limbs = []
            for word in words:
                number = rest << _WORD | word
                above = number // base
                rest = number - above * base
                quotient.append(above)
            limbs.append(rest)
            words = quotient
        base = self._bases[-1]
        number = words[0] << _WORD | words[1]
        rest = number - number // base * base
        for word in words[2:]:
            number = rest << _WORD | word
            rest = number - number // base * base
        return [*limbs, rest]
