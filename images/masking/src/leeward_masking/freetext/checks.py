"""Check digits, over many numbers at once: an array of digits, one row per number."""

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leeward_masking.freetext.spans import Flags

Digits = NDArray[np.int64]

_ODD_VALUES: Final = np.array(
    [int(v) for v in "1 0 5 7 9 13 15 17 19 21 2 4 18 20 11 3 6 8 12 14 16 10 22 25 24 23".split()]
)
"""Codice fiscale: what a letter at an odd place counts; a digit counts as its letter does."""
_DNI_LETTERS: Final = np.frombuffer(b"TRWAGMYFPDXBNJZSQVHLCKE", np.uint8)


def compact(texts: pl.Series) -> pl.Series:
    """Letters and digits of each text only, in upper case."""
    return texts.str.replace_all(r"[^0-9A-Za-z]", "").str.to_uppercase()


def characters(values: pl.Series, length: int) -> Digits:
    """ASCII texts of one length as an array of character codes, shape (n, length)."""
    codes = np.frombuffer("".join(values.to_list()).encode("ascii"), np.uint8)
    return codes.reshape(len(values), length).astype(np.int64)


def luhn(digits: Digits) -> Flags:
    """The formula of ISO/IEC 7812-1, annex B: of cards, and of the Swedish personnummer."""
    reverse = digits[:, ::-1].copy()
    doubled = reverse[:, 1::2] * 2
    reverse[:, 1::2] = doubled - 9 * (doubled > 9)
    return np.asarray(reverse.sum(axis=1) % 10 == 0)


def us_ssn(digits: Digits) -> Flags:
    """What the Social Security Administration never assigns is none (SSA POMS RM 10201.035)."""
    area = _number(digits, 0, 3)
    parts = (_number(digits, 3, 5) > 0) & (_number(digits, 5, 9) > 0)
    return np.asarray((area > 0) & (area != 666) & (area < 900) & parts)


def uk_nhs(digits: Digits) -> Flags:
    """Modulus 11 (NHS Data Dictionary, NHS NUMBER)."""
    check = (11 - digits[:, :9] @ np.arange(10, 1, -1) % 11) % 11
    return np.asarray(check == digits[:, 9])


def german_tax_id(digits: Digits) -> Flags:
    """ISO/IEC 7064 MOD 11,10; of the first ten digits exactly one stands twice or three times.

    Source: Bundeszentralamt fuer Steuern, check digit procedure of the identification number.
    """
    product = np.full(len(digits), 10)
    for place in range(10):
        total = (digits[:, place] + product) % 10
        product = np.where(total == 0, 10, total) * 2 % 11
    counts = np.stack([(digits[:, :10] == digit).sum(axis=1) for digit in range(10)], axis=1)
    repeated = (counts > 1).sum(axis=1) == 1
    check = (11 - product) % 10
    fits = (digits[:, 0] > 0) & repeated & (counts.max(axis=1, initial=0) <= 3)
    return np.asarray(fits & (check == digits[:, 10]))


def french_nir(codes: Digits) -> Flags:
    """97 minus the number modulo 97; 2A and 2B of Corsica count as 19 and 18 (INSEE).

    Args:
        codes: Character codes, shape (n, 15).
    """
    corsica = codes[:, 6]
    plain = codes - 48
    plain[:, 5] = np.where(corsica > 57, 1, plain[:, 5])
    plain[:, 6] = np.where(corsica == 65, 9, np.where(corsica == 66, 8, plain[:, 6]))
    return np.asarray(97 - _number(plain, 0, 13) % 97 == _number(plain, 13, 15))


def italian_fiscal_code(codes: Digits) -> Flags:
    """The 16th character (Decreto ministeriale of 23 December 1976).

    Args:
        codes: Character codes, shape (n, 16).
    """
    values = np.where(codes > 57, codes - 65, codes - 48)
    odd = _ODD_VALUES[np.clip(values[:, 0:15:2], 0, 25)].sum(axis=1)
    return np.asarray((odd + values[:, 1:15:2].sum(axis=1)) % 26 == values[:, 15])


def spanish_dni(codes: Digits) -> Flags:
    """The letter is the number modulo 23 (Real Decreto 1553/2005); X, Y, Z count as 0, 1, 2.

    Args:
        codes: Character codes, shape (n, 9).
    """
    first = np.where(codes[:, 0] > 57, codes[:, 0] - ord("X"), codes[:, 0] - 48)
    number = first * 10**7 + _number(codes[:, 1:8] - 48, 0, 7)
    return np.asarray(_DNI_LETTERS[number % 23] == codes[:, 8])


def dutch_bsn(digits: Digits) -> Flags:
    """The test of eleven (Logisch ontwerp BSN)."""
    weights = np.array([9, 8, 7, 6, 5, 4, 3, 2, -1])
    return np.asarray((digits @ weights % 11 == 0) & (digits.sum(axis=1) > 0))


def chinese_resident_id(codes: Digits) -> Flags:
    """ISO/IEC 7064 MOD 11-2 (GB 11643-1999); the last character may be X.

    Args:
        codes: Character codes, shape (n, 18).
    """
    values = codes - 48
    values[:, 17] = np.where(codes[:, 17] == ord("X"), 10, values[:, 17])
    weights = np.array([pow(2, 17 - place, 11) for place in range(18)])
    fits = _is_day(_number(values, 10, 12), _number(values, 12, 14))
    return np.asarray(fits & (values @ weights % 11 == 1))


def polish_pesel(digits: Digits) -> Flags:
    """Weights 1, 3, 7, 9 (Ustawa o ewidencji ludnosci); the century is in the month."""
    weights = np.array([1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1])
    fits = _is_day(_number(digits, 2, 4) % 20, _number(digits, 4, 6))
    return np.asarray(fits & (digits @ weights % 10 == 0))


def swedish_personal_number(digits: Digits) -> Flags:
    """Luhn over the last ten digits (Skatteverket, SKV 704); days plus 60 are coordination numbers.

    Args:
        digits: Shape (n, 10): without the century.
    """
    day = _number(digits, 4, 6)
    day = np.where(day > 60, day - 60, day)
    return np.asarray(_is_day(_number(digits, 2, 4), day) & luhn(digits))


def _number(digits: Digits, start: int, end: int) -> Digits:
    powers = 10 ** np.arange(end - start - 1, -1, -1, dtype=np.int64)
    return np.asarray(digits[:, start:end] @ powers)


def _is_day(month: Digits, day: Digits) -> Flags:
    return np.asarray((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31))
