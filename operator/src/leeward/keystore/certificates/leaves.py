"""Leaves: short-lived pairs for TLS, and pairs with which one workload signs."""

import datetime
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from leeward.formats.certificates.delivery import CertificatePair
from leeward.formats.certificates.names import SpiffeId, common_name
from leeward.formats.certificates.request import LeafRequest, SignerRequest
from leeward.keystore.certificates.authority import (
    Authority,
    NameConstraints,
    certificate_builder,
    key_identifier,
    key_usage,
    new_serial,
    to_pem,
)
from leeward.keystore.certificates.renewal import BACKDATING, renew_at
from leeward.keystore.certificates.signers import Random, new_signing_key, sign_certificate

_TLS_USAGES: Final = {
    "server": ExtendedKeyUsageOID.SERVER_AUTH,
    "client": ExtendedKeyUsageOID.CLIENT_AUTH,
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """A new pair and what is to be known of it.

    Attributes:
        private_key_pem: PKCS #8, not encrypted.
        certificate_pem: What is shown to the peer. Nothing comes after it: the authority signed it
            directly, and a root is not sent (RFC 8446 4.4.2).
        not_before, not_after: As they stand in it.
        serial: Its serial number.
    """

    private_key_pem: str = field(repr=False)
    certificate_pem: str
    not_before: datetime.datetime
    not_after: datetime.datetime
    serial: int

    @property
    def pair(self) -> CertificatePair:
        """As pods are given it."""
        return CertificatePair(self.private_key_pem, self.certificate_pem)

    @property
    def renew_at(self) -> datetime.datetime:
        """When to replace it."""
        return renew_at(self.not_before, self.not_after, self.serial)


def issue_leaf(
    authority_pem: str,
    algorithm: str,
    material: bytes,
    request: LeafRequest,
    now: datetime.datetime,
    random: Random,
) -> Leaf:
    """A new key pair and its certificate for TLS.

    Args:
        authority_pem: From ``make_authority``.
        algorithm: Of the authority's key.
        material: The authority's private key.
        request: Names, usages, duration. It ends earlier where the authority does.
        now: The time of issue, aware.
        random: Draws the key pair and the serial number.

    Raises:
        AuthorityError: Certificate and key do not fit, or the authority has expired.
        CertificateRefusedError: A name lies outside of the authority's name constraints.
    """
    usages = [oid for usage, oid in _TLS_USAGES.items() if usage in request.usages]
    return _issue(
        Authority.load(authority_pem, algorithm, material),
        _Certified(request.subject, request.dns_names, request.spiffe_id, usages),
        request.algorithm,
        request.duration,
        now,
        random,
    )


def issue_signer(
    authority_pem: str,
    algorithm: str,
    material: bytes,
    request: SignerRequest,
    now: datetime.datetime,
    random: Random,
) -> Leaf:
    """A new key pair with which one workload signs, and its certificate.

    Its extended key usage is codeSigning, which verifiers of signed artefacts look for: it can
    neither serve nor call in TLS. The arguments and errors are those of ``issue_leaf``.
    """
    return _issue(
        Authority.load(authority_pem, algorithm, material),
        _Certified(request.subject, (), request.spiffe_id, [ExtendedKeyUsageOID.CODE_SIGNING]),
        request.algorithm,
        request.duration,
        now,
        random,
    )


@dataclass(frozen=True, slots=True)
class _Certified:
    """What a certificate says of its holder."""

    subject: str
    dns_names: tuple[str, ...]
    spiffe_id: SpiffeId | None
    usages: list[x509.ObjectIdentifier]

    def extend(self, builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in self.dns_names]
        if self.spiffe_id is not None:
            names.append(x509.UniformResourceIdentifier(str(self.spiffe_id)))
        return (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage(self.usages), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
        )


def _issue(
    authority: Authority,
    certified: _Certified,
    algorithm: str,
    duration: datetime.timedelta | None,
    now: datetime.datetime,
    random: Random,
) -> Leaf:
    NameConstraints.of(authority.certificate).check(certified.dns_names, certified.spiffe_id)
    issued = now.astimezone(datetime.UTC).replace(microsecond=0)
    last = authority.last_moment(issued)
    not_after = last if duration is None else min(last, issued + duration)
    key = new_signing_key(algorithm, random)
    serial = new_serial(random)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name(certified.subject))])
    issuer_id = key_identifier(authority.key.public_key())
    builder = (
        certificate_builder(subject, authority.certificate.subject, key.public_key(), serial)
        .not_valid_before(issued - BACKDATING)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier(key_identifier(key.public_key())), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier(issuer_id, None, None), critical=False)
    )
    certificate = sign_certificate(certified.extend(builder), authority.key)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Leaf(private.decode(), to_pem(certificate), issued - BACKDATING, not_after, serial)
