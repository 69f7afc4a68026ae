"""Authorities are replaced while consumers come and go: no two pods ever refuse each other.

LEEWARD_SOAK=1 replaces them ten thousand times.
"""

from __future__ import annotations

import os

import pytest

from property.wardcourse import CLINIC, Course

ROTATIONS = 3400 if os.environ.get("LEEWARD_SOAK") else 5


@pytest.mark.timeout(10_800 if "LEEWARD_SOAK" in os.environ else 300)
@pytest.mark.parametrize("seed", range(3))
async def test_no_two_pods_ever_refuse_each_other(seed: int) -> None:
    course = Course(seed)
    await course.begin()
    await course.run(ROTATIONS)
    assert course.checks > ROTATIONS * 50
    vault = course.api.one("KeyVault", CLINIC, "vault")
    assert vault is not None
    states = {v["state"] for v in vault["status"]["keys"][0]["versions"]}
    assert "Destroyed" in states, "old authorities go when nobody uses them"
    for ward in course.wards:
        delivery = course.api.one("KeyDelivery", CLINIC, ward)
        assert delivery is not None
        newest = vault["status"]["keys"][0]["primaryVersion"]
        (item,) = delivery["status"]["items"]
        assert item["certificate"]["versions"] == [newest]
        assert item["trust"]["versions"] == [newest]
