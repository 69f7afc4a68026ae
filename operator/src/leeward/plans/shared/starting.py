"""From a workload that asks to the Job that is started: admission and everything before."""

from collections.abc import Sequence
from typing import Final

from leeward.plans.shared.claims import claim_steps
from leeward.plans.shared.conditions import is_true, timestamp
from leeward.plans.shared.durations import whole_seconds
from leeward.plans.shared.inventory import enter, secret_ref, strike
from leeward.plans.shared.jobs import config_map, config_ref, job, job_ref
from leeward.plans.shared.model import (
    Action,
    Apply,
    Create,
    DeliverKeys,
    Manifest,
    ObjectRef,
    Plan,
    WriteStatus,
)
from leeward.plans.shared.names import (
    UID_ANNOTATION,
    child_name,
    digest128,
    labels,
    metadata,
    ref_of,
    secret_name,
    short_hash,
)
from leeward.plans.shared.pods import PodParts, place_volumes
from leeward.plans.shared.podstate import unfinished
from leeward.plans.shared.policies import job_policy, policy_steps
from leeward.plans.shared.sources import SAMPLE_ROLE, SOURCE_ROLE
from leeward.plans.shared.steps import drifted, progress
from leeward.plans.shared.verdict import Denied, Unseen
from leeward.plans.shared.workload import (
    Recipe,
    Run,
    Workload,
    carry_on,
    keys_given,
    not_admitted,
    release,
    take_keys,
)


def start(workload: Workload, run: Run) -> Plan:
    """Bring a workload to the point where its Job is there, suspended, and its UID is stored."""
    if run.spec.suspend:
        return _suspended(run)
    reserved = _reserved_label(run)
    verdict = reserved or workload.admit(run)
    if isinstance(verdict, Unseen):
        return Plan(run.status, needs=verdict.needs)
    if isinstance(verdict, Denied):
        # A key that was delivered before the checks failed is taken away again.
        take_keys(run, verdict.message)
        plan = release(workload, run)
        if plan is not None:
            return plan
        return not_admitted(run, verdict)
    unseen = _unseen(run)
    if unseen:
        return Plan(run.status, needs=unseen)
    _settle(run, verdict)
    return _carry_out(workload, run, verdict)


def _suspended(run: Run) -> Plan:
    run.draft.set("Ready", False, "Suspended", "spec.suspend is true: set it to false to start")
    return Plan(run.status)


def _reserved_label(run: Run) -> Denied | None:
    template = run.spec.pod_template
    ours = labels(run.owner, "")
    taken = [name for name in (template.labels if template else {}) if name in ours]
    if not taken:
        return None
    return Denied(
        "LabelReserved",
        f"spec.podTemplate.labels sets {', '.join(sorted(taken))}, which the operator sets itself:"
        " remove it",
    )


def _unseen(run: Run) -> tuple[ObjectRef, ...]:
    """What must be seen before anything is made."""
    refs = [_policy_ref(run)]
    admission = run.status.get("admission")
    if admission is not None:
        refs.append(config_ref(run.owner.namespace, admission["jobName"]))
        refs.append(job_ref(run.owner.namespace, admission["jobName"]))
    return tuple(ref for ref in refs if not run.observed.has(ref))


def _policy_ref(run: Run) -> ObjectRef:
    return ref_of(job_policy(run.owner, run.context))


def _settle(run: Run, recipe: Recipe) -> None:
    """Freeze what is decided. What is admitted now is what runs: else it is decided again.

    A Job that is there already, suspended, goes then: it was made of what was admitted earlier, and
    the checks that have just passed may have looked at another Dataset of that name.
    """
    digest, volumes = recipe.config.content_digest(), _volumes(recipe)
    keys = [{"role": key.role, "id": key.id, "version": key.version} for key in recipe.keys]
    say_source_key(run, keys)
    name = _job_name(run, digest, keys, volumes)
    admission = run.status.get("admission")
    # The name alone is short enough for somebody to find another config that has the same.
    same = admission and is_as_admitted(recipe, admission) and mounts_as_admitted(recipe, admission)
    if admission and same and admission["jobName"] == name:
        say_source(run, recipe, admission)
        _enter(run, admission)
        return
    admission = {
        "jobName": name,
        "image": run.image,
        "configDigest": digest,
        "keys": keys,
        "volumes": volumes,
        "admittedAt": timestamp(run.context.now),
    }
    if keys:
        admission["secret"] = secret_name(run.context.random)
    if recipe.source_digest is not None:
        admission["sourceDigest"] = recipe.source_digest
    if recipe.dataset_scope is not None:
        admission["datasetScope"] = recipe.dataset_scope
    if recipe.selected:
        admission["selected"] = [
            {"rule": rule, "columns": list(columns)} for rule, columns in recipe.selected
        ]
    say_source(run, recipe, admission)
    _enter(run, admission)


