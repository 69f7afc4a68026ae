"""Which certificates may vouch for a signature."""

import datetime
import os
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from golden.rsa.keys import rsa_key
from leeward.formats.certificates import LeafRequest, SignerRequest
from leeward.formats.certificates.verification import (
    CertificateUntrusted,
    certified_key,
    load_certificates,
    names_of,
)
from leeward.formats.dsse import SigningAlgorithm, UnsuitableKey, key_id, verifying_key
from leeward.keystore.certificates import NameConstraints, issue_signer
from unit.formats.signing_keys import SIGNING, signer
from unit.keystore.certificate_world import NOW, WARD, VaultAuthority, parsed

DAY = datetime.timedelta(days=1)
REQUEST = SignerRequest(
    "clinic.example", "clinic", "vault", "signing", "kd", "clinic", "ward", "u1", "ED25519"
)
TRUST_DOMAIN = NameConstraints((), ("clinic.example",))


def authority(
    algorithm: str = "ECDSA_P256", constraints: NameConstraints | None = TRUST_DOMAIN
) -> VaultAuthority:
    return VaultAuthority(algorithm, constraints=constraints)


def signer_leaf(by: VaultAuthority) -> x509.Certificate:
    leaf = issue_signer(by.pem, by.algorithm, by.material, REQUEST, NOW, os.urandom)
    return parsed(leaf.certificate_pem)


Change = Callable[[x509.CertificateBuilder], x509.CertificateBuilder]


def made(
    *changes: Change,
    subject: str = "signer",
    key: Any = None,
    end: datetime.datetime = NOW + DAY,
) -> x509.Certificate:
    """A certificate as others make them, signed by the key of `other_authority`."""

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name("authority"))
        .public_key(key or verifying_key(signer("ED25519")))
        .serial_number(7)
        .not_valid_before(NOW - DAY)
        .not_valid_after(end)
    )
    for change in changes:
        builder = change(builder)
    return builder.sign(signer("ECDSA_P256"), hashes.SHA256())


def extended(extension: x509.ExtensionType, *, critical: bool = False) -> Change:
    return lambda builder: builder.add_extension(extension, critical)


def usage(**bits: bool) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: bits.get(name, False) for name in names})


def other_authority(*changes: Change) -> x509.Certificate:
    basic = extended(x509.BasicConstraints(True, 0), critical=True)
    own = verifying_key(signer("ECDSA_P256"))
    return made(basic, *changes, subject="authority", key=own)


@pytest.mark.parametrize("algorithm", SIGNING)
def test_a_signer_of_a_vault_is_trusted(algorithm: SigningAlgorithm) -> None:
    by = authority(algorithm)
    leaf = signer_leaf(by)
    key = certified_key(leaf, [parsed(by.pem)], NOW)
    assert key_id(key) == key_id(verifying_key(leaf.public_key()))
    assert names_of(leaf) == [str(REQUEST.spiffe_id)]


def test_any_of_the_authorities_given_will_do() -> None:
    old, new = authority(), VaultAuthority(which=1, constraints=TRUST_DOMAIN)
    bundle = load_certificates((old.pem + new.pem).encode())
    for by in (old, new):
        certified_key(signer_leaf(by), bundle, NOW)


def test_another_authority_of_the_same_name_is_not() -> None:
    with pytest.raises(CertificateUntrusted, match="no authority"):
        certified_key(signer_leaf(authority()), [parsed(VaultAuthority(which=1).pem)], NOW)


def test_no_authority_at_all() -> None:
    with pytest.raises(CertificateUntrusted, match="no authority"):
        certified_key(signer_leaf(authority()), [], NOW)


def test_a_leaf_for_tls_does_not_count() -> None:
    by = authority()
    leaf = parsed(by.issue(LeafRequest("KeyDelivery clinic/ward", (), WARD)).certificate_pem)
    with pytest.raises(CertificateUntrusted, match="TLS"):
        certified_key(leaf, [parsed(by.pem)], NOW)


def test_an_authority_signs_no_files() -> None:
    root = other_authority()
    with pytest.raises(CertificateUntrusted):
        certified_key(made(extended(x509.BasicConstraints(True, 0))), [root], NOW)


