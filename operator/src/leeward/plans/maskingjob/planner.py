"""The plan of a MaskingJob: its parts in the course that all workloads take."""

from collections.abc import Callable, Sequence

from pydantic import ValidationError

from leeward.api.dataset import DatasetSpec, Location
from leeward.api.maskingjob import MASKINGJOB, MaskingJobSpec
from leeward.api.meta import Kind
from leeward.formats.keyset import PARTS_ROLE
from leeward.formats.progress import ProgressReport
from leeward.formats.result import AnyResult, DetachedResult, Result
from leeward.plans.maskingjob.admission import check, output_name_taken
from leeward.plans.maskingjob.case import MaskingCase, output_location
from leeward.plans.maskingjob.models import image_of
from leeward.plans.maskingjob.publishing import (
    commit,
    dataset_manifest,
    dataset_status,
    faults,
    is_kept,
    report_map,
    report_steps,
    stored_result,
)
from leeward.plans.maskingjob.recipe import is_own, is_published, recipe
from leeward.plans.maskingjob.unmasking import take_back, tell
from leeward.plans.shared.claims import claim_of
from leeward.plans.shared.conditions import condition_of
from leeward.plans.shared.following import RUNNING_INTERVAL, fail, plan_workload
from leeward.plans.shared.inventory import enter
from leeward.plans.shared.jobs import JOB_CHILDREN, config_ref
from leeward.plans.shared.keyowners import dataset_owner
from leeward.plans.shared.look import read
from leeward.plans.shared.model import (
    AckResult,
    Action,
    ArtefactKeyOf,
    Context,
    Create,
    Delete,
    ForgetArtefactKey,
    Manifest,
    Observed,
    Outcome,
    PatchStatus,
    Plan,
    PublishArtefactKey,
    ResultOf,
    ShredArtefactKey,
    WriteStatus,
)
from leeward.plans.shared.names import UID_ANNOTATION, Owner, ref_of
from leeward.plans.shared.specs import parse_spec, typed
from leeward.plans.shared.steps import progress
from leeward.plans.shared.verdict import Denied, Unseen
from leeward.plans.shared.workload import Recipe, Run, carry_on, finish, release


class MaskingJobPlanner:
    """Admits a MaskingJob, runs it once, and publishes what it made."""

    @property
    def kind(self) -> Kind:
        """MaskingJob."""
        return MASKINGJOB

    @property
    def children(self) -> Sequence[tuple[str, str]]:
        """What is made around a Job."""
        return JOB_CHILDREN

    def plan(self, resource: Manifest, observed: Observed, context: Context) -> Plan:
        """The next step for this MaskingJob."""
        known = read(resource, MaskingJobSpec, context)
        if isinstance(known, Plan):
            return known
        spec, draft = known
        owner, image = Owner.of(resource), image_of(spec, context)
        run = Run(resource, owner, spec, draft, observed, context, image)
        return plan_workload(_Masking(spec), run)


