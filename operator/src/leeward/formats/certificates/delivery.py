"""Certificates as pods are given them.

In ``keyset.json`` a certificate is two entries, read together, so that a pod never sees a new key
beside an old certificate:

    role ROLE         algorithm X509         the private key (PKCS #8) and the certificate, PEM
    role ROLE-trust   algorithm X509_TRUST   the authorities that its peers may have, PEM

and beside it in the same Secret stand the three files that any TLS server reads. Ids are digests
of the certificates, so a renewed leaf has another id under the same version, which is the
authority's.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from leeward.formats.keyset import PAIR_ALGORITHM, TRUST_ALGORITHM

__all__ = [
    "CERTIFICATE_FILE",
    "KEY_FILE",
    "PAIR_ALGORITHM",
    "TRUST_ALGORITHM",
    "TRUST_FILE",
    "CertificatePair",
    "InvalidPairError",
    "certificates_id",
    "tls_files",
    "trust_role",
]

CERTIFICATE_FILE: Final = "tls.crt"
KEY_FILE: Final = "tls.key"
TRUST_FILE: Final = "ca.crt"

_END_OF_KEY: Final = "-----END PRIVATE KEY-----\n"


class InvalidPairError(ValueError):
    """What was delivered is not a private key and its certificate."""


@dataclass(frozen=True, slots=True)
class CertificatePair:
    """A private key and its certificate, both PEM."""

    private_key_pem: str = field(repr=False)
    certificate_pem: str

    def material(self) -> bytes:
        """As it stands in ``keyset.json``, before base64."""
        return (self.private_key_pem + self.certificate_pem).encode()

    @classmethod
    def from_material(cls, material: bytes) -> "CertificatePair":
        """Read it.

        Raises:
            InvalidPairError: It holds no such pair, or the two do not belong together.
        """
        try:
            text = material.decode("ascii")
            key_pem, mark, certificate_pem = text.partition(_END_OF_KEY)
            key_pem += mark
            key = serialization.load_pem_private_key(key_pem.encode(), password=None)
            certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
            certified = _spki(certificate.public_key())
        except (ValueError, TypeError, UnsupportedAlgorithm):
            # Without its cause: its text may quote what was read.
            raise InvalidPairError(
                "no PEM of a private key and its certificate: restart the pod to be given it again"
            ) from None
        if _spki(key.public_key()) != certified:
            raise InvalidPairError("the certificate is of another key: wait for the next renewal")
        return cls(key_pem, certificate_pem)


def trust_role(role: str) -> str:
    """The role of the authorities that belong to a certificate's role."""
    return f"{role}-trust"


def certificates_id(pem: str) -> str:
    """What names a certificate, or a bundle of them: 32 hexadecimal digits.

    The first 128 bits of SHA-256 over their DER, one after the other.

    Raises:
        ValueError: There is none in it.
    """
    digest = hashlib.sha256()
    for certificate in x509.load_pem_x509_certificates(pem.encode()):
        digest.update(certificate.public_bytes(Encoding.DER))
    return digest.hexdigest()[:32]


def tls_files(pair: CertificatePair, trust_pem: str) -> dict[str, bytes]:
    """The files that any TLS server reads, by name."""
    return {
        CERTIFICATE_FILE: pair.certificate_pem.encode(),
        KEY_FILE: pair.private_key_pem.encode(),
        TRUST_FILE: trust_pem.encode(),
    }


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
