"""The claim to the name of an output: one object, which only one workload can make.

Two workloads that are admitted at the same instant both find the name free. Each creates the
ConfigMap ``output-NAME`` before anything else, and the API server lets one of them. The claim goes
with its owner, and is given back when the owner has ended. It is not in the inventory: what is
struck out there is deleted by its name, whoever it belongs to.
"""

from typing import Final

from leeward.api import KINDS_BY_NAME
from leeward.api.meta import API_VERSION
from leeward.plans.shared.conditions import is_over
from leeward.plans.shared.model import Action, Create, Delete, Manifest, ObjectRef, Observed
from leeward.plans.shared.names import (
    KIND_LABEL,
    NAME_LABEL,
    ROLE_LABEL,
    UID_ANNOTATION,
    Owner,
    metadata,
    ref_of,
)
from leeward.plans.shared.verdict import Denied, Unseen, Verdict

ROLE: Final = "output-name"
_PREFIX: Final = "output-"


def claim_of(owner: Owner, dataset: str) -> Manifest:
    """The claim of a workload to the name of the Dataset that it makes."""
    placed = metadata(owner, f"{_PREFIX}{dataset}", ROLE)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": placed}


def check_claim_free(claim: Manifest, observed: Observed) -> Verdict:
    """Nobody else holds it who has not ended."""
    ref = ref_of(claim)
    if not observed.has(ref):
        return Unseen((ref,))
    found: Manifest | None = observed.current(ref)
    if found is None or _uid(found) == _uid(claim):
        return None
    holder = _holder(found)
    if holder is None:
        return contested(claim, found)
    # Looking at it also has the engine come back when it changes.
    if not observed.has(holder):
        return Unseen((holder,))
    other: Manifest | None = observed.get(holder)
    if other is None or other["metadata"]["uid"] != _uid(found):
        return None
    return None if is_over(other.get("status") or {}) else contested(claim, found)


def claim_steps(claim: Manifest, observed: Observed) -> list[Action]:
    """How a claim that is free is made; where somebody who has ended left one, it goes first."""
    found = observed.current(ref_of(claim))
    if found is None:
        return [Create(claim)]
    if _uid(found) == _uid(claim):
        return []
    return [Delete(ref_of(claim), found["metadata"]["uid"]), Create(claim)]


def release_steps(claim: Manifest, observed: Observed) -> list[Action]:
    """How the claim is given back, where it is held."""
    found = observed.current(ref_of(claim))
    if found is None or _uid(found) != _uid(claim):
        return []
    return [Delete(ref_of(claim), found["metadata"]["uid"])]


def contested(claim: Manifest, found: Manifest) -> Denied:
    """What to say where another workload holds the claim."""
    holder = _holder(found)
    name = claim["metadata"]["name"].removeprefix(_PREFIX)
    who = f"ConfigMap {_PREFIX}{name} says that somebody else"
    if holder is not None:
        who = f"{holder.kind} {holder.name}"
    return Denied(
        "OutputNameTaken",
        f"{who} is about to make a Dataset {name}: name another one in spec.output.dataset, or"
        f" delete that {holder.kind if holder else 'ConfigMap'}",
    )


def is_claim(manifest: Manifest) -> bool:
    """Whether it is an object of this kind."""
    return (manifest["metadata"].get("labels") or {}).get(ROLE_LABEL) == ROLE


def _holder(found: Manifest) -> ObjectRef | None:
    if not is_claim(found):
        return None
    placed = found["metadata"]
    named = placed["labels"]
    # Whoever may create ConfigMaps writes these as they like.
    if named.get(KIND_LABEL) not in KINDS_BY_NAME or NAME_LABEL not in named:
        return None
    return ObjectRef(API_VERSION, named[KIND_LABEL], placed["namespace"], named[NAME_LABEL])


def _uid(manifest: Manifest) -> str | None:
    uid: str | None = (manifest["metadata"].get("annotations") or {}).get(UID_ANNOTATION)
    return uid
