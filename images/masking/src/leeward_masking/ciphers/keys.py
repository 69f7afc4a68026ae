"""Keys of the transforms: one artefact key per rule, one derived key per use.

HKDF-SHA256 (RFC 5869), no salt, with one label per use, so that a key shared by tokenize and
dateShift gives independent keys. Neither column nor file goes into the derivation: within the scope
of an artefact key equal values get equal results wherever they stand. Only Fernet takes the key as
it is, so that other programs which have that key can read the tokens.
"""

from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from leeward_masking.ciphers.siv import KEY_SIZE as SIV_KEY_SIZE

LABEL: Final = "leeward masking v1 "
KEY_SIZE: Final = 32
"""Bytes of all keys but those of AES-SIV."""


def key_size(algorithm: str | None) -> int:
    """Bytes of an artefact key of this algorithm, of those that transforms take."""
    return SIV_KEY_SIZE if algorithm == "AES256_SIV" else KEY_SIZE


def derive(material: bytes, use: str, length: int) -> bytes:
    """The key of one use, which is the name of a transform, in bytes."""
    info = (LABEL + use).encode()
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=info).derive(material)
