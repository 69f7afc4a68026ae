"""The vocabulary of plans: what a planner may ask to see, and what it may ask to be done.

The engine calls ``Planner.plan`` again and again with a growing ``Observed``: first the plan names
what it ``needs`` to see, then the ``actions`` to take, one batch at a time; every answer is put
into ``Observed`` and the planner asked again, until it needs nothing and asks for nothing. Then the
status is written, if it changed. A plan is a function of what is observed, so a crash between any
two steps is repaired by the next reconcile.
"""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from leeward.api.meta import Kind
from leeward.plans.shared.actions import (
    GENERATED,
    AckResult,
    Action,
    AdoptArtefactKey,
    Apply,
    CountDelivery,
    Create,
    Delete,
    DeleteSecret,
    DeliverKeys,
    DestroyRetiredKey,
    EnsureArtefactKey,
    EnsureKeyset,
    ForgetArtefactKey,
    KeyAction,
    Manifest,
    MarkPod,
    NewKey,
    PatchStatus,
    PublishArtefactKey,
    RetireArtefactKey,
    RetireVersion,
    RewrapArtefactKeys,
    RotateVaultKey,
    ShredArtefactKey,
    TendKeyset,
    WriteStatus,
)
from leeward.plans.shared.delivering import (
    ArtefactEntry,
    EnsureAuthority,
    IssuedLeaf,
    IssueLeaf,
    LeafEntry,
    LeafKey,
    PodEntry,
    PutKeys,
    RemoveKeys,
    TrustEntry,
    WrittenKeys,
)
from leeward.plans.shared.destruction import (
    ArtefactKeysOf,
    BackupsInfo,
    DestroyArtefactKey,
    ForgetVault,
    KeysetRecord,
    KeysetRecordOf,
    KnownBackupsOf,
    RemoveArtefactKeys,
    SetFinalizer,
    ShredVault,
)
from leeward.plans.shared.needs import (
    ORIGIN_REASONS,
    ArtefactKeyInfo,
    ArtefactKeyOf,
    DeliveriesOf,
    KeyFault,
    KeyNeed,
    KeysetInfo,
    KeysetOf,
    KeysOf,
    Listing,
    Need,
    ObjectRef,
    OriginReason,
    OriginRefusal,
    PodsHolding,
    PodsOf,
    ProgressOf,
    ProviderFault,
    ResultOf,
    RewrapResult,
    TendResult,
    VersionInfo,
    VersionState,
)
from leeward.plans.shared.usage import (
    Dependent,
    GrantUse,
    GrantUseOf,
    KeyUsage,
    KeyUsageOf,
    LaterVersion,
    VersionUsage,
)

__all__ = [
    "GENERATED",
    "ORIGIN_REASONS",
    "AckResult",
    "Action",
    "AdoptArtefactKey",
    "Apply",
    "ArtefactEntry",
    "ArtefactKeyInfo",
    "ArtefactKeyOf",
    "ArtefactKeysOf",
    "BackupsInfo",
    "Context",
    "CountDelivery",
    "Create",
    "Delete",
    "DeleteSecret",
    "DeliverKeys",
    "DeliveriesOf",
    "Dependent",
    "DestroyArtefactKey",
    "DestroyRetiredKey",
    "EnsureArtefactKey",
    "EnsureAuthority",
    "EnsureKeyset",
    "Event",
    "ForgetArtefactKey",
    "ForgetVault",
    "GrantUse",
    "GrantUseOf",
    "IssueLeaf",
    "IssuedLeaf",
    "KeyAction",
    "KeyFault",
    "KeyNeed",
    "KeyUsage",
    "KeyUsageOf",
    "KeysOf",
    "KeysetInfo",
    "KeysetOf",
    "KeysetRecord",
    "KeysetRecordOf",
    "KnownBackupsOf",
    "LaterVersion",
    "LeafEntry",
    "LeafKey",
    "Listing",
    "Manifest",
    "MarkPod",
    "Need",
    "NewKey",
    "ObjectRef",
    "Observed",
    "OriginReason",
    "OriginRefusal",
    "Outcome",
    "OutcomeCode",
    "PatchStatus",
    "Plan",
    "Planner",
    "PodEntry",
    "PodsHolding",
    "PodsOf",
    "ProgressOf",
    "ProviderFault",
    "PublishArtefactKey",
    "PutKeys",
    "RemoveArtefactKeys",
    "RemoveKeys",
    "ResultOf",
    "RetireArtefactKey",
    "RetireVersion",
    "RewrapArtefactKeys",
    "RewrapResult",
    "RotateVaultKey",
    "SetFinalizer",
    "ShredArtefactKey",
    "ShredVault",
    "TendKeyset",
    "TendResult",
    "TrustEntry",
    "VersionInfo",
    "VersionState",
    "VersionUsage",
    "WriteStatus",
    "WrittenKeys",
]

