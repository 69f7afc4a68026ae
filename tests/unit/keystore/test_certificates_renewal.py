"""When leaves are renewed, and that clocks that are wrong leave nobody without a valid one."""

from __future__ import annotations

import datetime
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leeward.formats.certificates import DEFAULT_DURATION, TOLERANT_DURATION
from leeward.keystore.certificates import BACKDATING, renew_at
from unit.keystore.certificate_world import NOW, VaultAuthority

HOUR = 60
"""Minutes."""

DELIVERY = 3
"""Minutes from renewal until pods have the new leaf: a poll of the operator, a kubelet's sync."""


def test_a_leaf_is_renewed_at_two_thirds_of_its_life_or_a_little_before() -> None:
    day = datetime.timedelta(hours=24)
    not_before, not_after = NOW - BACKDATING, NOW + day
    assert renew_at(not_before, not_after, 0) == NOW + day * 2 / 3
    latest = renew_at(not_before, not_after, 2**32 - 1)
    assert NOW + day * 0.6166 < latest < NOW + day * 0.6167
    assert renew_at(not_before, not_after, 2**31) == NOW + day * (2 / 3 - 0.025)


def test_leaves_issued_together_are_not_renewed_together() -> None:
    authority = VaultAuthority()
    moments = sorted(authority.issue().renew_at for _ in range(100))
    assert moments[-1] - moments[0] > datetime.timedelta(minutes=30)
    assert max(b - a for a, b in pairwise(moments)) < datetime.timedelta(minutes=30)


def outages(
    duration: datetime.timedelta, offsets: list[tuple[int, int]], skew: int, serial: int
) -> list[int]:
    """Minutes at which a peer has no valid leaf, over four lives.

    Args:
        duration: Of each leaf.
        offsets: By how many minutes the operator's clock is wrong, from which minute on.
        skew: By how many minutes the peer's clock is wrong.
        serial: Of every leaf.
    """

    def minutes(count: float) -> datetime.timedelta:
        return datetime.timedelta(minutes=count)

    def issue(at: int) -> tuple[datetime.datetime, datetime.datetime]:
        moment = clock(at)
        return moment - BACKDATING, moment + duration

    def clock(at: int) -> datetime.datetime:
        return NOW + minutes(at + [by for start, by in offsets if start <= at][-1])

    leaf = held = issue(0)
    arrives = 0
    failed = []
    for at in range(int(duration / minutes(1)) * 4):
        if at >= arrives:
            held = leaf
            if clock(at) >= renew_at(*leaf, serial):
                leaf, arrives = issue(at), at + DELIVERY
        if not held[0] <= NOW + minutes(at + skew) <= held[1]:
            failed.append(at)
    return failed


jumps = st.lists(st.tuples(st.integers(0, 28 * HOUR), st.integers(-HOUR, HOUR)), max_size=6).map(
    sorted
)


@settings(max_examples=60)
@example(first=HOUR, jumps=[(1, -HOUR)], skew=HOUR, serial=0)
@example(first=HOUR, jumps=[], skew=-HOUR, serial=0)
@example(first=-HOUR, jumps=[], skew=HOUR, serial=0)
@given(
    first=st.integers(-HOUR, HOUR),
    jumps=jumps,
    skew=st.integers(-HOUR, HOUR),
    serial=st.integers(1, 2**159 - 1),
)
def test_clocks_an_hour_off_leave_nobody_without_a_valid_leaf(
    first: int, jumps: list[tuple[int, int]], skew: int, serial: int
) -> None:
    offsets = [(0, first), *jumps]
    assert outages(TOLERANT_DURATION, offsets, skew, serial) == []


def test_a_shorter_leaf_does_not_outlast_them() -> None:
    """The bound is one: this is why the documentation names it."""
    shorter = TOLERANT_DURATION - datetime.timedelta(hours=1)
    assert outages(shorter, [(0, HOUR), (1, -HOUR)], HOUR, 0)


@pytest.mark.parametrize("by", [-HOUR, HOUR])
def test_the_usual_leaf_outlasts_a_jump_of_the_operators_clock(by: int) -> None:
    assert outages(DEFAULT_DURATION, [(0, 0), (15 * HOUR, by)], 0, 0) == []
