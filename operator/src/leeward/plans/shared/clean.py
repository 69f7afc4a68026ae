"""Removing what a job left on a volume: a small Job, after a failure or a deletion."""

from leeward.api.dataset import DATASET, Location
from leeward.api.meta import API_VERSION
from leeward.formats.jobconfig import CleanConfig
from leeward.plans.shared.jobs import changed, config_map, job, job_ref
from leeward.plans.shared.locations import Places, egress_of, pod_path, pod_store
from leeward.plans.shared.model import (
    Apply,
    ArtefactKeyInfo,
    Context,
    Create,
    Delete,
    ForgetArtefactKey,
    Manifest,
    ObjectRef,
    Observed,
    Plan,
    ShredArtefactKey,
)
from leeward.plans.shared.names import (
    PRODUCED_BY_ANNOTATION,
    Owner,
    child_name,
    labels,
    metadata,
    short_hash,
)
from leeward.plans.shared.pods import PodParts
from leeward.plans.shared.policies import policy
from leeward.plans.shared.steps import progress

ROLE = "clean"
_BACKOFF_LIMIT = 3
_DEADLINE = 600
_TTL = 300


def clean_name(owner: Owner, left: Location) -> str:
    """Name of the Job (and of its ConfigMap) that removes this file."""
    return child_name(owner, f"clean-{short_hash(owner.uid, left.path)}")


def clean_config(owner: Owner, left: Location) -> Manifest:
    """The ConfigMap of that Job."""
    return config_map(owner, clean_name(owner, left), _config(left))


def _config(left: Location) -> CleanConfig:
    return CleanConfig(path=pod_path(left, "output"), store=pod_store(left, "output"))


def clean_job(owner: Owner, left: Location, image: str, context: Context) -> Manifest:
    """The Job that removes a file and what tries to write it left; it holds no key."""
    name = clean_name(owner, left)
    parts = PodParts(
        image=image,
        config=name,
        config_digest=_config(left).content_digest(),
        secret=None,
        places=Places(output=left),
        labels=labels(owner, ROLE),
        annotations={},
    )
    return job(
        metadata(owner, name, ROLE),
        parts,
        context,
        backoff_limit=_BACKOFF_LIMIT,
        deadline=_DEADLINE,
        suspended=False,
        ttl=_TTL,
    )


def plan_orphan(key: ArtefactKeyInfo, observed: Observed, context: Context) -> Plan:
    """What to do about the key of an artefact that was never published.

    Where the workload that it was made for is gone, the key is shredded first: where it was
    published after all, nothing else is touched. If it is the key of the file itself, that goes
    then, for nothing opens it any more, and the Dataset, if it was created already; and last the
    record, by which all this is found again after a crash.

    Args:
        key: One with an ``artefact``, also one that was shredded before.
        observed: What has been seen and done so far.
        context: The installation.
    """
    kind, name, uid = key.owner.split("/")
    need = ObjectRef(API_VERSION, kind, key.namespace, name)
    if not observed.has(need):
        return Plan({}, needs=(need,))
    found: Manifest | None = observed.get(need)
    if key.artefact is None or (found is not None and found["metadata"]["uid"] == uid):
        return Plan({})
    shred = ShredArtefactKey(key.id)
    shredded = observed.done(shred)
    if shredded is None:
        return Plan({}, actions=(shred,))
    if shredded.code != "Done":
        return Plan({})
    owner = Owner(kind, key.namespace, name, uid, 0, {}, deleting=False)
    plan = None
    if key.dataset is not None:
        plan = _clean_up(owner, key.artefact, observed, context)
        plan = plan or _take_back(key, key.dataset, observed)
    return plan or Plan({}, actions=progress(observed, (ForgetArtefactKey(key.id),)).pending)


def _clean_up(
    owner: Owner, artefact: Location, observed: Observed, context: Context
) -> Plan | None:
    """Have the file removed; None: that is under way, or cannot be started there.

    The Job is owned by nothing and goes by itself; it is resumed when its config and its
    NetworkPolicy are there, which go with it. Where it is refused (the namespace is going), the
    record does not wait for it: nobody would tell when it is time to try again.
    """
    made = clean_job(owner, artefact, context.masking_image, context)
    del made["metadata"]["ownerReferences"]
    made["spec"]["suspend"] = True
    first = progress(observed, (Create(made),))
    if first.pending:
        return Plan({}, actions=first.pending)
    if first.failed is not None:
        return None
    running: Manifest = observed.current(job_ref(owner.namespace, made["metadata"]["name"]))
    children = [Apply(child) for child in _orphan_children(owner, running, artefact, context)]
    resume = changed(owner, running, {"suspend": False})
    rest = progress(observed, (*children, *((Apply(resume),) if resume else ())))
    if rest.pending and rest.failed is None:
        return Plan({}, actions=rest.pending)
    return None


def _take_back(key: ArtefactKeyInfo, dataset: str, observed: Observed) -> Plan | None:
    """Delete the Dataset that was created for the file and holds nothing; None: it is not there.

    Where that is refused, the record waits for the next search.
    """
    ref = ObjectRef(API_VERSION, DATASET.kind, key.namespace, dataset)
    if not observed.has(ref):
        return Plan({}, needs=(ref,))
    found: Manifest | None = observed.get(ref)
    if found is None or "digest" in (found.get("status") or {}):
        return None
    annotations = found["metadata"].get("annotations") or {}
    if annotations.get(PRODUCED_BY_ANNOTATION) != key.owner:
        return None
    done = progress(observed, (Delete(ref, found["metadata"]["uid"]),))
    return Plan({}, actions=done.pending) if done.pending or done.failed else None


def _orphan_children(
    owner: Owner, running: Manifest, artefact: Location, context: Context
) -> tuple[Manifest, Manifest]:
    reference = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": running["metadata"]["name"],
        "uid": running["metadata"]["uid"],
        "controller": True,
    }
    config = clean_config(owner, artefact)
    selector = {**labels(owner, ROLE)}
    placed = metadata(owner, config["metadata"]["name"], "policy")
    guard = policy(placed, selector, context, egress_of([artefact]))
    for child in (guard, config):
        child["metadata"]["ownerReferences"] = [reference]
    return guard, config
