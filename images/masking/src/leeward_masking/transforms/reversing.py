"""Leading values back: what tokenize, encrypt and formatPreserving made, with the same key.

Each refuses what it did not make, or what was changed since; but for formatPreserving, which cannot
tell. The results are the canonical text of the values: what type they were of nobody knows.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Final

import polars as pl
import pybase64
from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

from leeward_masking.ciphers.keys import derive
from leeward_masking.ciphers.siv import KEY_SIZE
from leeward_masking.errors import JobError
from leeward_masking.transforms.basic import NONCE_SIZE, Transform
from leeward_masking.values.canonical import column_type, unsuitable

_BASE64URL: Final = b"-_"
Opener = Callable[[str], bytes]
"""The value of a token.

Raises:
    ValueError, InvalidTag, InvalidToken: It is none, of another key, or was changed.
"""


def reverse_tokenize(material: bytes) -> Transform:
    """Lead back what ``tokenize`` made (AES-SIV, RFC 5297)."""
    return _reverse(_opened_siv(derive(material, "tokenize", KEY_SIZE)))


def reverse_siv(material: bytes) -> Transform:
    """Lead back what ``encrypt_siv`` made."""
    return _reverse(_opened_siv(derive(material, "encrypt", KEY_SIZE)))


def reverse_gcm(material: bytes) -> Transform:
    """Lead back what ``encrypt_gcm`` made (AES-256-GCM, the nonce in front)."""
    aead = AESGCM(derive(material, "encrypt", 32))

    def opened(token: str) -> bytes:
        sealed = _decoded(token)
        return aead.decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], None)

    return _reverse(opened)


def reverse_fernet(material: bytes) -> Transform:
    """Lead back what ``encrypt_fernet`` made."""
    fernet = Fernet(urlsafe_b64encode(material))
    return _reverse(lambda token: fernet.decrypt(token))


def _opened_siv(key: bytes) -> Opener:
    siv = AESSIV(key)
    return lambda token: siv.decrypt(_decoded(token), None)


def _decoded(token: str) -> bytes:
    """The bytes of base64url without padding (RFC 4648, section 5).

    Raises:
        ValueError: It is none.
    """
    padded = token + "=" * (-len(token) % 4)
    return pybase64.b64decode(padded, altchars=_BASE64URL, validate=True)


def _reverse(opened: Opener) -> Transform:
    def apply(values: pl.Series) -> pl.Series:
        if column_type(values.dtype) != "String":
            raise unsuitable(values.name, "holds no text, and tokens are text")
        texts: list[str | None] = []
        for row, token in enumerate(values.cast(pl.String), 1):
            try:
                texts.append(None if token is None else opened(token).decode())
            except (ValueError, InvalidTag, InvalidToken):
                raise not_made_here(values.name, row) from None
        return pl.Series(values.name, texts, pl.String)

    return apply


def not_made_here(column: str, row: int) -> JobError:
    """A value that the key did not make."""
    return JobError(
        "UnsuitableColumn",
        f'the value in column "{column}" was not made by this transform with this key and scope, or'
        " was changed since",
        "name the key and the scope of the rule that masked it, and remove what it did not make",
        row=row,
        column=column,
    )