def test_a_certificate_does_not_vouch_for_itself() -> None:
    leaf = made(subject="authority", key=verifying_key(signer("ECDSA_P256")))
    with pytest.raises(CertificateUntrusted, match="none of an authority"):
        certified_key(leaf, [leaf], NOW)


@pytest.mark.parametrize("when", [NOW - 2 * DAY, NOW + 2 * DAY])
def test_both_must_be_valid_at_the_time(when: datetime.datetime) -> None:
    with pytest.raises(CertificateUntrusted, match=r"from 2026-02-28T12:00:00Z .* --at"):
        certified_key(made(), [other_authority()], when)


def test_a_leaf_that_outlives_its_authority_ends_with_it() -> None:
    longer = made(end=NOW + 9 * DAY)
    certified_key(longer, [other_authority()], NOW)
    with pytest.raises(CertificateUntrusted, match="the authority's certificate is valid"):
        certified_key(longer, [other_authority()], NOW + 2 * DAY)


UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
URI = x509.UniformResourceIdentifier
ELSEWHERE = x509.SubjectAlternativeName([URI("spiffe://other.example/x")])


@pytest.mark.parametrize(
    "change",
    [
        extended(usage(digital_signature=True), critical=True),
        extended(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])),
        extended(UNKNOWN),
        extended(ELSEWHERE),
    ],
)
def test_what_others_issue_is_taken(change: Change) -> None:
    certified_key(made(change), [other_authority()], NOW)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (extended(usage(key_agreement=True), critical=True), "digitalSignature"),
        (extended(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])), "codeSigning"),
        (extended(UNKNOWN, critical=True), "1.2.3.4"),
    ],
)
def test_a_leaf_that_is_not_for_signing_is_refused(change: Change, words: str) -> None:
    with pytest.raises(CertificateUntrusted, match=words):
        certified_key(made(change), [other_authority()], NOW)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (extended(usage(digital_signature=True), critical=True), "none of an authority"),
        (extended(UNKNOWN, critical=True), "1.2.3.4"),
    ],
)
def test_an_authority_that_is_none_is_refused(change: Change, words: str) -> None:
    with pytest.raises(CertificateUntrusted, match=words):
        certified_key(made(), [other_authority(change)], NOW)


def constrained(
    permitted: list[x509.GeneralName] | None, excluded: list[x509.GeneralName] | None = None
) -> x509.Certificate:
    limits = x509.NameConstraints(permitted, excluded)
    return other_authority(extended(limits, critical=True))


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        (x509.DNSName("clinic.example"), True),
        (x509.DNSName("a.clinic.example"), True),
        (x509.DNSName("aclinic.example"), False),
        (URI("spiffe://clinic.example/a"), True),
        (URI("spiffe://a.clinic.example/a"), False),
        (URI("spiffe://evil.example/clinic.example"), False),
        (URI("spiffe://clinic.example@evil.example/"), False),
        (URI("urn:clinic.example"), False),
    ],
)
def test_an_authority_is_held_to_its_constraints(name: x509.GeneralName, inside: bool) -> None:
    root = constrained([x509.DNSName("clinic.example"), URI("clinic.example")])
    leaf = made(extended(x509.SubjectAlternativeName([name])))
    if inside:
        certified_key(leaf, [root], NOW)
        return
    with pytest.raises(CertificateUntrusted, match="may not give"):
        certified_key(leaf, [root], NOW)


@pytest.mark.parametrize(
    "root",
    [
        constrained([x509.RFC822Name("clinic.example")]),
        constrained(None, [x509.DNSName("evil.example")]),
    ],
)
def test_constraints_that_are_not_understood_are_refused(root: x509.Certificate) -> None:
    with pytest.raises(CertificateUntrusted, match="not understood"):
        certified_key(made(extended(ELSEWHERE)), [root], NOW)


def test_a_weak_key_is_refused_although_it_is_certified() -> None:
    weak = made(key=rsa_key("2048").public_key())
    with pytest.raises(UnsuitableKey, match="2048"):
        certified_key(weak, [other_authority()], NOW)


DAMAGED = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("pem", [b"", DAMAGED])
def test_what_is_no_certificate_is_refused(pem: bytes) -> None:
    with pytest.raises(CertificateUntrusted, match="PEM"):
        load_certificates(pem)
