"""What an encrypted PKCS#8 key asks for before it opens: bounded, since it may ask for hours.

PBES2 of RFC 8018 with PBKDF2, or with scrypt (RFC 7914, 7). The ASN.1 is read by ``cryptography``,
and so is the key itself.
"""

from typing import Final

from cryptography import x509
from cryptography.hazmat import asn1

from leeward.keystore.origins.errors import ImportRefusedError

MAX_ITERATIONS: Final = 2_000_000
"""Of PBKDF2: 0.2 s with SHA-256, 0.7 s with SHA-512."""

MAX_SCRYPT_WORK: Final = 1 << 21
"""N * r * p: about 1 s; N * r may be 2^20, which takes 128 MiB."""

_MAX_SCRYPT_MEMORY: Final = 1 << 20
_PBES2: Final = x509.ObjectIdentifier("1.2.840.113549.1.5.13")
_PBKDF2: Final = x509.ObjectIdentifier("1.2.840.113549.1.5.12")
_SCRYPT: Final = x509.ObjectIdentifier("1.3.6.1.4.1.11591.4.11")


@asn1.sequence
class _Algorithm:
    oid: x509.ObjectIdentifier
    parameters: asn1.TLV


@asn1.sequence
class _EncryptedPrivateKeyInfo:
    algorithm: _Algorithm
    data: bytes


@asn1.sequence
class _Pbes2:
    kdf: _Algorithm
    scheme: _Algorithm


@asn1.sequence
class _Prf:
    oid: x509.ObjectIdentifier
    parameters: asn1.Null | None


@asn1.sequence
class _Pbkdf2:
    salt: bytes
    iterations: int
    key_length: int | None
    prf: _Prf | None


@asn1.sequence
class _Scrypt:
    salt: bytes
    n: int
    r: int
    p: int
    key_length: int | None


def check_cost(der: bytes) -> None:
    """Refuse an encrypted key that would take very long, or much memory, to open.

    Args:
        der: EncryptedPrivateKeyInfo (RFC 5958).

    Raises:
        ImportRefusedError: It asks for too much, or is encrypted in another way.
    """
    try:
        outer = asn1.decode_der(_EncryptedPrivateKeyInfo, der)
        if outer.algorithm.oid != _PBES2:
            raise _other_scheme()
        kdf = outer.algorithm.parameters.parse(_Pbes2).kdf
        if kdf.oid == _PBKDF2:
            cheap = 1 <= kdf.parameters.parse(_Pbkdf2).iterations <= MAX_ITERATIONS
        elif kdf.oid == _SCRYPT:
            cheap = _is_cheap(kdf.parameters.parse(_Scrypt))
        else:
            raise _other_scheme()
    except ValueError:
        raise _other_scheme() from None
    if not cheap:
        raise ImportRefusedError(
            "the encrypted key asks for more than a second of work or 128 MiB to be opened:"
            f" encrypt it again, with at most {MAX_ITERATIONS} iterations of PBKDF2 or the default"
            " parameters of scrypt"
        )


def _is_cheap(scrypt: _Scrypt) -> bool:
    if min(scrypt.n, scrypt.r, scrypt.p) < 1:
        return False
    memory = scrypt.n * scrypt.r
    return memory <= _MAX_SCRYPT_MEMORY and memory * scrypt.p <= MAX_SCRYPT_WORK


def _other_scheme() -> ImportRefusedError:
    return ImportRefusedError(
        "the key is encrypted by another scheme than PBES2 with PBKDF2 or scrypt: encrypt it again"
        " with openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY.pem"
    )
