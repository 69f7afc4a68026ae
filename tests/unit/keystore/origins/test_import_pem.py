"""PEM: every encoding of every pair, and what is wrong with the others."""

import base64
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption

from leeward.formats.material import from_private_key, private_pem
from leeward.keystore.origins import ImportRefusedError, import_key
from unit.keystore.origins.sample_keys import FITTING, FOUND, pair, pem, public_pem

PASSWORD = b"a password of the key"


@pytest.mark.parametrize("algorithm", FITTING)
def test_pkcs8_of_every_algorithm(algorithm: str) -> None:
    key = pair(FITTING[algorithm])
    material = import_key({"key": pem(key)}, algorithm)
    assert material == from_private_key(algorithm, key)
    assert import_key({"key": private_pem(algorithm, material).encode()}, algorithm) == material


@pytest.mark.parametrize("algorithm", ["HPKE_P256", "ECDSA_P384", "RSA_PSS"])
def test_traditional_encodings(algorithm: str) -> None:
    key = pair(FITTING[algorithm])
    data = {"tls.key": b"some text before\n" + pem(key, traditional=True)}
    assert import_key(data, algorithm, key="tls.key") == from_private_key(algorithm, key)


def test_rsa_pss_takes_both_sizes() -> None:
    for kind in ("RSA-3072", "RSA-4096"):
        assert import_key({"key": pem(pair(kind))}, "RSA_PSS", format="Auto")


def test_certificate_and_curve_beside_the_key_are_left_aside() -> None:
    key = pair("P-256")
    made = subprocess.run(
        ["openssl", "ecparam", "-name", "prime256v1"], capture_output=True, check=True, timeout=30
    ).stdout
    data = made + pem(key, traditional=True) + b"-----BEGIN CERTIFICATE-----\nAA==\n"
    assert import_key({"key": data}, "ECDSA_P256") == from_private_key("ECDSA_P256", key)


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_encrypted_key_opens_by_its_password(ending: bytes) -> None:
    key = pair("Ed25519")
    encrypted = pem(key, encryption=BestAvailableEncryption(PASSWORD))
    data = {"key": encrypted, "password": PASSWORD + ending}
    made = import_key(data, "ED25519", passphrase="password")
    assert made == from_private_key("ED25519", key)


@pytest.mark.parametrize(
    "options",
    [
        ["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512", "-iter", "100000"],
        ["-v2", "aes-128-cbc"],
        ["-scrypt"],
    ],
)
def test_openssl_encrypts_what_is_opened(options: list[str]) -> None:
    key = pair("P-384")
    assert import_encrypted(pem(key), options, "ECDSA_P384") == from_private_key("ECDSA_P384", key)


def import_encrypted(plain: bytes, options: list[str], algorithm: str) -> bytes:
    encrypted = encrypted_by_openssl(plain, options)
    return import_key({"key": encrypted, "pw": PASSWORD}, algorithm, passphrase="pw")


def encrypted_by_openssl(plain: bytes, options: list[str]) -> bytes:
    command = ["openssl", "pkcs8", "-topk8", *options, "-passout", f"pass:{PASSWORD.decode()}"]
    return subprocess.run(command, input=plain, capture_output=True, check=True, timeout=60).stdout


@pytest.mark.parametrize("kind", FOUND)
@pytest.mark.parametrize("algorithm", [*FITTING, "AES256_GCM"])
def test_another_kind_is_named(kind: str, algorithm: str) -> None:
    if kind == FITTING.get(algorithm) or (kind == "RSA-4096" and algorithm == "RSA_PSS"):
        return
    with pytest.raises(ImportRefusedError, match=f"holds {FOUND[kind]}.*{algorithm}"):
        import_key({"key": pem(pair(kind))}, algorithm)


def test_rsa_exponent_is_checked() -> None:
    with pytest.raises(ImportRefusedError, match="3072 bits: the RSA exponent is not 65537"):
        import_key({"key": pem(pair("RSA-3072-e3"))}, "RSA_PSS")


def refusal(data: bytes, algorithm: str = "ED25519", password: bytes | None = None) -> str:
    secret = {"key": data} | ({} if password is None else {"password": password})
    with pytest.raises(ImportRefusedError) as caught:
        import_key(secret, algorithm, passphrase=None if password is None else "password")
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


def test_public_halves_and_certificates_are_refused() -> None:
    assert "a public key and no private key" in refusal(public_pem(pair("Ed25519")))
    block = b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"
    assert "a certificate and no private key" in refusal(block)
    assert "a PEM block and no private key" in refusal(block.replace(b"CERTIFICATE", b"X509 CRL"))


def test_two_keys_are_refused() -> None:
    assert "2 private keys" in refusal(pem(pair("Ed25519")) * 2)


