"""Whether the pods of a KeyDelivery may have what it asks for, and until when.

First everything is asked that grants and specs decide: what they deny is taken away from pods that
have it. Then what has to be there for the next step: where that is missing for a while, the pods
keep what they have.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from leeward.api.keydelivery import DeliveryItem
from leeward.plans.keydelivery.certificates import certified, item_content, permission
from leeward.plans.keydelivery.view import Content, ItemContent, Todo, View
from leeward.plans.shared.grants import data_grant_end, key_grant_end
from leeward.plans.shared.keys import (
    KeyUse,
    check_key_declared,
    check_key_grant,
    check_key_permitted,
    check_key_ready,
    declared_key,
    granted,
)
from leeward.plans.shared.model import ArtefactEntry, ArtefactKeyInfo, ArtefactKeyOf
from leeward.plans.shared.sources import (
    Case,
    check_artefact_key,
    check_data_grant,
    check_source_exists,
    live_key_ids,
)
from leeward.plans.shared.verdict import Denied, Unseen, Verdict

REVOKING: Final = frozenset(
    {
        "KeyMissing",
        "KeyNotGranted",
        "KeyOfOtherDataset",
        "NotGranted",
        "SealedWithOtherKey",
        "SourceMissing",
        "VaultMissing",
    }
)
"""Reasons for which keys are taken away from pods that have them. A request that is wrong is no
reason: nothing new is issued, and what was ends by itself."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """Everything is granted.

    Attributes:
        until: When the first grant ends that it may depend on; None: none does.
    """

    until: datetime.datetime | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Something is not granted, or cannot be.

    Attributes:
        denied: What, and what to do.
        revokes: Whether pods have it: then it is taken away.
    """

    denied: Denied
    revokes: bool


def admit(view: View) -> Refused | Unseen | Admitted:
    """What grants and specs say of all items; what pods have that is denied comes first."""
    ends: list[datetime.datetime] = []
    held: Refused | None = None
    for item in view.spec.items:
        verdict = _permission(view, item) or _vaults_stay(view, item)
        if isinstance(verdict, Unseen):
            return verdict
        if verdict is None:
            ends += [end for end in _ends(view, item) if end is not None]
        elif verdict.reason not in REVOKING or not view.stored_item(item.name):
            held = held or Refused(verdict, revokes=False)
        else:
            return Refused(verdict, revokes=True)
    return held or Admitted(min(ends, default=None))


def content(view: View) -> Denied | Unseen | Todo | Content:
    """What the Secret is to hold now, once everything is granted."""
    found: dict[str, ItemContent] = {}
    grants = []
    for item in view.spec.items:
        known = certified(view, item)
        made = item_content(view, known) if known else _dataset_content(view, item)
        if not isinstance(made, ItemContent):
            return made
        found[item.name] = made
        for use, operation in _uses(view, item):
            grants.append(granted(use, operation, view.owner, view.observed, view.context))
    return Content(found, tuple(grants))


def _uses(view: View, item: DeliveryItem) -> Iterator[tuple[KeyUse, str]]:
    """The keys that an item depends on, and for which operations."""
    known = certified(view, item)
    if known is not None:
        yield known.use, known.operation
        return
    use = _case(view, item).source_key
    if use is not None:
        yield use, "Open"


def _case(view: View, item: DeliveryItem) -> Case:
    if item.dataset is None:
        raise ValueError("an item names exactly one thing")
    return Case(view.owner, view.spec.purpose, item.dataset, view.observed, view.context)


def _permission(view: View, item: DeliveryItem) -> Verdict:
    known = certified(view, item)
    if known is not None:
        return permission(view, known)
    case = _case(view, item)
    verdict = check_source_exists(case)
    if verdict is not None:
        return verdict
    if "deletionTimestamp" in view.observed.get(case.source_ref)["metadata"]:
        return Denied("SourceMissing", f"{case.source_label} is being deleted: remove {item.name}")
    use = case.source_key
    if use is None:
        return Denied(
            "SourceNotSealed",
            f"{case.source_label} is not sealed, so there is no key to deliver: remove item"
            f" {item.name}, or name a sealed Dataset",
        )
    return (
        check_data_grant(case)
        or check_key_declared(use, view.observed)
        or check_key_permitted(use, "Open", view.owner, view.observed, view.context)
    )


def _vaults_stay(view: View, item: DeliveryItem) -> Verdict:
    """A vault may take its time to go: until its last backup is known to be gone."""
    for use, _ in _uses(view, item):
        if "deletionTimestamp" in view.observed.get(use.vault_ref)["metadata"]:
            return Denied("VaultMissing", f"{use.label} goes: that KeyVault is being deleted")
    return None


def _ends(view: View, item: DeliveryItem) -> Iterator[datetime.datetime | None]:
    now = view.context.now
    if item.dataset is not None:
        case = _case(view, item)
        home = case.source_ref.namespace
        yield data_grant_end(case.dataset.grants, home, view.owner, view.spec.purpose, now)
    for use, operation in _uses(view, item):
        grants = declared_key(use, view.observed).grants
        yield key_grant_end(grants, use.namespace, view.owner, operation, now)


def _dataset_content(view: View, item: DeliveryItem) -> Denied | Unseen | ItemContent:
    case = _case(view, item)
    use = case.source_key
    if use is None:
        raise ValueError("what is not sealed was denied")
    verdict = check_key_ready(use, view.observed) or check_key_grant(
        use, "Open", view.owner, view.observed, view.context
    )
    if verdict is not None:
        return verdict
    key_ids = live_key_ids(case.dataset_status)
    if not key_ids:
        return Denied("AwaitingSource", f"{case.source_label} has no key yet: wait for it")
    entries = []
    for key_id in key_ids:
        verdict = check_artefact_key(case, key_id)
        if verdict is not None:
            return verdict
        info: ArtefactKeyInfo = view.observed.get(ArtefactKeyOf(key_id))
        entries.append(ArtefactEntry(item.name, key_id, _version(view, item.name, info)))
    return ItemContent(tuple(entries))


def _version(view: View, item: str, info: ArtefactKeyInfo) -> int:
    """As it was first delivered: rotating a vault key touches no pod."""
    for key in view.stored_item(item).get("keys") or ():
        if key["id"] == info.id:
            return int(key["version"])
    return info.version
