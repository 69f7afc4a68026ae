"""Signatures of files and the certificates that vouch for them.

Half of these sign what was changed, or the changed certificate, with a key of the test: so the
parsers behind the check of a signature are reached, too. The first byte chooses the key.
"""

from __future__ import annotations

import base64
import datetime
import io
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from fuzz.harness import Harness
from fuzz.mutating import after_a_byte, change_der, change_json, change_pem, der, seeded
from golden.rsa.keys import material
from leeward.formats.certificates.verification import certified_key, load_certificates, names_of
from leeward.formats.dsse import (
    SignatureError,
    SigningAlgorithm,
    SigningKey,
    sign_envelope,
    verifying_key,
)
from leeward.formats.material import private_key
from leeward.formats.signature import (
    PAYLOAD_TYPE,
    sign,
    sign_bare,
    verify,
    verify_bare,
)
from unit.keystore.origins.sample_keys import random_bytes

ALGORITHMS: tuple[SigningAlgorithm, ...] = (
    "ED25519",
    "ECDSA_P256",
    "ECDSA_P384",
    "ML_DSA_65",
    "RSA_PSS",
)
FILE = b"patient,visits\nP1,3\n"
NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
_DAY = datetime.timedelta(days=1)
_ED25519 = bytes.fromhex("300506032b6570")


@cache
def signer(algorithm: SigningAlgorithm) -> SigningKey:
    key = private_key(algorithm, material(algorithm, lambda size: random_bytes(algorithm, size)))
    if not isinstance(key, SigningKey):
        raise TypeError
    return key


def _chosen(data: bytes) -> SigningKey:
    return signer(ALGORITHMS[data[0] % len(ALGORITHMS)] if data else ALGORITHMS[0])


def read_envelope(data: bytes) -> None:
    """An envelope that came with a file."""
    verify(io.BytesIO(FILE), data[1:], verifying_key(_chosen(data)))


def read_statement(data: bytes) -> None:
    """Any statement, signed by the right key."""
    key = signer("ED25519")
    verify(io.BytesIO(FILE), sign_envelope(PAYLOAD_TYPE, data, key), verifying_key(key))


def read_bare(data: bytes) -> None:
    """A bare signature: only the one that was made, or another valid one of ECDSA, holds."""
    verify_bare(io.BytesIO(FILE), data[1:], verifying_key(_chosen(data)))


def read_certificates(data: bytes) -> None:
    """Certificates beside a signature: changed, they vouch for nothing."""
    for leaf in load_certificates(data):
        certified_key(leaf, [authority()], NOW)
        names_of(leaf)


def read_signed_certificate(data: bytes) -> None:
    """What an authority may have put into a certificate: `data` is what it signs."""
    signature = _authority_key().sign(data)
    made = der(0x30, data + _ED25519 + der(3, b"\0" + signature))
    text = base64.encodebytes(made)
    read_certificates(b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n")


@cache
def _authority_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(random_bytes("authority", 32))


def _builder(subject: str) -> x509.CertificateBuilder:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    return (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name("authority"))
        .serial_number(7)
        .not_valid_before(NOW - _DAY)
        .not_valid_after(NOW + _DAY)
    )


@cache
def authority() -> x509.Certificate:
    domains = [x509.DNSName("clinic.example"), x509.UniformResourceIdentifier("clinic.example")]
    return (
        _builder("authority")
        .public_key(_authority_key().public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.NameConstraints(domains, None), critical=True)
        .sign(_authority_key(), None)
    )


@cache
def leaves() -> list[x509.Certificate]:
    names = x509.SubjectAlternativeName(
        [
            x509.DNSName("a.clinic.example"),
            x509.UniformResourceIdentifier("spiffe://clinic.example/a"),
        ]
    )
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
    return [
        _builder("leaf")
        .public_key(verifying_key(signer(algorithm)))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=False)
        .sign(_authority_key(), None)
        for algorithm in ALGORITHMS
    ]


def _envelopes() -> list[bytes]:
    return [
        bytes([number]) + sign(io.BytesIO(FILE), signer(algorithm))
        for number, algorithm in enumerate(ALGORITHMS)
    ]


def _bare() -> list[bytes]:
    return [
        bytes([number]) + sign_bare(io.BytesIO(FILE), signer(algorithm))
        for number, algorithm in enumerate(ALGORITHMS)
    ]


def _statements() -> list[bytes]:
    envelope = sign(io.BytesIO(FILE), signer("ED25519"))
    payload = envelope.split(b'"payload":"')[1].split(b'"')[0]
    return [base64.b64decode(payload)]


HARNESSES = (
    Harness(
        "signature-envelope",
        read_envelope,
        (SignatureError,),
        _envelopes,
        seeded(after_a_byte(change_json)),
    ),
    Harness(
        "signature-statement", read_statement, (SignatureError,), _statements, seeded(change_json)
    ),
    Harness(
        "signature-bare",
        read_bare,
        (SignatureError,),
        _bare,
        seeded(after_a_byte(change_der)),
        max_size=8192,
    ),
    Harness(
        "certificate",
        read_certificates,
        (SignatureError,),
        lambda: [leaf.public_bytes(Encoding.PEM) for leaf in leaves()],
        seeded(change_pem),
    ),
    Harness(
        "certificate-signed",
        read_signed_certificate,
        (SignatureError,),
        lambda: [leaf.tbs_certificate_bytes for leaf in leaves()],
        seeded(change_der),
    ),
)
