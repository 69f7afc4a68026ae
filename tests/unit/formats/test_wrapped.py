"""Wrapped keys: golden vectors, and none opens in the place of another."""

import base64
import copy
import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from leeward.formats.material import SIZES, public_pem
from leeward.formats.rootkey import RootKey, RootKeyring
from leeward.formats.wrapped import (
    UnwrapError,
    Wrapped,
    WrappedArtefactKey,
    WrappedKeyset,
    WrappedVaultKey,
    unwrap,
    wrap,
)

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "wrapped.json").read_text())


def counting() -> Callable[[int], bytes]:
    numbers = itertools.count(1)
    return lambda size: bytes((next(numbers) + n) % 256 for n in range(size))


def root() -> RootKey:
    return RootKeyring.parse(json.dumps(GOLDEN["rootKey"])).current_key


def keyset() -> WrappedKeyset:
    return WrappedKeyset.model_validate(GOLDEN["keyset"])


def artefact_key() -> WrappedArtefactKey:
    return WrappedArtefactKey.model_validate(GOLDEN["artefactKey"])


def signing_key() -> WrappedVaultKey:
    """A key of the golden keyset's vault that has a pair of its own."""
    return WrappedVaultKey.model_validate(GOLDEN["signingKey"])


def test_golden_fixed_key_opens_and_its_public_half_stands_beside_it() -> None:
    key = signing_key()
    fixed, wrapped = key.primary.fixed, key.primary.wrapped
    assert fixed is not None
    assert isinstance(wrapped, Wrapped)
    wrapping_key = unwrap(root().raw(), wrapped, keyset().aad(key.name, key.algorithm, 1), 32)
    aad = keyset().fixed_aad(key.name, key.algorithm, 1, fixed.public_key)
    assert aad == GOLDEN["fixedKeyAad"].encode()
    material = unwrap(wrapping_key, fixed.wrapped, aad)
    assert material.hex() == GOLDEN["fixedKeyMaterial"]
    assert fixed.public_key == public_pem(key.algorithm, material)
    assert json.loads(key.canonical()) == GOLDEN["signingKey"]


@pytest.mark.parametrize(
    "place",
    [
        ("other", "ED25519", 1, True),
        ("signing", "ML_DSA_65", 1, True),
        ("signing", "ED25519", 2, True),
        ("signing", "ED25519", 1, False),
    ],
)
def test_fixed_key_is_bound_to_its_place(place: tuple[str, str, int, bool]) -> None:
    name, algorithm, number, with_public_half = place
    key = signing_key()
    fixed, wrapped = key.primary.fixed, key.primary.wrapped
    assert fixed is not None
    assert isinstance(wrapped, Wrapped)
    wrapping_key = unwrap(root().raw(), wrapped, keyset().aad(key.name, key.algorithm, 1), 32)
    public_key = fixed.public_key if with_public_half else None
    with pytest.raises(UnwrapError):
        unwrap(wrapping_key, fixed.wrapped, keyset().fixed_aad(name, algorithm, number, public_key))


def test_a_destroyed_version_keeps_no_fixed_key() -> None:
    stored = copy.deepcopy(GOLDEN["signingKey"])
    del stored["history"][0]["wrapped"]
    stored["history"][0]["state"] = "Destroyed"
    stored["history"].append(GOLDEN["keyset"]["keys"][0]["history"][0] | {"version": 2})
    with pytest.raises(ValidationError, match="holds no fixed key"):
        WrappedVaultKey.model_validate(stored | {"primaryVersion": 2})


def test_golden_keys_open() -> None:
    key = artefact_key()
    vault_key = keyset().key(key.key)
    assert vault_key is not None
    aad = keyset().aad(vault_key.name, vault_key.algorithm, key.version)
    assert aad == GOLDEN["vaultKeyAad"].encode()
    wrapped = vault_key.version(key.version).wrapped
    assert isinstance(wrapped, Wrapped)
    material = unwrap(root().raw(), wrapped, aad, 32)
    assert material.hex() == GOLDEN["vaultKeyMaterial"]
    assert key.aad() == GOLDEN["artefactKeyAad"].encode()
    size = SIZES[key.algorithm]
    assert unwrap(material, key.wrapped, key.aad(), size).hex() == GOLDEN["artefactKeyMaterial"]


