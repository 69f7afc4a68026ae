"""The stored root key: golden vectors, both format versions, and nothing of it is ever shown."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from leeward.formats.document import UnsupportedFormatVersionError
from leeward.formats.rootkey import RootKey, RootKeyring, root_key_id

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "rootkey.json").read_text())
MATERIAL = bytes(range(32))


def changed(**changes: Any) -> str:
    return json.dumps({**GOLDEN["keyring"], **changes})


def test_the_golden_keyring_is_written_as_it_was_read() -> None:
    keyring = RootKeyring.parse(json.dumps(GOLDEN["keyring"]))
    assert json.loads(keyring.canonical()) == GOLDEN["keyring"]
    assert keyring.current_key.raw() == MATERIAL
    assert [key.id for key in keyring.given_up] == ["ab" * 16]


def test_the_golden_id_is_made_from_the_key() -> None:
    assert root_key_id(MATERIAL) == GOLDEN["keyring"]["current"]
    current, old = RootKeyring.parse(json.dumps(GOLDEN["keyring"])).keys[::-1]
    assert current.vouches_for_itself()
    assert not old.vouches_for_itself()


def test_a_root_key_of_format_version_1_is_a_keyring_of_one() -> None:
    keyring = RootKeyring.parse(json.dumps(GOLDEN["version1"]))
    assert (keyring.current, keyring.given_up) == ("cd" * 16, [])
    assert keyring.current_key.raw() == MATERIAL
    assert RootKeyring.parse(keyring.canonical()) == keyring


@pytest.mark.parametrize(
    "text",
    [
        changed(current="00" * 16),
        changed(keys=[]),
        changed(keys=GOLDEN["keyring"]["keys"][:1] * 2),
        changed(more=1),
        changed(keys=[{**GOLDEN["keyring"]["keys"][0], "material": "c2VjcmV0"}]),
        changed(keys=[{**GOLDEN["keyring"]["keys"][0], "material": "c2VjcmV0*"}]),
        json.dumps({**GOLDEN["version1"], "material": "c2VjcmV0"}),
        json.dumps({**GOLDEN["version1"], "id": "x"}),
    ],
)
def test_a_keyring_that_is_none_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RootKeyring.parse(text)
    assert "c2VjcmV0" not in str(caught.value)
    assert GOLDEN["version1"]["material"] not in str(caught.value)


def test_a_later_format_version_is_refused() -> None:
    with pytest.raises(UnsupportedFormatVersionError):
        RootKeyring.parse(changed(formatVersion=3))


def test_a_rotation_keeps_the_old_key_until_it_is_taken_away() -> None:
    old, new = RootKey.generate(counting()), RootKey.of(MATERIAL)
    keyring = RootKeyring.of(old).rotated(new, "now")
    assert (keyring.current, keyring.given_up, keyring.rotation) == (new.id, [old], "now")
    assert keyring.without(old.id).keys == [new]
    with pytest.raises(ValueError, match="current"):
        keyring.without(new.id)


def test_sameness_is_of_id_and_material() -> None:
    key = RootKey.of(MATERIAL)
    assert key.is_same(RootKey.of(MATERIAL, created_at="2027-03-01T12:00:00Z"))
    assert not key.is_same(RootKey.of(bytes(32), id_=key.id))
    assert not key.is_same(RootKey.of(MATERIAL, id_="00" * 16))


def test_material_is_not_shown() -> None:
    key = RootKey.generate(counting())
    shown = f"{key!r} {key} {RootKeyring.of(key)!r}"
    assert key.material.get_secret_value() not in shown
    assert base64.b64decode(key.material.get_secret_value()) == key.raw()


def counting() -> Callable[[int], bytes]:
    return lambda size: bytes(range(100, 100 + size))
