"""The plan of a KeyVault: its keyset is made once, and watched from then on.

Its keys get new versions when these are due. Nothing of a keyset is ever made anew. Where it is
gone, belongs to an earlier vault, or does not open, the conditions say so and what to do.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from leeward.api.keyvault import ADOPT_ANNOTATION, KEYVAULT, KeyVaultSpec
from leeward.api.meta import Kind
from leeward.formats.provider import TransitSettings
from leeward.plans.keyvault import outdated, provider
from leeward.plans.keyvault.authorities import tend as tend_authorities
from leeward.plans.keyvault.authorities import unused
from leeward.plans.keyvault.distribution import Distribution, distribution, show_pending
from leeward.plans.keyvault.origins import conflict, made_events, refusal, set_shared, wanted
from leeward.plans.keyvault.publickeys import publish
from leeward.plans.keyvault.rotation import RotationStep, beyond_primary, steps
from leeward.plans.keyvault.round import Round
from leeward.plans.keyvault.showing import show
from leeward.plans.keyvault.shredding import plan_deletion
from leeward.plans.keyvault.versions import Shredding, shred_versions
from leeward.plans.shared.conditions import StatusDraft, backoff, condition_of
from leeward.plans.shared.look import Look, read
from leeward.plans.shared.model import (
    Context,
    EnsureAuthority,
    EnsureKeyset,
    Event,
    KeysetInfo,
    KeysetOf,
    KeyUsageOf,
    LaterVersion,
    Manifest,
    Observed,
    OriginRefusal,
    Outcome,
    Plan,
    ProviderFault,
    RetireVersion,
    RewrapArtefactKeys,
    RewrapResult,
    RotateVaultKey,
)
from leeward.plans.shared.names import FINALIZER, Owner, random_id
from leeward.plans.shared.shredding import WAITING, with_finalizer
from leeward.plans.shared.verdict import Denied, key_fault

REWRAP_PAUSE: Final = 0.5
"""Seconds between two batches of artefact keys: others get a turn."""
STEPS_AT_ONCE: Final = 4
"""Steps of rotations in one reconcile: each may also have public halves and trust published."""
USERS_PAUSE: Final = 15.0
"""Seconds between looks at pods that use certificates of a version which is to be disabled."""


def latest(observed: Observed, info: KeysetInfo) -> KeysetInfo:
    """The keyset after what was done to it since it was read."""
    info = provider.latest(observed, info)
    for action, outcome in observed.outcomes.items():
        if isinstance(
            action, RotateVaultKey | RewrapArtefactKeys | RetireVersion | EnsureAuthority
        ):
            found = outcome.result
            found = found.info if isinstance(found, RewrapResult) else found
            info = found if isinstance(found, KeysetInfo) else info
    return info


class KeyVaultPlanner:
    """Makes the keyset of a KeyVault and says how it stands."""

    @property
    def kind(self) -> Kind:
        """KeyVault."""
        return KEYVAULT

    @property
    def children(self) -> Sequence[tuple[str, str]]:
        """Public halves; its keyset stands wrapped in the operator's namespace."""
        return (("v1", "ConfigMap"),)

    def plan(self, resource: Manifest, observed: Observed, context: Context) -> Plan:
        """The next step for this KeyVault."""
        owner = Owner.of(resource)
        if owner.deleting and FINALIZER not in resource["metadata"].get("finalizers", ()):
            return Plan(resource.get("status") or {})
        known = read(resource, KeyVaultSpec, context)
        if isinstance(known, Plan):
            return known
        spec, draft = known
        if owner.deleting:
            return plan_deletion(Look(resource, owner, spec, draft, observed, context))
        shreds = spec.deletion_policy == "Shred"
        marked = with_finalizer(resource, observed, wanted=shreds)
        if marked is not None:
            return marked
        draft.put(provider=spec.provider.name)
        ensured = _ensured(observed)
        if ensured is not None:
            return _after(owner, spec, draft, ensured, observed, context)
        return _look(owner, spec, draft, observed, context)


