"""Checks that every workload shares: may it use this Dataset, and can it open it."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final, TypeVar

from leeward.api.algorithms import ALGORITHMS
from leeward.api.dataset import DATASET, DatasetSpec, DatasetStatus, Location
from leeward.api.meta import API_VERSION, Ref
from leeward.formats.jobconfig import SourceFile
from leeward.plans.shared.conditions import NOT_YET, condition_of
from leeward.plans.shared.grants import data_gap
from leeward.plans.shared.keyowners import dataset_owner, key_of_other_dataset
from leeward.plans.shared.keys import KeyUse, check_key, check_key_grant, ready_key
from leeward.plans.shared.locations import Use, claim_of_volume, pod_path, pod_store
from leeward.plans.shared.model import (
    ArtefactKeyInfo,
    ArtefactKeyOf,
    Context,
    Manifest,
    ObjectRef,
    Observed,
)
from leeward.plans.shared.names import Owner
from leeward.plans.shared.specs import typed
from leeward.plans.shared.verdict import Denied, Unseen, Verdict, named_anew

SOURCE_ROLE: Final = "source"
"""Role of the key that opens the source."""
SAMPLE_ROLE: Final = "sample"
"""Role of the key that opens the labelled notes which detection in free text is measured on."""
SEALING: tuple[str, ...] = tuple(
    name for name, known in ALGORITHMS.items() if "Open" in known.operations
)
"""Algorithms that a sealed source can have."""


class Case:
    """A workload that asks to be admitted, and what has been seen so far.

    Attributes:
        owner: The workload.
        purpose: Its spec.purpose.
        source: The Dataset that it wants to read.
    """

    def __init__(
        self, owner: Owner, purpose: str, source: Ref, observed: Observed, context: Context
    ) -> None:
        self.owner = owner
        self.purpose = purpose
        self.source = source
        self.observed = observed
        self.context = context

    @property
    def source_ref(self) -> ObjectRef:
        """The Dataset."""
        namespace = self.source.namespace or self.owner.namespace
        return ObjectRef(API_VERSION, DATASET.kind, namespace, self.source.name)

    @property
    def source_label(self) -> str:
        """The Dataset, in words."""
        ref = self.source_ref
        if ref.namespace == self.owner.namespace:
            return f"Dataset {ref.name}"
        return f"Dataset {ref.namespace}/{ref.name}"

    @cached_property
    def dataset(self) -> DatasetSpec:
        """Its spec, once ``check_source_exists`` has passed."""
        return typed(self._manifest["spec"], DatasetSpec)

    @cached_property
    def dataset_status(self) -> DatasetStatus:
        """Its status, once ``check_source_exists`` has passed."""
        return DatasetStatus.model_validate(self._manifest.get("status") or {})

    @property
    def dataset_uid(self) -> str:
        """Its UID."""
        return str(self._manifest["metadata"]["uid"])

    @property
    def source_key(self) -> KeyUse | None:
        """The key that the source is sealed with; None: it is plain."""
        if self.dataset.sealed_with is None:
            return None
        named_by = (self.source_label, "spec.sealedWith")
        home = self.source_ref.namespace
        return KeyUse(self.dataset.sealed_with, home, SEALING, "sealing of files", named_by)

    @property
    def source_key_id(self) -> str | None:
        """The artefact key that opens the source; None: it is plain."""
        return None if self.source_key is None else self.dataset_status.key_id

    @property
    def replaced_keys(self) -> frozenset[str]:
        """The artefact key that opened the source before the one that does now, if one did."""
        return frozenset(filter(None, (self.dataset_status.replaced_key_id,)))

    def source_file(self, use: Use = "source", role: str = SOURCE_ROLE) -> SourceFile:
        """The source as its reader is told of it: pinned to what the inspection found."""
        return SourceFile(
            path=pod_path(self.dataset.location, use),
            store=pod_store(self.dataset.location, use),
            format=self.dataset.format,
            csv=self.dataset.csv,
            key_role=role if self.source_key else None,
            digest=self.dataset_status.digest,
            columns=self.dataset_status.columns,
        )

    @property
    def _manifest(self) -> Manifest:
        manifest: Manifest = self.observed.get(self.source_ref)
        return manifest


AnyCase = TypeVar("AnyCase", bound=Case)


def first_denial(case: AnyCase, checks: Sequence[Callable[[AnyCase], Verdict]]) -> Verdict:
    """What the first check says that does not pass; None: all pass."""
    for check in checks:
        verdict = check(case)
        if verdict is not None:
            return verdict
    return None


def produced_message(producer_kind: str, producer: str, rows: int) -> str:
    """What a Dataset that a workload made says of where it comes from."""
    return f"{rows} rows, written by {producer_kind} {producer}"


def check_source_exists(case: Case) -> Verdict:
    """The Dataset is there."""
    if not case.observed.has(case.source_ref):
        return Unseen((case.source_ref,))
    if case.observed.get(case.source_ref) is None:
        anew = named_anew(case.owner.kind, f"the name in this {case.owner.kind}")
        return Denied(
            "SourceMissing",
            f"{case.source_label} does not exist in namespace {case.source_ref.namespace}: create"
            f" it; {anew}",
        )
    return None


def check_source_namespace(case: Case) -> Verdict:
    """Its volume can be mounted here; a bucket is reached from everywhere."""
    if case.source_ref.namespace == case.owner.namespace or case.dataset.location.s3:
        return None
    return Denied(
        "VolumeInOtherNamespace",
        f"{case.source_label} lies on a volume of namespace {case.source_ref.namespace}, which"
        f" cannot be mounted in {case.owner.namespace}: create this {case.owner.kind} in namespace"
        f" {case.source_ref.namespace}, or have the file in a bucket (location.s3)",
    )


def check_data_grant(case: Case) -> Verdict:
    """One of its grants is for this workload."""
    gap = data_gap(
        case.dataset.grants,
        case.source_ref.namespace,
        case.owner,
        case.purpose,
        case.context.now,
    )
    if gap is None:
        return None
    return Denied(
        "NotGranted",
        f"{case.source_label} is not granted to {case.owner.kind} in namespace"
        f" {case.owner.namespace} for purpose {case.purpose} ({gap}): its owner adds a grant with"
        f" kinds [{case.owner.kind}] and purposes [{case.purpose}] to spec.grants",
    )


def check_source_ready(case: Case) -> Verdict:
    """It has been inspected."""
    status = case.dataset_status
    ready = condition_of(case.observed.get(case.source_ref).get("status") or {}, "Ready")
    if ready and ready["status"] == "True" and status.digest is not None:
        return None
    why = f"{ready['reason']}: {ready['message']}" if ready else "the operator has not seen it yet"
    waits = ready is None or ready["reason"] in NOT_YET
    reason = "AwaitingSource" if waits else "SourceNotReady"
    return Denied(reason, f"{case.source_label} is not ready ({why})")


def check_source_key(case: Case) -> Verdict:
    """The key that it is sealed with is there, and may be used to open it."""
    use = case.source_key
    if use is None:
        return None
    return check_key(use, case.observed) or check_key_grant(
        use, "Open", case.owner, case.observed, case.context
    )


def live_key_ids(status: DatasetStatus) -> tuple[str, ...]:
    """Ids of the artefact keys that long-lived pods are to have, the one to be used first.

    While a key is replaced, that is its successor, too: before the file opens with that alone, or
    is another one, who reads it over and over must have it.
    """
    if status.key_id is None:
        return ()
    replacement = status.replacement
    if replacement is None or status.key_id == replacement.key_id:
        return (status.key_id,)
    known = replacement.phase not in ("Adding", "Waiting")
    return (status.key_id, replacement.key_id) if known else (status.key_id,)


def check_source_artefact_key(case: Case) -> Verdict:
    """The artefact key of this very file is there, this Dataset's, and under the granted key."""
    if case.source_key is None:
        return None
    key_id = case.dataset_status.key_id
    if key_id is None:
        return Denied("AwaitingSource", f"{case.source_label} has no key yet: wait for it")
    return check_artefact_key(case, key_id)


