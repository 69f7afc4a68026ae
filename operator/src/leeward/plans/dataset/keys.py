"""The artefact key of a Dataset: made at once where owners seal to its public half, else found.

public-key   a pair is made, its public half published; a file sealed to an earlier pair of
             this Dataset, or of a published one of this namespace, is recognised by its id
symmetric    whoever sealed the file had the key: the file says which one it is
shared       the vault key is no random one: its copy is made at once, since whoever has the key
             elsewhere may have sealed the file, and calls it by its fingerprint
"""

from collections.abc import Sequence
from typing import cast

from leeward.api.algorithms import ALGORITHMS
from leeward.formats.material import public_jwk
from leeward.plans.dataset.view import View, public_key_name
from leeward.plans.shared.inventory import enter
from leeward.plans.shared.jobs import config_ref
from leeward.plans.shared.keyowners import check_key_owner_gone
from leeward.plans.shared.keys import KeyUse, check_key, ready_key
from leeward.plans.shared.model import (
    AdoptArtefactKey,
    Apply,
    ArtefactKeyInfo,
    ArtefactKeyOf,
    EnsureArtefactKey,
    Manifest,
    Plan,
    WriteStatus,
)
from leeward.plans.shared.names import metadata, random_id
from leeward.plans.shared.sources import made_under
from leeward.plans.shared.steps import drifted, progress
from leeward.plans.shared.verdict import Denied, Unseen


def plan_key(view: View) -> Plan | None:
    """What to do for the Dataset's key; None: nothing (more)."""
    use = view.key
    if use is None:
        return None
    verdict = check_key(use, view.observed)
    if verdict is not None:
        return view.stop(verdict)
    key = ready_key(use, view.observed).key
    asymmetric = ALGORITHMS[key.algorithm].key_class == "PublicKey"
    shared = key.origin.generate is None
    if "keyId" not in view.status:
        if not asymmetric and not shared:
            return None
        view.draft.put(keyId=random_id(view.context.random))
        return Plan(view.status, actions=(WriteStatus(),))
    # Made where it is not there, until somebody may have relied on it.
    relied_on = "publicKey" in view.status if asymmetric else "digest" in view.status or not shared
    info = _record(view, makes=not relied_on)
    if isinstance(info, Plan):
        return info
    if info.public_key is None:
        return None
    view.draft.put(publicKey=info.public_key)
    return _publish_public_half(view, info)


def adoptable(view: View, key_ids: Sequence[str]) -> ArtefactKeyInfo | Denied | Unseen:
    """The key among those that a file names which this Dataset may have.

    A file that names the key which it was just tried with is not tried with another one: whoever
    wrote it could name two, and have one inspection made after the other, with each in turn.
    """
    use = view.key
    if use is None:
        raise ValueError("a plain Dataset has no key")
    tried = view.status.get("keyId")
    needs = tuple(ArtefactKeyOf(key_id, or_fingerprint=True) for key_id in key_ids)
    unseen = tuple(need for need in needs if not view.observed.has(need))
    if unseen:
        return Unseen(unseen)
    for need in needs:
        info: ArtefactKeyInfo | None = view.observed.get(need)
        if info is None or not made_under(info, use, view.observed) or not _suits(view, info):
            continue
        if tried in key_ids or info.id == tried:
            break
        return check_key_owner_gone(info, view.owner.id, view.observed) or info
    return Denied(
        "SealedWithOtherKey",
        f"the file is sealed with {_listed(key_ids)}, none of which is a key that"
        f" this Dataset may have under {use.label}: {_remedy(view)}",
    )


def take_over(view: View, info: ArtefactKeyInfo) -> Plan | None:
    """Make a key this Dataset's own, so that its grants count and no other's; None: it is."""
    if info.owner == view.owner.id:
        return None
    if not _suits(view, info):
        return view.not_ready(
            Denied(
                "SealedWithOtherKey",
                f"the artefact key {info.id} was not made for this Dataset: create another one",
            )
        )
    verdict = check_key_owner_gone(info, view.owner.id, view.observed)
    if verdict is not None:
        return view.stop(verdict)
    adopt = AdoptArtefactKey(info.id, view.owner.id, info.owner)
    return view.carry_on(progress(view.observed, (adopt,)))


