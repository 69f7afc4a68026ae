"""A key opens what it was made for, whatever a Dataset says that it is sealed with."""

from __future__ import annotations

import pytest

from leeward.plans.shared.model import Manifest, ObjectRef
from unit.plans.clinic import JOB, PREVIEW, clinic, preview_spec, resource, sealed_source
from unit.plans.datasets import DATA, OTHER_KEY, dataset, record
from unit.plans.simulator import ready


@pytest.mark.parametrize("ref", [JOB, PREVIEW])
@pytest.mark.parametrize("lies", [{"key": "data"}, {"vault_id": "99" * 16}])
def test_grant_of_one_vault_key_opens_nothing_under_another(ref: ObjectRef, lies: Manifest) -> None:
    world, engine = clinic()
    key_id = sealed_source(world)
    record(world, key_id, **lies)
    world.add(resource(PREVIEW, preview_spec()))
    assert ready(engine.settle(ref))[1] == "SealedWithOtherKey"
    assert world.of_kind("Secret") == []
    record(world, key_id)
    engine.settle(ref)
    (secret,) = world.of_kind("Secret")
    assert ("source", key_id) in secret["keys"]


def test_inspection_is_not_given_a_key_of_another_vault_key() -> None:
    world, engine = dataset("intake")
    record(world, OTHER_KEY, key="data")
    world.change(DATA, status={"keyId": OTHER_KEY})
    assert ready(engine.settle(DATA))[1] == "SealedWithOtherKey"
    assert world.of_kind("Secret") == []
