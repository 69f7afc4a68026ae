"""A vault whose OpenBao is reached by another address, and whether that one has its key."""

from __future__ import annotations

from dataclasses import replace

from leeward.formats.wrapped import WrappedKeyset
from leeward.keystore.records import KEYSET_ROLE, keyset_name, read_document
from leeward.plans.shared.model import NewKey
from openbao.proxy import Proxy
from unit.keystore.keystore_world import CLINIC, KEYS
from unit.keystore.providers.bao_world import BaoWorld
from unit.keystore.providers.transit_keystore import TransitKeyWorld, fault_of


def keyset(world: TransitKeyWorld) -> WrappedKeyset:
    return read_document(world.secret(keyset_name(CLINIC, "vault")), WrappedKeyset, KEYSET_ROLE)


async def test_a_server_that_moved_is_used_where_it_has_the_same_key(bao: BaoWorld) -> None:
    async with Proxy(bao.server.port) as proxy:
        world = TransitKeyWorld(bao)
        world.more_addresses = [proxy.address]
        try:
            store = await world.ready()
            moved = world.settings.model_copy(update={"address": proxy.address})
            outcome = await store.perform(replace(world.ensure, transit=moved))
            assert outcome.result.transit == moved
            # A key of the same name is made again: by memory alone it would be taken for the same.
            bao.configure(deletion_allowed=True)
            bao.server.call("DELETE", f"{bao.mount}/keys/leeward")
            bao.make_key()
            more = replace(world.ensure, keys=(*KEYS, NewKey("more", "AES256_GCM")))
            fault = await fault_of(store, more)
            assert fault.reason == "ProviderKeyReplaced"
            assert "although it has the same name" in fault.message
            assert keyset(world).transit == moved
            assert keyset(world).key("more") is None
        finally:
            await world.close()
