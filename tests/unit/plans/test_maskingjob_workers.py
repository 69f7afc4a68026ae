"""MaskingJob with several pods: one Indexed Job, a shared key, one pod that answers for all."""

from __future__ import annotations

import json
from typing import Any

from leeward.formats.jobconfig import MaskingConfig, parse_job_config
from unit.plans.clinic import JOB, OUTPUT, answer, config_ref, error, started
from unit.plans.simulator import Engine, ready
from unit.plans.world import World, condition

NOTHING = json.dumps({"formatVersion": 1, "outcome": "Succeeded"})


def several(parallelism: int = 3, **job: Any) -> tuple[World, Engine]:
    return started(parallelism=parallelism, **job)


def key_of(world: World, role: str) -> str:
    keys = world.objects[JOB]["status"]["admission"]["keys"]
    return str(next(key["id"] for key in keys if key["role"] == role))


def test_one_job_of_as_many_pods_each_tried_again() -> None:
    world, _ = several(backoffLimit=4)
    spec = world.only("Job")["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 3, 3)
    assert (spec["backoffLimitPerIndex"], spec["maxFailedIndexes"]) == (4, 0)
    assert "backoffLimit" not in spec
    assert spec["successPolicy"] == {"rules": [{"succeededIndexes": "0"}]}
    stored = world.objects[config_ref(world.objects[JOB]["status"]["admission"]["jobName"])]
    config = parse_job_config(stored["data"]["job.json"].encode())
    assert isinstance(config, MaskingConfig)
    assert config.workers == 3


def test_a_worker_that_is_killed_is_followed_by_another_one() -> None:
    alone, several_ = started()[0], several()[0]
    final = [
        world.only("Job")["spec"]["podFailurePolicy"]["rules"][1]["onExitCodes"]["values"]
        for world in (alone, several_)
    ]
    assert final == [[2, 137], [2]]


def test_the_pods_share_a_symmetric_key_that_goes_when_the_output_is_published() -> None:
    world, engine = several()
    parts = key_of(world, "parts")
    assert world.keys[parts].algorithm == "AES256_GCM"
    world.succeed(answer(world))
    assert ready(engine.settle(JOB))[:2] == ("True", "Published")
    assert parts not in world.keys
    assert parts in world.forgotten
    assert world.keys[world.objects[OUTPUT]["status"]["keyId"]].published


def test_a_job_alone_has_no_such_key() -> None:
    world, _ = started()
    assert "parts" not in {k["role"] for k in world.objects[JOB]["status"]["admission"]["keys"]}


def test_the_shared_key_is_shredded_when_the_job_fails() -> None:
    world, engine = several()
    parts, output = key_of(world, "parts"), key_of(world, "output")
    world.fail(exitCode=2, message=error("MalformedData"))
    assert ready(engine.settle(JOB), "Failed")[1] == "MalformedData"
    assert {parts, output} <= world.shredded


def test_the_first_pod_answers_whatever_the_others_say_later() -> None:
    world, engine = several()
    job = world.only("Job")
    first, second = world.start_pod(job, 0), world.start_pod(job, 1)
    world.end_pod(first, "Succeeded", exitCode=0, message=json.dumps(answer(world)))
    world.end_pod(second, "Succeeded", exitCode=0, message=NOTHING)
    condition(job, "Complete", "")
    assert ready(engine.settle(JOB))[:2] == ("True", "Published")


def test_a_pod_that_is_done_does_not_end_the_job() -> None:
    world, engine = several()
    job = world.only("Job")
    done, running = world.start_pod(job, 1), world.start_pod(job, 2)
    world.end_pod(done, "Succeeded", exitCode=0, message=NOTHING)
    status = engine.settle(JOB)
    assert ready(status, "Running")[:2] == ("True", "Running")
    world.end_pod(running, "Failed", exitCode=1, message=error("Interrupted"))
    assert ready(engine.settle(JOB), "Running")[0] != "Complete"


def test_progress_is_that_of_the_first_pod_which_speaks_for_all() -> None:
    world, engine = several()
    job = world.only("Job")
    first, second = world.start_pod(job, 0), world.start_pod(job, 1)
    world.progress[first["metadata"]["name"]] = {"done": 7, "total": 10, "unit": "bytes"}
    world.progress[second["metadata"]["name"]] = {"done": 2, "total": 10, "unit": "bytes"}
    status = engine.settle(JOB)
    assert status["progress"]["percent"] == "70%"
    assert "2 of 3 workers run" in ready(status, "Running")[2]


def test_the_error_that_is_final_is_the_one_that_is_told() -> None:
    world, engine = several()
    job = world.only("Job")
    ends = [("MalformedData", 2, 1), ("Interrupted", 1, 0), ("VolumeFull", 1, 2)]
    for code, exit_code, index in ends:
        pod = world.start_pod(job, index)
        world.end_pod(pod, "Failed", exitCode=exit_code, message=error(code))
    condition(job, "Failed", "PodFailurePolicy")
    assert ready(engine.settle(JOB), "Failed")[1] == "MalformedData"


def test_what_stopped_nobody_is_told_last() -> None:
    world, engine = several()
    job = world.only("Job")
    for code, index in (("VolumeFull", 1), ("Interrupted", 0)):
        pod = world.start_pod(job, index)
        world.end_pod(pod, "Failed", exitCode=1, message=error(code))
    condition(job, "Failed", "MaxFailedIndexesExceeded")
    assert ready(engine.settle(JOB), "Failed")[1] == "VolumeFull"
