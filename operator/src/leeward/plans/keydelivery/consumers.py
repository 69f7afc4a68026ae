"""The pods that hold the keys: who has loaded which, and what is said of those who have not."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from leeward.api.keydelivery import SHOWN_VERSIONS
from leeward.api.meta import GROUP
from leeward.formats.keysreport import KeysReport
from leeward.plans.keydelivery.view import Content, View
from leeward.plans.shared.conditions import parse_timestamp, timestamp
from leeward.plans.shared.holders import may_hold
from leeward.plans.shared.listing import listed
from leeward.plans.shared.model import (
    Action,
    KeysOf,
    Manifest,
    MarkPod,
    ObjectRef,
    PodEntry,
    PodsHolding,
)

CONSUMER_LABEL: Final = f"{GROUP}/key-consumer"
"""On every pod that is asked for its keys: the operator's NetworkPolicy lets it ask those alone."""
CONTENT_ANNOTATION: Final = f"{GROUP}/keys"
"""On such a pod: which content its kubelet was told to fetch."""
PATIENCE: Final = 60.0
"""Seconds that a pod may take to load new keys: the kubelet may look but once a minute."""
SHOWN: Final = 32

_NUDGE_EVERY: Final = 20.0
_NUDGES: Final = 5
_NAMED: Final = 5
_FAILURES: Final = 5


@dataclass(frozen=True, slots=True)
class Holder:
    """One pod that may hold keys.

    Attributes:
        pod: Its manifest.
        loaded: (role, id) of each key that it says it has loaded; None: it does not say.
        since: Since when it has, or has not, everything.
    """

    pod: Manifest
    loaded: frozenset[tuple[str, str]] | None
    since: datetime.datetime

    @property
    def name(self) -> str:
        """Name of the pod."""
        return str(self.pod["metadata"]["name"])

    def has(self, wanted: frozenset[tuple[str, str]]) -> bool:
        """Whether it has loaded all of these."""
        return self.loaded is not None and wanted <= self.loaded


def pods_need(view: View) -> PodsHolding:
    """The pods that mount the Secret, also those that the selector does not mean: they have it."""
    return PodsHolding(view.owner.namespace, view.spec.secret_name)


def holding(view: View, pods: Sequence[Manifest]) -> list[Manifest]:
    """Those that have a node and have not ended."""
    return [pod for pod in pods if may_hold(pod, view.context.now)]


def _is_selected(view: View, pod: Manifest) -> bool:
    return view.spec.selector.match_labels.items() <= (pod["metadata"].get("labels") or {}).items()


def keys_need(view: View, pod: Manifest) -> KeysOf | None:
    """How a pod is asked what it has loaded; None: it has no address yet."""
    ip = (pod.get("status") or {}).get("podIP")
    if not ip:
        return None
    return KeysOf(view.owner.namespace, pod["metadata"]["name"], ip, view.spec.port)


def holders(
    view: View, pods: Sequence[Manifest], wanted: frozenset[tuple[str, str]]
) -> list[Holder]:
    """The pods with what they answered; all were asked."""
    known = {found["pod"]: found for found in view.status.get("consumers") or ()}
    found = []
    for pod in pods:
        need = keys_need(view, pod)
        loaded = _loaded(view.observed.get(need)) if need is not None else None
        before = known.get(pod["metadata"]["name"])
        holder = Holder(pod, loaded, view.context.now)
        if before is not None and before["acknowledged"] == holder.has(wanted):
            holder = Holder(pod, loaded, parse_timestamp(before["since"]))
        found.append(holder)
    return sorted(found, key=lambda holder: (holder.has(wanted), holder.name))


def _loaded(document: Manifest | None) -> frozenset[tuple[str, str]] | None:
    try:
        return None if document is None else KeysReport.model_validate(document).loaded()
    except ValidationError:
        return None


def is_introduced(pod: Manifest) -> bool:
    """Whether a pod is marked as one that is asked."""
    return (pod["metadata"].get("labels") or {}).get(CONSUMER_LABEL) == "true"


def marks(view: View, pods: Sequence[Manifest], digest: str) -> tuple[Action, ...]:
    """What tells pods' kubelets to look, and the NetworkPolicy that they are asked.

    Args:
        view: The KeyDelivery.
        pods: Those that are not marked at all, or have not loaded what the Secret holds: others are
            left in peace.
        digest: Of what it holds.
    """
    late = {
        c["pod"]: c["since"] for c in view.status.get("consumers") or () if not c["acknowledged"]
    }
    made: list[Action] = []
    failures = 0
    for pod in pods:
        metadata = pod["metadata"]
        since = late.get(metadata["name"])
        waited = _seconds(view, since) if since else 0.0
        nudge = min(_NUDGES, int(waited / _NUDGE_EVERY))
        mark = MarkPod(
            ObjectRef("v1", "Pod", view.owner.namespace, metadata["name"]),
            {CONSUMER_LABEL: "true"},
            {CONTENT_ANNOTATION: f"{digest}-{nudge}"},
        )
        if "deletionTimestamp" in metadata or _is_marked(pod, digest, nudge):
            continue
        outcome = view.observed.done(mark)
        if outcome is None:
            made.append(mark)
        elif outcome.code != "Done":
            failures += 1
    # One that fails is no fault: its kubelet looks by itself. Each costs a round, though.
    return tuple(made) if failures < _FAILURES else ()


