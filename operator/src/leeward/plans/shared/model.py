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
from typing import Any, Literal, Protocol, TypeAlias

from leeward.api.meta import Kind

Manifest: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One API object, by name. Reading it yields its manifest, or None where it does not exist."""

    api_version: str
    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class PodsOf:
    """The pods of one Job. Reading it yields a list of manifests."""

    namespace: str
    job: str


@dataclass(frozen=True, slots=True)
class ProgressOf:
    """``/progress`` of a running pod. Reading it yields a document, or None without an answer."""

    namespace: str
    pod: str
    ip: str


@dataclass(frozen=True, slots=True)
class ResultOf:
    """``/result`` of a pod whose result is too large for its termination message.

    Reading it yields the document with that digest, or None if it does not answer (yet).
    """

    namespace: str
    pod: str
    ip: str
    digest: str


@dataclass(frozen=True, slots=True)
class KeysetOf:
    """What is known of a vault's keyset, without material: a ``KeysetInfo``, or None."""

    namespace: str
    vault: str


@dataclass(frozen=True, slots=True)
class ArtefactKeyOf:
    """What is known of an artefact key, without material: an ``ArtefactKeyInfo``, or None.

    Attributes:
        id: 32 hexadecimal digits.
        or_fingerprint: Whether the id may be the fingerprint of a public half instead.
    """

    id: str
    or_fingerprint: bool = False


KeyFault = Literal["RootKeyLost", "RootKeyReplaced", "Damaged"]
"""Why wrapped keys do not open: no root key, another one, or the wrapped bytes are damaged."""

Need: TypeAlias = ObjectRef | PodsOf | ProgressOf | ResultOf | KeysetOf | ArtefactKeyOf


@dataclass(frozen=True, slots=True)
class KeysetInfo:
    """A vault's keyset as the key store sees it: no material.

    Attributes:
        vault_id: Its random id, 32 hexadecimal digits.
        owner_uid: UID of the KeyVault that it belongs to.
        versions: Key name -> (algorithm, primary version, RFC 3339 time of its creation).
        readable: Whether the root key opens it.
        fault: Why not, where it is not readable.
    """

    vault_id: str
    owner_uid: str
    versions: Mapping[str, tuple[str, int, str]]
    readable: bool = True
    fault: KeyFault | None = None


@dataclass(frozen=True, slots=True)
class ArtefactKeyInfo:
    """An artefact key as the key store sees it: no material.

    Attributes:
        id: 32 hexadecimal digits.
        vault_id: The vault whose key wraps it.
        key: Name of that key.
        version: Version of that key.
        algorithm: Its own algorithm.
        namespace: Namespace of the vault's user for which it was made.
        owner: ``Kind/name/uid`` of the resource for which it was made.
        public_key: PEM of the public half, for asymmetric algorithms.
        published: Whether the artefact that it opens has been published.
        artefact: (claim, path) of the file that a workload writes with it; None for other keys.
        created_at: RFC 3339 time of its creation.
    """

    id: str
    vault_id: str
    key: str
    version: int
    algorithm: str
    namespace: str
    owner: str
    public_key: str | None = None
    published: bool = False
    artefact: tuple[str, str] | None = None
    created_at: str = ""


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """Store the plan's status before anything after it in the batch is done (write-ahead).

    It is a compare-and-swap on the resource as it was read. The planner is asked again with the
    resource as it is stored then. Alone among the actions, it may be asked for repeatedly.
    """


@dataclass(frozen=True, slots=True)
class Apply:
    """Server-side apply, with this kind's field manager."""

    manifest: Manifest = field(hash=False)


