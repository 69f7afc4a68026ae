"""What a plan may ask to be done. Part of ``plans.shared.model``."""

from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from leeward.api.dataset import Location
from leeward.api.keyorigin import Origin
from leeward.api.meta import Empty
from leeward.formats.provider import TransitSettings
from leeward.plans.shared.delivering import EnsureAuthority, IssueLeaf, PutKeys, RemoveKeys
from leeward.plans.shared.destruction import (
    DestroyArtefactKey,
    ForgetVault,
    RemoveArtefactKeys,
    SetFinalizer,
    ShredVault,
)
from leeward.plans.shared.needs import ObjectRef

Manifest: TypeAlias = dict[str, Any]

GENERATED: Final = Origin(generate=Empty())
"""A key that the operator draws at random."""


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
    """Delete, with background propagation; where it is gone already, that is as good.

    Attributes:
        ref: Its name.
        uid: Of the object that was seen: one that has taken its name since ends the reconcile.
        grace: Seconds that a pod has to end; None: as its spec says.
    """

    ref: ObjectRef
    uid: str
    grace: int | None = None


@dataclass(frozen=True, slots=True)
class MarkPod:
    """Set labels and annotations of somebody's pod, which also makes its kubelet look at once.

    Attributes:
        ref: The pod.
        labels, annotations: What is set.
    """

    ref: ObjectRef
    labels: Manifest = field(hash=False)
    annotations: Manifest = field(hash=False)


@dataclass(frozen=True, slots=True)
class PatchStatus:
    """Write the status of another resource of ours (of an output that a job publishes)."""

    ref: ObjectRef
    status: Manifest = field(hash=False)


