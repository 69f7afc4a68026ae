"""A keyset from a backup of before a rotation: nothing is hidden under a new version."""

from __future__ import annotations

from leeward.plans.shared.model import LaterVersion, RewrapArtefactKeys, RotateVaultKey
from unit.keystore.keystore_world import CLINIC, DELIVER, KeyWorld, delivered, ensure

ROTATE = RotateVaultKey(CLINIC, "vault", "data", 1)


async def test_no_second_version_of_a_number_is_made() -> None:
    world = KeyWorld()
    store = await world.ready()
    await store.perform(ensure("data"))
    await store.perform(DELIVER)
    before = delivered(world).keys[0].material
    (name,) = world.names("keyset-")
    old = world.secret(name)["data"]
    await store.perform(ROTATE)
    await store.perform(RewrapArtefactKeys(CLINIC, "vault", "data", 2))
    new = world.secret(name)["data"]
    world.overwrite(world.secret(name), old)
    refused = await world.store().perform(ROTATE)
    assert (refused.code, refused.result) == ("Outdated", LaterVersion("data", 2, 1, 1))
    assert world.secret(name)["data"] == old
    assert (
        await world.store().perform(RotateVaultKey(CLINIC, "vault", "tokens", 1))
    ).code == "Done"
    world.overwrite(world.secret(name), new)
    again = world.store()
    assert (await again.perform(DELIVER)).code == "Done"
    assert delivered(world).keys[0].material == before
