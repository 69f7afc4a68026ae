"""Format-preserving encryption of a column: FF1 over the characters of each value.

A value is ASCII text. Its letters and digits are what counts; everything else, spaces and
punctuation, separates them and stays where it is. Of the letters and digits those at the ends that
are kept, and the check digit, are left aside, and FF1 encrypts the rest, which must be of the
alphabet. The kept ones are its tweak, so that what one prefix is mapped to tells nothing about
another one; separators are not, so that ``1234 5678`` and ``12345678`` become the same digits.
"""

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leeward.api.transforms import Alphabet, FormatPreserving
from leeward_masking.ciphers.aes import Bytes
from leeward_masking.ciphers.ff1 import MIN_DOMAIN, BatchFf1
from leeward_masking.ciphers.keys import KEY_SIZE, derive
from leeward_masking.ciphers.siv import SLICE
from leeward_masking.errors import JobError
from leeward_masking.values.canonical import canonical_text, column_type, unsuitable

MAX_CHARACTERS: Final = 128
"""Of a value, separators included: identifiers are shorter, and so the arrays stay small."""

_DIGITS: Final = b"0123456789"
_LOWER: Final = b"abcdefghijklmnopqrstuvwxyz"
_UPPER: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ALPHABETS: Final[dict[Alphabet, bytes]] = {
    "Digits": _DIGITS,
    "LowerLetters": _LOWER,
    "UpperLetters": _UPPER,
    "Letters": _UPPER + _LOWER,
    "LowerHexadecimal": _DIGITS + _LOWER[:6],
    "UpperHexadecimal": _DIGITS + _UPPER[:6],
    "LowerAlphanumeric": _DIGITS + _LOWER,
    "UpperAlphanumeric": _DIGITS + _UPPER,
    "Alphanumeric": _DIGITS + _UPPER + _LOWER,
}
"""The characters in the order of the numerals that they stand for."""

_SEPARATOR, _COUNTED, _FOREIGN = range(3)
_KINDS: Final = np.full(256, _FOREIGN, np.uint8)
"""What each byte of a value is. Control characters and all beyond ASCII are foreign."""
_KINDS[0x20:0x7F] = _SEPARATOR
_KINDS[np.frombuffer(ALPHABETS["Alphanumeric"], np.uint8)] = _COUNTED
_NO_NUMERAL: Final = 0xFFFF
_PADDING: Final = 0x20
_BETWEEN_KEPT: Final = 0x7C
"""Stands in the tweak between the two ends, and is in no alphabet."""

_FIT, _STRANGE, _SHORT, _LONG = range(4)
Positions = NDArray[np.int64]
Faults = NDArray[np.uint8]
"""Of every value what is wrong with it, or ``_FIT``."""