def say_source(run: Run, recipe: Recipe, admission: Manifest) -> None:
    """Put into the admission what the source says of itself, and no Job is made of.

    Until the Job goes on it is what the checks have just passed with; afterwards the source may be
    edited or deleted, and what the job publishes is still what was admitted.
    """
    said: Manifest = {
        "egress": [each.manifest() for each in recipe.places.egress],
        "tags": [{"name": name, "tags": list(tags)} for name, tags in recipe.tags],
        "subjectColumn": recipe.subject,
    }
    kept = {name: value for name, value in admission.items() if name not in said}
    run.draft.put(admission=kept | {name: value for name, value in said.items() if value})


def say_source_key(run: Run, keys: Sequence[Manifest]) -> None:
    """Say which artefact keys of what it reads the workload is given, before they are delivered.

    Who replaces one of them waits for the workloads that say so (``plans.dataset.rotation``).
    """
    ids = {key["role"]: key["id"] for key in keys}
    run.draft.put(sourceKeyId=ids.get(SOURCE_ROLE), sampleKeyId=ids.get(SAMPLE_ROLE))


KEYS_READ: Final = ("sourceKeyId", "sampleKeyId")
"""Fields of the status that say so."""


def _volumes(recipe: Recipe) -> str:
    """Stands for what the pods mount: the config names a path, and not the claim that it is on."""
    return digest128(place_volumes(recipe.places))


def _job_name(run: Run, digest: str, keys: list[Manifest], volumes: str | None) -> str:
    image, secrets = run.image, run.context.image_pull_secrets
    parts = [digest, image, secrets, keys, volumes, run.owner.uid]
    if _is_repeated(run):
        parts.append(REPEATED)
    return child_name(run.owner, short_hash(*parts))


REPEATED: Final = "Repeated"
"""Type of the condition that says that a second Job runs, since the answer of the first is lost."""
_REPEATED: Final = (
    "the Job ended well, but its pod was removed before its answer was read, so nothing was"
    " published: it is run once more"
)


def repeat(run: Run, left: Sequence[Manifest]) -> Plan | None:
    """Begin once more after a Job of which no pod is left that could answer; None: it has been.

    Nothing of it is published, and the file that it wrote is replaced by the next one, as by a pod
    that is tried again. Its Job goes when the next admission is written: what was deleted already
    would after a crash look like one that was lost.

    Args:
        run: The workload.
        left: Pods of that Job, also such as it does not control any more.
    """
    if _is_repeated(run):
        return None
    if unfinished(left):
        return Plan(run.status, requeue_after=_LEFT_INTERVAL)
    run.draft.put(jobUid=None, startedAt=None, progress=None)
    for type_, value in ((REPEATED, True), ("Running", False), ("Ready", False)):
        run.draft.set(type_, value, "AnswerLost", _REPEATED)
    return Plan(run.status, requeue_after=_LEFT_INTERVAL)


_LEFT_INTERVAL: Final = 2.0


def _is_repeated(run: Run) -> bool:
    return is_true(run.status, REPEATED)


def is_outdated(run: Run) -> bool:
    """Whether what was admitted would have another Job now, of another image or pull secret.

    By the name, and not by what stands in the Job: an admission webhook may have changed that, and
    the same Job would be made again and again.
    """
    admission = run.status["admission"]
    known = admission.get("volumes")
    name = _job_name(run, admission["configDigest"], admission["keys"], known)
    return bool(name != admission["jobName"])


def is_as_admitted(recipe: Recipe, admission: Manifest) -> bool:
    """Whether what would be run now is what was decided to be run.

    Not by the versions of the vault keys: rotating one wraps the same artefact keys anew.
    """
    keys = [(key.role, key.id) for key in recipe.keys]
    decided = [(key["role"], key["id"]) for key in admission["keys"]]
    return admission["configDigest"] == recipe.config.content_digest() and decided == keys