def test_golden_documents_are_written_as_they_were_read() -> None:
    for made, name in ((keyset(), "keyset"), (artefact_key(), "artefactKey")):
        assert json.loads(made.canonical()) == GOLDEN[name]


def test_golden_wrapping() -> None:
    nonce = base64.b64decode(GOLDEN["artefactKey"]["wrapped"]["nonce"])
    wrapped = wrap(
        bytes.fromhex(GOLDEN["vaultKeyMaterial"]),
        bytes.fromhex(GOLDEN["artefactKeyMaterial"]),
        artefact_key().aad(),
        lambda size: nonce[:size],
    )
    assert wrapped == artefact_key().wrapped


@pytest.mark.parametrize(
    "change",
    [
        {"id": "00" * 16},
        {"vault_id": "00" * 16},
        {"key": "other"},
        {"version": 2},
        {"algorithm": "HMAC_SHA256"},
        {"public_key": "other"},
    ],
)
def test_artefact_key_is_bound_to_its_place(change: dict[str, object]) -> None:
    moved = artefact_key().model_copy(update=change)
    with pytest.raises(UnwrapError):
        unwrap(bytes.fromhex(GOLDEN["vaultKeyMaterial"]), moved.wrapped, moved.aad(), 32)


@pytest.mark.parametrize("change", [{"vault_id": "00" * 16}, {"root_key_id": "00" * 16}])
def test_vault_key_is_bound_to_its_place(change: dict[str, object]) -> None:
    moved = keyset().model_copy(update=change)
    (key,) = moved.keys
    aad = moved.aad(key.name, key.algorithm, 1)
    wrapped = key.primary.wrapped
    assert isinstance(wrapped, Wrapped)
    with pytest.raises(UnwrapError):
        unwrap(root().raw(), wrapped, aad, 32)


@pytest.mark.parametrize("part", ["nonce", "ciphertext"])
@pytest.mark.parametrize("damage", ["", "AAAA", "no base64", None])
def test_damaged_wrapping_does_not_open(part: str, damage: str | None) -> None:
    good = artefact_key()
    stored = base64.b64decode(getattr(good.wrapped, part))
    flipped = base64.b64encode(bytes([stored[0] ^ 1]) + stored[1:]).decode()
    bad = good.wrapped.model_copy(update={part: flipped if damage is None else damage})
    with pytest.raises(UnwrapError):
        unwrap(bytes.fromhex(GOLDEN["vaultKeyMaterial"]), bad, good.aad(), 32)


def test_a_keyset_of_the_first_release_is_read() -> None:
    stored = copy.deepcopy(GOLDEN["keyset"])
    for key in stored["keys"]:
        for version in key["history"]:
            del version["state"], version["drained"]
    assert WrappedKeyset.model_validate(stored) == keyset()


@pytest.mark.parametrize(
    "change",
    [
        {"state": "Destroyed"},
        {"state": "Enabled"},
        {"wrapped": None},
        {"state": "Broken"},
    ],
)
def test_a_keyset_that_contradicts_itself_is_refused(change: dict[str, object]) -> None:
    stored = copy.deepcopy(GOLDEN["keyset"])
    stored["keys"][0]["history"][0] |= change
    with pytest.raises(ValidationError):
        WrappedKeyset.model_validate(stored)


def test_missing_version_and_key() -> None:
    (key,) = keyset().keys
    with pytest.raises(UnwrapError):
        key.version(9)
    assert keyset().key("nope") is None


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError):
        Wrapped.model_validate({"nonce": "", "ciphertext": "", "more": 1})
