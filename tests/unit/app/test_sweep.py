"""What the search for leftovers says of what it could not do, and whom it blames."""

from __future__ import annotations

import datetime
import logging
from typing import Any, cast

import pytest

from leeward.api.dataset import Location, Volume
from leeward.app.sweep import Sweeper
from leeward.engine.errors import TooManyRoundsError
from leeward.engine.steps import Steps
from leeward.keystore.records import UnpublishedKeys
from leeward.plans.shared.faults import TransientError
from leeward.plans.shared.model import ArtefactKeyInfo, Context


def key(number: int) -> ArtefactKeyInfo:
    return ArtefactKeyInfo(
        id=f"{number:032x}",
        vault_id="66" * 16,
        key="data",
        version=1,
        algorithm="AES256_GCM",
        namespace="clinic",
        owner="MaskingJob/mask/uid",
        artefact=Location(volume=Volume(claim_name="data", path="masked/x")),
    )


class Failing:
    """Carries out nothing: fails in one way after the other."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = iter(errors)

    async def settle(self, *_: object) -> None:
        raise next(self._errors)


async def swept(found: UnpublishedKeys, *errors: Exception) -> Sweeper:
    async def unpublished() -> UnpublishedKeys:
        return found

    def context() -> Context:
        now = datetime.datetime(2027, 3, 1, tzinfo=datetime.UTC)
        return Context(now, bytes, "leeward-system", "localhost/masking:1")

    sweeper = Sweeper(
        unpublished=unpublished,
        steps=cast(Steps, Failing(*errors)),
        context=context,
        interval=300,
    )
    await sweeper.sweep()
    return sweeper


async def test_a_fault_of_ours_is_not_blamed_on_the_record(
    caplog: pytest.LogCaptureFixture,
) -> None:
    errors = (ValueError("a value"), TooManyRoundsError("20"), TransientError("not now"))
    keys = tuple(key(number) for number in range(len(errors)))
    sweeper = await swept(UnpublishedKeys(keys, ()), *errors)
    assert sweeper.damaged == 0
    levels = [record.levelno for record in caplog.records]
    assert levels == [logging.ERROR, logging.ERROR, logging.WARNING]
    assert "backup" not in caplog.text
    first: Any = caplog.records[0]
    assert (first.key, first.error) == (keys[0].id, "ValueError")
    assert "settle" in first.frames[-1]
    assert "a value" not in str(vars(first))


async def test_damaged_records_are_counted_and_named(caplog: pytest.LogCaptureFixture) -> None:
    sweeper = await swept(UnpublishedKeys((), ("artefact-x", "artefact-y")))
    assert sweeper.damaged == 2
    assert [cast(Any, record).secret for record in caplog.records] == ["artefact-x", "artefact-y"]