def mounts_as_admitted(recipe: Recipe, admission: Manifest) -> bool:
    """Whether its pods would mount now what those of the Job do that is there."""
    return _volumes(recipe) == admission.get("volumes")


def _enter(run: Run, admission: Manifest) -> None:
    namespace, name = run.owner.namespace, admission["jobName"]
    refs = [_policy_ref(run), config_ref(namespace, name), job_ref(namespace, name)]
    if "secret" in admission:
        refs.append(secret_ref(namespace, admission["secret"]))
    # What an earlier admission made goes.
    strike(run.draft, lambda ref: ref not in refs)
    enter(run.draft, refs)


def _carry_out(workload: Workload, run: Run, recipe: Recipe) -> Plan:
    if run.draft.differs("admission", "children", *KEYS_READ):
        # Nothing is made that is not recorded: also the names stand in the status first.
        return Plan(run.status, actions=(WriteStatus(),))
    admission = run.status["admission"]
    steps = progress(run.observed, _steps(workload, run, recipe, admission))
    plan = carry_on(run, steps, started=False)
    if steps.failed is not None:
        # A key that was delivered earlier waits for nothing that may never come.
        take_keys(run, "its Job could not be started")
    if plan is not None:
        return plan
    made = run.observed.current(job_ref(run.owner.namespace, admission["jobName"]))
    run.draft.put(jobUid=made["metadata"]["uid"], startedAt=timestamp(run.context.now))
    run.draft.set("Admitted", True, "Admitted", "grants, keys and volumes are in order")
    keys_given(run, recipe.grants)
    run.draft.set("Running", False, "Starting", "the Job is there and is about to start")
    run.draft.set("Ready", False, "Starting", "the Job is there and is about to start")
    return Plan(run.status, actions=(WriteStatus(),))


def _steps(workload: Workload, run: Run, recipe: Recipe, admission: Manifest) -> list[Action]:
    namespace, name = run.owner.namespace, admission["jobName"]
    claim = workload.claim(run)
    steps: list[Action] = [] if claim is None else claim_steps(claim, run.observed)
    steps += [key.ensure for key in recipe.keys if key.ensure is not None]
    steps += policy_steps(run)
    made = run.observed.current(job_ref(namespace, name))
    config = config_map(run.owner, name, recipe.config)
    if drifted(run.observed.seen.get(ref_of(config)), config):
        steps.append(Apply(config))
    if made is None or made["metadata"].get("annotations", {}).get(UID_ANNOTATION) != run.owner.uid:
        steps.append(Create(_job(workload, run, recipe, admission)))
    if "secret" in admission:
        # Last: where anything else is refused, no key lies there, and no grant is used up.
        steps += recipe.counts
        steps.append(delivery(run, admission))
    return steps


def delivery(run: Run, admission: Manifest) -> DeliverKeys:
    """How the pod gets its keys; doing it again changes nothing."""
    return DeliverKeys(
        namespace=run.owner.namespace,
        name=admission["secret"],
        owner=run.owner.reference,
        keys=tuple((key["role"], key["id"]) for key in admission["keys"]),
        labels=labels(run.owner, "keys"),
    )


def _job(workload: Workload, run: Run, recipe: Recipe, admission: Manifest) -> Manifest:
    spec = run.spec
    parts = PodParts(
        image=admission["image"],
        config=admission["jobName"],
        config_digest=admission["configDigest"],
        secret=admission.get("secret"),
        places=recipe.places,
        labels=labels(run.owner, workload.role),
        annotations={UID_ANNOTATION: run.owner.uid},
        resources=spec.resources,
        template=spec.pod_template,
    )
    return job(
        metadata(run.owner, admission["jobName"], workload.role),
        parts,
        run.context,
        backoff_limit=spec.backoff_limit,
        deadline=whole_seconds(spec.active_deadline) if spec.active_deadline else None,
        suspended=True,
        workers=recipe.workers,
    )


def rebuilt_config(run: Run, workload: Workload) -> Manifest | Unseen | None:
    """The frozen config, made again; None: what it was made from has changed since."""
    recipe = workload.admit(run)
    if isinstance(recipe, Unseen):
        return recipe
    admission = run.status["admission"]
    if isinstance(recipe, Denied) or admission["configDigest"] != recipe.config.content_digest():
        return None
    return config_map(run.owner, admission["jobName"], recipe.config)
