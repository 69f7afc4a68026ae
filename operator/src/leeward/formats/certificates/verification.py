"""Whether a certificate may vouch for a signature: the leaf of an authority that is trusted.

An authority of a KeyVault signs leaves only (path length 0), so there is no chain to build: the
leaf is signed by one of the authorities that the verifier names, directly. ``cryptography``'s
verifier of Web PKI chains is not used: it refuses Ed25519 authorities and every authority whose
name constraints hold a URI, which are those of SPIFFE trust domains. What is not understood here is
refused. Sources: RFC 5280 4.2 and 6.1, X509-SVID 4 and 5.
"""

import datetime
from collections.abc import Sequence
from typing import Final, TypeVar
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from leeward.formats.dsse import (
    SignatureError,
    UnsuitableKey,
    VerifyingKey,
    signing_algorithm,
    verifying_key,
)

_T = TypeVar("_T", bound=x509.ExtensionType)

_HASHES: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_UNDERSTOOD: Final = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    ExtensionOID.NAME_CONSTRAINTS,
}
_SIGNING_USAGES: Final = {
    ExtendedKeyUsageOID.CODE_SIGNING,
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
}


_UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What the library raises where it looks into a certificate that was read."""


class CertificateUntrusted(SignatureError):  # noqa: N818 - says what is wrong
    """The certificate cannot vouch for a signature; the message says why and what to do."""


def load_certificates(pem: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM file, in its order.

    Raises:
        CertificateUntrusted: there is none, or one is damaged.
    """
    try:
        return x509.load_pem_x509_certificates(pem)
    except (ValueError, x509.InvalidVersion):
        raise CertificateUntrusted(
            "no certificate could be read: give PEM (BEGIN CERTIFICATE)"
        ) from None


def certified_key(
    leaf: x509.Certificate, authorities: Sequence[x509.Certificate], at: datetime.datetime
) -> VerifyingKey:
    """The key that a trusted authority vouches for.

    Args:
        leaf: The signer's certificate.
        authorities: Those that are trusted; each may be a root or an intermediate one.
        at: The moment at which both must be valid, aware.

    Raises:
        CertificateUntrusted: the leaf is not by one of them, or not for signing, or not valid then.
        UnsuitableKey: the leaf's key does not sign, or is too weak.
    """
    try:
        authority = _issuer(leaf, authorities)
        _check_authority(authority, at)
        _check_leaf(leaf, at)
        _check_names(leaf, authority)
        return verifying_key(leaf.public_key())
    except _UNREADABLE:
        # Without its cause, which quotes what was read.
        raise CertificateUntrusted(
            "the certificate or its authority's is damaged: ask for both again"
        ) from None


def names_of(leaf: x509.Certificate) -> list[str]:
    """The alternative names of a certificate: URIs (SPIFFE IDs) first, then DNS names."""
    names = _alternative_names(leaf)
    return [n.value for n in names if isinstance(n, x509.UniformResourceIdentifier)] + [
        n.value for n in names if isinstance(n, x509.DNSName)
    ]


def _issuer(leaf: x509.Certificate, authorities: Sequence[x509.Certificate]) -> x509.Certificate:
    for authority in authorities:
        if authority.subject != leaf.issuer:
            continue
        try:
            signing_algorithm(authority.public_key())
            leaf.verify_directly_issued_by(authority)
        except (InvalidSignature, UnsuitableKey, ValueError, TypeError):
            continue
        algorithm = leaf.signature_hash_algorithm
        if algorithm is None or isinstance(algorithm, _HASHES):
            return authority
    raise CertificateUntrusted(
        "no authority that was given has issued the certificate: name the authority's certificate"
        " with --ca, and if there are several in a chain, the one that signed this certificate"
    )


def _check_authority(authority: x509.Certificate, at: datetime.datetime) -> None:
    _check_valid(authority, at, "the authority's certificate")
    _check_understood(authority, "the authority's certificate")
    basic = _extension(authority, x509.BasicConstraints)
    usage = _extension(authority, x509.KeyUsage)
    if basic is None or not basic.ca or (usage is not None and not usage.key_cert_sign):
        raise CertificateUntrusted(
            "the certificate given as the authority's is none of an authority: name another one"
        )


def _check_leaf(leaf: x509.Certificate, at: datetime.datetime) -> None:
    _check_valid(leaf, at, "the certificate")
    _check_understood(leaf, "the certificate")
    basic = _extension(leaf, x509.BasicConstraints)
    if basic is not None and basic.ca:
        raise CertificateUntrusted(
            "the certificate is an authority's, which signs certificates and no files: give the"
            " signer's own"
        )
    usage = _extension(leaf, x509.KeyUsage)
    extended = _extension(leaf, x509.ExtendedKeyUsage)
    if (usage is not None and not usage.digital_signature) or (
        extended is not None and _SIGNING_USAGES.isdisjoint(extended)
    ):
        raise CertificateUntrusted(
            "the certificate is not for signatures of files (key usage digitalSignature, extended"
            " key usage codeSigning): one for TLS does not count; have a signing one issued"
        )


def _check_valid(certificate: x509.Certificate, at: datetime.datetime, which: str) -> None:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not begin <= at <= end:
        raise CertificateUntrusted(
            f"{which} is valid from {begin:%Y-%m-%dT%H:%M:%SZ} to {end:%Y-%m-%dT%H:%M:%SZ} and was"
            f" looked at for {at.astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}: if you know by other"
            " means that the signature was made while it was valid, name that time with --at"
        )


def _check_understood(certificate: x509.Certificate, which: str) -> None:
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise CertificateUntrusted(
                f"{which} has a critical extension that is not understood here"
                f" ({extension.oid.dotted_string}): use one without it"
            )


def _check_names(leaf: x509.Certificate, authority: x509.Certificate) -> None:
    """Hold the leaf to its authority's name constraints, of DNS names and URIs only."""
    constraints = _extension(authority, x509.NameConstraints)
    if constraints is None:
        return
    permitted = list(constraints.permitted_subtrees or [])
    excluded = list(constraints.excluded_subtrees or [])
    kinds = (x509.DNSName, x509.UniformResourceIdentifier)
    if any(not isinstance(n, kinds) for n in permitted) or any(
        not isinstance(n, x509.IPAddress) for n in excluded
    ):
        raise CertificateUntrusted(
            "the authority's certificate constrains names in a way that is not understood here:"
            " only permitted DNS names and URIs and excluded addresses are"
        )
    hosts = [n.value for n in permitted if isinstance(n, x509.DNSName)]
    domains = [n.value for n in permitted if isinstance(n, x509.UniformResourceIdentifier)]
    for name in _alternative_names(leaf):
        if isinstance(name, x509.DNSName):
            inside = not hosts or any(_below(name.value, host) for host in hosts)
        elif isinstance(name, x509.UniformResourceIdentifier):
            inside = not domains or (urlsplit(name.value).hostname or "") in domains
        else:
            inside = not isinstance(name, x509.IPAddress) or not excluded
        if not inside:
            raise CertificateUntrusted(
                "the certificate bears a name that its authority may not give: do not trust it,"
                " and tell who runs the authority"
            )


def _below(host: str, suffix: str) -> bool:
    return host == suffix or host.endswith(f".{suffix}")


def _alternative_names(certificate: x509.Certificate) -> list[x509.GeneralName]:
    return list(_extension(certificate, x509.SubjectAlternativeName) or [])


def _extension(certificate: x509.Certificate, kind: type[_T]) -> _T | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
