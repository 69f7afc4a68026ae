"""Names in certificates, requests for them, and how pods are given them."""

from __future__ import annotations

import dataclasses
import datetime
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.formats.certificates import (
    CertificatePair,
    CertificateRefusedError,
    InvalidPairError,
    LeafRequest,
    SignerRequest,
    SpiffeId,
    certificates_id,
    check_dns_name,
    common_name,
    is_within_namespace,
    tls_files,
    trust_role,
    workload_id,
)
from unit.keystore.certificate_world import VaultAuthority, openssl

WARD = SpiffeId("clinic.example", ("ns", "clinic", "kd", "ward"))


@pytest.mark.parametrize(
    "name",
    [
        "ward",
        "ward.clinic.svc.cluster.local",
        "a.b",
        "1and1.example",
        "a" * 63 + ".example",
        ".".join(["a" * 63] * 3 + ["b" * 61]),
        "xn--mnchen-3ya.example",
        "1e100.net",
    ],
)
def test_dns_names_are_taken(name: str) -> None:
    check_dns_name("dnsNames[0]", name)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "1 to 253 characters"),
        (".".join(["a" * 63] * 3 + ["b" * 62]), "1 to 253 characters"),
        ("a" * 64, "label over 63"),
        ("ward..svc", "empty label"),
        (".ward", "empty label"),
        ("ward.", "empty label"),
        ("Ward.svc", "lower case"),
        ("ward_1.svc", "letters, digits and inner hyphens"),
        ("-ward.svc", "letters, digits and inner hyphens"),
        ("ward-.svc", "letters, digits and inner hyphens"),
        ("ward.svc\n", "letters, digits and inner hyphens"),
        ("ward svc", "letters, digits and inner hyphens"),
        ("w*d.svc", "letters, digits and inner hyphens"),
        ("ward.*.svc", "letters, digits and inner hyphens"),
        ("ward.svc:443", "letters, digits and inner hyphens"),
        ("münchen.example", "xn--"),
        ("xn--.example", "letters, digits and inner hyphens|-- in third place"),
        ("xn--a.example", "-- in third place"),
        ("xn--abc-.example", "inner hyphens"),
        ("xn--99999999.example", "-- in third place"),
        ("xn--" + "Ü".encode("punycode").decode() + ".example", "-- in third place"),
        ("xn--" + "e\u0301a".encode("punycode").decode() + ".example", "-- in third place"),
        ("ab--c.example", "-- in third place"),
        ("*.clinic.svc", "a wildcard"),
        ("*", "a wildcard"),
        ("10.0.0.1", "an IP address"),
        ("10.1", "an IP address"),
        ("0x7f.0x1", "an IP address"),
        ("fd00::1", "an IP address"),
        ("[fd00::1]", "an IP address"),
        ("::ffff:10.0.0.1", "an IP address"),
    ],
)
def test_dns_names_are_refused(name: str, problem: str) -> None:
    with pytest.raises(CertificateRefusedError, match=problem) as caught:
        check_dns_name("dnsNames[3]", name)
    assert caught.value.field == "dnsNames[3]"
    assert len(name) < 6 or name not in str(caught.value)


def test_wildcards_stand_first_where_they_are_let_in() -> None:
    check_dns_name("a", "*.clinic.svc", wildcards=True)
    for name in ("*", "*.svc", "**.clinic.svc", "ward.*.svc", "*.*.svc", "w*.clinic.svc"):
        with pytest.raises(CertificateRefusedError):
            check_dns_name("a", name, wildcards=True)


@given(st.text(max_size=300))
def test_any_text_is_taken_or_refused(text: str) -> None:
    """Nothing but the one error; what is taken has one form."""
    try:
        check_dns_name("dnsNames[0]", text)
    except CertificateRefusedError:
        return
    assert text == text.lower().strip(".")
    assert text.encode("idna").decode() == text