def _suits(view: View, info: ArtefactKeyInfo) -> bool:
    """Whether a key may become this Dataset's, once it belongs to no other."""
    made_for_this = info.owner.startswith(f"{view.owner.kind}/{view.owner.name}/")
    return info.namespace == view.owner.namespace and (info.published or made_for_this)


def _record(view: View, *, makes: bool) -> ArtefactKeyInfo | Plan:
    """What the key store knows of the Dataset's key.

    Args:
        view: The Dataset.
        makes: Whether the key is made where it is not there: its id was drawn for this Dataset,
            and no public half was ever shown.
    """
    key_id = view.status["keyId"]
    need = ArtefactKeyOf(key_id)
    if not view.observed.has(need):
        return Plan(view.status, needs=(need,))
    info: ArtefactKeyInfo | None = view.observed.get(need)
    use = view.key
    if info is not None and use is not None and not made_under(info, use, view.observed):
        return view.not_ready(
            Denied(
                "SealedWithOtherKey",
                f"the artefact key {key_id} of this Dataset was not made under {use.label}: create"
                " another Dataset, with the key that it was made under in spec.sealedWith",
            )
        )
    if info is not None:
        return take_over(view, info) or info
    make = None if use is None else make_key(view, use, key_id)
    made = None if make is None else view.observed.done(make)
    if made is not None and made.code == "Done":
        return cast(ArtefactKeyInfo, made.result)
    if make is None or not makes:
        return view.not_ready(
            Denied(
                "KeyLost",
                f"the artefact key {key_id} of this Dataset is gone, so nothing opens its file:"
                " restore its Secret in the operator's namespace from a backup, or delete this"
                " Dataset, create it again and seal the data anew",
            )
        )
    return view.carry_on(progress(view.observed, (make,))) or Plan(view.status)


def make_key(view: View, use: KeyUse, key_id: str) -> EnsureArtefactKey:
    """How an artefact key of this Dataset is made."""
    return EnsureArtefactKey(
        id=key_id,
        vault_namespace=use.namespace,
        vault=use.ref.vault.name,
        key=use.ref.key,
        namespace=view.owner.namespace,
        owner=view.owner.id,
    )


def public_key_map(view: View, info: ArtefactKeyInfo) -> Manifest:
    """The ConfigMap with the public half, for owners without the CLI."""
    pem = info.public_key or ""
    jwk = public_jwk(pem, info.id, info.algorithm)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(view.owner, public_key_name(view.owner), "public-key"),
        "data": {"public.pem": pem} | ({} if jwk is None else {"public.jwk": jwk}),
    }


def _publish_public_half(view: View, info: ArtefactKeyInfo) -> Plan | None:
    wanted = public_key_map(view, info)
    need = config_ref(view.owner.namespace, wanted["metadata"]["name"])
    if not view.observed.has(need):
        return Plan(view.status, needs=(need,))
    enter(view.draft, [need])
    if not drifted(view.observed.current(need), wanted):
        return None
    if view.draft.differs("publicKey", "children"):
        return Plan(view.status, actions=(WriteStatus(), Apply(wanted)))
    return view.carry_on(progress(view.observed, (Apply(wanted),)))


def _remedy(view: View) -> str:
    if "publicKey" in view.status:
        return (
            f"seal it to the public half of this Dataset (leeward dataset public-key"
            f" {view.owner.name}; leeward seal), put it in its place, and set annotation"
            " leeward.dev/inspect to a new value"
        )
    return (
        "name the key that it was sealed with in spec.sealedWith of a new Dataset, or put the file"
        " that belongs here in its place and set annotation leeward.dev/inspect to a new value"
    )


def _listed(key_ids: Sequence[str]) -> str:
    return f"key {', '.join(key_ids)}" if key_ids else "a key that it does not name"
