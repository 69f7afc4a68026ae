"""MaskingJob: how it fails, what is left then, and what can come between end and publication."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace

import pytest

from leeward.plans.shared.model import (
    Action,
    Create,
    Delete,
    Manifest,
    ObjectRef,
    Outcome,
    PublishArtefactKey,
)
from unit.plans.clinic import (
    JOB,
    NAMESPACE,
    OUTPUT,
    OUTPUT_DIGEST,
    SOURCE,
    answer,
    dataset_spec,
    error,
    resource,
    started,
)
from unit.plans.simulator import Engine, ready
from unit.plans.world import CrashError, condition, stamp

OUT_OF_MEMORY: Manifest = {"exitCode": 137, "reason": "OOMKilled"}


@pytest.mark.parametrize(
    ("reason", "message", "end"),
    [
        ("PodOutOfMemory", "resources.limits.memory", OUT_OF_MEMORY),
        ("PodOutOfMemory", "limits.memory", {"exitCode": 128, "message": "init was OOM-killed"}),
        ("VolumeFull", "what to do", {"exitCode": 1, "message": error("VolumeFull")}),
        ("MalformedData", "(row 7)", {"exitCode": 2, "message": error("MalformedData", row=7)}),
        (
            "ColumnMissing",
            'column "x"',
            {"exitCode": 2, "message": error("ColumnMissing", column="x")},
        ),
        ("PodFailed", "exit code 3", {"exitCode": 3}),
    ],
)
def test_failed_job_says_why_and_leaves_nothing(reason: str, message: str, end: Manifest) -> None:
    world, engine = started()
    output = next(
        key["id"]
        for key in world.objects[JOB]["status"]["admission"]["keys"]
        if key["role"] == "output"
    )
    world.fail(**end)
    status = engine.settle(JOB)
    assert ready(status, "Failed")[:2] == ("True", reason)
    assert message in ready(status, "Failed")[2]
    assert ready(status)[:2] == ("False", reason)
    assert output in world.shredded
    assert OUTPUT not in world.objects
    assert world.of_kind("Secret") == []
    clean = [m for m in world.of_kind("Job") if "clean" in m["metadata"]["name"]]
    assert len(clean) == 1


def test_file_that_a_former_leader_published_meanwhile_stays() -> None:
    world, engine = started()
    (output,) = (
        key["id"]
        for key in world.objects[JOB]["status"]["admission"]["keys"]
        if key["role"] == "output"
    )
    world.keys[output] = replace(world.keys[output], published=True)
    world.fail(exitCode=3)
    assert ready(engine.settle(JOB), "Failed")[1] == "PodFailed"
    assert [m["metadata"]["name"] for m in world.of_kind("Job") if "clean" in str(m)] == []


def test_deadline_exceeded() -> None:
    world, engine = started(activeDeadline="1m")
    condition(world.only("Job"), "Failed", "DeadlineExceeded")
    assert "spec.activeDeadline" in ready(engine.settle(JOB), "Failed")[2]


def test_evicted_pod() -> None:
    world, engine = started()
    pod = world.start_pod()
    pod["status"] |= {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}
    condition(world.only("Job"), "Failed", "BackoffLimitExceeded")
    assert ready(engine.settle(JOB), "Failed")[1] == "PodEvicted"


def test_key_is_shredded_though_a_pod_cannot_be_removed() -> None:
    world, engine = started()
    world.start_pod()
    job = world.only("Job")
    condition(job, "Failed", "DeadlineExceeded")
    world.refusals.append(lambda a: Outcome("Invalid") if isinstance(a, Delete) else None)
    assert ready(engine.settle(JOB), "Failed")[0] == "True"
    assert world.shredded


def test_key_for_other_uses_is_not_shredded() -> None:
    world, engine = started()
    tokens = next(
        key["id"]
        for key in world.objects[JOB]["status"]["admission"]["keys"]
        if key["role"].startswith("rule:")
    )
    world.fail(**OUT_OF_MEMORY)
    engine.settle(JOB)
    assert tokens in world.keys


def test_nothing_is_cleaned_where_no_container_ran() -> None:
    world, engine = started()
    pod = world.start_pod(waiting={"reason": "ErrImageNeverPull"})
    condition(world.only("Job"), "Failed", "BackoffLimitExceeded")
    pod["status"]["phase"] = "Failed"
    status = engine.settle(JOB)
    assert ready(status, "Failed")[0] == "True"
    assert len(world.of_kind("Job")) == 1


def test_job_deleted_by_hand_is_not_run_again() -> None:
    world, engine = started()
    world.start_pod()
    world.remove(ObjectRef("batch/v1", "Job", NAMESPACE, world.only("Job")["metadata"]["name"]))
    status = engine.settle(JOB)
    assert ready(status, "Failed")[1] == "JobLost"
    assert sum(world.started.values()) == 1


def test_job_made_again_by_somebody_else_does_not_count() -> None:
    world, engine = started()
    job = world.only("Job")
    world.remove(ObjectRef("batch/v1", "Job", NAMESPACE, job["metadata"]["name"]))
    again = world.add({**job, "metadata": {**job["metadata"], "uid": "another"}})
    condition(again, "Complete", "")
    assert ready(engine.settle(JOB), "Failed")[1] == "JobLost"


def test_orphaned_pod_is_stopped() -> None:
    world, engine = started()
    pod = world.start_pod()
    del pod["metadata"]["ownerReferences"]
    world.remove(ObjectRef("batch/v1", "Job", NAMESPACE, world.only("Job")["metadata"]["name"]))
    engine.settle(JOB)
    assert [action for action in world.done if isinstance(action, Delete)]
    assert world.of_kind("Pod") == []


def test_success_without_an_answer_is_no_success() -> None:
    world, engine = started()
    world.succeed({})
    assert ready(engine.settle(JOB), "Failed")[1] == "ResultLost"


def test_answer_is_read_from_a_pod_that_is_being_removed() -> None:
    world, engine = started()
    pod = world.start_pod()
    pod["metadata"]["deletionTimestamp"] = stamp(world.now)
    plan = engine.reconcile(JOB)
    assert plan is not None
    assert plan.requeue_after == 2.0
    assert ready(plan.status)[1] == "Retrying"
    world.end_pod(pod, "Succeeded", exitCode=0, message=json.dumps(answer(world)))
    assert ready(engine.settle(JOB))[1] == "Published"


def test_job_whose_pod_is_gone_before_its_answer_was_read_runs_once_more() -> None:
    world, engine = started()
    first = world.only("Job")
    keys = world.objects[JOB]["status"]["admission"]["keys"]
    condition(first, "Complete", "")
    status = engine.settle(JOB)
    assert ready(status, "Repeated")[:2] == ("True", "AnswerLost")
    assert status["admission"]["keys"] == keys
    assert world.only("Job")["metadata"]["name"] != first["metadata"]["name"]
    assert not world.shredded
    world.succeed(answer(world))
    assert ready(engine.settle(JOB))[1] == "Published"


def test_job_whose_answer_is_lost_twice_fails() -> None:
    world, engine = started()
    for _ in range(2):
        condition(world.only("Job"), "Complete", "")
        status = engine.settle(JOB)
    assert ready(status, "Failed")[1] == "ResultLost"
    assert world.shredded


def test_job_is_not_repeated_beside_a_pod_that_was_orphaned() -> None:
    world, engine = started()
    pod = world.start_pod()
    del pod["metadata"]["ownerReferences"]
    first = world.only("Job")
    condition(first, "Complete", "")
    engine.settle(JOB)
    assert world.only("Job") == first
    world.end_pod(pod, "Failed", exitCode=143)
    engine.settle(JOB)
    assert world.only("Job")["metadata"]["name"] != first["metadata"]["name"]


def test_crash_at_any_point_of_a_repetition_ends_in_one_more_run() -> None:
    for effects in range(8):
        world, engine = started()
        condition(world.only("Job"), "Complete", "")
        world.crash_after = effects
        with contextlib.suppress(CrashError):
            engine.settle(JOB)
        world.crash_after = None
        Engine(world, seed=2).settle(JOB)
        world.succeed(answer(world))
        assert ready(Engine(world, seed=3).settle(JOB))[1] == "Published"


@pytest.mark.parametrize(
    ("part", "change", "told"),
    [
        ("output", {"path": "/data/output/elsewhere"}, "another path"),
        ("output", {"keyIds": ["99" * 16]}, "another key"),
        ("source", {"digest": OUTPUT_DIGEST}, "source"),
        ("output", {"columns": [{"name": "note", "type": "String"}]}, "dropped"),
        ("reportFile", {"path": "/data/output/elsewhere"}, "report has another path"),
        ("reportFile", {"keyIds": ["99" * 16]}, "report is sealed with another key"),
    ],
)
def test_answer_that_does_not_fit_is_not_published(part: str, change: Manifest, told: str) -> None:
    world, engine = started()
    good = answer(world)
    world.succeed({**good, part: {**good[part], **change}})
    status = engine.settle(JOB)
    assert ready(status, "Failed")[1] == "ResultMismatch"
    assert told in ready(status, "Failed")[2]
    assert OUTPUT not in world.objects


def test_report_of_another_transform_is_not_published() -> None:
    world, engine = started()
    good = answer(world)
    good["report"]["columns"][0]["transform"] = "keep"
    world.succeed(good)
    assert ready(engine.settle(JOB), "Failed")[1] == "ResultMismatch"


def test_output_name_taken_while_it_ran() -> None:
    world, engine = started()
    world.add(resource(OUTPUT, dataset_spec()))
    world.succeed(answer(world))
    status = engine.settle(JOB)
    assert ready(status, "Failed")[1] == "OutputNameTaken"
    assert not any(world.published.values())
    assert world.shredded


def test_lost_output_key_takes_the_dataset_back() -> None:
    world, engine = started()
    world.succeed(answer(world))
    world.refusals.append(
        lambda action: Outcome("Missing") if isinstance(action, PublishArtefactKey) else None
    )
    status = engine.settle(JOB)
    assert ready(status, "Failed")[1] == "KeyLost"
    assert OUTPUT not in world.objects


def test_decided_publication_survives_the_loss_of_job_and_pod() -> None:
    world, engine = started()
    world.succeed(answer(world))
    blocked: list[bool] = [True]

    def refuse(action: Action) -> Outcome | None:
        named = isinstance(action, Create) and action.manifest["kind"] == "Dataset"
        return Outcome("Invalid", "quota") if named and blocked[0] else None

    world.refusals.append(refuse)
    assert ready(engine.settle(JOB))[1] == "ChildRefused"
    world.remove(ObjectRef("batch/v1", "Job", NAMESPACE, world.only("Job")["metadata"]["name"]))
    world.remove(SOURCE)
    blocked[0] = False
    assert ready(engine.settle(JOB))[1] == "Published"
