"""The operator meets a fault at every single call to the API server, and ends the same.

Each course is played once undisturbed, which counts the calls; then again for each call and each
fault. A process that is killed is followed by a new one that knows nothing. What is left at the end
is compared with the undisturbed course: the same objects in the same conditions, nothing left over,
and nothing that was made or run twice.
"""

from __future__ import annotations

from functools import cache

import pytest

from chaos.course import COURSES, REPLACING, End, play
from chaos.trying import SOAK, tried
from fakeapi.transport import Fault, FaultPlan

ONCE = ("Job ", "Dataset ", "Secret leeward-system/")
"""Made once in every course: work, what it publishes, and keys."""


@cache
def undisturbed(name: str) -> tuple[End, tuple[str, ...]]:
    plan = FaultPlan()
    return play(COURSES[name], plan), tuple(plan.calls)


def differences(end: End, expected: End) -> list[str]:
    """What is not as it should be."""
    found = [f"left over: {name}" for name in end.objects - expected.objects]
    found += [f"missing: {name}" for name in expected.objects - end.objects]
    found += [
        f"made {count} times: {name}"
        for name, count in end.created.items()
        if name.startswith(ONCE) and count != expected.created[name] and not _is_anew(name, end)
    ]
    if end.pods_started != expected.pods_started:
        found.append(f"pods started: {dict(end.pods_started)}")
    if end.files != expected.files:
        found.append(f"files on the volume: {end.files}")
    return found


def _is_anew(name: str, end: End) -> bool:
    """A job that had not begun when the key of its source was replaced gets another Job."""
    return name.startswith("Job clinic/mj-") and end.replaced


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name.lower())
@pytest.mark.parametrize("course", COURSES)
def test_a_fault_at_any_call_changes_nothing_in_the_end(course: str, fault: Fault) -> None:
    expected, calls = undisturbed(course)
    assert len(calls) > 5
    wrong = []
    sparse = course in REPLACING and not SOAK
    begin = len(calls) // 2 if sparse else 0  # how such a course begins, the others show
    for index in tried(calls, fault, begin)[:: 6 if sparse else 1]:
        call = calls[index]
        end = play(COURSES[course], FaultPlan({index: fault}))
        wrong += [f"call {index} ({call}): {what}" for what in differences(end, expected)]
        if fault in (Fault.KILL_BEFORE, Fault.KILL_AFTER) and end.processes != 2:
            wrong.append(f"call {index} ({call}): {end.processes} processes")
    assert not wrong, "\n".join(wrong[:20])


@pytest.mark.parametrize("course", COURSES)
def test_two_leaders_at_once_do_nothing_twice(course: str) -> None:
    expected, _ = undisturbed(course)
    end = play(COURSES[course], FaultPlan(), replicas=2)
    assert not differences(end, expected)


@pytest.mark.parametrize("course", [name for name in COURSES if name not in REPLACING])
def test_two_leaders_of_which_one_is_killed_again_and_again(course: str) -> None:
    expected, calls = undisturbed(course)
    plan = FaultPlan({index: Fault.KILL_AFTER for index in range(3, 2 * len(calls), 7)})
    end = play(COURSES[course], plan, replicas=2)
    assert not differences(end, expected)
