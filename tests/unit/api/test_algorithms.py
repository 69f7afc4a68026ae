"""Algorithms that are refused by name: every usual spelling, with the reason and a replacement."""

from __future__ import annotations

import re

import pytest

from leeward.api.algorithms import ALGORITHMS, BANNED_ALGORITHMS, why_banned

BANNED = {
    "equal blocks": "AES128_ECB AES-256-ECB aes/ecb/PKCS5Padding AES_ECB",
    "Sweet32": "3DES TDES TDEA DESede DES3 des-ede3-cbc TRIPLE_DES Triple-DES Blowfish CAST5 IDEA",
    "56-bit": "DES DES_CBC des",
    "short keys": "RC2 ARC2 rc2-cbc",
    "key stream": "RC4 ARC4 arcfour RC4-128",
    "MD5 is broken": "HMAC_MD5 hmac-md5",
    "withdrawn by NIST; use": "HMAC_SHA1 HMAC-SHA-1 HMAC_SHA",
    "collisions are made": "MD5 MD4 md-5",
    "collisions are practical": "SHA1 SHA-1 SHA",
    "not authenticated": "AES_CBC AES256_CBC AES-128-CTR AES/CBC/PKCS7Padding AES_OFB AES_CFB8",
    "Bleichenbacher": "RSA_PKCS1 RSA_PKCS1V15 RSA1_5 RSAES_PKCS1_v1_5 RSA-PKCS1-v1.5 PKCS1_v1_5"
    " RSA3072_PKCS1 RSA_PKCS1_3072",
    "can be factored": "RSA_1024 RSA1024 RSA_OAEP_1024_SHA256",
    "3072": "RSA2048 RSA_2048 RSA_OAEP_2048 RSA-OAEP-2048-SHA256",
    "signatures can be forged": "RSA_SHA1 RSA-PSS-SHA1 SHA1withRSA MD5withRSA ECDSA_SHA1 DSA_SHA1",
    "MD5 are withdrawn": "RSA_OAEP_SHA1 RSA-OAEP-MD5",
    "FIPS 186-5": "DSA DSA_2048",
    "Durak": "FF3",
    "SP 800-38G": "FF3_1 FF3-1",
}
UNKNOWN = [
    "AES128_GCM",
    "RSA_4096",
    "RSA_OAEP_SHA512",
    "RSA_PSS_SHA256",
    "ECDSA_SHA384",
    "HMAC_SHA512",
    "SHA256",
    "ChaCha20",
    "FF1",
    "ROT13",
]


@pytest.mark.parametrize(
    ("name", "why"), [(name, why) for why, names in BANNED.items() for name in names.split()]
)
def test_a_banned_algorithm_is_known_in_any_spelling(name: str, why: str) -> None:
    assert why in (why_banned(name) or "")


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_banned_is_only_unknown(name: str) -> None:
    assert why_banned(name) is None


@pytest.mark.parametrize("why", BANNED_ALGORITHMS.values())
def test_every_replacement_is_one_that_there_is(why: str) -> None:
    named = re.search("use ([A-Z0-9_]+)", why)
    assert named is not None
    assert named[1] in ALGORITHMS
