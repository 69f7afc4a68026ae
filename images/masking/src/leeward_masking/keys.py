"""Keys of the transforms: one artefact key per rule, one derived key per use.

HKDF-SHA256 (RFC 5869), no salt, with one label per use, so that a key shared by tokenize and
dateShift gives independent keys. Neither column nor file goes into the derivation: within the scope
of an artefact key equal values get equal results wherever they stand.
"""

from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

LABEL: Final = "leeward masking v1 "


def derive(material: bytes, use: str, length: int) -> bytes:
    """The key of one use (``hash``, ``tokenize``, ``encrypt``, ``dateShift``), in bytes."""
    info = (LABEL + use).encode()
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=info).derive(material)
