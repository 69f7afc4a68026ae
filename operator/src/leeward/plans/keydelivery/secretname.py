"""Whose the name of a Secret is, where several KeyDeliveries ask for the same one.

The one that was created first has it, also while nothing is granted to it: the pods that name the
Secret wait for its keys, and would else be given those of another one.
"""

from leeward.api.keydelivery import KEYDELIVERY
from leeward.api.meta import API_VERSION
from leeward.plans.keydelivery.view import View
from leeward.plans.shared.model import Listing, Manifest
from leeward.plans.shared.names import ref_of
from leeward.plans.shared.verdict import Denied, Unseen, Verdict


def check_name(view: View, *, is_refused: bool = False) -> Verdict:
    """Whether another KeyDelivery has the name.

    Args:
        view: The KeyDelivery that asks for it.
        is_refused: Whether a Secret of somebody else is there: a later one may have been faster.
    """
    place = view.owner.namespace, "spec.secretName", view.spec.secret_name
    need = Listing(API_VERSION, KEYDELIVERY.kind, *place)
    if not view.observed.has(need):
        return Unseen((need,))
    rank = _rank(view.resource)
    before = [
        found
        for found in view.observed.get(need)
        if found["metadata"]["uid"] != view.owner.uid
        and (_rank(found) < rank or (is_refused and _has_written(found)))
    ]
    if not before:
        return None
    # Looked at by name: whoever is looked at so wakes this one when it goes.
    first = ref_of(min(before, key=_rank))
    if not view.observed.has(first):
        return Unseen((first,))
    return Denied(
        "NameTaken",
        f"Secret {view.spec.secret_name} is that of KeyDelivery {first.name}, which has the same"
        " spec.secretName and came first: create this one anew with another spec.secretName, which"
        f" cannot be changed, or delete KeyDelivery {first.name}",
    )


def _rank(delivery: Manifest) -> tuple[str, str]:
    metadata = delivery["metadata"]
    return metadata["creationTimestamp"], metadata["name"]


def _has_written(delivery: Manifest) -> bool:
    return "writtenAt" in ((delivery.get("status") or {}).get("secret") or {})
