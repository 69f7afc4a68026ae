"""From a started Job to its end: what runs is watched, put right, and its end is taken up."""

from collections.abc import Sequence
from typing import Final

from leeward.plans.shared.clean import clean_config, clean_job
from leeward.plans.shared.conditions import condition_of, is_over, is_true
from leeward.plans.shared.durations import whole_seconds
from leeward.plans.shared.inventory import children, enter, secret_ref, strike
from leeward.plans.shared.jobs import changed, config_ref, job_ref
from leeward.plans.shared.model import (
    Action,
    Apply,
    Create,
    Delete,
    Manifest,
    Plan,
    PodsOf,
    ProgressOf,
    ShredArtefactKey,
    WriteStatus,
)
from leeward.plans.shared.names import ref_of
from leeward.plans.shared.podstate import (
    Active,
    Failed,
    Succeeded,
    is_indexed,
    lacks_image,
    left_pods,
    own_pods,
    read_job,
    unfinished,
)
from leeward.plans.shared.policies import job_policy, policy_steps
from leeward.plans.shared.progress import parse_progress, progress_status
from leeward.plans.shared.starting import (
    KEYS_READ,
    delivery,
    is_as_admitted,
    is_outdated,
    mounts_as_admitted,
    rebuilt_config,
    repeat,
    say_source,
    say_source_key,
    start,
)
from leeward.plans.shared.steps import progress
from leeward.plans.shared.verdict import NOT_GRANTED, Denied, Unseen
from leeward.plans.shared.workload import (
    KEYS_DELIVERED,
    Recipe,
    Run,
    Workload,
    carry_on,
    give_up,
    hold_up,
    keys_given,
    release,
    retire,
    take_keys,
)

RUNNING_INTERVAL = 2.0
STARTING_INTERVAL = 10.0


def plan_workload(workload: Workload, run: Run) -> Plan:
    """The next step of a workload, wherever it stands."""
    if is_over(run.status):
        unseen = workload.over(run)
        return retire(run) if unseen is None else Plan(run.status, needs=unseen.needs)
    decided = workload.committed(run)
    if decided is not None:
        return decided
    if "jobUid" not in run.status:
        return start(workload, run)
    return follow(workload, run)


def follow(workload: Workload, run: Run) -> Plan:
    """Look at the Job that was started, and take up what has become of it."""
    namespace, name = run.owner.namespace, run.status["admission"]["jobName"]
    job_need, pods_need = job_ref(namespace, name), PodsOf(namespace, name)
    policy_need = ref_of(job_policy(run.owner, run.context))
    config_need = config_ref(namespace, name)
    needs = (job_need, pods_need, policy_need, config_need)
    unseen = tuple(need for need in needs if not run.observed.has(need))
    if unseen:
        return Plan(run.status, needs=unseen)
    job: Manifest | None = run.observed.current(job_need)
    uid = run.status["jobUid"]
    if job is not None and job["metadata"]["uid"] != uid:
        job = None
    pods: Sequence[Manifest] = run.observed.get(pods_need)
    state = read_job(job, own_pods(pods, uid), run.context.now)
    match state:
        case Failed():
            left = left_pods(pods, uid)
            return fail(workload, run, Denied(state.reason, state.message), state.started, left)
        case Succeeded():
            again = repeat(run, left_pods(pods, uid)) if state.lost and workload.repeats else None
            return again or workload.ended(run, state.answer)
        case Active():
            made = job or {}
            return _replace(run, state, made, pods) or _keep(workload, run, state, made)


def _replace(run: Run, state: Active, job: Manifest, pods: Sequence[Manifest]) -> Plan | None:
    """Put another Job in the place of one that waits for an image of yesterday; None: it does not.

    A Job's image cannot be changed. It is suspended first, and goes when no pod of it is left: the
    image may come just then, and there must never be two.
    """
    own = own_pods(pods, run.status["jobUid"])
    begun = (condition_of(run.status, "Running") or {}).get("reason") == _IMAGE_REPLACED
    waits = not run.spec.suspend and lacks_image(state, job, own)
    if not (waits or (begun and state.phase == "Suspended")) or not is_outdated(run):
        return None
    run.draft.set("Running", False, _IMAGE_REPLACED, _REPLACED)
    run.draft.set("Ready", False, _IMAGE_REPLACED, _REPLACED)
    if run.draft.differs("conditions"):
        # Whoever leads next must not resume it.
        return Plan(run.status, actions=(WriteStatus(),))
    change = changed(run.owner, job, {"suspend": True})
    if change is not None:
        plan = carry_on(run, progress(run.observed, (Apply(change),)), started=True)
        return plan or Plan(run.status, requeue_after=RUNNING_INTERVAL)
    if not unfinished(own):
        run.draft.put(jobUid=None, startedAt=None)
        strike(run.draft, lambda ref: ref.kind == "Job")
    return Plan(run.status, requeue_after=RUNNING_INTERVAL)


