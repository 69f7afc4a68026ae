"""What a process counts as it writes is what another one finds when it lists everything."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from leeward.api.dataset import Location, Volume
from leeward.plans.shared.faults import FaultError
from leeward.plans.shared.model import (
    KeyUsageOf,
    PublishArtefactKey,
    RetireVersion,
    RewrapArtefactKeys,
    RotateVaultKey,
    ShredArtefactKey,
)
from unit.keystore.keystore_world import CLINIC, ENSURE, OPERATOR, KeyWorld, ensure

NEED = KeyUsageOf(CLINIC, "vault", ENSURE.vault_id)
KEYS = ("data", "tokens", "intake")
FILE = Location(volume=Volume(claim_name="data", path="x"))


@pytest.mark.parametrize("seed", range(12))
async def test_counting_while_writing_agrees_with_counting_anew(seed: int) -> None:
    chance, world = random.Random(seed), KeyWorld()
    store = await world.ready()
    await store.count_usage()
    primary = dict.fromkeys(KEYS, 1)
    for number in range(60):
        key, key_id = chance.choice(KEYS), f"{chance.randrange(1, 15):032x}"
        place = (CLINIC, "vault", key)
        match chance.randrange(7):
            case 0 | 1:
                owner = f"MaskingJob/job-{chance.randrange(4)}/uid-{number}"
                artefact = chance.choice((None, FILE))
                with suppress(FaultError):  # one of that id was shredded
                    await store.perform(ensure(key, key_id, owner=owner, artefact=artefact))
            case 2:
                await store.perform(RotateVaultKey(*place, primary[key]))
                primary[key] += 1
            case 3:
                await store.perform(RewrapArtefactKeys(*place, primary[key]))
            case 4:
                await store.perform(RetireVersion(*place, 1, "Disabled"))
            case 5:
                await store.perform(PublishArtefactKey(key_id, f"Dataset/d-{number % 3}/u"))
            case 6 if chance.random() < 0.5:
                await store.perform(ShredArtefactKey(key_id))
            case _:
                world.api.remove("Secret", OPERATOR, f"artefact-{key_id}")
                await store.count_usage()
    fresh = world.store()
    await fresh.count_usage()
    assert await store.look(NEED) == await fresh.look(NEED)
    known = {state: count for state, count in store.usage.states().items() if count}
    assert known == fresh.usage.states()