class _Masking:
    """What a MaskingJob adds to the course of all workloads."""

    role = "masking"
    repeats = True

    def __init__(self, spec: MaskingJobSpec) -> None:
        self._spec = spec

    def admit(self, run: Run) -> Denied | Unseen | Recipe:
        case = MaskingCase(run.owner, self._spec, run.observed, run.context)
        made = check(case) or recipe(case, run.status.get("admission"))
        if isinstance(made, Recipe):
            tell(run, case)
        elif isinstance(made, Denied):
            take_back(run)
        return made

    def serving(self, run: Run, pod: Manifest, report: ProgressReport) -> Plan | None:
        """Take over a result that is too large for a termination message."""
        digest = report.result_digest
        if digest is None:
            return None
        name, ip = pod["metadata"]["name"], pod["status"]["podIP"]
        need = ResultOf(run.owner.namespace, name, ip, digest)
        if not run.observed.has(need):
            return Plan(run.status, needs=(need,))
        result = _parsed(run.observed.get(need))
        if result is None:
            return Plan(run.status, requeue_after=RUNNING_INTERVAL)
        report_need = config_ref(run.owner.namespace, run.report_name)
        if not run.observed.has(report_need):
            return Plan(run.status, needs=(report_need,))
        enter(run.draft, [report_need])
        store = report_steps(run, report_map(run, result))
        taken = progress(run.observed, (*store, AckResult(run.owner.namespace, name, ip, digest)))
        plan = carry_on(run, taken, started=True)
        return plan or Plan(run.status, requeue_after=RUNNING_INTERVAL)

    def ended(self, run: Run, answer: AnyResult | None) -> Plan:
        """Check the answer, keep the report, and decide that it is published."""
        report_need = config_ref(run.owner.namespace, run.report_name)
        if not run.observed.has(report_need):
            return Plan(run.status, needs=(report_need,))
        result = answer
        if isinstance(answer, DetachedResult):
            result = _stored(run.observed.current(report_need), answer.digest)
        if not isinstance(result, Result):
            return self._fail(run, "ResultLost", _RESULT_LOST)
        wrong = faults(run, self._spec, result)
        if wrong is not None:
            return self._fail(run, "ResultMismatch", _RESULT_MISMATCH.format(wrong))
        report = report_map(run, result)
        enter(run.draft, [report_need])
        plan = carry_on(run, progress(run.observed, report_steps(run, report)), started=True)
        if plan is not None:
            return plan
        commit(run, self._spec, result)
        run.draft.set("Running", False, "Publishing", "the job has ended; its output is published")
        run.draft.set("Ready", False, "Publishing", "the job has ended; its output is published")
        return Plan(run.status, actions=(WriteStatus(),))

    def committed(self, run: Run) -> Plan | None:
        """Publish the output that status.output describes."""
        if "output" not in run.status:
            return None
        dataset = dataset_manifest(run, self._spec)
        create = Create(dataset)
        steps: list[Action] = [create]
        created = run.observed.done(create)
        if created is not None and created.code == "Done":
            ours = self._is_ours(run, created.result, dataset)
            if isinstance(ours, Unseen):
                return Plan(run.status, needs=ours.needs)
            if not ours:
                return self._taken(run)
            published = created.result["metadata"]
            owner = dataset_owner(published["name"], published["uid"])
            steps.extend(PublishArtefactKey(key_id, owner) for key_id in _published_keys(run))
            generation = published.get("generation", 1)
            steps.append(PatchStatus(ref_of(dataset), dataset_status(run, generation)))
            # What opens the parts stands in their manifest: who shreds its key shreds all.
            steps.extend(
                step(key_id)
                for key_id in _keys_of(run, lambda role: role == PARTS_ROLE)
                for step in (ShredArtefactKey, ForgetArtefactKey)
            )
        done = progress(run.observed, steps)
        if done.failed is not None:
            return self._refused(run, dataset, *done.failed)
        if done.pending:
            return Plan(run.status, actions=done.pending)
        plan = release(self, run)
        if plan is not None:
            return plan
        rows = run.status["output"]["rows"]
        done_to = "masked" if self._spec.direction == "Mask" else "led back"
        run.draft.put(progress={"done": rows, "total": rows, "unit": "rows", "percent": "100%"})
        return finish(
            run,
            "Published",
            f"Dataset {self._spec.output.dataset} is there: {rows} rows, {done_to} and sealed",
        )

    def over(self, run: Run) -> Unseen | None:
        """Say so where the report is gone: nothing else holds what stood there."""
        name = run.status.get("report")
        if name is None or "output" not in run.status:
            return None
        need = config_ref(run.owner.namespace, name)
        if not run.observed.has(need):
            return Unseen((need,))
        kept = is_kept(run, run.observed.get(need))
        if not kept:
            run.draft.set("ReportLost", True, "ReportLost", _REPORT_LOST.format(name))
        elif condition_of(run.status, "ReportLost") is not None:
            run.draft.set("ReportLost", False, "ReportThere", f"ConfigMap {name} is there")
        return None

    def claim(self, run: Run) -> Manifest | None:
        return claim_of(run.owner, self._spec.output.dataset)

    def own_keys(self, run: Run) -> Sequence[str]:
        return _keys_of(run, is_own)

    def leftovers(self, run: Run) -> Location | None:
        return output_location(run.owner, self._spec)

    def _refused(self, run: Run, dataset: Manifest, action: Action, outcome: Outcome) -> Plan:
        """A step of publishing did not end well."""
        if isinstance(action, Create) and outcome.code == "Conflict":
            return self._taken(run)
        if isinstance(action, PublishArtefactKey) and outcome.code == "Missing":
            # Without its key the output cannot be opened: what was begun is taken back.
            created: Manifest = run.observed.outcomes[Create(dataset)].result
            undo = progress(run.observed, (Delete(ref_of(dataset), created["metadata"]["uid"]),))
            if undo.pending:
                return Plan(run.status, actions=undo.pending)
            run.draft.put(output=None)
            return self._fail(run, "KeyLost", _KEY_LOST)
        plan = carry_on(run, progress(run.observed, (action,)), started=True)
        return plan or Plan(run.status, requeue_after=RUNNING_INTERVAL)

    def _taken(self, run: Run) -> Plan:
        run.draft.put(output=None)
        return fail(self, run, output_name_taken(self._spec.output.dataset), started=True)

    def _is_ours(self, run: Run, found: Manifest, made: Manifest) -> bool | Unseen:
        """Whether a Dataset of that name is the one that this job makes.

        An annotation can be written by anybody, and the record of the key by the operator only.
        Until that names the Dataset, the whole spec must be the job's: whoever may create Datasets
        could else put grants of their own there first. Afterwards it may have been edited.
        """
        placed = found["metadata"]
        if (placed.get("annotations") or {}).get(UID_ANNOTATION) != run.owner.uid:
            return False
        if parse_spec(found, DatasetSpec) == typed(made["spec"], DatasetSpec):
            return True
        needs = tuple(ArtefactKeyOf(key_id) for key_id in _published_keys(run))
        if not all(run.observed.has(need) for need in needs):
            return Unseen(needs)
        records = [run.observed.get(need) for need in needs]
        owner = dataset_owner(placed["name"], placed["uid"])
        return all(record is not None and record.owner == owner for record in records)

    def _fail(self, run: Run, reason: str, message: str) -> Plan:
        return fail(self, run, Denied(reason, message), started=True)


