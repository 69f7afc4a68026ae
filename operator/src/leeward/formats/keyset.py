"""The keys that a pod is given: one file, ``/run/leeward/keys/keyset.json``."""

import base64
import binascii
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, field_serializer, field_validator

from leeward.api.algorithms import ALGORITHMS
from leeward.formats.document import Document

KEYSET_PATH: Final = "/run/leeward/keys/keyset.json"
KEYSET_FILE: Final = "keyset.json"


PAIR_ALGORITHM: Final = "X509"
"""Of a private key with its certificate."""
TRUST_ALGORITHM: Final = "X509_TRUST"
"""Of certificates of authorities."""
PUBLIC_ALGORITHM: Final = "SPKI"
"""Of bare public keys."""
_CERTIFICATES: Final = (PAIR_ALGORITHM, TRUST_ALGORITHM, PUBLIC_ALGORITHM)


def _delivered(algorithm: str) -> str:
    return algorithm if algorithm in _CERTIFICATES else _known(algorithm)


def _known(algorithm: str) -> str:
    if algorithm not in ALGORITHMS:
        raise ValueError("no such algorithm")
    return algorithm


KeyAlgorithm = Annotated[str, AfterValidator(_known)]
"""A name of ``leeward.api.algorithms``."""
DeliveredAlgorithm = Annotated[str, AfterValidator(_delivered)]
"""The same, or what a certificate or public keys are called in a keyset."""


OUTPUT_ROLE: Final = "output"
"""Of the key that seals what a pod writes."""
PARTS_ROLE: Final = "parts"
"""Of the symmetric key that the pods of one job share: it seals parts, and what they tell each
other."""


class PodKey(Document):
    """One artefact key, or a certificate (``leeward.formats.certificates.delivery``).

    Attributes:
        id: 32 hexadecimal digits; sealed files name it.
        role: What the pod uses it for: ``source``, ``output``, ``rule:NAME``, or the name of an
            item of a KeyDelivery.
        material: Base64 of the bytes that ``leeward.formats.material`` lists by algorithm; of a
            pair in role ``output`` of a job, of the PEM of its public half: who seals need not
            open.
    """

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    role: Annotated[str, Field(max_length=128)]
    algorithm: DeliveredAlgorithm
    version: int
    material: SecretStr

    @field_validator("material")
    @classmethod
    def _is_base64(cls, material: SecretStr) -> SecretStr:
        try:
            base64.b64decode(material.get_secret_value(), validate=True)
        except (binascii.Error, ValueError):
            # Without its cause, which quotes what was read.
            raise ValueError("the material of a key is Base64") from None
        return material

    @field_serializer("material", when_used="json")
    def _reveal(self, material: SecretStr) -> str:
        return material.get_secret_value()

    def raw(self) -> bytes:
        """The material itself."""
        return base64.b64decode(self.material.get_secret_value())


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
