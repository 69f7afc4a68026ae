"""root-key rotate and status on the API server that an operator works on."""

from __future__ import annotations

import asyncio
import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from unit.cli.fake_cluster import FakeClock
from unit.cli.installation_world import Installation


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def test_a_rotation_is_asked_for_and_its_course_told(here: Installation) -> None:
    old = here.key.id
    assert status(here)["rotation"] == "None"
    result = here.leeward("root-key", "rotate", visible="y\n")
    assert result.exit_code == 0, result.stderr
    assert f"takes the place of {old}" in result.stderr
    assert status(here)["rotation"] == "Requested"
    asyncio.run(here.rotation.step())
    assert status(here) | {"createdAt": ""} == {
        "rootKey": here.key.id,
        "createdAt": "",
        "givenUp": [old],
        "rotation": "Removing",
        "keysets": {
            "moved": 1,
            "left": 0,
            "ofOtherRootKeys": {},
            "ofTransit": 0,
            "unreadable": [],
        },
    }
    asyncio.run(here.world.finish(here.rotation))
    assert status(here)["rotation"] == "None"
    assert here.key.id != old


def test_a_rotation_is_not_begun_unasked_or_twice(here: Installation) -> None:
    assert here.leeward("root-key", "rotate", visible="n\n").exit_code == 1
    assert "--yes" in here.leeward("root-key", "rotate").stderr, "there is no terminal"
    assert status(here)["rotation"] == "None"
    assert here.leeward("root-key", "rotate", "--yes").exit_code == 0
    again = here.leeward("root-key", "rotate", "--yes")
    assert again.exit_code == 1
    assert "under way" in again.stderr


def test_the_end_of_a_rotation_is_waited_for(here: Installation) -> None:
    class Working(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            here.world.seconds += seconds
            here.world.now += datetime.timedelta(seconds=seconds)
            rounds.append(asyncio.run(here.rotation.step()))

    rounds: list[object] = []
    old = here.key.id
    result = here.leeward("root-key", "rotate", "--yes", "--wait", "30m", clock=Working())
    assert result.exit_code == 0, result.stderr
    assert "asked for" in result.stderr
    assert here.key.id in result.stdout
    assert here.key.id != old
    assert len(here.world.keyring.keys) == 1
    assert rounds


def test_a_wait_that_is_too_short_says_where_it_stands(here: Installation) -> None:
    result = here.leeward("root-key", "rotate", "--yes", "--wait", "30s")
    assert result.exit_code == 1
    assert "not begun" in result.stderr
    assert "leeward doctor" in result.stderr


def test_the_status_names_what_is_wrong(here: Installation) -> None:
    asyncio.run(here.world.vaults(here.store, "more"))
    (bad, *_) = here.world.names("keyset-")
    here.world.overwrite(here.world.secret(bad), {"keyset.json": "AAAA"})
    stranger = here.put_stranger()
    lines = here.leeward("root-key", "status").stdout
    assert f"Root key:  {stranger.id}" in lines
    assert f"Damaged:   Secret {bad}" in lines
    assert "restore --add" in lines


def status(here: Installation) -> Any:
    result = here.leeward("root-key", "status", "-o", "json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)