class FormatPreservingMask:
    """The transform. Safe to use from several threads.

    Args:
        material: Artefact key of the rule.
        rule: Its parameters.
        undo: Whether values are led back. What the key did not make is not noticed.
    """

    def __init__(self, material: bytes, rule: FormatPreserving, *, undo: bool = False) -> None:
        self._rule = rule
        self._alphabet = np.frombuffer(ALPHABETS[rule.alphabet], np.uint8)
        self._numerals = np.full(256, _NO_NUMERAL, np.uint16)
        self._numerals[self._alphabet] = np.arange(len(self._alphabet))
        ff1 = BatchFf1(derive(material, "formatPreserving", KEY_SIZE), len(self._alphabet))
        self._step = ff1.decrypt if undo else ff1.encrypt
        self._has_check = rule.check_digit == "Luhn"
        self._least = 2
        while len(self._alphabet) ** self._least < MIN_DOMAIN:
            self._least += 1

    def __call__(self, values: pl.Series) -> pl.Series:
        """Encrypt each value; null and empty text stay what they are.

        Args:
            values: Text, or integers, which become text.

        Raises:
            JobError: ``UnsuitableColumn``: a column of another type; or, unless the rule removes
                them, a value that cannot be encrypted, with its row in ``values``.
        """
        if column_type(values.dtype) not in ("String", "Integer"):
            raise unsuitable(
                values.name, "holds no text and no integers, which formatPreserving needs"
            )
        text = canonical_text(values)
        parts = [pl.Series([], dtype=pl.String)]
        for start in range(0, len(text), SLICE):
            part = text.slice(start, SLICE)
            present = part.is_not_null()
            masked, faults = self._masked(part.drop_nulls())
            wrong = np.flatnonzero(faults)
            if len(wrong) and self._rule.unsuitable == "Fail":
                row = start + int(present.arg_true()[int(wrong[0])]) + 1
                raise self._refusal(values.name, row, int(faults[wrong[0]]))
            masked = masked.set(pl.Series(faults != _FIT), None)
            if len(masked) < len(part):
                slots = pl.Series(np.cumsum(present.to_numpy()) - 1)
                masked = masked.gather(slots.set(~present, None))
            parts.append(masked)
        return pl.concat(parts).alias(values.name)

    def _masked(self, values: pl.Series) -> tuple[pl.Series, Faults]:
        """Values without null, encrypted; what becomes of those with a fault makes no sense."""
        sizes = values.str.len_bytes().to_numpy()
        faults = np.full(len(sizes), _FIT, np.uint8)
        if (sizes > MAX_CHARACTERS).any():
            # What is longer in bytes only is not ASCII.
            faults[sizes > MAX_CHARACTERS] = _STRANGE
            faults[values.str.len_chars().to_numpy() > MAX_CHARACTERS] = _LONG
            values = values.set(pl.Series(faults != _FIT), "")
            sizes = values.str.len_bytes().to_numpy()
        if not len(sizes) or not (width := int(sizes.max())):
            return values, faults
        characters = _rows(values, sizes, width)
        kinds = _KINDS[characters]
        counted = kinds == _COUNTED
        # Sums down columns are vectorised, sums along short rows are not.
        counts = np.ascontiguousarray(counted.T).sum(axis=0)
        least = self._rule.keep_first + self._rule.keep_last + self._has_check + self._least
        faults[(counts < least) & (sizes > 0)] = _SHORT
        faults[_rows_with(kinds == _FOREIGN)] = _STRANGE
        for count in np.flatnonzero(np.bincount(counts[(faults == _FIT) & (sizes > 0)])):
            rows = np.flatnonzero((counts == count) & (faults == _FIT))
            places = counted[rows]
            group = characters[rows]
            letters = group[places].reshape(-1, count)
            strange = self._encrypt(letters)
            faults[rows[strange]] = _STRANGE
            group[places] = letters.reshape(-1)
            characters[rows] = group
        return _texts(characters, sizes), faults

    def _encrypt(self, letters: Bytes) -> Positions:
        """Encrypt rows of letters and digits in their place; those that have others are told.

        What becomes of these makes no sense.
        """
        count = letters.shape[1]
        end = count - self._has_check
        core = slice(self._rule.keep_first, end - self._rule.keep_last)
        numerals = self._numerals[letters]
        within = numerals if self._has_check else numerals[:, core]
        strange = _rows_with(within == _NO_NUMERAL)
        plain = numerals[:, core]
        plain[strange] = 0
        before = _luhn_sum(numerals) if self._has_check else None
        letters[:, core] = self._alphabet[self._step(plain, self._tweaks(letters[:, :end]))]
        if before is not None:
            numerals = self._numerals[letters]
            # The check digit counts once, so what it changes by is what the sum changes by.
            check = (numerals[:, -1] + before + 10 - _luhn_sum(numerals)) % 10
            letters[:, -1] = self._alphabet[check]
        return strange

    def _tweaks(self, letters: Bytes) -> Bytes:
        first, last = self._rule.keep_first, self._rule.keep_last
        if not first + last:
            return np.empty((len(letters), 0), np.uint8)
        between = np.full((len(letters), 1), _BETWEEN_KEPT, np.uint8)
        return np.hstack([letters[:, :first], between, letters[:, letters.shape[1] - last :]])

    def _refusal(self, column: str, row: int, fault: int) -> JobError:
        alphabet = self._rule.alphabet
        why = {
            _STRANGE: f"a character that is neither of alphabet {alphabet} nor an ASCII separator",
            _SHORT: f"fewer than {self._least} characters to encrypt, which leaves fewer than"
            f" {MIN_DOMAIN:,} possible results",
            _LONG: f"more than {MAX_CHARACTERS} characters",
        }[fault]
        return JobError(
            "UnsuitableColumn",
            f'the value in column "{column}" has {why}',
            "choose another alphabet, keep fewer characters, or use tokenize; or set"
            " formatPreserving.unsuitable to Redact, which removes such values",
            row=row,
            column=column,
        )


def _rows_with(marked: NDArray[np.bool_]) -> Positions:
    """Which rows have a mark; mostly none has."""
    return np.flatnonzero(marked.any(axis=1)) if marked.any() else np.empty(0, np.int64)


def _luhn_sum(digits: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The sum of ISO/IEC 7812-1, annex B, modulo 10, check digit included; valid: 0."""
    columns = np.ascontiguousarray(digits[:, ::-1].T)
    other = columns[1::2]
    columns[1::2] = np.where(other > 4, 2 * other - 9, 2 * other)
    total: NDArray[np.uint16] = columns.sum(axis=0, dtype=np.uint16)
    return total % 10


def _rows(values: pl.Series, sizes: NDArray[np.uint32], width: int) -> Bytes:
    """The bytes of each value, padded with spaces, shape (n, width)."""
    flat = values.cast(pl.Binary).cast(pl.List(pl.UInt8)).explode(empty_as_null=False).to_numpy()
    if (sizes == width).all():
        return flat.reshape(-1, width).copy()
    rows = np.full((len(values), width), _PADDING, np.uint8)
    rows[np.arange(width) < sizes[:, None]] = flat
    return rows


def _texts(rows: Bytes, sizes: NDArray[np.uint32]) -> pl.Series:
    """The text of each row: so many of its bytes, all of them ASCII where they count."""
    flat = pl.Series(np.ascontiguousarray(rows).reshape(-1)).reshape(rows.shape)
    data = flat.cast(pl.List(pl.UInt8)).cast(pl.Binary)
    if (sizes == rows.shape[1]).all():
        return data.cast(pl.String)
    return pl.select(pl.lit(data).bin.head(pl.lit(pl.Series(sizes)))).to_series().cast(pl.String)
