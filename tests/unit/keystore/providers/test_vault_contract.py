"""What holds for the keys of every vault, whichever provider wraps them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from leeward.formats.wrapped import WrappedKeyset
from leeward.keystore.records import KEYSET_ROLE, keyset_name, keyset_secret, read_document
from leeward.keystore.store import EmbeddedKeyStore
from leeward.plans.shared.model import (
    EnsureKeyset,
    NewKey,
    RetireVersion,
    RewrapArtefactKeys,
    RotateVaultKey,
)
from unit.keystore.keystore_world import (
    CLINIC,
    DELIVER,
    ENSURE,
    KEY_ID,
    KEYS,
    OPERATOR,
    KeyWorld,
    delivered,
    ensure,
)
from unit.keystore.providers.bao_world import BaoWorld
from unit.keystore.providers.transit_keystore import TransitKeyWorld, look

PLACE = (CLINIC, "vault", "data")


def keyset(world: KeyWorld) -> WrappedKeyset:
    return read_document(world.secret(keyset_name(CLINIC, "vault")), WrappedKeyset, KEYSET_ROLE)


def store_keyset(world: KeyWorld, changed: WrappedKeyset) -> None:
    name = keyset_name(CLINIC, "vault")
    world.overwrite(world.secret(name), keyset_secret(OPERATOR, changed)["data"])


async def material(world: KeyWorld, store: EmbeddedKeyStore) -> str:
    """The artefact key, as a pod is given it."""
    await store.perform(DELIVER)
    found: str = delivered(world).keys[0].material.get_secret_value()
    world.api.remove("Secret", CLINIC, "lw-abc")
    return found


class VaultContract:
    """The keys of a vault; a fixture ``world`` for each provider is added below."""

    def ensure_vault(self, world: KeyWorld) -> EnsureKeyset:
        return world.ensure if isinstance(world, TransitKeyWorld) else ENSURE

    async def test_artefact_keys_open_after_a_restart(self, world: KeyWorld) -> None:
        store = await world.ready()
        await store.perform(ensure("data"))
        before = await material(world, store)
        again = world.store()
        assert await material(world, again) == before
        assert (await look(again)).readable

    async def test_making_it_again_changes_nothing(self, world: KeyWorld) -> None:
        store = await world.ready()
        before = keyset(world)
        outcome = await world.store().perform(self.ensure_vault(world))
        assert outcome.result == await look(store)
        assert keyset(world) == before

    async def test_it_grows(self, world: KeyWorld) -> None:
        store = await world.ready()
        before = keyset(world)
        more = replace(self.ensure_vault(world), keys=(*KEYS, NewKey("more", "AES256_GCM")))
        assert "more" in (await store.perform(more)).result.versions
        assert keyset(world).keys[: len(KEYS)] == before.keys
        assert (await look(world.store())).readable

    async def test_a_key_is_rotated_moved_to_and_retired(self, world: KeyWorld) -> None:
        store = await world.ready()
        await store.perform(ensure("data"))
        before = await material(world, store)
        await store.perform(RotateVaultKey(*PLACE, 1))
        await store.perform(RewrapArtefactKeys(*PLACE, 2))
        for state in ("Disabled", "Destroyed"):
            assert (await store.perform(RetireVersion(*PLACE, 1, state))).code == "Done"
        (_, last) = (await look(store)).history["data"]
        assert (last.version, last.state) == (2, "Primary")
        assert await material(world, world.store()) == before

    async def test_a_key_in_the_place_of_another_is_damage(self, world: KeyWorld) -> None:
        store = await world.ready()
        good = keyset(world)
        (first, second, *rest) = good.keys
        moved = second.primary.model_copy(update={"wrapped": first.primary.wrapped})
        other = second.model_copy(update={"history": [moved]})
        store_keyset(world, good.model_copy(update={"keys": [first, other, *rest]}))
        for found in (store, world.store()):
            info = await look(found)
            assert (info.readable, info.fault) == (False, "Damaged")

    async def test_it_is_taken_over_only_when_it_is_adopted(self, world: KeyWorld) -> None:
        store = await world.ready()
        other = replace(self.ensure_vault(world), uid="uid-9", vault_id="ee" * 16)
        assert (await store.perform(other)).code == "Retained"
        outcome = await store.perform(replace(other, adopt="aa" * 16))
        assert (outcome.code, outcome.result.owner_uid) == ("Done", "uid-9")
        assert outcome.result.readable

    async def test_nothing_of_a_key_stands_in_the_clear(self, world: KeyWorld) -> None:
        store = await world.ready()
        await store.perform(ensure("data"))
        key = await material(world, store)
        texts = [str(world.secret(name)) for name in world.names("keyset-")]
        assert texts
        assert not any(key in text for text in texts)
        assert KEY_ID not in "".join(texts)


class TestEmbedded(VaultContract):
    @pytest.fixture
    def world(self) -> KeyWorld:
        return KeyWorld()


class TestTransit(VaultContract):
    @pytest.fixture
    async def world(self, bao: BaoWorld) -> AsyncIterator[TransitKeyWorld]:
        made = TransitKeyWorld(bao)
        yield made
        await made.close()
