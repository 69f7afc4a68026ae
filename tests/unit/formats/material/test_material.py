"""Key material: made, checked, read, and refused with a reason that shows no key."""

from __future__ import annotations

import functools
import os

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa, x448
from hypothesis import given
from hypothesis import strategies as st

from golden.rsa.keys import RsaName, rsa_key
from golden.rsa.keys import material as made
from leeward.api.algorithms import ALGORITHMS as API_ALGORITHMS
from leeward.formats.material import (
    ALGORITHMS,
    RSA_BITS,
    SIZES,
    InvalidMaterial,
    check,
    check_public,
    from_private_key,
    generate,
    load_private,
    load_public,
    private_key,
    private_pem,
    public_pem,
    size_limit,
)

PAIRS = tuple(name for name in ALGORITHMS if API_ALGORITHMS[name].key_class != "Symmetric")
SYMMETRIC = tuple(name for name in ALGORITHMS if name not in PAIRS)
PKCS8 = tuple(name for name in ALGORITHMS if name not in SIZES)

every_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)
every_pair = pytest.mark.parametrize("algorithm", PAIRS)


@functools.cache
def material_of(algorithm: str, which: int = 0) -> bytes:
    return made(algorithm, os.urandom, which)


def pkcs8(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def test_there_is_material_of_every_algorithm_of_the_api() -> None:
    assert set(ALGORITHMS) == set(API_ALGORITHMS)


@every_algorithm
def test_new_material_is_whole_and_another_each_time(algorithm: str) -> None:
    new = generate(algorithm, os.urandom)
    check(algorithm, new)
    assert len(new) == SIZES.get(algorithm, len(new)) <= size_limit(algorithm)
    if algorithm not in RSA_BITS:
        assert generate(algorithm, os.urandom) != new


@pytest.mark.parametrize("algorithm", SIZES)
def test_plain_material_is_what_the_caller_draws(algorithm: str) -> None:
    assert generate(algorithm, lambda size: b"\5" * size) == b"\5" * SIZES[algorithm]


@pytest.mark.parametrize("algorithm", SYMMETRIC)
def test_symmetric_key_has_no_halves(algorithm: str) -> None:
    assert public_pem(algorithm, material_of(algorithm)) is None
    with pytest.raises(InvalidMaterial, match=f"{algorithm} is a symmetric algorithm"):
        private_key(algorithm, material_of(algorithm))
    with pytest.raises(InvalidMaterial, match="has no public half"):
        check_public(algorithm, load_public(public_pem("ED25519", bytes(32)) or ""))


@every_pair
def test_pair_there_and_back(algorithm: str) -> None:
    material = material_of(algorithm)
    pem = private_pem(algorithm, material)
    assert from_private_key(algorithm, private_key(algorithm, material)) == material
    assert from_private_key(algorithm, load_private(pem.encode())) == material
    public = load_public(public_pem(algorithm, material) or "")
    check_public(algorithm, public)
    assert public == load_private(pem.encode()).public_key()


@pytest.mark.parametrize("algorithm", SIZES)
@pytest.mark.parametrize("change", [-1, 1])
def test_plain_material_of_another_length_is_refused(algorithm: str, change: int) -> None:
    size = SIZES[algorithm] + change
    with pytest.raises(InvalidMaterial, match=f"{SIZES[algorithm]} bytes, not {size}"):
        check(algorithm, bytes(size))
    if algorithm in PAIRS:
        with pytest.raises(InvalidMaterial, match=f"not {size}"):
            private_key(algorithm, bytes(size))


@pytest.mark.parametrize("algorithm", PKCS8)
def test_pair_of_another_algorithm_is_refused(algorithm: str) -> None:
    same = {"HPKE_P256", "ECDSA_P256"}, {"RSA3072_OAEP", "RSA_PSS"}, {"RSA4096_OAEP", "RSA_PSS"}
    for other in PKCS8:
        if other == algorithm or {algorithm, other} in same:
            continue
        for refuses in (check, private_key):
            with pytest.raises(InvalidMaterial):
                refuses(algorithm, material_of(other))


@pytest.mark.parametrize("algorithm", PKCS8)
def test_cut_extended_and_foreign_encodings_are_refused(algorithm: str) -> None:
    material = material_of(algorithm)
    for data in (b"", material[:-1], material + b"\0", bytes(32), material_of("ED25519")):
        with pytest.raises(InvalidMaterial, match="PKCS#8 in DER"):
            check(algorithm, data)
    pem = private_pem(algorithm, material).encode()
    with pytest.raises(InvalidMaterial, match="PKCS#8 in DER"):
        check(algorithm, pem)
    traditional = load_private(pem).private_bytes(  # type: ignore[union-attr]
        serialization.Encoding.DER,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    with pytest.raises(InvalidMaterial, match="encode it again"):
        check(algorithm, traditional)


@pytest.mark.parametrize(
    ("algorithm", "bits"),
    [("RSA3072_OAEP", "2048"), ("RSA4096_OAEP", "2048"), ("RSA_PSS", "2048"), ("RSA_PSS", "1024")],
)
def test_short_rsa_modulus_is_refused(algorithm: str, bits: RsaName) -> None:
    material = pkcs8(rsa_key(bits))
    for refuses in (check, private_key):
        with pytest.raises(InvalidMaterial, match=f"has {bits} bits.*below 3072"):
            refuses(algorithm, material)


def test_other_rsa_exponent_is_refused() -> None:
    material = pkcs8(rsa_key("3072-e3"))
    with pytest.raises(InvalidMaterial, match="exponent is not 65537"):
        check("RSA3072_OAEP", material)


def test_rsa_pss_takes_both_lengths() -> None:
    check("RSA_PSS", material_of("RSA3072_OAEP"))
    check("RSA_PSS", material_of("RSA4096_OAEP"))


def test_inconsistent_rsa_key_is_refused() -> None:
    good = private_key("RSA3072_OAEP", material_of("RSA3072_OAEP"))
    other = private_key("RSA_PSS", material_of("RSA_PSS"))
    assert isinstance(good, rsa.RSAPrivateKey)
    assert isinstance(other, rsa.RSAPrivateKey)
    one, two = good.private_numbers(), other.private_numbers()
    mixed = rsa.RSAPrivateNumbers(
        one.p, one.q, two.d, one.dmp1, one.dmq1, one.iqmp, one.public_numbers
    ).private_key(unsafe_skip_rsa_key_validation=True)
    with pytest.raises(InvalidMaterial):
        check("RSA3072_OAEP", pkcs8(mixed))


def test_other_curve_is_refused() -> None:
    material = pkcs8(ec.generate_private_key(ec.SECP256K1()))
    for algorithm in ("HPKE_P256", "ECDSA_P256", "ECDSA_P384"):
        with pytest.raises(InvalidMaterial, match="needs a key on the curve secp"):
            check(algorithm, material)


def test_keys_of_no_algorithm_of_ours_are_refused() -> None:
    for key in (x448.X448PrivateKey.generate(), ed448.Ed448PrivateKey.generate()):
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        with pytest.raises(InvalidMaterial, match="no algorithm of Leeward uses"):
            load_private(private)
        with pytest.raises(InvalidMaterial, match="no algorithm of Leeward uses"):
            load_public(public)
        with pytest.raises(InvalidMaterial, match="not the private half"):
            from_private_key("ED25519", key)


@pytest.mark.parametrize("refuses", [check, private_key, public_pem, private_pem])
def test_unknown_algorithm_is_refused(refuses: object) -> None:
    with pytest.raises(InvalidMaterial, match="there is no algorithm DES"):
        refuses("DES", bytes(32))  # type: ignore[operator]
    with pytest.raises(InvalidMaterial, match="there is no algorithm DES"):
        generate("DES", os.urandom)


@given(st.sampled_from(ALGORITHMS), st.binary(max_size=300))
def test_any_bytes_are_material_or_refused_without_being_shown(algorithm: str, data: bytes) -> None:
    try:
        check(algorithm, data)
    except InvalidMaterial as error:
        shown = f"{error} {error.__cause__}"
        assert len(data) < 8 or (repr(data) not in shown and data.hex() not in shown)
    else:
        assert len(data) == SIZES[algorithm]


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda t: f"-----BEGIN {t}".encode()))
def test_any_bytes_as_pem_are_refused(data: bytes) -> None:
    for load in (load_public, load_private):
        with pytest.raises(InvalidMaterial):
            load(data)
