"""Symmetric keys and seeds as bytes, in Base64 or in hexadecimal digits: the format says which."""

import base64
import binascii
from typing import Final, Literal

from leeward.formats.material import SIZES, InvalidMaterial, check_random
from leeward.keystore.origins.errors import ImportRefusedError
from leeward.keystore.origins.importing.expected import expected, refused

PlainFormat = Literal["Raw", "Base64", "Hex"]

_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_FERNET_TEXT: Final = 44


def from_plain(data: bytes, algorithm: str, encoding: PlainFormat) -> bytes:
    """The material in `data`; white space, and colons of hexadecimal digits, are left aside.

    Raises:
        ImportRefusedError: It is not in this encoding, of another length, no random bytes, or a
            key of this algorithm has no such form.
    """
    if algorithm not in SIZES:
        raise ImportRefusedError(
            f"{algorithm} needs {expected(algorithm)}, which is not imported as plain bytes: give"
            " it as PEM or JWK"
        )
    if encoding == "Raw":
        return symmetric(data, algorithm)
    text = b"".join(data.split())
    try:
        if encoding == "Hex":
            return symmetric(binascii.unhexlify(text.replace(b":", b"")), algorithm)
        return symmetric(base64.b64decode(text.translate(_URL_SAFE), validate=True), algorithm)
    except ValueError:
        raise ImportRefusedError(
            f"the Secret does not hold {encoding}, as origin.import says: {_size(text, algorithm)};"
            " give the format that it has"
        ) from None


def looks_like_fernet(data: bytes) -> bool:
    """Whether it is a key as Fernet's specification writes it: 32 bytes in URL-safe Base64."""
    text = data.strip()
    try:
        return len(text) == _FERNET_TEXT and len(base64.urlsafe_b64decode(text)) == SIZES["FERNET"]
    except ValueError:
        return False


def symmetric(material: bytes, algorithm: str) -> bytes:
    """`material`, if it can be a key of the algorithm.

    Raises:
        ImportRefusedError: Another length, or obviously not random: text, or few different bytes.
    """
    size = SIZES[algorithm]
    if len(material) != size:
        raise refused(f"a key of {len(material)} bytes instead of {size}", algorithm)
    try:
        check_random(material)
    except InvalidMaterial as error:
        raise ImportRefusedError(str(error)) from None
    return material


def _size(text: bytes, algorithm: str) -> str:
    return f"it has {len(text)} bytes, and a key of {algorithm} would have {SIZES[algorithm]}"
