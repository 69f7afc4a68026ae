"""The plan of a Dataset: key, then inspection, then Ready; or Ready at once if a job made it."""

from collections.abc import Sequence

from pydantic import ValidationError

from leeward.api import KINDS_BY_NAME
from leeward.api.dataset import DATASET, INSPECT_ANNOTATION, DatasetSpec
from leeward.api.meta import API_VERSION, Kind
from leeward.formats.columnpaths import below
from leeward.formats.result import AnyResult, Result
from leeward.plans.dataset import inspection
from leeward.plans.dataset.keys import adoptable, plan_key, take_over
from leeward.plans.dataset.rotation import awaits_job, goes_on, is_replacing, plan_rotation
from leeward.plans.dataset.shredding import plan_deletion
from leeward.plans.dataset.view import View
from leeward.plans.shared.conditions import is_over
from leeward.plans.shared.jobs import JOB_CHILDREN, job_ref
from leeward.plans.shared.listing import listed
from leeward.plans.shared.locations import place_in_words
from leeward.plans.shared.look import read
from leeward.plans.shared.model import (
    ArtefactKeyOf,
    Context,
    Manifest,
    ObjectRef,
    Observed,
    Plan,
    PodsOf,
    ProgressOf,
    PublishArtefactKey,
    ResultOf,
    WriteStatus,
)
from leeward.plans.shared.names import PRODUCED_BY_ANNOTATION, Owner
from leeward.plans.shared.podstate import Active, Failed, Succeeded, lacks_image, own_pods, read_job
from leeward.plans.shared.policies import policy_upkeep
from leeward.plans.shared.progress import parse_progress
from leeward.plans.shared.shredding import with_finalizer
from leeward.plans.shared.sources import check_claim, produced_message
from leeward.plans.shared.steps import progress
from leeward.plans.shared.verdict import Denied, Unseen

_BUSY_INTERVAL = 5.0
_WAITING_INTERVAL = 10.0
_SHOWN = 10


class DatasetPlanner:
    """Finds out what a Dataset's file is, and says whether it can be used."""

    @property
    def kind(self) -> Kind:
        """Dataset."""
        return DATASET

    @property
    def children(self) -> Sequence[tuple[str, str]]:
        """What is made around a Job."""
        return JOB_CHILDREN

    def plan(self, resource: Manifest, observed: Observed, context: Context) -> Plan:
        """The next step for this Dataset."""
        known = read(resource, DatasetSpec, context)
        if isinstance(known, Plan):
            return known
        view = View(resource, Owner.of(resource), *known, observed, context)
        if view.owner.deleting:
            return plan_deletion(view)
        shreds = view.spec.deletion_policy == "Shred"
        marked = with_finalizer(resource, observed, wanted=shreds)
        if marked is not None:
            return marked
        if awaits_job(view):
            return policy_upkeep(view) or plan_rotation(view, Plan(view.status))
        plan = goes_on(view) or _settle(view)
        if plan.needs or plan.actions or (view.key is None and not is_replacing(view)):
            return plan
        return plan_rotation(view, plan)


def _settle(view: View) -> Plan:
    """All but the replacement of keys."""
    if "producedBy" in view.status and INSPECT_ANNOTATION not in view.owner.annotations:
        return _produced(view)
    return _being_published(view) or plan_key(view) or _inspect(view)


def _produced(view: View) -> Plan:
    """A workload wrote it, and its plan filled the status."""
    need = ArtefactKeyOf(view.status["keyId"])
    if not view.observed.has(need):
        return Plan(view.status, needs=(need,))
    info = view.observed.get(need)
    if info is None:
        return view.not_ready(
            Denied(
                "KeyLost",
                f"the artefact key {need.id} of this Dataset is gone, so nothing opens its file:"
                " restore its Secret in the operator's namespace from a backup",
            )
        )
    plan = take_over(view, info)
    if plan is not None:
        return plan
    by = view.status["producedBy"]
    message = produced_message(by["kind"], by["name"], view.status["rows"])
    view.draft.set("Ready", True, "Published", message)
    return Plan(view.status)


