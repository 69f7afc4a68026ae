"""The course of every workload: admission, one Job, its end. What differs is a ``Workload``.

    checks ─▶ status.admission ─▶ keys, policy, config, Job (suspended), Secret
           ─▶ status.jobUid ─▶ resume ─▶ progress ─▶ ended: publish | failed: shred, clean up
           ─▶ Complete or Failed, and from then on nothing but removal after ttlAfterFinished

Until ``status.jobUid`` is stored nothing runs, and the checks are made again each time: a grant
that was taken away in between counts. From then on only the Job with that UID counts. Another one
takes its place in two cases, each after it was taken out of the status: it waits for an image that
was replaced meanwhile, or it ended and its answer was lost with its pod.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from leeward.api.dataset import Location, Tag
from leeward.api.meta import Model
from leeward.api.workload import Egress, WorkloadSpec
from leeward.formats.document import Document
from leeward.formats.progress import ProgressReport
from leeward.formats.result import AnyResult
from leeward.plans.shared.claims import release_steps
from leeward.plans.shared.conditions import (
    is_true,
    parse_timestamp,
    timestamp,
)
from leeward.plans.shared.durations import seconds
from leeward.plans.shared.inventory import strike
from leeward.plans.shared.keys import Granted
from leeward.plans.shared.listing import listed
from leeward.plans.shared.locations import Places
from leeward.plans.shared.look import Look
from leeward.plans.shared.model import (
    Action,
    DeleteSecret,
    EnsureArtefactKey,
    Manifest,
    Plan,
)
from leeward.plans.shared.names import child_name, ref_of
from leeward.plans.shared.policies import policy_upkeep
from leeward.plans.shared.refusals import refusal
from leeward.plans.shared.steps import Progression, progress
from leeward.plans.shared.verdict import Denied, Unseen

KEYS_DELIVERED: Final = "KeysDelivered"
"""Type and reason of the condition that says that a workload has its keys."""
_SHOWN: Final = 8
_LATE: Final = 7200.0
"""Seconds after its end within which a Secret of a workload is still looked after."""


@dataclass(frozen=True, slots=True)
class JobKey:
    """One artefact key that the pod is given.

    Attributes:
        role: What the pod uses it for.
        id: Its id.
        version: Version of the vault key that wraps it.
        ensure: How it is made, where it may not be there yet.
    """

    role: str
    id: str
    version: int
    ensure: EnsureArtefactKey | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an admitted workload runs.

    Attributes:
        config: What the pod is told.
        keys: What it is given.
        places: What it reads and writes.
        source_digest: Of the file that it reads.
        grants: By what it may use those keys.
        replaced_keys: Artefact keys that opened the files which it reads before those that do now.
        dataset_scope: What scope Dataset of rules stands for.
        selected: Rule and columns, of rules that do not name their columns.
        tags: What the source says of its columns.
        subject: The column of the source that says whose row it is.
        workers: How many pods work on it at once.
    """

    config: Document
    keys: tuple[JobKey, ...]
    places: Places
    source_digest: str | None
    grants: tuple[Granted, ...] = ()
    replaced_keys: frozenset[str] = frozenset()
    dataset_scope: str | None = None
    selected: tuple[tuple[str, tuple[str, ...]], ...] = ()
    tags: tuple[tuple[str, tuple[Tag, ...]], ...] = ()
    subject: str | None = None
    workers: int = 1

    @property
    def counts(self) -> tuple[Action, ...]:
        """How uses of grants are counted, before the keys are delivered."""
        counts = (grant.count for grant in self.grants)
        return tuple(dict.fromkeys(count for count in counts if count is not None))


@dataclass(frozen=True, slots=True)
class Run(Look[WorkloadSpec]):
    """One look at one workload.

    Attributes:
        image: That its pods run, where it is admitted now.
    """

    image: str

    @property
    def report_name(self) -> str:
        """Name of the ConfigMap that holds what the job answered."""
        return child_name(self.owner, "report")

    @property
    def egress(self) -> list[Egress]:
        """As it was admitted."""
        admission = self.status.get("admission") or {}
        return [Egress.model_validate(each) for each in admission.get("egress", ())]


class Workload(Protocol):
    """What one kind of workload adds to the course of all."""

    @property
    def role(self) -> str:
        """Role label of its pods."""

    @property
    def repeats(self) -> bool:
        """Whether it is run once more where the answer of its pod is lost."""

    def admit(self, run: Run) -> Denied | Unseen | Recipe:
        """Check everything, and say what to run."""

    def committed(self, run: Run) -> Plan | None:
        """What to do whatever has become of the Job, because it is decided; None: nothing is."""

    def serving(self, run: Run, pod: Manifest, report: ProgressReport) -> Plan | None:
        """What to do about a pod that answers; None: nothing special."""

    def ended(self, run: Run, answer: AnyResult | None) -> Plan:
        """What to do about a Job that ended well."""

    def over(self, run: Run) -> Unseen | None:
        """Say what has become of what it made, once it is over."""

    def claim(self, run: Run) -> Manifest | None:
        """What it holds from admission to its end, and nobody beside it; None: nothing."""

    def own_keys(self, run: Run) -> Sequence[str]:
        """Ids of keys that open nothing else than what this job writes."""

    def leftovers(self, run: Run) -> Location | None:
        """What a failed job may have left behind."""