def _published_keys(run: Run) -> list[str]:
    return _keys_of(run, is_published)


def _keys_of(run: Run, wanted: Callable[[str], bool]) -> list[str]:
    """Ids of the keys that the job was given in such roles."""
    keys = (run.status.get("admission") or {}).get("keys", [])
    return [key["id"] for key in keys if wanted(key["role"])]


def _parsed(document: Manifest | None) -> Result | None:
    try:
        return None if document is None else Result.model_validate(document)
    except ValidationError:
        return None


def _stored(report: Manifest | None, digest: str) -> Result | None:
    """The answer as it was taken over from the pod, if it is the one of that digest."""
    result = stored_result(report) if report else None
    return result if result is not None and result.content_digest() == digest else None


_REPORT_LOST = (
    "ConfigMap {} was deleted, or replaced by another one: what was done per column is not told"
    " anywhere else. The output is not affected; restore the ConfigMap from a backup, or delete"
    " this job and create it again for an output and a report anew"
)
_RESULT_LOST = (
    "the job ended, but its answer cannot be read (its pods were removed before the operator saw"
    " them, or the operator could not fetch it while they ran), so nothing is published: keep the"
    " pods until the job is Complete, delete this job and create it again"
)
_RESULT_MISMATCH = (
    "the job's answer is not what was asked ({}), so nothing is published: check that the masking"
    " image and the operator are of one release, then delete this job and create it again"
)
_KEY_LOST = (
    "the artefact key of the output is gone, so the output cannot be opened and is not published:"
    " delete this job and create it again"
)