@given(st.text(alphabet="abßäéøшא漢ーz", min_size=2, max_size=10))
def test_international_names_are_taken_in_their_ascii_form(text: str) -> None:
    if text.isascii():
        return
    label = "xn--" + text.encode("punycode").decode()
    check_dns_name("a", f"{label}.example")


@pytest.mark.parametrize(
    ("name", "within"),
    [
        ("ward.clinic.svc", True),
        ("ward.clinic.svc.cluster.local", True),
        ("ward-0.ward.clinic.svc", True),
        ("ward-0.ward.clinic.svc.cluster.local", True),
        ("a.ward-0.ward.clinic.svc", False),
        ("ward.clinic", False),
        ("ward", False),
        ("clinic.svc", False),
        ("ward.other.svc", False),
        ("ward.xclinic.svc", False),
        ("ward.clinic.svc.other", False),
    ],
)
def test_names_of_a_namespace_are_known(name: str, within: bool) -> None:
    assert is_within_namespace(name, "clinic") is within
    moved = name.replace("cluster.local", "cluster.example")
    assert is_within_namespace(moved, "clinic", "cluster.example") is within


@pytest.mark.parametrize(
    "uri",
    [
        "spiffe://clinic.example",
        "spiffe://clinic.example/ns/clinic/kd/ward",
        "spiffe://td_1-a.b/9eebccd2-12bf-40a6-b262-65fe0487d453",
        "spiffe://a/.../..a/A_-.",
        "spiffe://" + "d" * 255 + "/" + "s" * (2048 - 9 - 255 - 1),
    ],
)
def test_spiffe_ids_are_read_and_written_alike(uri: str) -> None:
    assert str(SpiffeId.parse("spiffeId", uri)) == uri


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("https://clinic.example/ward", "begins with spiffe://"),
        ("SPIFFE://clinic.example/ward", "begins with spiffe://"),
        ("", "begins with spiffe://"),
        ("spiffe://", "1 to 255"),
        ("spiffe:///ward", "1 to 255"),
        ("spiffe://" + "d" * 256, "1 to 255"),
        ("spiffe://Clinic.example/ward", "lower-case"),
        ("spiffe://clínic.example/ward", "lower-case"),
        ("spiffe://clinic.example:443/ward", "no port"),
        ("spiffe://user@clinic.example/ward", "no user"),
        ("spiffe://clinic.example/ward/", "empty path segment"),
        ("spiffe://clinic.example//ward", "empty path segment"),
        ("spiffe://clinic.example/./ward", "relative"),
        ("spiffe://clinic.example/../ward", "relative"),
        ("spiffe://clinic.example/ward%2e", "percent-encoded"),
        ("spiffe://clinic.example/ward?a=b", "no query"),
        ("spiffe://clinic.example/ward#a", "no fragment"),
        ("spiffe://clinic.example/wárd", "other than letters"),
        ("spiffe://clinic.example/ward\n", "other than letters"),
        ("spiffe://d/" + "s" * (2049 - 11), "2048 bytes"),
    ],
)
def test_spiffe_ids_are_refused(uri: str, problem: str) -> None:
    with pytest.raises(CertificateRefusedError, match=f"^spiffeId: .*{problem}"):
        SpiffeId.parse("spiffeId", uri)


@given(st.text(max_size=60))
def test_parts_cannot_end_a_segment_early(text: str) -> None:
    try:
        made = workload_id("clinic.example", "clinic", "kd", text)
    except CertificateRefusedError:
        return
    assert SpiffeId.parse("spiffeId", str(made)) == made
    assert made.segments[3] == text


def test_an_id_that_becomes_too_long_is_refused() -> None:
    with pytest.raises(CertificateRefusedError, match="2048 bytes"):
        SpiffeId.of("spiffeId", "clinic.example", *["s" * 255] * 8)


