"""Authorities: their certificates, name constraints, and bundles of them."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography import x509

from leeward.formats.certificates import CertificateRefusedError, LeafRequest
from leeward.keystore.certificates import (
    BACKDATING,
    AuthorityError,
    NameConstraints,
    authority_subject,
    make_authority,
    new_serial,
    trust_bundle,
)
from unit.keystore.certificate_world import (
    ALGORITHMS,
    HOST,
    NOW,
    REQUEST,
    WARD,
    YEAR,
    VaultAuthority,
    counting,
    cryptography_says,
    extension,
    material,
    openssl,
    openssl_says,
    parsed,
)

SECOND = datetime.timedelta(seconds=1)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_authority_is_what_rfc_5280_asks_of_one(algorithm: str) -> None:
    pem = VaultAuthority(algorithm).pem
    made = parsed(pem)
    made.verify_directly_issued_by(made)
    assert extension(pem, x509.BasicConstraints) == (x509.BasicConstraints(True, 0), True)
    usage, critical = extension(pem, x509.KeyUsage)
    assert critical
    assert usage.key_cert_sign
    assert usage.crl_sign
    assert not usage.digital_signature
    own, _ = extension(pem, x509.SubjectKeyIdentifier)
    issuer, _ = extension(pem, x509.AuthorityKeyIdentifier)
    assert own.digest == issuer.key_identifier
    assert made.not_valid_before_utc == NOW - BACKDATING
    assert made.not_valid_after_utc == NOW + YEAR
    assert made.serial_number == 4711


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_repeat_after_a_crash_makes_the_same_authority(algorithm: str) -> None:
    first, second = VaultAuthority(algorithm).pem, VaultAuthority(algorithm).pem
    assert parsed(first).tbs_certificate_bytes == parsed(second).tbs_certificate_bytes
    # Their signatures draw a salt; verifiers take either certificate for the same authority.
    if algorithm not in {"RSA_PSS", "ML_DSA_65"}:
        assert first == second


def test_openssl_prints_what_was_asked_for() -> None:
    constraints = NameConstraints(("clinic.svc",), ("clinic.example",))
    pem = VaultAuthority("ECDSA_P384", constraints=constraints).pem
    text = " ".join(openssl("x509", "-noout", "-text", stdin=pem).stdout.split())
    assert "Signature Algorithm: ecdsa-with-SHA384" in text
    assert "Issuer: CN = clinic/federation ca v1" in text
    assert "X509v3 Basic Constraints: critical CA:TRUE, pathlen:0" in text
    assert "X509v3 Key Usage: critical Certificate Sign, CRL Sign" in text
    assert (
        "X509v3 Name Constraints: critical Permitted: DNS:clinic.svc URI:clinic.example"
        " Excluded: IP:0.0.0.0/0.0.0.0 IP:0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0" in text
    )


def test_verifiers_hold_an_authority_to_its_dns_suffixes(tmp_path: Path) -> None:
    free = VaultAuthority()
    bound = VaultAuthority(constraints=NameConstraints(("other.svc",)))
    leaf = free.issue().certificate_pem
    for purpose in ("sslserver", "sslclient"):
        assert openssl_says(tmp_path, free.pem, leaf, purpose) == ""
        assert "permitted subtree violation" in openssl_says(tmp_path, bound.pem, leaf, purpose)
        assert "name constraints" in cryptography_says(bound.pem, leaf, purpose)


def test_openssl_holds_an_authority_to_its_trust_domains(tmp_path: Path) -> None:
    leaf = VaultAuthority().issue().certificate_pem
    own = VaultAuthority(constraints=NameConstraints((), ("clinic.example",)))
    other = VaultAuthority(constraints=NameConstraints((), ("example",)))
    assert openssl_says(tmp_path, own.pem, leaf, "sslclient") == ""
    assert "permitted subtree violation" in openssl_says(tmp_path, other.pem, leaf, "sslclient")


@pytest.mark.parametrize(
    ("constraints", "field"),
    [
        (NameConstraints(("other.svc",)), r"dnsNames\[0\]"),
        (NameConstraints(("linic.svc",)), r"dnsNames\[0\]"),
        (NameConstraints((), ("other.example",)), "spiffeId"),
        (NameConstraints((), ("example",)), "spiffeId"),
    ],
)
def test_names_outside_are_refused_before_a_verifier_has_to(
    constraints: NameConstraints, field: str
) -> None:
    with pytest.raises(CertificateRefusedError, match=f"^{field}: .*: use "):
        VaultAuthority(constraints=constraints).issue()


@pytest.mark.parametrize("suffix", ["svc", "clinic.svc", HOST])
def test_names_inside_are_issued(tmp_path: Path, suffix: str) -> None:
    authority = VaultAuthority(constraints=NameConstraints((suffix,), ("clinic.example",)))
    wild = LeafRequest(REQUEST.subject, (f"*.{HOST}",), WARD, wildcards=True)
    for request in (REQUEST, wild):
        leaf = authority.issue(request)
        assert openssl_says(tmp_path, authority.pem, leaf.certificate_pem, "sslserver") == ""


def test_a_constraint_must_itself_be_a_name() -> None:
    with pytest.raises(CertificateRefusedError, match=r"^dnsSuffixes\[1\]: "):
        NameConstraints(("clinic.svc", ".clinic.svc"))
    with pytest.raises(CertificateRefusedError, match=r"^trustDomains\[0\]: "):
        NameConstraints((), ("Clinic",))


@pytest.mark.parametrize(
    ("algorithm", "of", "size"),
    [
        ("ECDSA_P256", "ED25519", 32),
        ("ECDSA_P256", "ECDSA_P384", None),
        ("ECDSA_P384", "ECDSA_P256", None),
        ("RSA_PSS", "ECDSA_P256", None),
        ("ED25519", "ED25519", 31),
        ("ML_DSA_65", "ML_DSA_65", 0),
        ("AES256_GCM", "ECDSA_P256", None),
    ],
)
def test_material_of_another_algorithm_is_refused(
    algorithm: str, of: str, size: int | None
) -> None:
    with pytest.raises(AuthorityError, match=rf"{algorithm}: rotate it") as caught:
        make_authority(algorithm, material(of)[:size], "a", 1, NOW, YEAR)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("lifetime", [datetime.timedelta(hours=23), 31 * YEAR])
def test_lifetimes_have_bounds(lifetime: datetime.timedelta) -> None:
    with pytest.raises(CertificateRefusedError, match=r"^lifetime: must be 1d to 10950d"):
        VaultAuthority(lifetime=lifetime)


@pytest.mark.parametrize("serial", [0, -1, 2**159])
def test_serials_have_bounds(serial: int) -> None:
    with pytest.raises(CertificateRefusedError, match=r"^serial: "):
        make_authority("ED25519", material("ED25519"), "a", serial, NOW, YEAR)


def test_serials_are_positive_and_fit_in_twenty_bytes() -> None:
    assert new_serial(lambda size: b"\xff" * size) == 2**159 - 1
    assert new_serial(lambda size: b"\0" * size) == 1


def test_a_long_subject_is_cut_and_stays_apart_from_others() -> None:
    names = {authority_subject("n" * 63, "v" * 63, "k" * 63, version) for version in range(20)}
    assert len(names) == 20
    assert {len(name) for name in names} == {64}
    subject = parsed(VaultAuthority(subject=names.pop()).pem).subject
    assert len(str(subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)) == 64


def test_a_bundle_lets_leaves_of_old_and_new_authorities_in(tmp_path: Path) -> None:
    old = VaultAuthority()
    # The same name, as where a key is made again: verifiers tell the two by their key identifiers.
    new = VaultAuthority(which=1)
    stranger = VaultAuthority(which=2)
    bundle = trust_bundle([new.pem, old.pem, new.pem], NOW)
    assert bundle == new.pem + old.pem
    for authority in (old, new):
        leaf = authority.issue().certificate_pem
        assert openssl_says(tmp_path, bundle, leaf, "sslserver") == ""
        assert cryptography_says(bundle, leaf, "sslclient") == ""
    leaf = stranger.issue().certificate_pem
    assert openssl_says(tmp_path, bundle, leaf, "sslserver") != ""
    assert openssl_says(tmp_path, new.pem, old.issue().certificate_pem, "sslserver") != ""


def test_a_bundle_drops_what_has_expired_but_not_by_a_clock_that_is_ahead() -> None:
    short = VaultAuthority(lifetime=datetime.timedelta(days=2))
    long = VaultAuthority(which=1)
    end = NOW + datetime.timedelta(days=2)
    assert trust_bundle([short.pem, long.pem], end + BACKDATING) == short.pem + long.pem
    assert trust_bundle([short.pem, long.pem], end + BACKDATING + SECOND) == long.pem
    with pytest.raises(AuthorityError, match="no authority is left"):
        trust_bundle([short.pem], end + BACKDATING + SECOND)


@pytest.mark.parametrize("what", ["nothing", "leaf", "text"])
def test_only_authorities_are_trusted(what: str) -> None:
    pem = {"nothing": "", "leaf": VaultAuthority().issue().certificate_pem, "text": "PEM"}[what]
    with pytest.raises(AuthorityError, match="none of an authority"):
        trust_bundle([pem], NOW)


def test_an_authority_ends_with_its_certificate() -> None:
    authority = VaultAuthority()
    last = NOW + YEAR - datetime.timedelta(minutes=10)
    assert authority.issue(now=last).not_after == NOW + YEAR
    with pytest.raises(AuthorityError, match="has expired: rotate the key"):
        authority.issue(now=last + SECOND)
    with pytest.raises(AuthorityError, match="not valid yet: set the operator's clock"):
        authority.issue(now=NOW - BACKDATING - SECOND)


def test_certificate_and_key_must_fit() -> None:
    authority, other = VaultAuthority(), VaultAuthority(which=1)
    object.__setattr__(authority, "pem", other.pem)
    with pytest.raises(AuthorityError, match="of another key version"):
        authority.issue()
    object.__setattr__(authority, "pem", other.issue().certificate_pem)
    with pytest.raises(AuthorityError, match="none of an authority"):
        authority.issue(random=counting())
