"""The transforms of a MaskingJob: each takes a column of a block and gives it back masked.

Null stays null in all of them but redact, which makes every value null. An empty text is a value:
it is hashed, tokenized and replaced like any other.
"""

import math
import os
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Final

import polars as pl
import polars_hash as plh
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from leeward.api.plaintransforms import PartialMask
from leeward.api.transforms import Generalize
from leeward_masking.ciphers.keys import derive
from leeward_masking.ciphers.siv import KEY_SIZE, BatchSiv
from leeward_masking.ciphers.text64 import encode_one
from leeward_masking.transforms.ipprefix import IpPrefixMask
from leeward_masking.values.canonical import canonical_text, column_type, unsuitable
from leeward_masking.values.exact import INTEGER, digits_of, to_counts
from leeward_masking.values.randomness import Random

Transform = Callable[[pl.Series], pl.Series]
"""A column of a block in, the same number of rows out, under the same name."""

Clock = Callable[[], float]
"""Seconds since 1970, UTC."""

NONCE_SIZE: Final = 12


def keep(values: pl.Series) -> pl.Series:
    """The values as they are."""
    return values


def redact(values: pl.Series) -> pl.Series:
    """Nulls, of the same type."""
    return pl.Series(values.name, [None], values.dtype).new_from_index(0, len(values))


def replace(constant: str) -> Transform:
    """``constant`` in place of every value that is there."""

    def apply(values: pl.Series) -> pl.Series:
        return _select(values, pl.when(pl.lit(values).is_not_null()).then(pl.lit(constant)))

    return apply


def partial_mask(rule: PartialMask) -> Transform:
    """A symbol for each character but the first and last few.

    A value that is not longer than what would be kept is masked entirely.
    """
    kept = rule.keep_first + rule.keep_last

    def apply(values: pl.Series) -> pl.Series:
        text = pl.lit(canonical_text(values))
        length = text.str.len_chars()
        last = pl.when(length > kept).then(rule.keep_last).otherwise(0)
        if not rule.keep_first:
            return _select(values, text.str.tail(last).str.pad_start(length, rule.symbol))
        first = pl.when(length > kept).then(rule.keep_first).otherwise(0)
        end = text.str.tail(last).str.pad_start(length - first, rule.symbol)
        return _select(values, pl.concat_str(text.str.head(first), end))

    return apply


def keyed_hash(material: bytes, length: int) -> Transform:
    """The first ``length`` hexadecimal digits of HMAC-SHA-256 (FIPS 198-1) of the value.

    The HMAC key is the text of the derived 32 bytes in 64 lower-case hexadecimal digits, since
    the library takes the key as text.
    """
    key = derive(material, "hash", 32).hex()

    def apply(values: pl.Series) -> pl.Series:
        text = canonical_text(values)
        digest = text.to_frame("v").select(plh.col("v").chash.hmac_sha256(key=key)).to_series()
        return digest.str.head(length).alias(values.name)

    return apply


def tokenize(material: bytes) -> Transform:
    """AES-SIV (RFC 5297) of the value in base64url without padding; the key leads back."""
    siv = BatchSiv(derive(material, "tokenize", KEY_SIZE))

    def apply(values: pl.Series) -> pl.Series:
        return siv.seal(canonical_text(values).cast(pl.Binary))

    return apply


def encrypt_siv(material: bytes) -> Transform:
    """As tokenize, under a key of its own: equal values stay equal."""
    siv = BatchSiv(derive(material, "encrypt", KEY_SIZE))

    def apply(values: pl.Series) -> pl.Series:
        return siv.seal(canonical_text(values).cast(pl.Binary))

    return apply


def encrypt_gcm(material: bytes, random: Random = os.urandom) -> Transform:
    """AES-256-GCM with a random nonce, in base64url: nonce (12 bytes), ciphertext, tag (16 bytes).

    The one loop over values: a call of the library takes 0.6 microseconds, and AES-GCM has no form
    for arrays there. With random nonces NIST SP 800-38D allows 2^32 values per key.
    """
    aead = AESGCM(derive(material, "encrypt", 32))

    def apply(values: pl.Series) -> pl.Series:
        plain = canonical_text(values).cast(pl.Binary).to_list()
        nonces = random(NONCE_SIZE * len(plain))
        starts = range(0, len(nonces), NONCE_SIZE)
        sealed = [
            None if value is None else _seal_gcm(aead, nonces[start : start + NONCE_SIZE], value)
            for start, value in zip(starts, plain, strict=True)
        ]
        return pl.Series(values.name, sealed, pl.String)

    return apply