def _being_published(view: View) -> Plan | None:
    """Wait while the workload that made this Dataset has not filled its status yet."""
    producer = view.owner.annotations.get(PRODUCED_BY_ANNOTATION, "").split("/")
    if "digest" in view.status or len(producer) != 3 or producer[0] not in KINDS_BY_NAME:
        return None
    kind, name, uid = producer
    need = ObjectRef(API_VERSION, kind, view.owner.namespace, name)
    if not view.observed.has(need):
        return Plan(view.status, needs=(need,))
    found: Manifest | None = view.observed.get(need)
    over = found is not None and is_over(found.get("status") or {})
    if found is None or found["metadata"]["uid"] != uid or over:
        # Brought here from elsewhere, or the workload ended: the file itself can still tell.
        return None
    waiting = Denied("Publishing", f"{kind} {name} is about to publish it")
    return view.not_ready(waiting, requeue_after=_WAITING_INTERVAL)


def _inspect(view: View) -> Plan:
    named_by = (view.owner.kind, "spec.location")
    verdict = check_claim(view.observed, view.owner.namespace, view.spec.location, named_by)
    if verdict is not None:
        return view.stop(verdict)
    if inspection.is_due(view):
        # One that reads while the file is replaced would find what is true of neither.
        return Plan(view.status) if is_replacing(view) else inspection.begin(view)
    if "result" in view.status["inspection"]:
        return _concluded(view)
    return _watch(view)


def _watch(view: View) -> Plan:
    """Make the recorded inspection, or see how far it is."""
    inspection.tidy(view)
    steps = inspection.steps(view)
    if isinstance(steps, tuple):
        return Plan(view.status, needs=steps)
    plan = view.carry_on(progress(view.observed, steps))
    if plan is not None:
        return plan
    name = view.status["inspection"]["name"]
    job: Manifest = view.observed.current(job_ref(view.owner.namespace, name))
    need = PodsOf(view.owner.namespace, name)
    if not view.observed.has(need):
        return Plan(view.status, needs=(need,))
    pods = own_pods(view.observed.get(need), job["metadata"]["uid"])
    state = read_job(job, pods, view.context.now)
    match state:
        case Active():
            if lacks_image(state, job, pods) and inspection.is_outdated(view):
                return inspection.begin(view)
            return _active(view, state)
        case Succeeded():
            return _answered(view, state.answer)
        case Failed():
            return _failed(view, state)


def _active(view: View, state: Active) -> Plan:
    if state.held_up:
        plan = view.carry_on(progress(view.observed, inspection.delivery(view)))
        if plan is not None:
            return plan
    if state.phase == "Stuck":
        return view.not_ready(Denied(state.reason, state.message))
    ip = ((state.pod or {}).get("status") or {}).get("podIP")
    if state.phase != "Running" or state.pod is None or not ip:
        return view.not_ready(_inspecting(view, state.message), requeue_after=_WAITING_INTERVAL)
    pod = state.pod["metadata"]["name"]
    need = ProgressOf(view.owner.namespace, pod, ip)
    if not view.observed.has(need):
        return Plan(view.status, needs=(need,))
    report = parse_progress(view.observed.get(need))
    if report is not None and report.unit == "waiting":
        return view.not_ready(_awaiting(view), requeue_after=_WAITING_INTERVAL)
    if report is not None and report.result_digest is not None:
        return _fetched(view, ResultOf(view.owner.namespace, pod, ip, report.result_digest))
    return view.not_ready(Denied("Inspecting", "the file is read"), requeue_after=_BUSY_INTERVAL)


def _inspecting(view: View, message: str) -> Denied:
    """Between two inspections that wait for a file, AwaitingData goes on to be the case."""
    if view.status["inspection"]["attempts"] > 1 and "digest" not in view.status:
        return _awaiting(view)
    return Denied("Inspecting", message)


def _fetched(view: View, need: ResultOf) -> Plan:
    """Take over an answer that is too large for a termination message."""
    if not view.observed.has(need):
        return Plan(view.status, needs=(need,))
    try:
        result = Result.model_validate(view.observed.get(need) or {})
    except ValidationError:
        return Plan(view.status, requeue_after=_BUSY_INTERVAL)
    return _answered(view, result)