def _look(
    owner: Owner, spec: KeyVaultSpec, draft: StatusDraft, observed: Observed, context: Context
) -> Plan:
    known = draft.status.get("vaultId")
    if known is None:
        # Most vaults are new: making the keyset straight away saves looking for it first.
        return Plan(draft.status, actions=(_ensure(owner, spec, random_id(context.random)),))
    need = KeysetOf(owner.namespace, owner.name)
    if not observed.has(need):
        return Plan(draft.status, needs=(need,))
    info: KeysetInfo | None = observed.get(need)
    if info is None:
        return _not_ready(
            draft,
            "KeysetLost",
            f"the keyset {known} of this vault is gone, and with it every key in it; no new one is"
            " made in its place: restore its Secret in the operator's namespace from a backup, or"
            " delete this KeyVault and create it again to start with new keys",
        )
    # Its provider may be reached by what the KeyVault says now.
    is_moved = info.transit != TransitSettings.of(spec.provider)
    if not info.readable and not (is_moved and isinstance(info.fault, ProviderFault)):
        return _unreadable(draft, Outcome("Unreadable", "", info.fault))
    is_other = info.owner_uid != owner.uid or info.vault_id != known
    if is_other or is_moved or _lacking(spec, info):
        return Plan(draft.status, actions=(_ensure(owner, spec, known),))
    round_ = Round(latest(observed, info), observed, context.now, info)
    return _ready(owner, spec, draft, round_)


def _ensure(owner: Owner, spec: KeyVaultSpec, vault_id: str) -> EnsureKeyset:
    return EnsureKeyset(
        namespace=owner.namespace,
        vault=owner.name,
        uid=owner.uid,
        vault_id=vault_id,
        keys=wanted(spec),
        adopt=owner.annotations.get(ADOPT_ANNOTATION),
        transit=TransitSettings.of(spec.provider),
    )


def _ensured(observed: Observed) -> Outcome | None:
    """How making the keyset ended; the action holds a random id, so it is found by its type."""
    for action, outcome in observed.outcomes.items():
        if isinstance(action, EnsureKeyset):
            return outcome
    return None


def _after(
    owner: Owner,
    spec: KeyVaultSpec,
    draft: StatusDraft,
    ensured: Outcome,
    observed: Observed,
    context: Context,
) -> Plan:
    match ensured.code:
        case "Done":
            info: KeysetInfo = ensured.result
            round_ = Round(latest(observed, info), observed, context.now, info)
            return _ready(owner, spec, draft, round_)
        case "Retained":
            return _retained(owner, draft, ensured.result)
        case "Unreadable":
            return _unreadable(draft, ensured)
        case _:
            return _not_ready(
                draft,
                "KeysetRefused",
                f"the keyset could not be stored in the operator's namespace: {ensured.message}."
                " Check the operator's Role and quotas there",
            )


def _retained(owner: Owner, draft: StatusDraft, info: KeysetInfo) -> Plan:
    given = ADOPT_ANNOTATION in owner.annotations
    other = f"; the id in annotation {ADOPT_ANNOTATION} now is not its id" if given else ""
    return _not_ready(
        draft,
        "KeysetRetained",
        f"the keyset {info.vault_id} of an earlier KeyVault with this name was retained, and is not"
        f" given to another one unasked{other}: to take it over, run: kubectl annotate keyvault"
        f" {owner.name} -n {owner.namespace} --overwrite {ADOPT_ANNOTATION}={info.vault_id} (or"
        " choose another name for this vault)",
    )


def _unreadable(draft: StatusDraft, outcome: Outcome) -> Plan:
    fault = key_fault(outcome.result)
    if isinstance(outcome.result, ProviderFault):
        provider.unavailable(draft, outcome)
    return _not_ready(draft, fault.reason, fault.message)


def _not_ready(draft: StatusDraft, reason: str, message: str) -> Plan:
    draft.set("Ready", False, reason, message)
    return Plan(draft.status, requeue_after=backoff(draft.seconds_since("Ready")))