def test_common_names_have_64_characters_at_most() -> None:
    assert common_name("a" * 64) == "a" * 64
    cut = common_name("a" * 65)
    assert len(cut) == 64
    assert cut != common_name("a" * 66)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"dns_names": ("a.b", "A.b")}, r"dnsNames\[1\]"),
        ({"dns_names": ("a.b", "a.b")}, r"dnsNames\[1\]"),
        ({"dns_names": ("*.a.b",)}, r"dnsNames\[0\]"),
        ({"dns_names": tuple(f"a{n}.b" for n in range(101))}, "dnsNames"),
        ({"dns_names": (), "spiffe_id": None}, "dnsNames"),
        ({"spiffe_id": SpiffeId("clinic.example")}, "spiffeId"),
        ({"usages": frozenset()}, "usages"),
        ({"duration": datetime.timedelta(minutes=9, seconds=59)}, "duration"),
        ({"duration": datetime.timedelta(days=90, seconds=1)}, "duration"),
        ({"subject": ""}, "subject"),
        ({"subject": "host.example"}, "subject"),
        ({"subject": "Key\nDelivery a/b"}, "subject"),
    ],
)
def test_requests_that_cannot_be_fulfilled_are_not_made(change: dict[str, Any], field: str) -> None:
    good = LeafRequest("KeyDelivery clinic/ward", ("ward.clinic.svc",), WARD)
    with pytest.raises(CertificateRefusedError, match=f"^{field}: "):
        dataclasses.replace(good, **change)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"trust_domain": "Clinic"}, "trustDomain"),
        ({"namespace": "a/b"}, "spiffeId"),
        ({"uid": ""}, "spiffeId"),
        ({"duration": datetime.timedelta(minutes=9)}, "duration"),
    ],
)
def test_signers_that_cannot_be_named_are_not_asked_for(change: dict[str, Any], field: str) -> None:
    good = SignerRequest(
        "clinic.example", "clinic", "keys", "sign", "maskingjob", "a", "b", "uid", "ED25519"
    )
    with pytest.raises(CertificateRefusedError, match=f"^{field}: "):
        dataclasses.replace(good, **change)


def test_a_pair_is_read_as_it_was_written() -> None:
    pair = VaultAuthority().issue().pair
    assert CertificatePair.from_material(pair.material()) == pair
    assert pair.private_key_pem not in repr(pair)


def test_key_and_certificate_of_different_leaves_are_refused() -> None:
    authority = VaultAuthority()
    mixed = dataclasses.replace(
        authority.issue().pair, certificate_pem=authority.issue().certificate_pem
    )
    with pytest.raises(InvalidPairError, match="of another key"):
        CertificatePair.from_material(mixed.material())


@given(st.data())
def test_a_damaged_pair_is_refused_with_the_one_error(data: st.DataObject) -> None:
    """Whatever is cut out, put in or exchanged: a pair, or the error."""
    pair = VaultAuthority().issue(random=lambda size: b"\x2a" * size).pair
    whole = pair.material()
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    damaged = whole[:start] + data.draw(st.binary(max_size=20)) + whole[end:]
    try:
        read = CertificatePair.from_material(damaged)
    except InvalidPairError:
        return
    assert certificates_id(read.certificate_pem)


def test_ids_are_of_the_certificates_in_their_order() -> None:
    one, two = VaultAuthority().pem, VaultAuthority(which=1).pem
    assert certificates_id(one + two) != certificates_id(two + one)
    assert certificates_id("# a comment\n" + one) == certificates_id(one)
    der = openssl("x509", "-noout", "-fingerprint", "-sha256", stdin=one).stdout
    assert der.partition("=")[2].replace(":", "").lower().startswith(certificates_id(one))


def test_the_files_of_tls_servers_hold_the_same() -> None:
    authority = VaultAuthority()
    pair = authority.issue(random=os.urandom).pair
    files = tls_files(pair, authority.pem)
    assert set(files) == {"tls.crt", "tls.key", "ca.crt"}
    assert files["tls.key"] + files["tls.crt"] == pair.material()
    assert files["ca.crt"] == authority.pem.encode()
    assert trust_role("mesh") == "mesh-trust"
