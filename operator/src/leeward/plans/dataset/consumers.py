"""Who has the old or the new key of a Dataset, while one takes the other's place.

Each of these yields None where nobody has to be waited for, else a plan that names them.
"""

from collections.abc import Sequence
from typing import Final

from leeward.api import KINDS
from leeward.api.meta import API_VERSION
from leeward.plans.dataset.rewrapping import CONDITION
from leeward.plans.dataset.view import View
from leeward.plans.shared.acknowledgements import not_acknowledged, still_holding
from leeward.plans.shared.conditions import backoff
from leeward.plans.shared.listing import listed
from leeward.plans.shared.model import DeliveriesOf, Listing, Plan, WriteStatus

KEYS: Final = ("status.sourceKeyId", "status.sampleKeyId")
"""Where workloads say which key of a Dataset they were given."""
WORKLOADS: Final = tuple(
    (kind.kind, key) for kind in KINDS for key in KEYS if f".{key}" in kind.selectable_fields
)
"""Kinds of those that end; a KeyDelivery says by itself what its pods hold."""
_SHOWN: Final = 10
_AT_FIRST: Final = 5.0
"""Seconds after which it is said who is waited for; as a rule there is nobody any more, then."""


def await_workloads(view: View) -> Plan | None:
    """Wait for workloads that were given the old key; it must have been retired before."""
    previous = view.status["replacement"]["previousKeyId"]
    needs = tuple(
        Listing(API_VERSION, kind, view.owner.namespace, key, previous) for kind, key in WORKLOADS
    )
    if not all(view.observed.has(need) for need in needs):
        return Plan(view.status, needs=needs)
    holders = list(
        dict.fromkeys(
            f"{need.kind} {found['metadata']['name']}"
            for need in needs
            for found in view.observed.get(need)
        )
    )
    if not holders:
        return None
    return _await(view, holders, "begun with the old key and not ended: wait, or delete them")


def await_acknowledgement(view: View) -> Plan | None:
    """Wait until every long-lived pod has the new key beside the old one."""
    need = DeliveriesOf(view.owner.ref)
    if not view.observed.has(need):
        return Plan(view.status, needs=(need,))
    key_id = view.status["replacement"]["keyId"]
    late = not_acknowledged(view.observed.get(need), view.owner.ref, key_id)
    if not late:
        return None
    what = "pods that have not said (/keys) that they have the new key: see its conditions"
    return _await(view, [f"KeyDelivery {name}" for name in late], what)


def await_release(view: View) -> Plan | None:
    """Wait until no Secret of long-lived pods holds the old key."""
    need = DeliveriesOf(view.owner.ref)
    if not view.observed.has(need):
        return Plan(view.status, needs=(need,))
    previous = view.status["replacement"]["previousKeyId"]
    held = still_holding(view.observed.get(need), view.owner.ref, previous)
    if not held:
        return None
    return _await(view, [f"KeyDelivery {name}" for name in held], "not let go of the old key yet")


def _await(view: View, names: Sequence[str], what: str) -> Plan:
    if view.observed.done(WriteStatus()) is not None:
        return Plan(view.status, requeue_after=_AT_FIRST)
    verb = "has" if len(names) == 1 else "have"
    view.draft.set(CONDITION, False, "AwaitingConsumers", f"{listed(names, _SHOWN)} {verb} {what}")
    return Plan(view.status, requeue_after=backoff(view.draft.seconds_since(CONDITION), 5, 60))