OutcomeCode = Literal[
    "Done",
    "Conflict",  # a name is taken by somebody else's object
    "Forbidden",  # the operator has no right: the namespace is not enabled
    "Invalid",  # the API server refused the object (quota, Pod Security, admission policy)
    "Retained",  # a keyset of an earlier vault is there
    "Retired",  # an artefact key has a successor, and is given to no workload any more
    "Unreadable",  # key material does not open; the result is a KeyFault or a ProviderFault
    "Outdated",  # a keyset is older than artefact keys under it; the result is a LaterVersion
    "Missing",  # something that the action needs is not there
    "Refused",  # a key cannot be had from its origin; the result is an OriginRefusal
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an action ended.

    Passing faults (429, 5xx, time-outs) are not outcomes: the engine ends the reconcile and tries
    again later, with backoff.

    Attributes:
        code: See ``OutcomeCode``.
        message: The API server's words, without values.
        result: What is there now (manifest, KeysetInfo, ArtefactKeyInfo), where that is known.
    """

    code: OutcomeCode
    message: str = ""
    result: Any = None


def _names(manifest: Manifest, ref: ObjectRef) -> bool:
    placed = manifest["metadata"]
    return (manifest["apiVersion"], manifest["kind"], placed["namespace"], placed["name"]) == (
        ref.api_version,
        ref.kind,
        ref.namespace,
        ref.name,
    )


@dataclass(slots=True)
class Observed:
    """What has been seen and done so far in this reconcile.

    Attributes:
        seen: By what was asked.
        outcomes: By what was done.
        read: What was made of what was seen, so that a large resource is parsed once.
    """

    seen: dict[Need, Any] = field(default_factory=dict)
    outcomes: dict[Action, Outcome] = field(default_factory=dict)
    read: dict[tuple[ObjectRef, type], Any] = field(default_factory=dict)

    def has(self, need: Need) -> bool:
        """Whether it was looked at."""
        return need in self.seen

    def get(self, need: Need) -> Any:
        """What was seen there; None where nothing is there."""
        return self.seen[need]

    def done(self, action: Action) -> Outcome | None:
        """How the action ended, or None where it was not done in this reconcile."""
        return self.outcomes.get(action)

    def current(self, ref: ObjectRef) -> Any:
        """The object as it is after what was done since it was seen; None where it is gone."""
        found = self.seen.get(ref)
        for action, outcome in self.outcomes.items():
            if outcome.code != "Done":
                continue
            if isinstance(action, Apply | Create) and _names(action.manifest, ref):
                found = outcome.result or action.manifest
            elif isinstance(action, Delete) and action.ref == ref:
                found = None
        return found


@dataclass(frozen=True, slots=True)
class Event:
    """An event for users. Condition changes make events of their own; this is for the rest."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """One step of a reconcile.

    Attributes:
        status: The status as it should be now (camelCase, complete). A child in the resource's
            namespace that the stored status lists in ``children`` and this one does not is deleted
            by the engine, when the rest of this status is stored; our own kinds are not.
        needs: Look at these, and plan again. While there are any, nothing else counts.
        actions: Do these in order, and plan again. The first that does not end Done ends the batch.
        requeue_after: Seconds until the next look, where no event will tell.
        events: Events to record when the reconcile ends.
    """

    status: Manifest
    needs: tuple[Need, ...] = ()
    actions: tuple[Action, ...] = ()
    requeue_after: float | None = None
    events: tuple[Event, ...] = ()


KUBE_SYSTEM: Final[Manifest] = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}
}


@dataclass(frozen=True, slots=True)
class Context:
    """What a plan may know of the world: the clock, randomness, and the installation.

    Attributes:
        now: Time of this reconcile, UTC.
        random: ``random(n)`` yields n random bytes.
        operator_namespace: Where the operator runs and keeps wrapped keys.
        masking_image: Image of the masking program.
        masking_models_image: The same with language models; None: the installation has none.
        image_pull_policy: For pods of ours.
        image_pull_secrets: Names of Secrets in the workload's namespace.
        operator_pod_labels: Labels of the operator's pods, for NetworkPolicies.
        name_servers: NetworkPolicy peers that pods ask for the addresses of stores.
    """

    now: datetime.datetime
    random: Callable[[int], bytes]
    operator_namespace: str
    masking_image: str
    masking_models_image: str | None = None
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    operator_pod_labels: Mapping[str, str] = field(default_factory=dict)
    name_servers: Sequence[Manifest] = (KUBE_SYSTEM,)


class Planner(Protocol):
    """One kind's plan. Implementations are stateless."""

    @property
    def kind(self) -> Kind:
        """The kind that it plans for."""

    @property
    def children(self) -> Sequence[tuple[str, str]]:
        """(apiVersion, kind) of what it makes and wants to hear of when it changes."""

    def plan(self, resource: Manifest, observed: Observed, context: Context) -> Plan:
        """The next step for this resource.

        A resource whose spec does not parse (a CRD older or newer than the operator) gets a plan
        with condition Ready=False, reason InvalidSpec, and nothing else.
        """