@dataclass(frozen=True, slots=True)
class Create:
    """Create once; where it is there already, that is as good (the answer is what is there)."""

    manifest: Manifest = field(hash=False)


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete, with background propagation; where it is gone already, that is as good."""

    ref: ObjectRef


@dataclass(frozen=True, slots=True)
class PatchStatus:
    """Write the status of another resource of ours (of an output that a job publishes)."""

    ref: ObjectRef
    status: Manifest = field(hash=False)


@dataclass(frozen=True, slots=True)
class AckResult:
    """Tell a pod that its ``/result`` was taken over (HTTP DELETE), so that it can end."""

    namespace: str
    pod: str
    ip: str


@dataclass(frozen=True, slots=True)
class EnsureKeyset:
    """Make the vault's keyset, or add the keys that it lacks. Never changes a key that is there.

    Attributes:
        namespace, vault, uid: The KeyVault.
        vault_id: Id for a keyset that is made now.
        keys: Name -> algorithm.
        adopt: Id of a retained keyset that may be taken over.
    """

    namespace: str
    vault: str
    uid: str
    vault_id: str
    keys: tuple[tuple[str, str], ...]
    adopt: str | None = None


@dataclass(frozen=True, slots=True)
class EnsureArtefactKey:
    """Make the artefact key with this id under the primary version of a vault key, once.

    Attributes:
        id: 32 hexadecimal digits.
        vault_namespace, vault, key: The vault key.
        namespace, owner: For whom it is made: namespace, and ``Kind/name/uid``.
        artefact: (claim, path) of the file that is written with it. Where the owner goes before it
            is published, the key is shredded and the file removed.
    """

    id: str
    vault_namespace: str
    vault: str
    key: str
    namespace: str
    owner: str
    artefact: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class PublishArtefactKey:
    """Mark the artefact that this key opens as published."""

    id: str


@dataclass(frozen=True, slots=True)
class ShredArtefactKey:
    """Destroy an artefact key that opens nothing which was ever published."""

    id: str


@dataclass(frozen=True, slots=True)
class DeliverKeys:
    """Put artefact keys into a new immutable Secret in the workload's namespace.

    Attributes:
        namespace, name: The Secret; the name has a random suffix and stands in status already.
        owner: ownerReference of the Secret.
        keys: (role, artefact key id) of each key.
        labels: Labels of the Secret.
    """

    namespace: str
    name: str
    owner: Manifest = field(hash=False)
    keys: tuple[tuple[str, str], ...]
    labels: Manifest = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class DeleteSecret:
    """Delete a Secret in a workload's namespace, blind: it cannot be read there."""

    namespace: str
    name: str


Action: TypeAlias = (
    WriteStatus
    | Apply
    | Create
    | Delete
    | PatchStatus
    | AckResult
    | EnsureKeyset
    | EnsureArtefactKey
    | PublishArtefactKey
    | ShredArtefactKey
    | DeliverKeys
    | DeleteSecret
)

OutcomeCode = Literal[
    "Done",
    "Conflict",  # a name is taken by somebody else's object
    "Forbidden",  # the operator has no right: the namespace is not enabled
    "Invalid",  # the API server refused the object (quota, Pod Security, admission policy)
    "Retained",  # a keyset of an earlier vault is there
    "Unreadable",  # key material does not open; the result is a KeyFault
    "Missing",  # something that the action needs is not there
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
    """What has been seen and done so far in this reconcile."""

    seen: dict[Need, Any] = field(default_factory=dict)
    outcomes: dict[Action, Outcome] = field(default_factory=dict)

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


@dataclass(frozen=True, slots=True)
class Context:
    """What a plan may know of the world: the clock, randomness, and the installation.

    Attributes:
        now: Time of this reconcile, UTC.
        random: ``random(n)`` yields n random bytes.
        operator_namespace: Where the operator runs and keeps wrapped keys.
        masking_image: Image of the masking program.
        image_pull_policy: For pods of ours.
        image_pull_secrets: Names of Secrets in the workload's namespace.
        operator_pod_labels: Labels of the operator's pods, for NetworkPolicies.
    """

    now: datetime.datetime
    random: Callable[[int], bytes]
    operator_namespace: str
    masking_image: str
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    operator_pod_labels: Mapping[str, str] = field(default_factory=dict)


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