def _ready(owner: Owner, spec: KeyVaultSpec, draft: StatusDraft, round_: Round) -> Plan:
    info = round_.info
    if not info.readable:
        return _unreadable(draft, Outcome("Unreadable", "", info.fault))
    need = _usage_of(owner, info)
    if not round_.observed.has(need):
        return Plan(draft.status, needs=(need,))
    spread = distribution(owner, spec, info, round_.observed)
    if spread.needs:
        return Plan(draft.status, needs=spread.needs)
    show(spec, draft, info, round_.observed.get(need))
    show_pending(draft, spread)
    unlike = conflict(spec, info)
    if unlike is not None:
        return _not_ready(draft, *unlike)
    set_shared(spec, draft, info)
    refused = dict(round_.ensured.refused)
    if refused:
        draft.set("Ready", False, *refusal(refused))
    else:
        plural = "key is" if len(spec.keys) == 1 else "keys are"
        draft.set("Ready", True, "KeysReady", f"{len(spec.keys)} {plural} ready")
    published = publish(owner, draft, info, round_.observed)
    if isinstance(published, Denied):
        return _not_ready(draft, published.reason, published.message)
    shredding = shred_versions(owner, spec, draft, info, round_)
    if isinstance(shredding, Plan):
        return shredding
    authorities = tend_authorities(owner, spec, draft, info, round_.observed)
    plan = published or authorities or _tended(owner, spec, draft, round_, shredding, spread)
    again = [backoff(draft.seconds_since("Ready"))] if refused else []
    again += [WAITING] if shredding.waits else []
    if plan.requeue_after is not None:
        again.append(plan.requeue_after)
    events = (*made_events(spec, round_.ensured), *plan.events)
    return replace(plan, requeue_after=min(again, default=None), events=events)


def _tended(
    owner: Owner,
    spec: KeyVaultSpec,
    draft: StatusDraft,
    round_: Round,
    shredding: Shredding,
    spread: Distribution,
) -> Plan:
    """The next step of a rotation, after its provider was asked where it has one."""
    if round_.info.transit is None:
        return _rotate(owner, spec, draft, round_, shredding, spread)
    asked = provider.tend(owner, draft, round_.info.transit, round_.observed)
    if isinstance(asked, Plan):
        return asked
    return provider.sooner(_rotate(owner, spec, draft, round_, shredding, spread), asked)


def _rotate(
    owner: Owner,
    spec: KeyVaultSpec,
    draft: StatusDraft,
    round_: Round,
    shredding: Shredding,
    spread: Distribution,
) -> Plan:
    """The next step of a rotation that is due, or when one will be."""
    now = round_.now
    due = steps(owner, spec, round_.info, now, shredding.allowed)
    known = unused(owner, spec, [step for step in due if step.at <= now], round_.observed)
    if known.needs:
        return Plan(draft.status, needs=known.needs)
    begun = known.free
    pending = tuple(step.step for step in begun if round_.observed.done(step.step) is None)
    if pending:
        return _next(draft, pending, round_.observed)
    vault_id = round_.info.vault_id
    ended = ((round_.observed.done(due.step), due.step) for due in begun)
    failures = tuple(filter(None, (_failure(*end, vault_id) for end in ended)))
    moving = [
        outcome.result.left
        for step in begun
        if (outcome := round_.observed.done(step.step)) and isinstance(outcome.result, RewrapResult)
    ]
    if failures:
        draft.set("RotationComplete", False, *failures[0])
        return Plan(draft.status, requeue_after=backoff(draft.seconds_since("RotationComplete")))
    if moving:
        draft.set(
            "RotationComplete",
            False,
            "Rewrapping",
            f"{sum(moving)} artefact keys are still to be wrapped by the primary versions of their"
            " keys; this goes on by itself, and touches no file and no pod",
        )
        return Plan(draft.status, requeue_after=REWRAP_PAUSE)
    if begun:  # what was done has to be done again: something came between
        return Plan(draft.status, requeue_after=REWRAP_PAUSE)
    if spread.messages or known.waiting:
        said = ("AwaitingConsumers", spread.messages[0]) if spread.messages else None
        said = said or ("CertificatesInUse", known.waiting[0].message)
        draft.set("RotationComplete", False, *said)
        return Plan(draft.status, requeue_after=USERS_PAUSE, events=_events(round_.observed))
    _say_complete(owner, spec, draft, round_)
    later = [(step.at - now).total_seconds() for step in due if step.at > now]
    return Plan(
        draft.status,
        requeue_after=min(later, default=None),
        events=_events(round_.observed),
    )


