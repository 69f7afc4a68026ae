"""What plans share: names, conditions, durations, quantities, steps, the state of pods."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from leeward.api.dataset import Location, Volume
from leeward.api.workload import Resources
from leeward.plans.shared.clean import plan_orphan
from leeward.plans.shared.conditions import StatusDraft, condition_of
from leeward.plans.shared.durations import amount, seconds, whole_seconds
from leeward.plans.shared.model import (
    Apply,
    ArtefactKeyInfo,
    Create,
    Delete,
    ForgetArtefactKey,
    Manifest,
    ObjectRef,
    Observed,
    Outcome,
    ShredArtefactKey,
)
from leeward.plans.shared.names import Owner, child_name, labels, metadata
from leeward.plans.shared.pods import resource_amounts
from leeward.plans.shared.progress import parse_progress, progress_status
from leeward.plans.shared.steps import drifted, matches, progress
from unit.plans.clinic import JOB, NAMESPACE, OUTPUT, dataset_spec, resource
from unit.plans.simulator import Engine
from unit.plans.world import NOW, World

OWNER = Owner("MaskingJob", NAMESPACE, "m" * 52, "uid", 1, {}, deleting=False)


def test_names_fit_in_labels() -> None:
    assert len(child_name(OWNER, "0123abcd")) == 63
    assert child_name(Owner("Dataset", "n", "a", "u", 1, {}, deleting=False), "x") == "lds-a-x"
    cut = Owner("MaskingJob", "n", f"{'m' * 50}-m", "u", 1, {}, deleting=False)
    assert "--" not in child_name(cut, "0123abcd")


def test_children_can_be_told_by_label_and_owner() -> None:
    made = metadata(OWNER, "x", "keys")
    assert made["labels"] == labels(OWNER, "keys")
    assert made["labels"]["app.kubernetes.io/managed-by"] == "leeward-operator"
    assert made["ownerReferences"][0]["uid"] == "uid"
    assert "ownerReferences" not in metadata(OWNER, "x", "output", owned=False)


@pytest.mark.parametrize(
    ("text", "length"), [("500ms", 0.5), ("30s", 30), ("5m", 300), ("36h", 129600), ("2d", 172800)]
)
def test_durations(text: str, length: float) -> None:
    assert seconds(text) == length
    assert whole_seconds(text) == max(1, length)


@pytest.mark.parametrize("text", ["", "5", "m", "0s", "1w", "-1s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        seconds(text)


def test_quantities() -> None:
    assert amount("1Gi") == 1024 * amount("1Mi") == 2**30
    assert amount("250m") * 4 == 1
    with pytest.raises(ValueError, match="quantity"):
        amount("1 GB")


@pytest.mark.parametrize(
    ("given", "requests", "limits"),
    [
        (None, {"cpu": "250m", "memory": "512Mi"}, {"memory": "1536Mi"}),
        ({"limits": {"memory": "64Mi"}}, {"cpu": "250m", "memory": "64Mi"}, {"memory": "64Mi"}),
        ({"requests": {"memory": "4Gi"}}, {"cpu": "250m", "memory": "4Gi"}, {"memory": "4Gi"}),
        (
            {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}},
            {"cpu": "2", "memory": "512Mi"},
            {"cpu": "2", "memory": "1536Mi"},
        ),
    ],
)
def test_defaults_fit_what_the_user_says(
    given: Manifest | None, requests: Manifest, limits: Manifest
) -> None:
    resources = None if given is None else Resources.model_validate(given)
    assert resource_amounts(resources) == {"requests": requests, "limits": limits}


def test_drift_is_seen_and_what_the_api_server_adds_is_none() -> None:
    wanted = {"metadata": {"name": "x"}, "spec": {"egress": [], "ports": [{"port": 8080}]}}
    stored: Manifest = {
        "metadata": {"name": "x", "uid": "1"},
        "spec": {"ports": [{"port": 8080, "protocol": "TCP"}]},
    }
    assert not drifted(stored, wanted)
    assert drifted(None, wanted)
    assert not matches({**stored, "spec": {**stored["spec"], "egress": [{}]}}, wanted)
    assert not matches({**stored, "spec": {"ports": []}}, wanted)


def test_a_batch_goes_on_behind_what_is_done() -> None:
    first, second = ShredArtefactKey("a"), Create({"kind": "Job"})
    observed = Observed()
    assert progress(observed, [first, second]).pending == (first, second)
    observed.outcomes[first] = Outcome("Conflict")
    assert progress(observed, [first, second]).pending == (second,)
    observed.outcomes[second] = Outcome("Conflict")
    assert progress(observed, [first, second]).failed == (second, Outcome("Conflict"))


def test_long_messages_are_cut() -> None:
    engine = Engine(World())
    draft = StatusDraft(
        {"kind": "Dataset", "metadata": {"name": "x", "namespace": "n", "uid": "u"}},
        engine.context(),
    )
    draft.set("Ready", None, "Long", "x" * 5000)
    condition = condition_of(draft.status, "Ready")
    assert condition is not None
    assert len(condition["message"]) == 2048
    assert condition["status"] == "Unknown"


@pytest.mark.parametrize(
    ("seen", "shown"),
    [
        ({"done": 5, "total": 10, "unit": "rows"}, {"done": 5, "total": 10, "percent": "50%"}),
        ({"done": 10, "total": 10, "unit": "rows"}, {"done": 10, "total": 10, "percent": "99%"}),
        ({"done": 5, "unit": "rows"}, {"done": 5, "percent": "?"}),
        ({"done": "many", "unit": "rows"}, None),
        ({"done": 5}, None),
    ],
)
def test_progress_of_a_pod_is_checked(seen: Manifest, shown: Manifest | None) -> None:
    expected = None if shown is None else {**shown, "unit": "rows"}
    report = parse_progress(seen)
    assert (None if report is None else progress_status(report)) == expected


# --- orphans ----------------------------------------------------------------------------------


def orphan(world: World, **changes: Any) -> ArtefactKeyInfo:
    fields = {
        "id": "55" * 16,
        "vault_id": "66" * 16,
        "key": "data",
        "version": 1,
        "algorithm": "AES256_GCM",
        "namespace": NAMESPACE,
        "owner": "MaskingJob/mask/uid-of-the-job",
        "artefact": Location(volume=Volume(claim_name="data", path="masked/x.parquet.lwe1")),
        "dataset": OUTPUT.name,
        **changes,
    }
    key = ArtefactKeyInfo(**fields)
    world.keys[key.id] = key
    return key


def sweep(world: World, key: ArtefactKeyInfo) -> None:
    observed, context = Observed(), Engine(world).context()
    for _ in range(10):
        plan = plan_orphan(key, observed, context)
        if plan.needs:
            observed.seen.update({need: world.look(need) for need in plan.needs})
        elif plan.actions:
            for action in plan.actions:
                observed.outcomes[action] = world.perform(action)
                if observed.outcomes[action].code != "Done":
                    break
        else:
            return
    raise AssertionError("the plan does not settle")


def test_orphan_is_shredded_and_cleaned_up() -> None:
    world = World()
    key = orphan(world)
    sweep(world, key)
    assert world.done[0] == ShredArtefactKey(key.id)
    assert world.done[-1] == ForgetArtefactKey(key.id)
    job = world.only("Job")
    assert job["spec"]["suspend"] is False
    assert job["spec"]["ttlSecondsAfterFinished"] == 300
    assert "ownerReferences" not in job["metadata"]
    for kind in ("ConfigMap", "NetworkPolicy"):
        assert world.only(kind)["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]
    guard = world.only("NetworkPolicy")["spec"]["podSelector"]["matchLabels"]
    pod = job["spec"]["template"]["metadata"]["labels"]
    assert guard.items() <= pod.items()


def test_file_is_not_removed_for_a_key_that_does_not_seal_it() -> None:
    world = World()
    key = orphan(world, dataset=None)
    sweep(world, key)
    assert world.done == [ShredArtefactKey(key.id), ForgetArtefactKey(key.id)]


@pytest.mark.parametrize("kind", [Create, Apply])
def test_orphan_is_shredded_where_nothing_can_be_started(kind: type) -> None:
    world = World()
    key = orphan(world)
    world.refusals.append(lambda a: Outcome("Forbidden") if isinstance(a, kind) else None)
    sweep(world, key)
    assert world.forgotten == world.shredded == {key.id}


@pytest.mark.parametrize(
    ("made", "goes"),
    [
        ({}, True),
        ({"annotations": {"leeward.dev/produced-by": "MaskingJob/mask/another"}}, False),
        ({"annotations": {}}, False),
        ({"status": {"digest": "sha256:1"}}, False),
    ],
)
@pytest.mark.parametrize("refused", [None, Create])
def test_dataset_that_was_created_for_an_orphan_goes(
    made: Manifest, goes: bool, refused: type | None
) -> None:
    world = World()
    key = orphan(world)
    if refused is not None:
        world.refusals.append(lambda a: Outcome("Forbidden") if isinstance(a, refused) else None)
    annotations = made.get("annotations", {"leeward.dev/produced-by": key.owner})
    created = resource(OUTPUT, dataset_spec(), made.get("status"))
    created["metadata"]["annotations"] = annotations
    world.add(created)
    sweep(world, key)
    assert key.id in world.shredded
    assert (OUTPUT not in world.objects) is goes


def test_dataset_of_a_key_that_was_published_meanwhile_stays() -> None:
    world = World()
    key = orphan(world)
    world.keys[key.id] = replace(key, published=True)
    created = resource(OUTPUT, dataset_spec())
    created["metadata"]["annotations"] = {"leeward.dev/produced-by": key.owner}
    world.add(created)
    sweep(world, key)
    assert OUTPUT in world.objects
    assert world.of_kind("Job") == []


def test_dataset_that_cannot_be_deleted_now_is_found_again() -> None:
    world = World()
    key = orphan(world)
    created = resource(OUTPUT, dataset_spec())
    created["metadata"]["annotations"] = {"leeward.dev/produced-by": key.owner}
    world.add(created)
    world.refusals.append(lambda a: Outcome("Forbidden") if isinstance(a, Delete) else None)
    sweep(world, key)
    assert not world.forgotten
    world.refusals.clear()
    sweep(world, key)
    assert OUTPUT not in world.objects
    assert world.forgotten == {key.id}


def test_key_of_a_job_that_is_there_is_left_alone() -> None:
    world = World()
    made = world.add(resource(JOB, {}))
    sweep(world, orphan(world, owner=f"MaskingJob/mask/{made['metadata']['uid']}"))
    assert world.done == []


def test_key_of_a_job_that_was_made_again_is_an_orphan() -> None:
    world = World()
    world.add(resource(JOB, {}))
    key = orphan(world)
    sweep(world, key)
    assert key.id in world.shredded
    assert world.now == NOW
    assert ObjectRef("batch/v1", "Job", NAMESPACE, "mask") not in world.objects
