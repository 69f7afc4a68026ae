"""Recipients and unwrappers by the name of an algorithm, or from whatever a PEM holds."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from golden.lwe1.cases import ALICE, CAROL, ERIN, FRANK, GRACE, HEIDI, PAIRS, SYMMETRIC, stretch
from golden.rsa.keys import rsa_key
from leeward.formats import material as keymaterial
from leeward.formats.material import PrivateKey
from leeward.formats.sealed import (
    SEALING_ALGORITHMS,
    InvalidKey,
    PrivateHalf,
    SymmetricKey,
    recipient_from_pem,
    recipient_of,
    unwrapper_from_pem,
    unwrapper_of,
)
from unit.formats.sealed.samples import PLAIN, open_bytes, seal_bytes

MATERIAL = {key.ALGORITHM: key.material for key in SYMMETRIC} | {
    pair.algorithm: pair.to_bytes() for pair in PAIRS
}
KEY_ID = stretch("id", 16)

every_pair = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.algorithm)


def test_there_is_a_key_of_every_algorithm_that_seals() -> None:
    assert set(MATERIAL) == set(SEALING_ALGORITHMS)


@pytest.mark.parametrize("algorithm", SEALING_ALGORITHMS)
def test_whoever_has_the_material_seals_and_opens(algorithm: str) -> None:
    recipient = recipient_of(algorithm, KEY_ID, MATERIAL[algorithm])
    opener = unwrapper_of(algorithm, KEY_ID, MATERIAL[algorithm])
    assert recipient.algorithm == opener.algorithm == algorithm
    assert recipient.key_id == opener.key_id == KEY_ID
    assert open_bytes(seal_bytes(recipients=[recipient]), [opener]) == PLAIN
    assert isinstance(opener, SymmetricKey) or not hasattr(recipient, "unwrap")


@every_pair
def test_whoever_has_the_public_half_seals(pair: PrivateHalf[PrivateKey]) -> None:
    pem = pair.public_key.to_pem()
    assert recipient_from_pem(pem).key_id == pair.public_key.fingerprint
    for recipient in (
        recipient_of(pair.algorithm, KEY_ID, pem),
        recipient_from_pem(pem, KEY_ID),
        recipient_from_pem(pem),
        recipient_from_pem(b"Key-Id: 00\n" + pem.replace(b"\n", b"\r\n")),
    ):
        assert type(recipient) is type(pair.public_key)
        data = seal_bytes(recipients=[recipient])
        for opener in (
            unwrapper_from_pem(pair.to_pem(), KEY_ID),
            unwrapper_of(pair.algorithm, KEY_ID, pair.to_bytes()),
        ):
            assert open_bytes(data, [opener]) == PLAIN


@pytest.mark.parametrize("algorithm", ["AES256_SIV", "HMAC_SHA256", "ED25519", "DES"])
def test_algorithm_that_seals_no_files_is_refused(algorithm: str) -> None:
    for make in (recipient_of, unwrapper_of):
        with pytest.raises(InvalidKey, match=f"{algorithm} seals and opens no files"):
            make(algorithm, KEY_ID, bytes(64))


@pytest.mark.parametrize(
    ("algorithm", "pair"), [("RSA3072_OAEP", HEIDI), ("RSA4096_OAEP", GRACE), ("HPKE_P256", CAROL)]
)
def test_key_of_another_algorithm_is_refused(algorithm: str, pair: PrivateHalf[PrivateKey]) -> None:
    with pytest.raises(InvalidKey):
        recipient_of(algorithm, KEY_ID, pair.public_key.to_pem())
    with pytest.raises(InvalidKey):
        unwrapper_of(algorithm, KEY_ID, pair.to_bytes())


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (ed25519.Ed25519PrivateKey.generate(), "for signing"),
        (ec.derive_private_key(7, ec.SECP384R1()), "another curve"),
        (ec.derive_private_key(7, ec.SECP256K1()), "another curve"),
        (rsa_key("2048"), "modulus has 2048 bits.*below 3072 bits"),
        (rsa_key("3072-e3"), "exponent is not 65537"),
    ],
    ids=["ed25519", "p384", "secp256k1", "rsa2048", "rsa-e3"],
)
def test_pem_of_a_key_that_seals_no_files_is_refused(
    key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, reason: str
) -> None:
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    with pytest.raises(InvalidKey, match=reason):
        recipient_from_pem(public)
    with pytest.raises(InvalidKey, match=reason):
        unwrapper_from_pem(private)


def test_what_is_no_pem_is_refused() -> None:
    for data in (b"", b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", ALICE.material):
        with pytest.raises(InvalidKey, match="no public key in PEM"):
            recipient_from_pem(data)
        with pytest.raises(InvalidKey, match="no private key in PEM"):
            unwrapper_from_pem(data)


def test_encrypted_private_key_is_refused() -> None:
    pem = ERIN.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    with pytest.raises(InvalidKey, match="give unencrypted PKCS#8"):
        unwrapper_from_pem(pem)


def test_fingerprint_of_a_pair_is_that_of_its_pem() -> None:
    for pair in (CAROL, FRANK, HEIDI):
        pem = pair.public_key.to_pem()
        assert keymaterial.fingerprint(pem) == pair.public_key.fingerprint