def check_artefact_key(case: Case, key_id: str) -> Verdict:
    """An artefact key is there, the source's, and under the key that it names."""
    use = case.source_key
    if use is None:
        return None
    need = ArtefactKeyOf(key_id)
    if not case.observed.has(need):
        return Unseen((need,))
    found: ArtefactKeyInfo | None = case.observed.get(need)
    if found is None:
        return Denied(
            "KeyLost",
            f"the artefact key {key_id} of {case.source_label} is gone, so nothing opens its file:"
            " restore its Secret in the operator's namespace from a backup",
        )
    if not made_under(found, use, case.observed):
        return Denied(
            "SealedWithOtherKey",
            f"the artefact key {key_id} of {case.source_label} was not made under {use.label}, so a"
            " grant of that key does not open it: name the key that it was made under in"
            " spec.sealedWith of a new Dataset",
        )
    dataset = dataset_owner(case.source_ref.name, case.dataset_uid)
    if found.owner != dataset:
        return key_of_other_dataset(found, dataset)
    return None


def made_under(info: ArtefactKeyInfo, use: KeyUse, observed: Observed) -> bool:
    """Whether a vault key, of which ``check_key`` has passed, is the one that wraps this key.

    Grants are of vault keys: what lies under another one is not theirs to give.
    """
    return (info.vault_id, info.key) == (ready_key(use, observed).vault_id, use.ref.key)


def claim_ref(namespace: str, claim: str) -> ObjectRef:
    """A PersistentVolumeClaim by name."""
    return ObjectRef("v1", "PersistentVolumeClaim", namespace, claim)


def check_claim(
    observed: Observed, namespace: str, location: Location, named_by: tuple[str, str]
) -> Verdict:
    """The PersistentVolumeClaim of a location is there; of a bucket only its pods can tell.

    Args:
        observed: What has been seen.
        namespace: Of the claim.
        location: What names it.
        named_by: What names it: a kind (with a name, where it is not the resource itself), and the
            field there.
    """
    claim = claim_of_volume(location)
    if claim is None:
        return None
    need = claim_ref(namespace, claim)
    if not observed.has(need):
        return Unseen((need,))
    found: Manifest | None = observed.get(need)
    if found is not None:
        return None
    return Denied(
        "VolumeClaimMissing",
        f"PersistentVolumeClaim {claim} does not exist in namespace {namespace}: create"
        f" it; {named_anew(*named_by)}",
    )


def check_source_claim(case: Case) -> Verdict:
    """The volume that it lies on is there."""
    return check_claim(
        case.observed,
        case.owner.namespace,
        case.dataset.location,
        (case.source_label, "spec.location"),
    )