def _say_complete(owner: Owner, spec: KeyVaultSpec, draft: StatusDraft, round_: Round) -> None:
    """Say that nothing is left to be done, or why it is not so."""
    beyond = beyond_primary(owner, spec, round_.info)
    if beyond is not None:
        draft.set("RotationComplete", False, "MinimumVersionTooHigh", beyond)
        return
    if outdated.say_outdated(
        draft, round_.info, round_.observed.get(_usage_of(owner, round_.info))
    ):
        return
    rotated = any(len(versions) > 1 for versions in round_.info.history.values())
    if rotated or condition_of(draft.status, "RotationComplete") is not None:
        draft.set(
            "RotationComplete",
            True,
            "Complete",
            "every artefact key is wrapped by the primary version of its key",
        )


def _usage_of(owner: Owner, info: KeysetInfo) -> KeyUsageOf:
    return KeyUsageOf(owner.namespace, owner.name, info.vault_id)


def _next(draft: StatusDraft, pending: Sequence[RotationStep], observed: Observed) -> Plan:
    """Do the next step; of many (an operator was away for long) some are left for later."""
    done = sum(isinstance(action, RotationStep) for action in observed.outcomes)
    if done < STEPS_AT_ONCE:
        return Plan(draft.status, actions=(pending[0],))
    return Plan(draft.status, requeue_after=REWRAP_PAUSE, events=_events(observed))


def _failure(outcome: Outcome | None, step: RotationStep, vault_id: str) -> tuple[str, str] | None:
    if outcome is None:
        return None
    if isinstance(outcome.result, RewrapResult) and outcome.result.stuck:
        names = ", ".join(outcome.result.stuck[:3])
        return (
            "ArtefactKeysDamaged",
            f"{len(outcome.result.stuck)} artefact keys of key {step.key} do not open, so the"
            f" versions that may wrap them are kept: restore their Secrets in the operator's"
            f" namespace from a backup, or delete them if their files are not needed ({names})",
        )
    if isinstance(outcome.result, LaterVersion):
        return outdated.REASON, outdated.described(outcome.result, vault_id)
    if isinstance(outcome.result, OriginRefusal):
        return outcome.result.reason, f"key {step.key} got no new version: {outcome.message}"
    match outcome.code:
        case "Done":
            return None
        case "Unreadable":
            fault = key_fault(outcome.result)
            return fault.reason, fault.message
        case _:
            return (
                "RotationRefused",
                f"key {step.key} could not be rotated: {outcome.message}. Check the operator's Role"
                " and quotas in its namespace; where the keyset is too large for a Secret, set"
                " rotation.destroyAfter, so that old versions go",
            )


def _events(observed: Observed) -> tuple[Event, ...]:
    made = []
    for action, outcome in observed.outcomes.items():
        if outcome.code != "Done":
            continue
        match action:
            case RotateVaultKey(key=key, primary=old):
                made.append(Event("Normal", "KeyRotated", f"key {key}: version {old} was replaced"))
            case RetireVersion(key=key, version=version, state=state):
                text = f"key {key}: version {version} was {state.lower()}"
                made.append(Event("Normal", f"Version{state}", text))
    return tuple(made)


def _lacking(spec: KeyVaultSpec, info: KeysetInfo) -> bool:
    return any(key.name not in info.versions for key in spec.keys)
