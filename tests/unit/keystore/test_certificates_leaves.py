"""Leaves: what stands in them, and what verifiers of others make of them."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from leeward.formats.certificates import (
    CertificatePair,
    LeafRequest,
    SignerRequest,
    SpiffeId,
    certificates_id,
)
from leeward.formats.certificates.request import SigningAlgorithm
from leeward.keystore.certificates import BACKDATING, Leaf, issue_signer
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
    openssl,
    openssl_says,
    parsed,
)

SECOND = datetime.timedelta(seconds=1)
SIGNER = SignerRequest(
    trust_domain="clinic.example",
    vault_namespace="clinic",
    vault="keys",
    key="approvals",
    kind="maskingjob",
    namespace="research",
    name="admissions",
    uid="0b2c7f4e-8d3a-4f57-9a52-0d5d9a7f6c11",
    algorithm="ECDSA_P256",
)


def sign_leaf(authority: VaultAuthority, request: SignerRequest = SIGNER) -> Leaf:
    random = counting()
    return issue_signer(
        authority.pem, authority.algorithm, authority.material, request, NOW, random
    )


@pytest.mark.parametrize("purpose", ["sslserver", "sslclient"])
@pytest.mark.parametrize("leaf_algorithm", ["ECDSA_P256", "ED25519"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_other_implementations_accept_leaves(
    tmp_path: Path, algorithm: str, leaf_algorithm: str, purpose: str
) -> None:
    authority = VaultAuthority(algorithm)
    request = dataclasses.replace(REQUEST, algorithm=leaf_algorithm)  # type: ignore[arg-type]
    leaf = authority.issue(request).certificate_pem
    # OpenSSL 3.0, which Debian 12 has, knows no ML-DSA; cryptography lets no Ed25519 authority in.
    if algorithm != "ML_DSA_65":
        host = HOST if purpose == "sslserver" else None
        assert openssl_says(tmp_path, authority.pem, leaf, purpose, host=host) == ""
    if algorithm != "ED25519":
        assert cryptography_says(authority.pem, leaf, purpose) == ""


def test_openssl_prints_what_was_asked_for() -> None:
    pem = VaultAuthority().issue().certificate_pem
    text = " ".join(openssl("x509", "-noout", "-text", stdin=pem).stdout.split())
    assert "Issuer: CN = clinic/federation ca v1" in text
    assert "Not Before: Mar 1 09:55:00 2026 GMT Not After : Mar 2 12:00:00 2026 GMT" in text
    assert "Subject: CN = KeyDelivery clinic/ward" in text
    assert "ASN1 OID: prime256v1" in text
    assert "X509v3 Basic Constraints: critical CA:FALSE" in text
    assert (
        "X509v3 Key Usage: critical Digital Signature X509v3 Extended Key Usage: "
        "TLS Web Server Authentication, TLS Web Client Authentication X509v3" in text
    )
    assert f"X509v3 Subject Alternative Name: DNS:{HOST}, URI:{WARD}" in text


def test_a_leaf_is_a_pair() -> None:
    authority = VaultAuthority()
    leaf = authority.issue()
    assert "BEGIN PRIVATE KEY" in leaf.private_key_pem
    assert CertificatePair.from_material(leaf.pair.material()) == leaf.pair
    made = parsed(leaf.certificate_pem)
    assert made.serial_number == leaf.serial
    assert made.not_valid_before_utc == leaf.not_before == NOW - BACKDATING
    assert made.not_valid_after_utc == leaf.not_after == NOW + datetime.timedelta(hours=24)
    assert leaf.private_key_pem not in repr(leaf)
    assert leaf.private_key_pem not in repr(leaf.pair)


@pytest.mark.parametrize("algorithm", ["ECDSA_P256", "ED25519"])
def test_all_that_is_drawn_is_drawn_from_what_was_handed_in(algorithm: str) -> None:
    request = dataclasses.replace(REQUEST, algorithm=algorithm)  # type: ignore[arg-type]
    authority = VaultAuthority()
    first, again, other = (authority.issue(request, random=counting(n)) for n in (1, 1, 2))
    assert first == again
    assert first.serial != other.serial
    assert first.private_key_pem != other.private_key_pem


def test_the_draw_of_a_p256_key_covers_the_whole_range() -> None:
    """FIPS 186-5 A.2.1: the largest draw and the smallest give keys of the curve."""
    for byte in (b"\0", b"\xff"):
        leaf = VaultAuthority().issue(random=lambda size, byte=byte: byte * size)  # type: ignore[misc]
        key = serialization.load_pem_private_key(leaf.private_key_pem.encode(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)


@pytest.mark.parametrize(
    ("usages", "accepted", "refused"),
    [({"server"}, "sslserver", "sslclient"), ({"client"}, "sslclient", "sslserver")],
)
def test_a_leaf_is_for_what_it_was_asked_for(
    tmp_path: Path, usages: set[str], accepted: str, refused: str
) -> None:
    authority = VaultAuthority()
    request = dataclasses.replace(REQUEST, usages=frozenset(usages))  # type: ignore[arg-type]
    leaf = authority.issue(request).certificate_pem
    assert openssl_says(tmp_path, authority.pem, leaf, accepted) == ""
    assert cryptography_says(authority.pem, leaf, accepted) == ""
    # OpenSSL 3.0 and 3.2 word it differently.
    assert "certificate purpose" in openssl_says(tmp_path, authority.pem, leaf, refused)
    assert "EKU" in cryptography_says(authority.pem, leaf, refused)


def test_a_leaf_is_for_no_other_host_and_no_other_time(tmp_path: Path) -> None:
    authority = VaultAuthority()
    leaf = authority.issue()
    trust, pem = authority.pem, leaf.certificate_pem
    said = openssl_says(tmp_path, trust, pem, "sslserver", host="other.clinic.svc")
    assert "hostname mismatch" in said.lower()
    assert cryptography_says(trust, pem, "sslserver", host="other.clinic.svc") != ""
    for moment, problem in (
        (leaf.not_before - SECOND, "not yet valid"),
        (leaf.not_before, ""),
        (leaf.not_after - SECOND, ""),
        (leaf.not_after + SECOND, "expired"),
    ):
        said = openssl_says(tmp_path, trust, pem, "sslserver", now=moment)
        assert problem in said
        assert bool(said) == bool(problem)


def test_a_leaf_never_outlives_its_authority() -> None:
    authority = VaultAuthority(lifetime=datetime.timedelta(days=2))
    end = NOW + datetime.timedelta(days=2)
    assert authority.issue(now=end - datetime.timedelta(hours=25)).not_after == end - 3600 * SECOND
    assert authority.issue(now=end - datetime.timedelta(hours=23)).not_after == end


def test_times_are_whole_seconds_of_any_time_zone() -> None:
    local = NOW.astimezone(datetime.timezone(datetime.timedelta(hours=5, minutes=30)))
    leaf = VaultAuthority().issue(now=local + datetime.timedelta(microseconds=999_999))
    assert leaf.not_before == NOW - BACKDATING
    assert parsed(leaf.certificate_pem).not_valid_after_utc == leaf.not_after


def test_a_leaf_with_a_spiffe_id_alone_is_a_client(tmp_path: Path) -> None:
    authority = VaultAuthority()
    request = LeafRequest("KeyDelivery clinic/ward", (), WARD, frozenset({"client"}))
    leaf = authority.issue(request).certificate_pem
    assert openssl_says(tmp_path, authority.pem, leaf, "sslclient") == ""
    assert cryptography_says(authority.pem, leaf, "sslclient") == ""


label = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True).filter(
    lambda text: text[2:4] != "--" and not text.isdigit() and not text.startswith("0x")
)
dns_name = st.lists(label, min_size=2, max_size=5).map(".".join).filter(lambda n: len(n) <= 253)
segment = st.from_regex(r"[a-zA-Z0-9._-]{1,63}", fullmatch=True).filter(
    lambda text: text not in {".", ".."}
)


@given(st.lists(dns_name, min_size=1, max_size=4, unique=True), st.lists(segment, min_size=1))
def test_every_name_that_is_taken_is_found_by_another_implementation(
    names: list[str], segments: list[str]
) -> None:
    authority = VaultAuthority()
    spiffe_id = SpiffeId.of("spiffeId", "clinic.example", *segments[:8])
    leaf = authority.issue(LeafRequest("KeyDelivery a/b", tuple(names), spiffe_id))
    for name in names:
        assert cryptography_says(authority.pem, leaf.certificate_pem, "sslserver", host=name) == ""
    found, _ = extension(leaf.certificate_pem, x509.SubjectAlternativeName)
    assert found.get_values_for_type(x509.DNSName) == names
    assert found.get_values_for_type(x509.UniformResourceIdentifier) == [str(spiffe_id)]


def test_a_signer_is_named_by_key_and_workload() -> None:
    authority = VaultAuthority()
    leaf = sign_leaf(authority)
    names, _ = extension(leaf.certificate_pem, x509.SubjectAlternativeName)
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [
        "spiffe://clinic.example/signer/ns/research/maskingjob/admissions/"
        "0b2c7f4e-8d3a-4f57-9a52-0d5d9a7f6c11/vault/clinic/keys/approvals"
    ]
    usage, _ = extension(leaf.certificate_pem, x509.ExtendedKeyUsage)
    assert list(usage) == [ExtendedKeyUsageOID.CODE_SIGNING]
    assert leaf.not_after == NOW + YEAR
    assert sign_leaf(
        authority, dataclasses.replace(SIGNER, duration=datetime.timedelta(hours=1))
    ).not_after == NOW + datetime.timedelta(hours=1)


def test_a_signer_can_neither_serve_nor_call(tmp_path: Path) -> None:
    authority = VaultAuthority()
    leaf = sign_leaf(authority).certificate_pem
    assert openssl_says(tmp_path, authority.pem, leaf, "any") == ""
    for purpose in ("sslserver", "sslclient"):
        assert "certificate purpose" in openssl_says(tmp_path, authority.pem, leaf, purpose)
        assert cryptography_says(authority.pem, leaf, purpose) != ""


def test_openssl_verifies_a_signature_with_the_certificate_alone(tmp_path: Path) -> None:
    leaf = sign_leaf(VaultAuthority())
    key = serialization.load_pem_private_key(leaf.private_key_pem.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    (tmp_path / "report").write_bytes(b"report")
    (tmp_path / "report.sig").write_bytes(key.sign(b"report", ec.ECDSA(hashes.SHA256())))
    public = openssl("x509", "-noout", "-pubkey", stdin=leaf.certificate_pem).stdout
    (tmp_path / "public.pem").write_text(public)
    result = openssl(
        *("dgst", "-sha256", "-verify", tmp_path / "public.pem"),
        *("-signature", tmp_path / "report.sig", tmp_path / "report"),
    )
    assert result.stdout.strip() == "Verified OK"


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        ("ECDSA_P256", ec.EllipticCurvePublicKey),
        ("ECDSA_P384", ec.EllipticCurvePublicKey),
        ("ED25519", ed25519.Ed25519PublicKey),
        ("RSA_PSS", rsa.RSAPublicKey),
        ("ML_DSA_65", mldsa.MLDSA65PublicKey),
    ],
)
def test_a_signer_may_have_any_signing_algorithm(algorithm: SigningAlgorithm, kind: type) -> None:
    authority = VaultAuthority(algorithm)
    leaf = sign_leaf(authority, dataclasses.replace(SIGNER, algorithm=algorithm))
    made = parsed(leaf.certificate_pem)
    assert isinstance(made.public_key(), kind)
    made.verify_directly_issued_by(parsed(authority.pem))
    assert CertificatePair.from_material(leaf.pair.material()) == leaf.pair


def test_a_renewed_leaf_has_another_id() -> None:
    authority = VaultAuthority()
    ids = {certificates_id(authority.issue().certificate_pem) for _ in range(3)}
    assert len(ids) == 3
    assert all(len(id_) == 32 and int(id_, 16) >= 0 for id_ in ids)
