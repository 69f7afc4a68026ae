"""The plan of a KeyDelivery.

    granted? ─ no ─▶ Secret removed, pods that held it deleted
       │ yes
    status.secret ─▶ what is to be delivered is looked at ─▶ status.items ─▶ Secret written
       ─▶ pods marked ─▶ pods asked ─▶ acknowledged

A KeyDelivery enters itself in its status before it looks for the last time at what it delivers.
Who changes that (a key that is rotated) first says so in a status and then looks who delivers it:
so one of the two always sees the other.
"""

from collections.abc import Sequence

from leeward.api.keydelivery import KEYDELIVERY, KeyDeliverySpec
from leeward.api.meta import Kind
from leeward.plans.keydelivery.admission import REVOKING, Admitted, Refused, admit, content
from leeward.plans.keydelivery.consumers import (
    holders,
    holding,
    is_introduced,
    judge,
    keys_need,
    marks,
    pods_need,
    show,
    shown_items,
)
from leeward.plans.keydelivery.revocation import refuse, take_away
from leeward.plans.keydelivery.secretname import check_name
from leeward.plans.keydelivery.view import AT_ONCE, Content, Todo, View
from leeward.plans.shared.conditions import parse_timestamp, timestamp
from leeward.plans.shared.look import read
from leeward.plans.shared.model import (
    Context,
    Manifest,
    Observed,
    Outcome,
    Plan,
    PutKeys,
    WriteStatus,
)
from leeward.plans.shared.names import Owner, labels
from leeward.plans.shared.refusals import refusal
from leeward.plans.shared.steps import progress
from leeward.plans.shared.verdict import Denied, Unseen
from leeward.plans.shared.workload import KEYS_DELIVERED, keys_given

IDLE_LOOK = 300.0
"""Seconds between looks at the pods while nothing is awaited."""
OTHERS_LOOK = 3.0
"""Seconds between looks while other KeyDeliveries are to come along."""
REWRITE = 3600.0
"""Seconds after which the Secret is written again: whoever deleted it, it comes back."""
REWRITE_SOON = 60.0
"""The same while a pod has not loaded what it should."""


class KeyDeliveryPlanner:
    """Delivers keys to long-lived pods, and sees that they have them."""

    @property
    def kind(self) -> Kind:
        """KeyDelivery."""
        return KEYDELIVERY

    @property
    def children(self) -> Sequence[tuple[str, str]]:
        """None that could be watched: the pods are somebody else's, and Secrets are not read."""
        return ()

    def plan(self, resource: Manifest, observed: Observed, context: Context) -> Plan:
        """The next step for this KeyDelivery."""
        owner = Owner.of(resource)
        if owner.deleting:
            return Plan(resource.get("status") or {})
        known = read(resource, KeyDeliverySpec, context)
        if isinstance(known, Plan):
            return known
        spec, draft = known
        view = View(resource, owner, spec, draft, observed, context)
        granted = admit(view)
        match granted:
            case Unseen():
                return Plan(view.status, needs=granted.needs)
            case Refused(denied, revokes):
                return take_away(view, denied) if revokes else refuse(view, denied)
            case Admitted():
                return _in_time(view, granted, _deliver(view))


def _in_time(view: View, granted: Admitted, plan: Plan) -> Plan:
    """Be there when a grant ends."""
    if granted.until is None or plan.needs or plan.actions:
        return plan
    left = max(0.1, (granted.until - view.context.now).total_seconds() + 0.1)
    later = plan.requeue_after
    return Plan(
        plan.status,
        requeue_after=left if later is None else min(left, later),
        events=plan.events,
    )


def _deliver(view: View) -> Plan:
    wanted = content(view)
    match wanted:
        case Unseen():
            return Plan(view.status, needs=wanted.needs)
        case Denied() if wanted.reason in REVOKING:
            return take_away(view, wanted)
        case Denied():
            return view.hold(wanted)
        case Todo() | Content() if view.secret is None:
            named = check_name(view)
            if named is not None:
                return _stop(view, named)
            view.draft.put(secret={"digest": "", "pending": True}, revocation=None)
            return Plan(view.status, requeue_after=AT_ONCE)
        case Todo():
            return Plan(view.status, actions=wanted.actions)
        case Content():
            return _write(view, wanted) or _follow(view, wanted)


def _stop(view: View, verdict: Denied | Unseen) -> Plan:
    if isinstance(verdict, Unseen):
        return Plan(view.status, needs=verdict.needs)
    return view.hold(verdict)


