"""Whether the pods of a KeyDelivery may have what it asks for, and until when.

First everything is asked that grants and specs decide: what they deny is taken away from pods that
have it. Then what has to be there for the next step: where that is missing for a while, the pods
keep what they have.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from leeward.api.keydelivery import DeliveryItem
from leeward.plans.keydelivery.view import Content, View
from leeward.plans.shared.grants import data_grant_end, key_grant_end
from leeward.plans.shared.keys import (
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


@dataclass(frozen=True, slots=True)
class Admitted:
    """Everything is granted.

    Attributes:
        until: When the first grant ends that it depends on; None: none does.
    """

    until: datetime.datetime | None


def admit(view: View) -> Denied | Unseen | Admitted:
    """What grants and specs say of all items."""
    ends = []
    for item in view.spec.items:
        verdict = _permission(view, item)
        if verdict is not None:
            return verdict
        ends += list(_ends(view, item))
    return Admitted(min((end for end in ends if end is not None), default=None))


def content(view: View) -> Denied | Unseen | Content:
    """What the Secret is to hold now, once everything is granted."""
    found, grants = {}, []
    for item in view.spec.items:
        entries = _dataset_entries(view, item)
        if isinstance(entries, Denied | Unseen):
            return entries
        found[item.name] = entries
        use = _case(view, item).source_key
        if use is not None:
            grants.append(granted(use, "Open", view.owner, view.observed, view.context))
    return Content(found, tuple(grants))


def _case(view: View, item: DeliveryItem) -> Case:
    if item.dataset is None:
        raise ValueError("an item names exactly one thing")
    return Case(view.owner, view.spec.purpose, item.dataset, view.observed, view.context)


def _permission(view: View, item: DeliveryItem) -> Verdict:
    if item.dataset is None:
        return Denied(
            "FieldsWithoutEffect",
            f"spec.items[{item.name}]: this release delivers keys of Datasets only: remove it",
        )
    case = _case(view, item)
    verdict = check_source_exists(case)
    if verdict is not None:
        return verdict
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


def _ends(view: View, item: DeliveryItem) -> Iterator[datetime.datetime | None]:
    case = _case(view, item)
    use, now = case.source_key, view.context.now
    home = case.source_ref.namespace
    yield data_grant_end(case.dataset.grants, home, view.owner, view.spec.purpose, now)
    if use is not None:
        grants = declared_key(use, view.observed).grants
        yield key_grant_end(grants, use.namespace, view.owner, "Open", now)


def _dataset_entries(view: View, item: DeliveryItem) -> Denied | Unseen | tuple[ArtefactEntry, ...]:
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
    return tuple(entries)


def _version(view: View, item: str, info: ArtefactKeyInfo) -> int:
    """As it was first delivered: rotating a vault key touches no pod."""
    for known in view.status.get("items") or ():
        for key in known.get("keys") or ():
            if (known["name"], key["id"]) == (item, info.id):
                return int(key["version"])
    return info.version
