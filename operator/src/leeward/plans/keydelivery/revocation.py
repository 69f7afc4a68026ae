"""Taking keys away: the Secret first, then the pods that held it, whatever labels they have.

The pods are looked for after the Secret is gone, so every pod that can have it is in that list; a
second look, some seconds later, finds those whose kubelet still had it in its cache.
"""

from typing import Final

from leeward.plans.keydelivery.view import View
from leeward.plans.shared.conditions import is_true, timestamp
from leeward.plans.shared.listing import listed
from leeward.plans.shared.model import (
    Action,
    Delete,
    Event,
    Manifest,
    ObjectRef,
    Plan,
    PodsHolding,
    RemoveKeys,
)
from leeward.plans.shared.refusals import refusal
from leeward.plans.shared.steps import progress
from leeward.plans.shared.verdict import Denied
from leeward.plans.shared.workload import KEYS_DELIVERED

GRACE: Final = 2
"""Seconds that a pod whose keys were taken away has to end."""
SWEEPS: Final = 2
SWEEP_PAUSE: Final = 3.0
_NAMED: Final = 5


def refuse(view: View, denied: Denied) -> Plan:
    """Deliver nothing more, and say why; what pods have they keep.

    Where keys were taken away a moment ago, that is brought to its end first.
    """
    if not view.delivered and ("secret" in view.status or "revocation" in view.status):
        return take_away(view, denied)
    view.draft.set("Admitted", False, denied.reason, denied.message)
    view.draft.set("Ready", False, denied.reason, denied.message)
    if not view.delivered:
        view.draft.put(consumerCount=0, acknowledgedCount=0)
    return Plan(view.status, requeue_after=view.draft.next_look("Admitted"))


def take_away(view: View, denied: Denied) -> Plan:
    """Leave nobody with keys that are not granted (any more), and say why."""
    held = view.secret is not None
    sweeps = (view.status.get("revocation") or {}).get("sweeps", SWEEPS)
    view.draft.set("Admitted", False, denied.reason, denied.message)
    view.draft.set("Ready", False, denied.reason, denied.message)
    if not held and sweeps >= SWEEPS:
        return Plan(view.status, requeue_after=view.draft.next_look("Admitted"))
    namespace, name = view.owner.namespace, view.spec.secret_name
    remove = RemoveKeys(namespace, name, view.secret_type)
    removed = view.observed.done(remove)
    if removed is None:
        return Plan(view.status, actions=(remove,))
    need = PodsHolding(namespace, name)
    if not view.observed.has(need):
        return Plan(view.status, needs=(need,))
    # Those that have not begun on a later look came when there was nothing to be had any more. Of
    # pods that mount a Secret of somebody else, none has anything of ours.
    is_foreign = removed.code == "Conflict"
    named: list[Manifest] = [] if is_foreign else view.observed.get(need)
    pods = [pod for pod in named if held or _has_begun(pod)]
    deletions: list[Action] = [_deletion(pod) for pod in pods if not _has_ended(pod)]
    gone = progress(view.observed, deletions)
    if gone.pending and gone.failed is None:
        return Plan(view.status, actions=gone.pending)
    failed = gone.failed if removed.code in ("Done", "Conflict") else (remove, removed)
    if failed is not None:
        wrong = refusal(namespace, *failed)
        view.draft.set("Ready", False, wrong.reason, f"{denied.message}; {wrong.message}")
        if removed.code not in ("Done", "Conflict") and is_true(view.status, KEYS_DELIVERED):
            text = (
                f"Secret {name} still holds keys that are not granted, since the operator cannot"
                f" remove it ({wrong.message}), or delete it: kubectl delete secret {name} -n"
                f" {namespace}"
            )
            view.draft.set(KEYS_DELIVERED, True, "KeysNotRemoved", text)
        return Plan(view.status, requeue_after=SWEEP_PAUSE)
    done = 1 if held else sweeps + 1
    at = timestamp(view.context.now) if held else view.status["revocation"]["at"]
    view.draft.put(
        secret=None,
        items=None,
        consumers=None,
        consumerCount=0,
        acknowledgedCount=0,
        revocation={"at": at, "sweeps": done},
    )
    view.draft.drop("Acknowledged")
    if is_true(view.status, KEYS_DELIVERED):
        text = f"Secret {name} was removed: {denied.message}"
        view.draft.set(KEYS_DELIVERED, False, "KeysRemoved", text)
    return Plan(
        view.status, requeue_after=SWEEP_PAUSE, events=_told(deletions) if deletions else ()
    )


def _deletion(pod: Manifest) -> Delete:
    placed = pod["metadata"]
    ref = ObjectRef("v1", "Pod", placed["namespace"], placed["name"])
    return Delete(ref, placed["uid"], GRACE)


def _has_ended(pod: Manifest) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _has_begun(pod: Manifest) -> bool:
    status = pod.get("status") or {}
    containers = (
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    )
    return any("waiting" not in (c.get("state") or {"waiting": {}}) for c in containers)


def _told(deletions: list[Action]) -> tuple[Event, ...]:
    names = [action.ref.name for action in deletions if isinstance(action, Delete)]
    text = f"pods that held keys which are not granted: {listed(names, _NAMED)}"
    return (Event("Warning", "PodsDeleted", text),)