@dataclass(frozen=True, slots=True)
class AckResult:
    """Tell a pod that its ``/result`` was taken over (HTTP DELETE), so that it can end.

    Attributes:
        namespace, pod, ip: The pod.
        digest: Of the result, which shows that it was.
    """

    namespace: str
    pod: str
    ip: str
    digest: str


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that a keyset is to have.

    Attributes:
        name: Within the vault.
        algorithm: That of the artefact keys made under it.
        origin: Where its fixed key comes from, if it has one.
    """

    name: str
    algorithm: str
    origin: Origin = GENERATED


@dataclass(frozen=True, slots=True)
class EnsureKeyset:
    """Make the vault's keyset, or add the keys that it lacks. Never changes a key that is there.

    Attributes:
        namespace, vault, uid: The KeyVault.
        vault_id: Id for a keyset that is made now.
        keys: The keys that it is to have.
        adopt: Id of a retained keyset that may be taken over.
        transit: The Transit key that wraps them; None: the root key does.
    """

    namespace: str
    vault: str
    uid: str
    vault_id: str
    keys: tuple[NewKey, ...]
    adopt: str | None = None
    transit: TransitSettings | None = None


@dataclass(frozen=True, slots=True)
class TendKeyset:
    """Ask the Transit key of a keyset whether it is in order, and wrap by its newest version.

    Yields a TendResult. It can be stopped and repeated at any point.
    """

    namespace: str
    vault: str


@dataclass(frozen=True, slots=True)
class RotateVaultKey:
    """Make a new primary version of a vault key; the old one stays enabled. Yields a KeysetInfo.

    Attributes:
        namespace, vault, key: The key.
        primary: The version that was seen to be primary: where another one is, nothing is done, so
            that asking twice rotates once.
        origin: Where the fixed key of the new version comes from, if it has one.
    """

    namespace: str
    vault: str
    key: str
    primary: int
    origin: Origin = GENERATED


@dataclass(frozen=True, slots=True)
class RewrapArtefactKeys:
    """Wrap artefact keys by the primary version of their vault key. Yields a RewrapResult.

    No artefact key changes, and no file is touched. It can be stopped and repeated at any point.

    Attributes:
        namespace, vault, key: The vault key.
        primary: Its primary version.
    """

    namespace: str
    vault: str
    key: str
    primary: int


@dataclass(frozen=True, slots=True)
class RetireVersion:
    """Disable a version of a vault key, or destroy a disabled one. Yields a KeysetInfo.

    Conflict where it is the primary one. One that an artefact key depends on is not destroyed: it
    stays as it is, and is not drained any more.

    Attributes:
        namespace, vault, key, version: The version.
        state: ``Disabled`` or ``Destroyed``.
    """

    namespace: str
    vault: str
    key: str
    version: int
    state: str


@dataclass(frozen=True, slots=True)
class EnsureArtefactKey:
    """Make the artefact key with this id under the primary version of a vault key, once.

    Attributes:
        id: 32 hexadecimal digits.
        vault_namespace, vault, key: The vault key.
        namespace, owner: For whom it is made: namespace, and ``Kind/name/uid``.
        artefact: The file that is written with it. Where the owner goes before it
            is published, the key is shredded.
        dataset: Name of the Dataset that this file is to become, of the one key that seals it:
            then file and Dataset go, too.
        algorithm: What it is to be, and drawn for itself; None: what the vault key says.
    """

    id: str
    vault_namespace: str
    vault: str
    key: str
    namespace: str
    owner: str
    artefact: Location | None = None
    dataset: str | None = None
    algorithm: str | None = None


@dataclass(frozen=True, slots=True)
class PublishArtefactKey:
    """Mark the artefact that this key opens as published, and the key as its Dataset's.

    Conflict where it is the key of a Dataset with another name.

    Attributes:
        id: Of the key.
        owner: ``Dataset/name/uid``: whose grants say from now on who may use the key.
    """

    id: str
    owner: str


@dataclass(frozen=True, slots=True)
class AdoptArtefactKey:
    """Make a key that belonged to a Dataset which is gone the key of another one.

    Conflict where it is neither the previous owner's (any more) nor the new one's (yet).

    Attributes:
        id: Of the key.
        owner: ``Dataset/name/uid`` of the new one.
        previous: Owner as it was seen.
    """

    id: str
    owner: str
    previous: str


@dataclass(frozen=True, slots=True)
class ShredArtefactKey:
    """Destroy a key that was made for an ``artefact``; Conflict where that was published.

    It is final: nothing makes, delivers or publishes a key of this id any more. The record stays,
    without the key, until what the artefact left behind is removed (``ForgetArtefactKey``).
    """

    id: str


@dataclass(frozen=True, slots=True)
class RetireArtefactKey:
    """Give a Dataset's key to nobody but the Dataset's own pods any more, or to others again.

    It goes on to open what it opens; Conflict where it is not that Dataset's. Whoever is given it
    later than this is refused (``Retired``), so of workloads that hold it, a list that is made
    afterwards shows all.

    Attributes:
        id: Of the key.
        owner: ``Dataset/name/uid``.
        retired: False: it is given again.
    """

    id: str
    owner: str
    retired: bool = True


@dataclass(frozen=True, slots=True)
class DestroyRetiredKey:
    """Destroy a retired key of a Dataset, for good: nothing is sealed with it any more.

    Conflict where it is not retired, or not that Dataset's. One that is gone is as good.

    Attributes:
        id: Of the key.
        owner: ``Dataset/name/uid``.
    """

    id: str
    owner: str


@dataclass(frozen=True, slots=True)
class ForgetArtefactKey:
    """Delete the record of a key that was shredded; Conflict where it was not."""

    id: str


@dataclass(frozen=True, slots=True)
class CountDelivery:
    """Count a workload against maxDeliveries of a grant, once; Conflict where it is used up.

    Attributes:
        vault_id, key, grant: The grant.
        uid: UID of the workload: counting it again changes nothing.
        limit: How many workloads the grant is for.
    """

    vault_id: str
    key: str
    grant: str
    uid: str
    limit: int


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


KeyAction: TypeAlias = (
    EnsureKeyset
    | TendKeyset
    | RotateVaultKey
    | RewrapArtefactKeys
    | RetireVersion
    | EnsureArtefactKey
    | PublishArtefactKey
    | AdoptArtefactKey
    | ShredArtefactKey
    | RetireArtefactKey
    | DestroyRetiredKey
    | ForgetArtefactKey
    | CountDelivery
    | ShredVault
    | RemoveArtefactKeys
    | ForgetVault
    | DestroyArtefactKey
    | DeliverKeys
    | DeleteSecret
    | EnsureAuthority
    | IssueLeaf
    | PutKeys
    | RemoveKeys
)
Action: TypeAlias = (
    WriteStatus
    | Apply
    | Create
    | Delete
    | MarkPod
    | PatchStatus
    | AckResult
    | SetFinalizer
    | KeyAction
)
