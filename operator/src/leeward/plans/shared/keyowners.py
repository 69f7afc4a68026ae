"""Whose grants say who may use an artefact key: those of one Dataset, and of no other.

The record of the key names it. Else whoever may create a Dataset could name the file of another
one, and grant to themselves what that one does not.

    made for a Dataset, or for a workload ─▶ published: of the Dataset that appears
    ─▶ that Dataset is gone: of the Dataset that is created for the same file
"""

from leeward.api.dataset import DATASET
from leeward.api.meta import API_VERSION
from leeward.plans.shared.model import ArtefactKeyInfo, Manifest, ObjectRef, Observed
from leeward.plans.shared.verdict import Denied, Unseen, Verdict


def dataset_owner(name: str, uid: str) -> str:
    """How records name a Dataset."""
    return f"{DATASET.kind}/{name}/{uid}"


def is_of_other_dataset(holder: str, dataset: str) -> bool:
    """Whether the owner in a record is a Dataset with another name than this one.

    Of two with one name, the first is gone.
    """
    kind, name, _ = _parts(holder)
    return kind == DATASET.kind and name != _parts(dataset)[1]


def check_key_owner_gone(info: ArtefactKeyInfo, dataset: str, observed: Observed) -> Verdict:
    """The Dataset that a key belongs to is this one, or is not there any more."""
    if not is_of_other_dataset(info.owner, dataset):
        return None
    _, name, uid = _parts(info.owner)
    need = ObjectRef(API_VERSION, DATASET.kind, info.namespace, name)
    if not observed.has(need):
        return Unseen((need,))
    found: Manifest | None = observed.get(need)
    if found is None or found["metadata"]["uid"] != uid:
        return None
    return key_of_other_dataset(info, dataset)


def key_of_other_dataset(info: ArtefactKeyInfo, dataset: str) -> Denied:
    """What to say of a key that does not belong to this Dataset.

    Args:
        info: The key.
        dataset: ``Dataset/name/uid``, the one that would use it.
    """
    kind, name, _ = _parts(info.owner)
    if kind != DATASET.kind:
        who = (
            f"is {kind} {name}'s, which has not published what it opens: nothing uses it before"
            " that, and where it was deleted, nothing will: name another Dataset"
        )
    elif name == _parts(dataset)[1]:
        who = (
            f"belonged to an earlier Dataset {name}, which is gone: the one of that name now can"
            " take it over, and its condition Ready says whether it has"
        )
    else:
        who = (
            f"belongs to Dataset {name}, of which the grants say who may use it: use that one, and"
            " have its owner add a grant where one is missing; only when it is deleted can another"
            " Dataset take its file over"
        )
    return Denied("KeyOfOtherDataset", f"the artefact key {info.id} {who}")


def _parts(owner: str) -> tuple[str, str, str]:
    """Kind, name and UID."""
    kind, _, rest = owner.partition("/")
    name, _, uid = rest.partition("/")
    return kind, name, uid