def retire(run: Run) -> Plan:
    """Look after a workload that is over: its pods go after ttlAfterFinished."""
    strike(run.draft, lambda ref: ref.kind == "Secret")
    age = _age(run)
    secret = (run.status.get("admission") or {}).get("secret")
    if secret is not None and age < _LATE:
        # A former leader may have been late with its delivery. It cannot be looked for there.
        late = progress(run.observed, (DeleteSecret(run.owner.namespace, secret),))
        if late.pending:
            return Plan(run.status, actions=late.pending)
    left = _time_to_live(run, age)
    if left is None or left > 0:
        return policy_upkeep(run) or Plan(run.status, requeue_after=left)
    strike(run.draft, lambda ref: ref.name != run.report_name)
    return Plan(run.status)


def _age(run: Run) -> float:
    """Seconds since it ended."""
    return (run.context.now - parse_timestamp(run.status["finishedAt"])).total_seconds()


def _time_to_live(run: Run, age: float) -> float | None:
    """Seconds until its pods go; None: they stay."""
    ttl = run.spec.ttl_after_finished
    return None if ttl is None else max(0.0, seconds(ttl) - age)


def not_admitted(run: Run, denied: Denied) -> Plan:
    """Say why it does not start, and look again later: it may yet come true."""
    run.draft.set("Admitted", False, denied.reason, denied.message)
    run.draft.set("Ready", False, denied.reason, denied.message)
    return Plan(run.status, requeue_after=run.draft.next_look("Admitted"))


def hold_up(run: Run, denied: Denied) -> Plan:
    """Say why a job that was started does not go on."""
    run.draft.set("Running", False, denied.reason, denied.message)
    run.draft.set("Ready", False, denied.reason, denied.message)
    return Plan(run.status, requeue_after=run.draft.next_look("Running"))


def carry_on(run: Run, steps: Progression, *, started: bool) -> Plan | None:
    """Do what is pending, or say what failed; None: all is done."""
    if steps.failed is not None:
        denied = refusal(run.owner.namespace, *steps.failed)
        return hold_up(run, denied) if started else not_admitted(run, denied)
    if steps.pending:
        return Plan(run.status, actions=steps.pending)
    return None


def release(workload: Workload, run: Run) -> Plan | None:
    """Give back what the workload alone could hold; None: it holds nothing (any more)."""
    claim = workload.claim(run)
    if claim is None or "admission" not in run.status:
        return None
    ref = ref_of(claim)
    if not run.observed.has(ref):
        return Plan(run.status, needs=(ref,))
    left = progress(run.observed, release_steps(claim, run.observed)).pending
    return Plan(run.status, actions=left) if left else None


def act(run: Run, *actions: Action) -> Plan:
    """Do these now."""
    return Plan(run.status, actions=actions)


def finish(run: Run, reason: str, message: str) -> Plan:
    """It is Complete: the Secret goes, and nothing is run any more."""
    _end(run)
    run.draft.set("Complete", True, reason, message)
    run.draft.set("Running", False, reason, message)
    run.draft.set("Ready", True, reason, message)
    return Plan(run.status, requeue_after=_time_to_live(run, 0.0))


def give_up(run: Run, denied: Denied) -> Plan:
    """It has Failed: the Secret goes, and nothing is run any more."""
    _end(run)
    run.draft.set("Failed", True, denied.reason, denied.message)
    run.draft.set("Running", False, denied.reason, denied.message)
    run.draft.set("Ready", False, denied.reason, denied.message)
    return Plan(run.status, requeue_after=_time_to_live(run, 0.0))


def keys_given(run: Look[Model], grants: Sequence[Granted]) -> None:
    """Say which keys it has, and by which grants."""
    if not grants:
        return
    uses = sorted({f"{g.use.label} ({g.operation} by grant {g.grant})" for g in grants})
    told = listed(uses, _SHOWN)
    run.draft.set(KEYS_DELIVERED, True, KEYS_DELIVERED, f"it was given artefact keys under {told}")


def take_keys(run: Run, why: str) -> None:
    """Have its Secret removed, and say so: nobody waits any more for this workload to end."""
    strike(run.draft, lambda ref: ref.kind == "Secret")
    run.draft.put(sourceKeyId=None, sampleKeyId=None)
    if is_true(run.status, KEYS_DELIVERED):
        run.draft.set(KEYS_DELIVERED, False, "KeysRemoved", f"its Secret was removed: {why}")


def _end(run: Run) -> None:
    run.draft.put(finishedAt=timestamp(run.context.now))
    take_keys(run, "it has ended")
