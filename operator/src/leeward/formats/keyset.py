"""The keys that a pod is given: one file, ``/run/leeward/keys/keyset.json``."""

import base64
from typing import Annotated, Final, Literal

from pydantic import Field, SecretStr, field_serializer

from leeward.formats.document import Document

KEYSET_PATH: Final = "/run/leeward/keys/keyset.json"
KEYSET_FILE: Final = "keyset.json"

PodKeyAlgorithm = Literal[
    "AES256_GCM", "AES256_SIV", "FERNET", "FF1_AES256", "HMAC_SHA256", "HPKE_X25519"
]


class PodKey(Document):
    """One artefact key.

    Attributes:
        id: 32 hexadecimal digits; sealed files name it.
        role: What the pod uses it for: ``source``, ``output``, or ``rule:NAME``.
        material: Base64. AES256_GCM, FF1_AES256 and HMAC_SHA256: 32 bytes; AES256_SIV: 64 bytes
            (RFC 5297, MAC key first); FERNET: 32 bytes, the signing key first; HPKE_X25519: the
            32-byte private key.
    """

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    role: Annotated[str, Field(max_length=128)]
    algorithm: PodKeyAlgorithm
    version: int
    material: SecretStr

    @field_serializer("material", when_used="json")
    def _reveal(self, material: SecretStr) -> str:
        return material.get_secret_value()

    def raw(self) -> bytes:
        """The material itself."""
        return base64.b64decode(self.material.get_secret_value(), validate=True)


class PodKeyset(Document):
    """All keys of one pod."""

    format_version: Literal[1] = 1
    keys: list[PodKey]

    def by_role(self, role: str) -> PodKey:
        """The key for this use.

        Raises:
            KeyError: The pod was not given one.
        """
        for key in self.keys:
            if key.role == role:
                return key
        raise KeyError(f"no key was given for {role}")