_IMAGE_REPLACED: Final = "ImageReplaced"
_REPLACED: Final = "the image of the Helm values is another one now: a Job with that one begins"


def fail(
    workload: Workload,
    run: Run,
    denied: Denied,
    started: bool,
    pods: Sequence[Manifest] = (),
) -> Plan:
    """Shred the keys that were this job's own, have the volume cleaned, and say it has failed."""
    # The keys first: nothing that is refused after them keeps them.
    steps: list[Action] = [ShredArtefactKey(key_id) for key_id in workload.own_keys(run)]
    steps.extend(Delete(ref_of(pod), pod["metadata"]["uid"]) for pod in unfinished(pods))
    shredding = progress(run.observed, steps)
    if shredding.pending and shredding.failed is None:
        return Plan(run.status, actions=shredding.pending)
    left = workload.leftovers(run) if started and not _is_published(run, steps) else None
    if left is not None:
        image = run.status["admission"]["image"]
        steps.append(Apply(clean_config(run.owner, left)))
        steps.append(Create(clean_job(run.owner, left, image, run.context)))
    done = progress(run.observed, steps)
    # A clean-up that cannot be started (a quota, the namespace going) must not hide the failure.
    if done.pending and done.failed is None:
        return Plan(run.status, actions=done.pending)
    return release(workload, run) or give_up(run, denied)


def _is_published(run: Run, steps: Sequence[Action]) -> bool:
    """Whether a key was not shredded since what it opens is published: then the file stays."""
    outcomes = (run.observed.done(s) for s in steps if isinstance(s, ShredArtefactKey))
    return any(outcome is not None and outcome.code == "Conflict" for outcome in outcomes)


def _keep(workload: Workload, run: Run, state: Active, job: Manifest) -> Plan:
    if state.phase == "Suspended" and not run.spec.suspend:
        plan = _leave_to_resume(workload, run)
        if plan is not None:
            return plan
    kept_back = _keep_back(workload, run, state)
    if kept_back is not None:
        return kept_back
    steps = _upkeep(workload, run, state, job)
    if isinstance(steps, Unseen):
        return Plan(run.status, needs=steps.needs)
    if steps is None:
        # It has not ended: else pod would follow pod, each waiting for a config that never comes.
        strike(run.draft, lambda ref: ref.kind == "Job")
        return fail(
            workload,
            run,
            Denied(
                "ConfigLost",
                "the ConfigMap with the job's config was deleted before its pod had read it, and"
                " the Dataset, a key or a grant has changed since, so it cannot be put back: delete"
                " this resource and create it again",
            ),
            started=False,
        )
    plan = carry_on(run, progress(run.observed, steps), started=True)
    if plan is not None:
        return plan
    if state.phase == "Running" and state.pod is not None:
        return _running(workload, run, state, state.pod)
    run.draft.set("Running", False, state.reason, state.message)
    run.draft.set("Ready", False, state.reason, state.message)
    if state.phase == "Suspended":
        return Plan(run.status)
    if state.phase == "Stuck":
        return Plan(run.status, requeue_after=run.draft.next_look("Running"))
    return Plan(run.status, requeue_after=STARTING_INTERVAL)


def _leave_to_resume(workload: Workload, run: Run) -> Plan | None:
    """Check again, and give the keys again, before a Job that is suspended goes on; None: it may.

    A job could else be suspended as soon as it is started, and run when its grants have ended.
    """
    recipe = workload.admit(run)
    if isinstance(recipe, Unseen):
        return Plan(run.status, needs=recipe.needs)
    if isinstance(recipe, Denied):
        take_keys(run, recipe.message)
        return hold_up(run, recipe)
    admission = run.status["admission"]
    if not is_as_admitted(recipe, admission):
        if not recipe.replaced_keys.isdisjoint(key["id"] for key in admission["keys"]):
            return _begin_anew(run, *_KEY_REPLACED)
        return fail(workload, run, Denied("SourceChanged", _SOURCE_CHANGED), started=True)
    if not mounts_as_admitted(recipe, admission):
        return _begin_anew(run, *_PLACE_CHANGED)
    say_source(run, recipe, admission)
    return _give(run, recipe)


