"""A vault and a Dataset are shredded although the operator meets a fault at every single call."""

from __future__ import annotations

from functools import cache

import pytest

from chaos.course import CLAIM, JOB, NAMESPACE, PLAIN, SEALED, VAULT, Course, End, play, ready
from chaos.test_crash_points import differences
from fakeapi.store import FakeApi
from fakeapi.transport import Fault, FaultPlan
from leeward.plans.shared.names import FINALIZER

LATE = "Dataset clinic/people-masked"
"""It notices that its key is gone when it is looked at again: a new process looks at once."""
SHREDDED_VAULT = {**VAULT, "spec": {**VAULT["spec"], "deletionPolicy": "Shred"}}
SHREDDED_DATASET = {**SEALED, "spec": {**SEALED["spec"], "deletionPolicy": "Shred"}}


def deleted(api: FakeApi, kind: str, name: str) -> bool:
    """Confirm and delete it once it has its finalizer; whether it is gone."""
    found = api.one(kind, NAMESPACE, name)
    if found is None:
        return True
    metadata = found["metadata"]
    if "deletionTimestamp" not in metadata and FINALIZER in metadata.get("finalizers", ()):
        metadata["annotations"] = {"leeward.dev/confirm-shred": metadata["uid"]}
        api.edit(found)
        api.remove(kind, NAMESPACE, name)
    return False


def vault_over(api: FakeApi) -> bool:
    if api.one("KeyVault", NAMESPACE, "vault") is None:
        return True
    is_done = ready(api, "MaskingJob", "mask", "Published")
    going = "deletionTimestamp" in (api.one("KeyVault", NAMESPACE, "vault") or {})["metadata"]
    return deleted(api, "KeyVault", "vault") if is_done or going else False


def dataset_over(api: FakeApi) -> bool:
    found = api.one("Dataset", NAMESPACE, "sealed")
    if found is None:
        return True
    going = "deletionTimestamp" in found["metadata"]
    is_ready = ready(api, "Dataset", "sealed", "Inspected")
    return deleted(api, "Dataset", "sealed") if is_ready or going else False


COURSES = {
    course.name: course
    for course in (
        Course("vault", (SHREDDED_VAULT, CLAIM, PLAIN, JOB), vault_over),
        Course("dataset", (VAULT, CLAIM, SHREDDED_DATASET), dataset_over),
    )
}


@cache
def undisturbed(name: str) -> tuple[End, tuple[str, ...]]:
    plan = FaultPlan()
    return play(COURSES[name], plan), tuple(plan.calls)


SECRET = "Secret leeward-system/"
TOMBSTONE = f"{SECRET}destroyed-"


def secrets(end: End) -> list[str]:
    """The operator's, without tombstones."""
    names = [name for name in end.objects if name.startswith(SECRET)]
    return [name for name in names if not name.startswith(TOMBSTONE)]


def counted(end: End, prefix: str) -> int:
    return sum(n for name, n in end.objects.items() if name.startswith(prefix))


def recorded(end: End) -> tuple[int, int]:
    """Records and tombstones."""
    return counted(end, f"ConfigMap {NAMESPACE}/destroyed-"), counted(end, TOMBSTONE)


def test_nothing_of_a_vault_is_left_but_its_record_and_its_tombstone() -> None:
    end, _ = undisturbed("vault")
    assert [name for name in secrets(end) if "root-key" not in name] == []
    assert recorded(end) == (1, 1)


def test_nothing_of_a_dataset_is_left_but_record_and_tombstone_and_the_vault_stays() -> None:
    end, _ = undisturbed("dataset")
    assert [name for name in secrets(end) if "artefact-" in name] == []
    assert [name for name in secrets(end) if "keyset-" in name]
    assert recorded(end) == (1, 1)


@pytest.mark.parametrize("fault", [Fault.KILL_BEFORE, Fault.KILL_AFTER], ids=lambda f: f.name)
@pytest.mark.parametrize("course", COURSES)
def test_a_kill_at_any_call_of_the_destruction_changes_nothing_in_the_end(
    course: str, fault: Fault
) -> None:
    expected, calls = undisturbed(course)
    first = _first_of_destruction(calls)
    wrong = []
    for index in range(first, len(calls)):
        end = play(COURSES[course], FaultPlan({index: fault}))
        found = [what for what in differences(end, expected) if LATE not in what]
        wrong += [f"call {index} ({calls[index]}): {what}" for what in found]
    assert not wrong, "\n".join(wrong[:20])


@pytest.mark.parametrize("course", COURSES)
def test_two_leaders_shred_once(course: str) -> None:
    expected, _ = undisturbed(course)
    assert not differences(play(COURSES[course], FaultPlan(), replicas=2), expected)


def _first_of_destruction(calls: tuple[str, ...]) -> int:
    """Index of the first look for backups."""
    return next(index for index, call in enumerate(calls) if "key-backup" in call)
