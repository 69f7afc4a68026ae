"""The certificate authority that one version of a vault's signing key is."""

import datetime
import hashlib
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from leeward.formats.certificates.names import (
    CertificateRefusedError,
    SpiffeId,
    check_dns_name,
    check_trust_domain,
    common_name,
)
from leeward.formats.certificates.request import MIN_DURATION
from leeward.keystore.certificates.renewal import BACKDATING
from leeward.keystore.certificates.signers import (
    Random,
    SigningKey,
    UnusableMaterialError,
    load_signing_key,
    sign_certificate,
)

MIN_LIFETIME: Final = datetime.timedelta(days=1)
MAX_LIFETIME: Final = datetime.timedelta(days=30 * 365)

_SERIAL_BITS: Final = 159
_KEY_ID_SIZE: Final = 20
_ALL_ADDRESSES: Final = (
    x509.IPAddress(ipaddress.IPv4Network("0.0.0.0/0")),
    x509.IPAddress(ipaddress.IPv6Network("::/0")),
)
_USAGES: Final = {
    name: False
    for name in (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
}


class AuthorityError(Exception):
    """The authority cannot be used as it is; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class NameConstraints:
    """What an authority may name (RFC 5280 4.2.1.10). A kind without entries is not constrained.

    Attributes:
        dns_suffixes: A name is allowed that is one of these or ends in one: ``clinic.example``.
        trust_domains: Of SPIFFE IDs, each exactly.

    Raises:
        CertificateRefusedError: Field ``dnsSuffixes[INDEX]`` or ``trustDomains[INDEX]``.
    """

    dns_suffixes: tuple[str, ...] = ()
    trust_domains: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for index, suffix in enumerate(self.dns_suffixes):
            check_dns_name(f"dnsSuffixes[{index}]", suffix)
        for index, domain in enumerate(self.trust_domains):
            check_trust_domain(f"trustDomains[{index}]", domain)

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Self:
        """Those in an authority's certificate."""
        try:
            found = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
        except x509.ExtensionNotFound:
            return cls()
        permitted = found.permitted_subtrees or []
        return cls(
            tuple(name.value for name in permitted if isinstance(name, x509.DNSName)),
            tuple(
                name.value for name in permitted if isinstance(name, x509.UniformResourceIdentifier)
            ),
        )

    def extension(self) -> x509.NameConstraints | None:
        """As an extension; addresses are never named, so where it stands it excludes them."""
        permitted: list[x509.GeneralName] = [
            *(x509.DNSName(suffix) for suffix in self.dns_suffixes),
            *(x509.UniformResourceIdentifier(domain) for domain in self.trust_domains),
        ]
        return x509.NameConstraints(permitted, _ALL_ADDRESSES) if permitted else None

    def check(self, dns_names: tuple[str, ...], spiffe_id: SpiffeId | None) -> None:
        """Refuse what verifiers would refuse.

        Raises:
            CertificateRefusedError: A name lies outside.
        """
        for index, name in enumerate(dns_names):
            bare = name.removeprefix("*.")
            inside = any(bare == s or bare.endswith(f".{s}") for s in self.dns_suffixes)
            if self.dns_suffixes and not inside:
                raise CertificateRefusedError(
                    f"dnsNames[{index}]",
                    "outside of what the authority may name: use a name below one of its suffixes",
                )
        if spiffe_id and self.trust_domains and spiffe_id.trust_domain not in self.trust_domains:
            raise CertificateRefusedError(
                "spiffeId", "of a trust domain that the authority may not name: use its own"
            )


def new_serial(random: Random) -> int:
    """A serial number: 159 random bits, so that its DER has 20 bytes at most (RFC 5280 4.1.2.2)."""
    drawn = int.from_bytes(random(_SERIAL_BITS // 8 + 1)) >> 1
    return max(1, drawn)


def authority_subject(namespace: str, vault: str, key: str, version: int) -> str:
    """The name of the authority that this key version is."""
    return common_name(f"{namespace}/{vault} {key} v{version}")


def make_authority(
    algorithm: str,
    material: bytes,
    subject: str,
    serial: int,
    now: datetime.datetime,
    lifetime: datetime.timedelta,
    constraints: NameConstraints | None = None,
) -> str:
    """The self-signed certificate of an authority, PEM.

    The same input gives the same certificate, but for the signature of RSA_PSS and ML_DSA_65,
    which is drawn. Two that differ in their signature only are the same authority to verifiers.

    Args:
        algorithm: ECDSA_P256, ECDSA_P384, ED25519, RSA_PSS or ML_DSA_65.
        material: The private key, see ``signers``.
        subject: Its common name; cut to 64 characters.
        serial: From ``new_serial``.
        now: The time of issue, aware; kept with the version, so that a repeat uses the same.
        lifetime: A day to 30 years.
        constraints: What it may name; None: anything.

    Raises:
        AuthorityError: The material does not fit the algorithm.
        CertificateRefusedError: Field ``lifetime`` or ``serial``.
    """
    if not MIN_LIFETIME <= lifetime <= MAX_LIFETIME:
        raise CertificateRefusedError("lifetime", "must be 1d to 10950d: choose one in between")
    if not 0 < serial < 2**_SERIAL_BITS:
        raise CertificateRefusedError("serial", "must be positive, of 159 bits: draw another")
    key = _load(algorithm, material)
    name = _name(subject)
    key_id = key_identifier(key.public_key())
    issued = now.replace(microsecond=0)
    builder = (
        certificate_builder(name, name, key.public_key(), serial)
        .not_valid_before(issued - BACKDATING)
        .not_valid_after(issued + lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier(key_id), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier(key_id, None, None), critical=False)
    )
    limits = constraints.extension() if constraints else None
    if limits is not None:
        builder = builder.add_extension(limits, critical=True)
    return to_pem(sign_certificate(builder, key))


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority that is ready to issue: its certificate and its private key."""

    certificate: x509.Certificate
    key: SigningKey

    @classmethod
    def load(cls, pem: str, algorithm: str, material: bytes) -> Self:
        """Put certificate and key together.

        Raises:
            AuthorityError: The certificate is none of an authority, or is of another key.
        """
        key = _load(algorithm, material)
        certificate = _read(pem)
        if key_identifier(certificate.public_key()) != key_identifier(key.public_key()):
            raise AuthorityError(
                "the authority's certificate is of another key version: put back the Secret of"
                " the keyset from a backup, or rotate the key"
            )
        return cls(certificate, key)

    def last_moment(self, now: datetime.datetime) -> datetime.datetime:
        """Until when a leaf issued now can be valid at most.

        Raises:
            AuthorityError: The authority ends before a leaf could be of use, or has not begun.
        """
        end = self.certificate.not_valid_after_utc
        if now < self.certificate.not_valid_before_utc:
            raise AuthorityError(
                "the authority's certificate is not valid yet: set the operator's clock right"
            )
        if end - now < MIN_DURATION:
            raise AuthorityError("the authority's certificate has expired: rotate the key")
        return end


def trust_bundle(authorities: Iterable[str], now: datetime.datetime) -> str:
    """The certificates that verifiers are to trust, PEM, in the order given.

    Args:
        authorities: PEM of each; those named twice stand once.
        now: Those that ended before are dropped; not within ``BACKDATING``, since this clock may be
            ahead, and one that has ended does no harm where the others' clocks are right.

    Raises:
        AuthorityError: One is no authority's certificate, or none is left: an empty bundle would
            cut every connection without a word.
    """
    kept: dict[str, None] = {}
    for pem in authorities:
        certificate = _read(pem)
        if certificate.not_valid_after_utc + BACKDATING >= now:
            kept[to_pem(certificate)] = None
    if not kept:
        raise AuthorityError("no authority is left that has not expired: rotate the key")
    return "".join(kept)


def certificate_builder(
    subject: x509.Name, issuer: x509.Name, public_key: PublicKeyTypes, serial: int
) -> x509.CertificateBuilder:
    """What every certificate has."""
    return x509.CertificateBuilder(issuer, subject, public_key, serial)  # type: ignore[arg-type]


def key_usage(**usages: bool) -> x509.KeyUsage:
    """A key usage of just these bits."""
    return x509.KeyUsage(**(_USAGES | usages))


def key_identifier(key: PublicKeyTypes) -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo, cut to 160 bits (RFC 7093 2, method 4)."""
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()[:_KEY_ID_SIZE]


def to_pem(certificate: x509.Certificate) -> str:
    """One certificate as PEM."""
    return certificate.public_bytes(Encoding.PEM).decode()


def _name(subject: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name(subject))])


def _load(algorithm: str, material: bytes) -> SigningKey:
    try:
        return load_signing_key(algorithm, material)
    except UnusableMaterialError as error:
        raise AuthorityError(
            f"the key cannot sign certificates: {error}: rotate it, or import it again"
        ) from None


def _read(pem: str) -> x509.Certificate:
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        is_authority = basic.ca and certificate.issuer == certificate.subject
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        is_authority = False
    if not is_authority:
        raise AuthorityError(
            "a stored certificate is none of an authority: put back the Secret of the keyset from"
            " a backup, or rotate the key"
        )
    return certificate
