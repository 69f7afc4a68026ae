"""Plain bytes, Base64 and hexadecimal digits; members of the Secret; telling formats apart."""

import base64
import json

import pytest
from cryptography.fernet import Fernet

from leeward.formats.material import ALGORITHMS, SIZES
from leeward.keystore.origins import (
    ImportFormat,
    ImportRefusedError,
    SecretMemberError,
    import_key,
    member,
)
from unit.keystore.origins.sample_keys import random_bytes

KEY = random_bytes("a key", 32)


@pytest.mark.parametrize("algorithm", SIZES)
def test_every_writing_of_a_key_of_any_bytes(algorithm: str) -> None:
    key = random_bytes(algorithm, SIZES[algorithm])
    writings: list[tuple[ImportFormat, bytes]] = [
        ("Raw", key),
        ("Base64", base64.b64encode(key)),
        ("Base64", base64.encodebytes(key)),
        ("Base64", base64.urlsafe_b64encode(key) + b"\n"),
        ("Hex", key.hex().encode()),
        ("Hex", key.hex().upper().encode() + b"\n"),
        ("Hex", key.hex(":").encode()),
    ]
    for name, data in writings:
        assert import_key({"key": data}, algorithm, format=name) == key


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name not in SIZES])
def test_pairs_in_pkcs8_are_not_plain_bytes(algorithm: str) -> None:
    with pytest.raises(ImportRefusedError, match=f"{algorithm} needs an .* give it as PEM or JWK"):
        import_key({"key": KEY}, algorithm, format="Raw")


def test_fernet_key_is_told_by_itself() -> None:
    text = Fernet.generate_key()
    assert import_key({"key": text}, "FERNET") == base64.urlsafe_b64decode(text)
    with pytest.raises(ImportRefusedError, match="44 bytes that are neither PEM nor a JSON object"):
        import_key({"key": text}, "AES256_GCM")


@pytest.mark.parametrize(
    ("data", "name", "why"),
    [
        (KEY, "Auto", "32 bytes that are neither.*origin.import.format: Raw, Base64 or Hex"),
        (KEY[:31], "Raw", "a key of 31 bytes instead of 32, and AES256_GCM needs a symmetric"),
        (KEY + b"\n", "Raw", "a key of 33 bytes"),
        (KEY, "Base64", "does not hold Base64.*32 bytes"),
        (KEY.hex().encode(), "Base64", "a key of 48 bytes"),
        (KEY.hex().encode()[1:], "Hex", "does not hold Hex"),
        (b"\xe9" * 64, "Hex", "does not hold Hex"),
        (b"0123456789abcdef0123456789abcdef", "Raw", "the 32 bytes are text"),
        (base64.b64encode(b"correct horse battery staple, or"), "Base64", "the 32 bytes are text"),
        (bytes(32), "Raw", "fewer than 8 different values"),
        (b"\x01\xff" * 16, "Raw", "fewer than 8 different values"),
        (b"{}", "Auto", "JSON that is neither a JWK nor a Tink keyset"),
        (b"[1]", "Auto", "3 bytes that are neither PEM nor a JSON object"),
        (b"", "Auto", "empty"),
    ],
)
def test_refusals_name_what_was_found(data: bytes, name: ImportFormat, why: str) -> None:
    with pytest.raises((ImportRefusedError, SecretMemberError), match=why):
        import_key({"key": data}, "AES256_GCM", format=name)


def test_password_of_a_key_that_has_none() -> None:
    with pytest.raises(
        ImportRefusedError, match="a passphrase is given for a key that is not in PEM"
    ):
        import_key({"key": KEY, "pw": b"x"}, "AES256_GCM", format="Raw", passphrase="pw")


def test_unknown_algorithm() -> None:
    with pytest.raises(ImportRefusedError, match="no algorithm DES"):
        import_key({"key": KEY}, "DES")


def test_members_of_the_secret() -> None:
    assert member({"key": b"x" * 65536}, "key")
    with pytest.raises(SecretMemberError, match=r"no member key, it has a, tls\.key: put it"):
        member({"tls.key": KEY, "a": b""}, "key")
    with pytest.raises(SecretMemberError, match="it has nothing"):
        member({}, "key")
    with pytest.raises(SecretMemberError, match="member key of the Secret is empty"):
        member({"key": b""}, "key")
    with pytest.raises(SecretMemberError, match="65537 bytes"):
        member({"key": b"x" * 65537}, "key")
    with pytest.raises(SecretMemberError, match="no member password"):
        import_key({"key": KEY}, "AES256_GCM", format="Raw", passphrase="password")


def test_other_members_than_those_named_are_not_read() -> None:
    secret = {"key": KEY, "notes": json.dumps({"kty": "oct"}).encode()}
    assert import_key(secret, "AES256_GCM", format="Raw") == KEY