def _write(view: View, wanted: Content) -> Plan | None:
    """Have the Secret hold what it should; None: it does."""
    secret: Manifest = view.status["secret"]
    put = PutKeys(
        namespace=view.owner.namespace,
        name=view.spec.secret_name,
        type=view.secret_type,
        owner=view.owner.reference,
        entries=wanted.entries,
        labels=labels(view.owner, "keys"),
        over=secret.get("resourceVersion"),
    )
    outcome = view.observed.done(put)
    if outcome is not None:
        return _written(view, wanted, put, outcome)
    if secret["digest"] == wanted.digest and not secret.get("pending") and not _is_old(view):
        return None
    if secret["digest"] != wanted.digest:
        # Until it is known to be written, status.items says what it may hold.
        view.draft.put(items=_either(view.status.get("items") or (), wanted))
    view.draft.put(secret={**secret, "digest": wanted.digest, "pending": True})
    counted = progress(view.observed, wanted.counts)
    if counted.failed is not None:
        return view.hold(refusal(view.owner.namespace, *counted.failed))
    return Plan(view.status, actions=(WriteStatus(), *counted.pending, put))


def _written(view: View, wanted: Content, put: PutKeys, outcome: Outcome) -> Plan | None:
    secret = {k: v for k, v in view.status["secret"].items() if k not in ("pending", "writtenAt")}
    if outcome.code == "Done":
        if not view.status["secret"].get("pending"):
            return None  # taken up in an earlier round
        secret["resourceVersion"] = outcome.result.resource_version
        view.draft.put(secret={**secret, "writtenAt": timestamp(view.context.now)})
        keys_given(view, wanted.grants)
        return None
    if outcome.code == "Conflict" and outcome.result is not None:
        # Written, and this process or another was ended before it could say so. Saying so first
        # stops whoever acts on older knowledge than this.
        stored = {k: v for k, v in view.status["secret"].items() if k != "resourceVersion"}
        view.draft.put(secret=stored)
        return Plan(view.status, requeue_after=AT_ONCE)
    verdict = check_name(view, is_refused=True) if outcome.code == "Conflict" else None
    return _stop(view, verdict or refusal(view.owner.namespace, put, outcome))


def _is_old(view: View) -> bool:
    secret: Manifest = view.status["secret"]
    age = (view.context.now - parse_timestamp(secret["writtenAt"])).total_seconds()
    waits = any(not c["acknowledged"] for c in view.status.get("consumers") or ())
    return abs(age) > (REWRITE_SOON if waits else REWRITE)


def _either(before: Sequence[Manifest], wanted: Content) -> list[Manifest]:
    """Items with what they held and what they are to hold, nothing of it acknowledged."""
    merged = {item["name"]: item for item in shown_items(wanted, None)}
    for item in before:
        kept = merged.setdefault(item["name"], {"name": item["name"], "keys": []})
        known = {key["id"] for key in kept["keys"]}
        left = [key for key in item.get("keys") or () if key["id"] not in known]
        kept["keys"] += [{**key, "acknowledged": False} for key in left]
    return list(merged.values())


def _follow(view: View, wanted: Content) -> Plan:
    """See who has loaded what the Secret holds."""
    need = pods_need(view)
    if not view.observed.has(need):
        return Plan(view.status, needs=(need,))
    pods = holding(view, view.observed.get(need))
    pending = marks(view, [pod for pod in pods if not is_introduced(pod)], wanted.digest)
    if pending:
        return Plan(view.status, actions=pending)
    asked = [ask for pod in pods if (ask := keys_need(view, pod)) is not None]
    unseen = tuple(ask for ask in asked if not view.observed.has(ask))
    if unseen:
        return Plan(view.status, needs=unseen)
    found = holders(view, pods, wanted.wanted)
    late = [holder.pod for holder in found if not holder.has(wanted.wanted)]
    pending = marks(view, late, wanted.digest)
    if pending:
        return Plan(view.status, actions=pending)
    show(view, found, wanted)
    acknowledged = judge(view, found, wanted.wanted)
    count = len(wanted.entries)
    noun = "key is" if count == 1 else "keys are"
    text = f"{count} {noun} in Secret {view.spec.secret_name}"
    view.draft.set("Admitted", True, "Granted", "everything that it asks for is granted")
    view.draft.set("Ready", True, KEYS_DELIVERED, text)
    if not acknowledged:
        return Plan(view.status, requeue_after=_patience(view))
    later = IDLE_LOOK if wanted.settled else OTHERS_LOOK
    if wanted.renew_at is not None:
        left = (wanted.renew_at - view.context.now).total_seconds()
        later = min(later, max(0.1, left + 0.1))
    return Plan(view.status, requeue_after=later)


def _patience(view: View) -> float:
    """Seconds to the next look at pods that are awaited: soon at first."""
    waited = view.draft.seconds_since("Acknowledged")
    if waited < 20.0:
        return 1.0
    return 3.0 if waited < 120.0 else 15.0
