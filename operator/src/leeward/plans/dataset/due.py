"""Which replacement of a file's keys was asked for and is not done yet, and how it begins."""

import datetime

from leeward.plans.dataset import rewrapping
from leeward.plans.dataset.rewrapping import CONDITION
from leeward.plans.dataset.view import View
from leeward.plans.shared.conditions import (
    backoff,
    condition_of,
    is_true,
    parse_timestamp,
    timestamp,
)
from leeward.plans.shared.keys import check_key, ready_key
from leeward.plans.shared.model import ArtefactKeyInfo, ArtefactKeyOf, Plan, WriteStatus
from leeward.plans.shared.names import random_id
from leeward.plans.shared.verdict import Denied, Unseen, Verdict


def begin_if_due(view: View) -> Plan:
    """Record that a replacement begins, if one was asked for."""
    found = due_replacement(view)
    if isinstance(found, Plan):
        said = condition_of(view.status, CONDITION)
        if not found.needs and said is not None and said["status"] == "False":
            view.draft.set(CONDITION, True, "UpToDate", "nothing is left to do of what was asked")
        return found
    mode, at = found
    left = (at - view.context.now).total_seconds()
    if left > 0:
        return Plan(view.status, requeue_after=left)
    if not is_true(view.status, "Ready"):
        message = "the keys of the file are replaced as soon as this Dataset is ready"
        view.draft.set(CONDITION, False, "AwaitingDataset", message)
        return Plan(view.status)
    verdict = check_renewable(view)
    if isinstance(verdict, Unseen):
        return Plan(view.status, needs=verdict.needs)
    if isinstance(verdict, Denied):
        view.draft.set(CONDITION, False, verdict.reason, verdict.message)
        return Plan(view.status, requeue_after=backoff(view.draft.seconds_since(CONDITION)))
    view.draft.put(
        replacement={
            "mode": mode,
            "phase": "Adding",
            "keyId": random_id(view.context.random),
            "previousKeyId": view.status["keyId"],
            "startedAt": timestamp(view.context.now),
        }
    )
    rewrapping.say(view)
    if mode == "Rewrap":
        rewrapping.announce(view, rewrapping.adding(view))
    return Plan(view.status, actions=(WriteStatus(),))


def check_renewable(view: View) -> Verdict:
    """Whether a new artefact key would be another key; ``due_replacement`` has seen the old one.

    Under a vault key that was not generated, artefact keys are copies of the version that was
    primary when they were made: without a later version, the new one would be the old one.
    """
    use = view.key
    if use is None:
        return None
    verdict = check_key(use, view.observed)
    if verdict is not None:
        return verdict
    known = ready_key(use, view.observed)
    info: ArtefactKeyInfo = view.observed.get(ArtefactKeyOf(view.status["keyId"]))
    is_older = parse_timestamp(info.created_at) < parse_timestamp(known.made_at)
    if known.key.origin.generate is not None or is_older:
        return None
    vault = use.ref.vault.name
    return Denied(
        "SharedKey",
        f"{use.label} was not generated, so a new artefact key would be the same key once more, and"
        " whoever has it would still open the file: first have that key replaced (leeward keys"
        f" rotate {vault} {use.ref.key} -n {use.namespace}), or take this request back",
    )


def due_replacement(view: View) -> tuple[str, datetime.datetime] | Plan:
    """What was asked for and not done yet, and when it is due."""
    asked = view.spec.rotation
    if asked is None or "keyId" not in view.status or "sourceId" not in view.status:
        return Plan(view.status)
    need = ArtefactKeyOf(view.status["keyId"])
    if not view.observed.has(need):
        return Plan(view.status, needs=(need,))
    info: ArtefactKeyInfo | None = view.observed.get(need)
    if info is None:
        return Plan(view.status)
    created = view.resource["metadata"]["creationTimestamp"]
    wishes = (
        ("Reencrypt", asked.reencrypted_after, view.status.get("reencryptedAt", created)),
        ("Rewrap", asked.renewed_after, info.created_at),
    )
    due = [
        (_whole(moment), mode)
        for mode, moment, done in wishes
        if moment is not None and _whole(moment) > parse_timestamp(done)
    ]
    if not due:
        return Plan(view.status)
    # What encrypts anew makes a new artefact key, too: where both are due, it alone is done.
    now = view.context.now
    at, mode = min(due, key=lambda wish: (max(wish[0], now), wish[1]))
    return mode, at


def _whole(moment: str) -> datetime.datetime:
    """The first whole second that is not before it: what is made then is dated to it."""
    exact = parse_timestamp(moment.upper())
    whole = exact.replace(microsecond=0)
    return whole if whole == exact else whole + datetime.timedelta(seconds=1)