def _is_marked(pod: Manifest, digest: str, nudge: int) -> bool:
    metadata = pod["metadata"]
    told = (metadata.get("annotations") or {}).get(CONTENT_ANNOTATION, "")
    known, _, count = told.rpartition("-")
    return is_introduced(pod) and known == digest and count.isdigit() and int(count) >= nudge


def _seconds(view: View, since: str) -> float:
    return (view.context.now - parse_timestamp(since)).total_seconds()


def show(view: View, found: Sequence[Holder], content: Content) -> None:
    """Put pods and acknowledgements into the status."""
    wanted = content.wanted
    view.draft.put(
        consumers=[
            {
                "pod": holder.name,
                "acknowledged": holder.has(wanted),
                "since": timestamp(holder.since),
            }
            for holder in found[:SHOWN]
        ],
        consumerCount=len(found),
        acknowledgedCount=sum(holder.has(wanted) for holder in found),
        items=shown_items(content, found),
    )


def shown_items(content: Content, found: Sequence[Holder] | None) -> list[Manifest]:
    """Items for the status.

    Args:
        content: What the Secret holds, or is to hold.
        found: All pods that hold it; None: it is not written yet.
    """

    def loaded(entry: PodEntry) -> bool:
        wanted = frozenset({(entry.role, entry.id)})
        return found is not None and all(holder.has(wanted) for holder in found)

    shown: list[Manifest] = []
    for name, item in content.items.items():
        keys = [
            {"id": key.id, "version": key.version, "acknowledged": loaded(key)} for key in item.keys
        ]
        made: Manifest = {"name": name, "keys": keys}
        if item.certificate is not None and item.leaf is not None:
            one = [item.leaf.version] if loaded(item.leaf) else item.certificate["versions"]
            made["certificate"] = {**item.certificate, "versions": one}
        if item.trust is not None and item.authorities is not None:
            made["trust"] = {
                "id": item.authorities.id,
                "versions": list(item.trust)[-SHOWN_VERSIONS:],
                "acknowledged": loaded(item.authorities),
            }
        shown.append(made)
    return shown


def judge(view: View, found: Sequence[Holder], wanted: frozenset[tuple[str, str]]) -> bool:
    """Set condition Acknowledged; whether it is true."""
    late = [holder for holder in found if not holder.has(wanted)]
    secret = view.spec.secret_name
    if not found:
        text = f"no pod mounts Secret {secret} now: those that will are given what it holds"
        view.draft.set("Acknowledged", True, "NoConsumers", text)
        return True
    strays = _strays(view, found)
    if not late:
        noun = "pod has" if len(found) == 1 else "pods have"
        text = f"{len(found)} {noun} loaded every key in Secret {secret}{strays}"
        reason = "PodsNotSelected" if strays else "AllAcknowledged"
        view.draft.set("Acknowledged", True, reason, text)
        return True
    longest = max((view.context.now - holder.since).total_seconds() for holder in late)
    named = listed([_described(view, holder) for holder in late], _NAMED)
    count = f"{len(late)} of {len(found)} pods have"
    said = f"{count} not loaded every key in Secret {secret}: {named}"
    if longest < PATIENCE:
        view.draft.set("Acknowledged", False, "AwaitingConsumers", f"{said}{strays}")
    else:
        view.draft.set(
            "Acknowledged",
            False,
            "ConsumersNotAcknowledged",
            f"{said}. Nothing that they may still use is dropped meanwhile: see their logs, and"
            f" delete those that hang{strays}",
        )
    return False


def _strays(view: View, found: Sequence[Holder]) -> str:
    """What is said of pods that the selector does not mean; empty: there are none."""
    names = [holder.name for holder in found if not _is_selected(view, holder.pod)]
    if not names:
        return ""
    labels = [f"{name}: {value}" for name, value in sorted(view.spec.selector.match_labels.items())]
    return (
        f". Not selected, and they mount it: {listed(sorted(names), _NAMED)}: give them the labels"
        f" of spec.selector ({listed(labels, _NAMED)}), or have them mount it no more"
    )


def _described(view: View, holder: Holder) -> str:
    since = timestamp(holder.since)
    if keys_need(view, holder.pod) is None:
        why = "has not started"
    elif holder.loaded is None:
        why = f"does not answer at port {view.spec.port} /keys"
    else:
        why = "has earlier keys"
    return f"{holder.name} ({why}, since {since})"
