"""The ciphers of chunks, entries and values: NIST's CAVP, RFC 8439, RFC 5297, and others'."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV, ChaCha20Poly1305

from leeward.formats.sealed import ArtefactChaCha20Key, ArtefactKey
from leeward.formats.sealed.chunks import AEADS
from leeward.formats.sealed.layout import ALGORITHM_AES256_GCM, ALGORITHM_CHACHA20_POLY1305
from unit.formats.vectors.published import Case, cases, raw

GCM = "ciphers/AES/GCM/"


def gcm(name: str, first: str) -> list[Case]:
    found = [
        case
        for case in cases(GCM + name, first=first)
        if (case["IVlen"], case["Taglen"]) == ("96", "128")
    ]
    assert len(found) >= 300
    return found


def test_each_cipher_of_ours_is_the_one_that_is_tested_here() -> None:
    assert AEADS[ALGORITHM_AES256_GCM] is ArtefactKey.AEAD is AESGCM
    assert AEADS[ALGORITHM_CHACHA20_POLY1305] is ArtefactChaCha20Key.AEAD is ChaCha20Poly1305


def check(
    cipher: AESGCM | ChaCha20Poly1305, nonce: bytes, plain: bytes, sealed: bytes, aad: bytes
) -> None:
    assert cipher.encrypt(nonce, plain, aad) == sealed
    assert cipher.decrypt(nonce, sealed, aad) == plain
    out = bytearray(len(sealed))
    cipher.encrypt_into(nonce, plain, aad, out)
    assert out == sealed
    out = bytearray(len(plain))
    cipher.decrypt_into(nonce, sealed, aad, out)
    assert out == plain


def test_aes_256_gcm_encrypts_as_nist_says() -> None:
    for case in gcm("gcmEncryptExtIV256.rsp", "Count"):
        sealed = raw(case["CT"]) + raw(case["Tag"])
        cipher = AESGCM(raw(case["Key"]))
        check(cipher, raw(case["IV"]), raw(case["PT"]), sealed, raw(case["AAD"]))


def test_aes_256_gcm_decrypts_and_refuses_as_nist_says() -> None:
    refused = 0
    for case in gcm("gcmDecrypt256.rsp", "Count"):
        cipher, nonce = AESGCM(raw(case["Key"])), raw(case["IV"])
        sealed = raw(case["CT"]) + raw(case["Tag"])
        if "PT" in case:
            check(cipher, nonce, raw(case["PT"]), sealed, raw(case["AAD"]))
            continue
        refused += 1
        with pytest.raises(InvalidTag):
            cipher.decrypt(nonce, sealed, raw(case["AAD"]))
    assert refused >= 100


def test_chacha20_poly1305_as_boringssl_and_rfc_7539_say() -> None:
    found = list(cases("ciphers/ChaCha20Poly1305/boringssl.txt", first="COUNT"))
    assert len(found) >= 20
    for case in found:
        sealed = raw(case["CT"]) + raw(case["TAG"])
        cipher = ChaCha20Poly1305(raw(case["KEY"]))
        if "NO_SEAL" not in case and len(raw(case["TAG"])) == 16:
            check(cipher, raw(case["NONCE"]), raw(case["IN"]), sealed, raw(case["AD"]))


def test_chacha20_poly1305_as_openssl_says() -> None:
    found = list(cases("ciphers/ChaCha20Poly1305/openssl.txt", first="COUNT"))
    assert len(found) == 5
    refused = 0
    for case in found:
        nonce, aad = raw(case["IV"]), raw(case["AAD"])
        sealed = raw(case["Ciphertext"]) + raw(case["Tag"])
        cipher = ChaCha20Poly1305(raw(case["Key"]))
        if "Result" in case:
            refused += 1
            with pytest.raises(InvalidTag):
                cipher.decrypt(nonce, sealed, aad)
        elif len(nonce) == 12:
            check(cipher, nonce, raw(case["Plaintext"]), sealed, aad)
    assert refused


def test_aes_siv_as_rfc_5297_and_openssl_say() -> None:
    found = list(cases("ciphers/AES/SIV/openssl.txt", first="COUNT"))
    assert {len(raw(case["Key"])) for case in found} == {32, 48, 64}
    for case in found:
        aads = [raw(case[name]) for name in ("AAD", "AAD2", "AAD3") if name in case]
        sealed = raw(case["Tag"]) + raw(case["Ciphertext"])
        cipher = AESSIV(raw(case["Key"]))
        assert cipher.encrypt(raw(case["Plaintext"]), aads) == sealed
        assert cipher.decrypt(sealed, aads) == raw(case["Plaintext"])