def encrypt_fernet(material: bytes, clock: Clock = time.time) -> Transform:
    """Fernet tokens, each with an initialization vector of its own; ``material`` is the key.

    It is not derived from: whoever has given the vault a Fernet key reads the tokens with it. All
    have the time when the transform was made, so none tells when its row was masked. A loop over
    values as of AES-GCM, of 5 microseconds each: the library puts Fernet together in Python.

    Raises:
        ValueError: The material is not 32 bytes.
    """
    fernet = Fernet(urlsafe_b64encode(material))
    now = int(clock())

    def apply(values: pl.Series) -> pl.Series:
        plain = canonical_text(values).cast(pl.Binary).to_list()
        tokens = [
            None if value is None else fernet.encrypt_at_time(value, now).decode()
            for value in plain
        ]
        return pl.Series(values.name, tokens, pl.String)

    return apply


def generalize(rule: Generalize) -> Transform:
    """A coarser value: a bin, the first day of a unit of time, a network, the first characters."""
    if rule.bins is not None:
        return bins(rule.bins)
    if rule.date_to is not None:
        return date_to(rule.date_to)
    if rule.ip_prefix is not None:
        return IpPrefixMask(rule.ip_prefix)
    return prefix(rule.prefix or 0)


def bins(borders: list[str]) -> Transform:
    """Labels of half-open intervals: ``<0``, ``[0, 20000)``, ``>=20000``; NaN becomes null.

    Args:
        borders: Exact decimals, rising.
    """
    labels = interval_labels(borders)

    def apply(values: pl.Series) -> pl.Series:
        kind = column_type(values.dtype)
        if kind == "Integer":
            # x >= border holds for an integer x exactly where x >= ceil(border) does.
            rounded = [math.ceil(Fraction(border)) for border in borders]
            # 128-bit numbers take three times as long to place, and are seldom needed.
            small = values.dtype not in (pl.UInt64, pl.Int128, pl.UInt128) and all(
                abs(border) < 1 << 63 for border in rounded
            )
            edges = pl.Series(rounded, dtype=pl.Int64 if small else pl.Int128)
            numbers = values.cast(edges.dtype)
        elif kind == "Decimal":
            # Likewise for its counts of the smallest unit.
            units = 10 ** digits_of(values.dtype)
            edges = pl.Series([math.ceil(Fraction(b) * units) for b in borders], dtype=INTEGER)
            numbers = to_counts(values)
        elif kind == "Float":
            edges = pl.Series([float(border) for border in borders], dtype=pl.Float64)
            numbers = values.cast(pl.Float64).fill_nan(None)
        else:
            raise unsuitable(values.name, "holds no numbers: bins need a numeric column")
        place = edges.search_sorted(numbers, side="right").set(numbers.is_null(), None)
        return labels.gather(place).alias(values.name)

    return apply


def interval_labels(borders: list[str]) -> pl.Series:
    """``<a``, ``[a, b)``, ``>=b`` for the borders a and b; at least one."""
    inner = [f"[{low}, {high})" for low, high in pairwise(borders)]
    return pl.Series([f"<{borders[0]}", *inner, f">={borders[-1]}"])


def date_to(unit: str) -> Transform:
    """The first day of the Day, Week (Monday), Month, Quarter, Year or Decade, as a Date."""
    every = {"Day": "1d", "Week": "1w", "Month": "1mo", "Quarter": "1q", "Year": "1y"}

    def apply(values: pl.Series) -> pl.Series:
        if column_type(values.dtype) not in ("Date", "Datetime"):
            raise unsuitable(values.name, "holds no dates: dateTo needs a Date or Datetime")
        days = values.dt.date() if values.dtype != pl.Date else values
        if unit == "Decade":
            decade = pl.lit(days).dt.year().floordiv(10) * 10
            # Few readers know a year 0: the first nine years begin with year 1.
            return _select(values, pl.date(decade.replace(0, 1), 1, 1))
        return days.dt.truncate(every[unit]).alias(values.name)

    return apply


def prefix(count: int) -> Transform:
    """The first ``count`` characters, and ``*`` for each of the rest.

    A value that is not longer than what would be kept is masked entirely.
    """

    def apply(values: pl.Series) -> pl.Series:
        text = pl.lit(canonical_text(values))
        length = text.str.len_chars()
        kept = pl.when(length > count).then(count).otherwise(0)
        return _select(values, text.str.head(kept).str.pad_end(length, "*"))

    return apply


def _select(values: pl.Series, expression: pl.Expr) -> pl.Series:
    return pl.select(expression.alias(values.name)).to_series()


def _seal_gcm(aead: AESGCM, nonce: bytes, value: bytes) -> str:
    return encode_one(nonce + aead.encrypt(nonce, value, None))
