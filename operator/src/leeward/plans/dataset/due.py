"""Which replacement of a file's keys was asked for and is not done yet."""

import datetime

from leeward.plans.dataset.view import View
from leeward.plans.shared.conditions import parse_timestamp
from leeward.plans.shared.model import ArtefactKeyInfo, ArtefactKeyOf, Plan


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