def _give(run: Run, recipe: Recipe) -> Plan | None:
    """Give the keys again; None: they are given."""
    admission = run.status["admission"]
    if "secret" not in admission:
        return None
    say_source_key(run, admission["keys"])
    enter(run.draft, [secret_ref(run.owner.namespace, admission["secret"])])
    if run.draft.differs("admission", "children", *KEYS_READ):
        return Plan(run.status, actions=(WriteStatus(),))
    steps = progress(run.observed, (*recipe.counts, delivery(run, admission)))
    plan = carry_on(run, steps, started=True)
    if plan is None:
        keys_given(run, recipe.grants)
    return plan


def _keep_back(workload: Workload, run: Run, state: Active) -> Plan | None:
    """Take the keys away from a pod that has not started, where its grants have ended since.

    Where they are in order again, it is given them again. None: nothing has changed. A pod that
    runs keeps what it has read.
    """
    if not state.held_up or "secret" not in run.status["admission"]:
        return None
    recipe = workload.admit(run)
    if isinstance(recipe, Unseen):
        return Plan(run.status, needs=recipe.needs)
    if not isinstance(recipe, Denied):
        return None if is_true(run.status, KEYS_DELIVERED) else _give(run, recipe)
    if recipe.reason not in NOT_GRANTED:
        return None
    take_keys(run, recipe.message)
    return hold_up(run, recipe)


def _has_secret(run: Run) -> bool:
    name = run.status["admission"].get("secret")
    return secret_ref(run.owner.namespace, name) in children(run.status)


def _begin_anew(run: Run, reason: str, message: str) -> Plan:
    """Have another Job in the place of one that is suspended, as what it reads has changed.

    One that is started again begins from the first row in any case. No pod of the other one may be
    left by then: both would write the same file.
    """
    run.draft.set("Running", False, reason, message)
    run.draft.set("Ready", False, reason, message)
    pods = run.observed.get(PodsOf(run.owner.namespace, run.status["admission"]["jobName"]))
    if unfinished(own_pods(pods, run.status["jobUid"])):
        return Plan(run.status, requeue_after=RUNNING_INTERVAL)
    run.draft.put(jobUid=None, startedAt=None, sourceKeyId=None, sampleKeyId=None)
    strike(run.draft, lambda ref: ref.kind in {"Job", "Secret"})
    return Plan(run.status, requeue_after=RUNNING_INTERVAL)


_KEY_REPLACED: Final = (
    "KeyReplaced",
    "the source's key was replaced meanwhile: the job begins with the new one",
)
_PLACE_CHANGED: Final = (
    "PlaceChanged",
    "a Dataset that it reads names another claimName, credentialsRef or caRef now: the job begins"
    " with that",
)
_SOURCE_CHANGED = (
    "while the job was suspended, its Dataset or a key that it uses was replaced by another one:"
    " delete this resource and create it again"
)


def _upkeep(
    workload: Workload, run: Run, state: Active, job: Manifest
) -> list[Action] | Unseen | None:
    """What to put right; None: the config is lost."""
    steps = policy_steps(run)
    admission = run.status["admission"]
    config_need = config_ref(run.owner.namespace, admission["jobName"])
    if state.phase != "Running" and run.observed.current(config_need) is None:
        config = rebuilt_config(run, workload)
        if config is None or isinstance(config, Unseen):
            return config
        steps.append(Apply(config))
    if state.held_up and _has_secret(run):
        # It cannot be looked at there; where it was deleted, this puts it back.
        steps.append(delivery(run, admission))
    deadline = run.spec.active_deadline
    wanted = {
        "suspend": run.spec.suspend,
        # Of several workers it is a limit for each, which Kubernetes does not let change.
        "backoffLimit": None if is_indexed(job) else run.spec.backoff_limit,
        "activeDeadlineSeconds": whole_seconds(deadline) if deadline else None,
    }
    change = changed(run.owner, job, wanted)
    if change is not None:
        steps.append(Apply(change))
    return steps


def _running(workload: Workload, run: Run, state: Active, pod: Manifest) -> Plan:
    run.draft.set("Running", True, state.reason, state.message)
    told = "it runs: see status.progress" if state.reason == "Running" else state.message
    run.draft.set("Ready", False, state.reason, told)
    ip = (pod.get("status") or {}).get("podIP")
    if not ip:
        return Plan(run.status, requeue_after=RUNNING_INTERVAL)
    need = ProgressOf(run.owner.namespace, pod["metadata"]["name"], ip)
    if not run.observed.has(need):
        return Plan(run.status, needs=(need,))
    report = parse_progress(run.observed.get(need))
    if report is not None:
        special = workload.serving(run, pod, report)
        if special is not None:
            return special
        run.draft.put(progress=progress_status(report))
    return Plan(run.status, requeue_after=RUNNING_INTERVAL)
