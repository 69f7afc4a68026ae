"""Signatures: FIPS 186-4's CAVP, RFC 6979, RFC 8032, FIPS 204, by the keys and messages of ours."""

from __future__ import annotations

import re

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    EllipticCurve,
    EllipticCurvePrivateKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSAMuHasher
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from leeward.formats.dsse import Message, SignatureInvalid, VerifyingKey
from leeward.formats.material import from_private_key, load_private, private_key
from unit.formats.vectors.published import cases, raw, text

FIPS_186 = "asymmetric/ECDSA/FIPS_186-3/SigVer.rsp"


def begun(key: VerifyingKey, data: bytes) -> Message:
    message = Message(key)
    message.update(data)
    return message


@pytest.mark.parametrize(
    ("section", "curve"), [("P-256,SHA-256", SECP256R1()), ("P-384,SHA-384", SECP384R1())]
)
def test_ecdsa_verifies_and_refuses_as_nist_says(section: str, curve: EllipticCurve) -> None:
    verdicts = set()
    for case in cases(FIPS_186, first="Msg"):
        if case["section"] != section:
            continue
        holds = case["Result"].startswith("P")
        verdicts.add(holds)
        try:
            key = EllipticCurvePublicNumbers(
                int(case["Qx"], 16), int(case["Qy"], 16), curve
            ).public_key()
        except ValueError:
            assert not holds
            continue
        message = begun(key, raw(case["Msg"]))
        signature = encode_dss_signature(int(case["R"], 16), int(case["S"], 16))
        if holds:
            message.verify(signature)
        else:
            with pytest.raises(SignatureInvalid):
                message.verify(signature)
    assert verdicts == {True, False}


def rfc_6979() -> tuple[dict[str, bytes], list[dict[str, str]]]:
    """Private keys by name, and the cases that sign."""
    content = text("asymmetric/ECDSA/RFC6979/evppkey_ecdsa_rfc6979.txt")
    keys = re.findall(r"PrivateKey *= *(\S+)\n(-----BEGIN.*?END PRIVATE KEY-----)", content, re.S)
    blocks = [re.findall(r"^(\w+) *= *(.*)$", part, re.M) for part in content.split("\n\n")]
    signing = [dict(block) for block in blocks if "DigestSign" in dict(block)]
    return {name: pem.encode() for name, pem in keys}, signing


@pytest.mark.parametrize(
    ("algorithm", "name", "digest"),
    [("ECDSA_P256", "P-256_PRIV", "SHA256"), ("ECDSA_P384", "P-384_PRIV", "SHA384")],
)
def test_ecdsa_signs_with_the_nonces_of_rfc_6979(algorithm: str, name: str, digest: str) -> None:
    keys, signing = rfc_6979()
    material = from_private_key(algorithm, load_private(keys[name]))
    key = private_key(algorithm, material)
    assert isinstance(key, EllipticCurvePrivateKey)
    signed = 0
    for case in signing:
        if (case["Key"], case["DigestSign"]) == (name, digest):
            data = raw(case["Input"])
            signature = begun(key.public_key(), data).sign(key)
            assert signature == raw(case["Output"])
            begun(key.public_key(), data).verify(signature)
            signed += 1
    assert signed == 2


def test_ed25519_as_rfc_8032_says() -> None:
    lines = text("asymmetric/Ed25519/sign.input").splitlines()
    assert len(lines) >= 1000
    for line in lines:
        secret, public, data, signature = map(bytes.fromhex, line.split(":")[:4])
        key = private_key("ED25519", secret[:32])
        assert isinstance(key, Ed25519PrivateKey)
        assert key.public_key().public_bytes_raw() == public
        assert begun(key.public_key(), data).sign(key) == signature[:64]
        begun(key.public_key(), data).verify(signature[:64])


def test_ml_dsa_65_as_fips_204_says() -> None:
    """The vectors have contexts, ours is empty: what they sign is hashed with theirs."""
    found = list(cases("asymmetric/MLDSA/kat_MLDSA_65_det_pure.rsp", first="count"))
    assert len(found) >= 100
    for case in found:
        key = private_key("ML_DSA_65", raw(case["xi"]))
        assert isinstance(key, MLDSA65PrivateKey)
        public = key.public_key()
        assert public.public_bytes_raw() == raw(case["pk"])
        data, context = raw(case["msg"]), raw(case["ctx"])
        signature = raw(case["sm"])[: -len(data)] if data else raw(case["sm"])
        mu = MLDSAMuHasher(public, context)
        mu.update(data)
        public.verify_mu(signature, mu.finalize())
        with pytest.raises(SignatureInvalid):
            begun(public, data).verify(signature)


def test_rsa_pss_of_3072_bits_as_nist_says() -> None:
    """NIST's salts have 10 bytes, ours 32: the vectors hold by the library, and not as ours."""
    path = "asymmetric/RSA/FIPS_186-2/SigVerPSS_186-3.rsp"
    verdicts = set()
    for case in cases(path, first="SHAAlg", shared="n"):
        if case["mod"] not in ("3072", "4096") or case["SHAAlg"] != "SHA256":
            continue
        key = RSAPublicNumbers(int(case["e"], 16), int(case["n"], 16)).public_key()
        data, signature = raw(case["Msg"]), raw(case["S"])
        holds = case["Result"].startswith("P")
        verdicts.add(holds)
        pss = PSS(MGF1(SHA256()), len(raw(case["SaltVal"])))
        try:
            key.verify(signature, data, pss, SHA256())
        except InvalidSignature:
            assert not holds
        else:
            assert holds
        if case["e"].lstrip("0") == "10001":
            with pytest.raises(SignatureInvalid):
                begun(key, data).verify(signature)
    assert verdicts == {True, False}