def _answered(view: View, answer: AnyResult | None) -> Plan:
    if not isinstance(answer, Result) or answer.source is None:
        return _end(view, "ResultLost", "the inspection's answer is gone; it is made again")
    source = answer.source
    if view.key is not None and "keyId" not in view.status:
        return _adopt(view, source.key_ids)
    if view.key is not None:
        publish = PublishArtefactKey(view.status["keyId"], view.owner.id)
        plan = view.carry_on(progress(view.observed, (publish,)))
        if plan is not None:
            return plan
    if source.digest != view.status.get("digest"):
        view.draft.put(report=None)
    view.draft.put(
        digest=source.digest,
        bytes=source.bytes,
        rows=source.rows,
        columns=[column.manifest() for column in source.columns],
        sourceId=source.file_id,
        sealed=view.key is not None,
    )
    return _end(view, "Inspected", "")


def _failed(view: View, state: Failed) -> Plan:
    error = state.result.error if state.result else None
    if error is not None and error.code == "SealedWithOtherKey" and view.key is not None:
        return _adopt(view, error.key_ids)
    return _end(view, state.reason, state.message)


def _adopt(view: View, key_ids: Sequence[str]) -> Plan:
    """Take the key that the file names, if this Dataset may have it, and inspect again."""
    found = adoptable(view, key_ids)
    if isinstance(found, Unseen):
        return Plan(view.status, needs=found.needs)
    if isinstance(found, Denied):
        return _end(view, found.reason, found.message)
    plan = take_over(view, found)
    if plan is not None:
        return plan
    view.draft.put(keyId=found.id, publicKey=found.public_key)
    return Plan(view.status, actions=(WriteStatus(),))


def _end(view: View, reason: str, message: str) -> Plan:
    inspection.end(view, reason, message)
    return _concluded(view)


def _concluded(view: View) -> Plan:
    """What the last inspection found."""
    inspection.tidy(view)
    plan = policy_upkeep(view)
    if plan is not None:
        return plan
    record = view.status["inspection"]
    reason = record["result"]
    if reason == "Inspected":
        return _ready(view)
    denied = Denied(reason, record.get("message", ""))
    if reason == "FileMissing":
        denied = _awaiting(view)
    again = inspection.seconds_until_retry(view)
    if again is None:
        denied = Denied(
            reason,
            f"{denied.message}. Then, for another look: kubectl annotate dataset"
            f" {view.owner.name} -n {view.owner.namespace} --overwrite"
            f" {INSPECT_ANNOTATION}=NEW_VALUE",
        )
    view.draft.set("Ready", False, denied.reason, denied.message)
    return Plan(view.status, requeue_after=again)


def _ready(view: View) -> Plan:
    columns = [column["name"] for column in view.status["columns"]]
    named = [column.name for column in view.spec.columns]
    if view.spec.subject_column is not None:
        named.append(view.spec.subject_column)
    missing = [name for name in dict.fromkeys(named) if not below(name, columns)]
    if missing:
        view.draft.set(
            "Ready",
            False,
            "ColumnMissing",
            f"the file has no column {_listed(missing)} (it has {_listed(columns)}): correct"
            " spec.columns and spec.subjectColumn",
        )
        return Plan(view.status)
    view.draft.set(
        "Ready", True, "Inspected", f"{view.status['rows']} rows, {len(columns)} columns"
    )
    return Plan(view.status)


def _awaiting(view: View) -> Denied:
    location = view.spec.location
    name = view.owner.name
    if "publicKey" in view.status:
        how = (
            f"leeward dataset put {name} FILE seals it and brings it there; or leeward dataset"
            f" public-key {name} > {name}.pem, leeward seal FILE --to {name}.pem, and copy the"
            " sealed file there"
        )
    elif view.key is not None:
        how = "copy the sealed file there"
    else:
        how = "copy the file there"
    return Denied(
        "AwaitingData",
        f"there is no file {location.path} {place_in_words(location)} yet: {how}; it is looked for"
        f" from time to time, and at once when annotation {INSPECT_ANNOTATION} gets a new value",
    )


def _listed(names: Sequence[str]) -> str:
    return listed([f'"{name}"' for name in names], _SHOWN)