def test_openssh_key_is_refused_with_the_command() -> None:
    made = pair("Ed25519").private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    assert "ssh-keygen -p -m PKCS8" in refusal(made)


def test_encryption_and_password_belong_together() -> None:
    encrypted = pem(pair("Ed25519"), encryption=BestAvailableEncryption(PASSWORD))
    assert "put its passphrase into another member" in refusal(encrypted)
    assert "does not open: the passphrase is wrong" in refusal(encrypted, password=b"another")
    assert "is not encrypted, and a passphrase" in refusal(pem(pair("Ed25519")), password=PASSWORD)


def test_encryption_by_md5_is_refused_with_the_command() -> None:
    key = pem(pair("P-256"), traditional=True, encryption=BestAvailableEncryption(PASSWORD))
    assert "topk8 -v2 aes-256-cbc" in refusal(key, "ECDSA_P256", PASSWORD)


def test_old_encryption_of_pkcs8_is_refused_with_the_command() -> None:
    encrypted = encrypted_by_openssl(pem(pair("Ed25519")), ["-v1", "PBE-SHA1-3DES"])
    assert "topk8 -v2 aes-256-cbc" in refusal(encrypted, password=PASSWORD)


def asking(iterations: int) -> bytes:
    """An encrypted key that asks for so many iterations; it would not open after them."""
    plain = pem(pair("Ed25519"), encryption=BestAvailableEncryption(PASSWORD))
    der = base64.b64decode(b"".join(plain.split(b"\n")[1:-2]))
    at = der.index(bytes.fromhex("02020800"))
    # Two bytes less of salt make room for a longer number.
    salt = b"\x04\x0e" + der[at - 14 : at]
    grown = der[: at - 18] + salt + b"\x02\x04" + iterations.to_bytes(4, "big") + der[at + 4 :]
    assert len(grown) == len(der)
    text = base64.encodebytes(grown)
    return (
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + text + b"-----END ENCRYPTED PRIVATE KEY-----\n"
    )


def test_key_that_asks_for_hours_is_refused_at_once() -> None:
    assert "more than a second of work" in refusal(asking(2**31 - 1), password=PASSWORD)
    assert "more than a second of work" in refusal(asking(10_000_001 << 4), password=PASSWORD)


def test_scrypt_that_asks_for_much_memory_is_refused() -> None:
    encrypted = encrypted_by_openssl(pem(pair("Ed25519")), ["-scrypt", "-scrypt_N", "16384"])
    der = base64.b64decode(b"".join(encrypted.split(b"\n")[1:-2]))
    grown = der.replace(bytes.fromhex("02024000020108"), bytes.fromhex("020240000201") + b"\x7f")
    assert grown != der
    text = base64.encodebytes(grown)
    data = encrypted[:38] + text + encrypted[encrypted.index(b"-----END") :]
    assert "128 MiB" in refusal(data, password=PASSWORD)


def test_damage_is_refused() -> None:
    key = pem(pair("Ed25519"))
    assert "its last line (END) is missing" in refusal(key[:-20])
    assert "cannot be read" in refusal(key.replace(b"MC4", b"MC5"))
    encrypted = pem(pair("Ed25519"), encryption=BestAvailableEncryption(PASSWORD))
    assert "not Base64" in refusal(encrypted.replace(b"M", b"!", 2), password=PASSWORD)
    assert "another scheme" in refusal(
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        password=PASSWORD,
    )


def test_rsa_key_whose_factors_are_no_primes_is_refused() -> None:
    numbers = pair("RSA-3072").private_numbers()
    der = pair("RSA-3072").private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    changed = der.replace(numbers.p.to_bytes(192, "big"), (numbers.p - 2).to_bytes(192, "big"))
    text = base64.encodebytes(changed)
    data = b"-----BEGIN RSA PRIVATE KEY-----\n" + text + b"-----END RSA PRIVATE KEY-----\n"
    assert "RSA key of 3072 bits whose parts do not fit" in refusal(data, "RSA3072_OAEP")


def test_large_rsa_key_is_refused_before_its_factors_are_tested() -> None:
    n = (1 << 40000) + 1
    integers = [0, n, 65537, n - 2, (1 << 20000) + 1, (1 << 20000) + 1, 3, 3, 3]
    body = b"".join(_tlv(2, i.to_bytes(i.bit_length() // 8 + 1, "big")) for i in integers)
    text = base64.encodebytes(_tlv(0x30, body))
    data = b"-----BEGIN RSA PRIVATE KEY-----\n" + text + b"-----END RSA PRIVATE KEY-----\n"
    assert "40001 bits" in refusal(data, "RSA_PSS")


def _tlv(tag: int, value: bytes) -> bytes:
    size = len(value)
    if size < 128:
        return bytes([tag, size]) + value
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + value
