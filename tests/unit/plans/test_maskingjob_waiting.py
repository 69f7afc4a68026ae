"""MaskingJob: children that are put back, and what holds a job up."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from leeward.plans.shared.model import (
    Action,
    Apply,
    Create,
    DeliverKeys,
    EnsureArtefactKey,
    ObjectRef,
    Outcome,
)
from leeward.plans.shared.names import ref_of
from unit.plans.clinic import (
    JOB,
    NAMESPACE,
    OUTPUT_DIGEST,
    SOURCE,
    answer,
    clinic,
    config_ref,
    dataset_spec,
    started,
)
from unit.plans.simulator import Engine, ready
from unit.plans.world import IMAGE, NOW, CrashError, World, condition, stamp


def test_policy_edited_or_deleted_by_hand_is_put_back() -> None:
    world, engine = started()
    ref = ObjectRef("networking.k8s.io/v1", "NetworkPolicy", NAMESPACE, "mj-mask")
    wanted = world.objects[ref]["spec"]
    world.change(ref, spec={**wanted, "egress": [{}]})
    engine.settle(JOB)
    assert world.objects[ref]["spec"] == wanted
    world.remove(ref)
    engine.settle(JOB)
    assert world.objects[ref]["spec"] == wanted


def test_policy_is_put_back_until_the_pods_of_a_finished_job_go() -> None:
    world, engine = started(ttlAfterFinished="1h")
    ref = ObjectRef("networking.k8s.io/v1", "NetworkPolicy", NAMESPACE, "mj-mask")
    wanted = world.objects[ref]["spec"]
    world.succeed(answer(world))
    engine.settle(JOB)
    world.change(ref, spec={**wanted, "egress": [{}]})
    engine.settle(JOB)
    assert world.objects[ref]["spec"] == wanted
    world.pass_time(3600)
    engine.settle(JOB)
    assert ref not in world.objects


def test_config_deleted_before_it_was_read_is_put_back() -> None:
    world, engine = started()
    ref = config_ref(world.objects[JOB]["status"]["admission"]["jobName"])
    before = world.objects[ref]["data"]
    world.remove(ref)
    engine.settle(JOB)
    assert world.objects[ref]["data"] == before


def test_config_that_cannot_be_made_again_fails_the_job() -> None:
    world, engine = started()
    world.remove(config_ref(world.objects[JOB]["status"]["admission"]["jobName"]))
    source = world.objects[SOURCE]
    world.change(SOURCE, status={**source["status"], "digest": OUTPUT_DIGEST})
    assert ready(engine.settle(JOB), "Failed")[1] == "ConfigLost"
    assert world.of_kind("Job") == []


def test_secret_deleted_before_it_was_mounted_is_delivered_again() -> None:
    world, engine = started()
    name = world.objects[JOB]["status"]["admission"]["secret"]
    ref = ObjectRef("v1", "Secret", NAMESPACE, name)
    world.start_pod(waiting={"reason": "ContainerCreating"})
    world.remove(ref)
    world.pass_time(31)
    engine.settle(JOB)
    assert ref in world.objects


@pytest.mark.parametrize(
    ("waiting", "reason", "told"),
    [
        ("ErrImageNeverPull", "ImageMissing", IMAGE),
        ("ImagePullBackOff", "ImageMissing", "push it"),
        ("CreateContainerConfigError", "PodNotStarted", "events"),
    ],
)
def test_pod_that_does_not_start_is_explained(waiting: str, reason: str, told: str) -> None:
    world, engine = started()
    world.start_pod(waiting={"reason": waiting})
    status = engine.settle(JOB)
    assert ready(status, "Running")[:2] == ("False", reason)
    assert told in ready(status)[2]
    assert "finishedAt" not in status


OTHER_IMAGE = IMAGE.replace("ab", "cd")


@pytest.mark.parametrize(
    ("image", "secrets"), [(OTHER_IMAGE, ()), (IMAGE, ("pull",))], ids=["image", "pull secret"]
)
def test_job_without_image_is_replaced_once_the_values_are_corrected(
    image: str, secrets: tuple[str, ...]
) -> None:
    world, engine = started()
    before = world.only("Job")
    output = world.objects[JOB]["status"]["admission"]["keys"]
    world.start_pod(waiting={"reason": "ErrImagePull"})
    engine.settle(JOB)
    assert world.only("Job")["metadata"]["uid"] == before["metadata"]["uid"]

    world.image, world.image_pull_secrets = image, secrets
    status = engine.settle(JOB, times=8)
    assert ready(status)[:2] == ("False", "ImageReplaced")
    assert world.only("Job")["metadata"]["uid"] == before["metadata"]["uid"]
    assert world.only("Job")["spec"]["suspend"] is True

    # The Job controller removes the pods of a Job that is suspended.
    world.remove(ref_of(world.only("Pod")))
    status = engine.settle(JOB, times=8)
    pod = world.only("Job")["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == image
    assert tuple(secret["name"] for secret in pod.get("imagePullSecrets", ())) == secrets
    assert status["jobUid"] == world.only("Job")["metadata"]["uid"] != before["metadata"]["uid"]
    assert status["admission"]["keys"] == output


def test_job_that_an_admission_webhook_changed_is_not_replaced_again_and_again() -> None:
    world, engine = started()
    job = world.only("Job")
    job["spec"]["template"]["spec"]["imagePullSecrets"] = [{"name": "of-the-webhook"}]
    job["spec"]["template"]["spec"]["containers"][0]["image"] = "mirror.example/masking"
    world.start_pod(waiting={"reason": "ErrImagePull"})
    assert ready(engine.settle(JOB, times=8))[1] == "ImageMissing"
    assert world.only("Job")["metadata"]["uid"] == job["metadata"]["uid"]


@pytest.mark.parametrize("how", ["failed", "evicted"])
def test_job_whose_pod_has_run_is_not_replaced(how: str) -> None:
    world, engine = started()
    if how == "evicted":
        world.end_pod(world.start_pod(), "Failed", exitCode=137)
    world.start_pod(waiting={"reason": "ErrImagePull"})
    if how == "failed":
        world.only("Job")["status"]["failed"] = 1
    world.image = OTHER_IMAGE
    assert ready(engine.settle(JOB, times=8))[1] == "ImageMissing"


def test_unschedulable_pod_shows_the_schedulers_words() -> None:
    world, engine = started()
    pod = world.start_pod(waiting={})
    pod["status"] |= {
        "containerStatuses": [],
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/1 nodes are available: insufficient memory",
            }
        ],
    }
    status = engine.settle(JOB)
    assert ready(status)[1] == "Unschedulable"
    assert "insufficient memory" in ready(status)[2]
    assert "spec.resources.requests" in ready(status)[2]


@pytest.mark.parametrize("phase", ["Running", "Succeeded", "Failed"])
def test_pod_that_has_ended_is_not_said_to_start(phase: str) -> None:
    """The Job controller says that a Job is complete a moment after its pod has ended."""
    world, engine = started()
    pod = world.start_pod()
    world.end_pod(pod, phase, exitCode=0)
    assert ready(engine.settle(JOB))[:2] == ("False", "Ending")


def test_pod_that_was_evicted_has_a_successor_that_is_waited_for() -> None:
    """The Job counts no pod that its node gave up, so nothing ends."""
    world, engine = started()
    pod = world.start_pod()
    world.pass_time(3600)
    world.end_pod(pod, "Failed", exitCode=1)
    moment = stamp(world.now)
    disruption = {"type": "DisruptionTarget", "status": "True", "lastTransitionTime": moment}
    pod["status"]["conditions"] = [disruption]
    assert ready(engine.settle(JOB))[:2] == ("False", "Starting")
    world.pass_time(31)
    assert ready(engine.settle(JOB))[:2] == ("False", "PodRefused")


def test_job_that_is_about_to_be_marked_does_not_start_again() -> None:
    world, engine = started()
    world.start_pod()
    condition(world.only("Job"), "FailureTarget", "DeadlineExceeded")
    assert ready(engine.settle(JOB))[:2] == ("False", "Ending")


def test_pod_that_is_removed_while_it_runs_is_not_blamed_on_a_quota() -> None:
    world, engine = started()
    world.start_pod()["metadata"]["deletionTimestamp"] = stamp(NOW)
    world.pass_time(3600)
    assert ready(engine.settle(JOB))[:2] == ("False", "Retrying")


def test_job_without_a_pod_is_explained_after_a_while() -> None:
    world, engine = started()
    world.only("Job")["status"] = {"startTime": stamp(NOW)}
    assert ready(engine.settle(JOB))[1] == "Starting"
    world.pass_time(31)
    status = engine.settle(JOB)
    assert ready(status)[1] == "PodRefused"
    assert "quota" in ready(status)[2].lower()


def is_of(action: Action, kind: type | str) -> bool:
    """Whether it is of this type, or creates an object of this kind."""
    if isinstance(kind, str):
        return isinstance(action, Create) and action.manifest["kind"] == kind
    return isinstance(action, kind)


@pytest.mark.parametrize(
    ("kind", "code", "reason"),
    [
        ("ConfigMap", "Forbidden", "NamespaceNotEnabled"),
        (DeliverKeys, "Forbidden", "NamespaceNotEnabled"),
        (DeliverKeys, "Unreadable", "KeysetUnreadable"),
        (DeliverKeys, "Missing", "KeyLost"),
        (EnsureArtefactKey, "Missing", "KeyMissing"),
        ("Job", "Invalid", "PodRefused"),
        ("Job", "Conflict", "NameTaken"),
        (Apply, "Invalid", "ChildRefused"),
        (Apply, "Missing", "NamespaceGone"),
    ],
)
def test_what_is_refused_before_the_start_is_said_and_tried_again(
    kind: type | str, code: Any, reason: str
) -> None:
    world, engine = clinic()
    world.refusals.append(lambda action: Outcome(code, "as told") if is_of(action, kind) else None)
    plan = engine.reconcile(JOB)
    assert plan is not None
    assert ready(plan.status, "Admitted")[:2] == ("False", reason)
    assert plan.requeue_after == 15.0
    assert "jobUid" not in plan.status
    world.refusals.clear()
    assert ready(engine.settle(JOB), "Admitted")[0] == "True"


def _crashed_after_delivery() -> tuple[World, Engine]:
    """The keys are there, and status.jobUid is not."""
    for effects in range(20):
        world, engine = clinic()
        world.crash_after = effects
        with contextlib.suppress(CrashError):
            engine.reconcile(JOB)
        world.crash_after = None
        if world.of_kind("Secret"):
            return world, engine
    raise AssertionError("no key was delivered")


def test_no_key_is_delivered_for_a_job_that_is_refused() -> None:
    world, engine = clinic()
    world.refusals.append(lambda action: Outcome("Invalid") if is_of(action, "Job") else None)
    assert ready(engine.settle(JOB))[1] == "PodRefused"
    assert not [action for action in world.done if isinstance(action, DeliverKeys)]


def test_key_that_was_delivered_goes_where_another_step_is_refused() -> None:
    world, engine = _crashed_after_delivery()
    world.remove(ObjectRef("networking.k8s.io/v1", "NetworkPolicy", NAMESPACE, "mj-mask"))
    world.refusals.append(lambda action: Outcome("Invalid") if is_of(action, Apply) else None)
    assert ready(engine.settle(JOB))[1] == "ChildRefused"
    assert world.of_kind("Secret") == []


def test_grant_taken_away_before_the_start_takes_the_keys_away() -> None:
    world, engine = _crashed_after_delivery()
    world.change(SOURCE, spec=dataset_spec(grants=[]))
    assert ready(engine.settle(JOB))[1] == "NotGranted"
    assert world.of_kind("Secret") == []
    assert world.only("Job")["spec"]["suspend"] is True
    world.change(SOURCE, spec=dataset_spec())
    assert ready(engine.settle(JOB), "Admitted")[0] == "True"


def test_dataset_that_changed_before_the_start_is_admitted_anew() -> None:
    world, engine = clinic()
    world.refusals.append(
        lambda action: Outcome("Forbidden") if isinstance(action, DeliverKeys) else None
    )
    first = engine.settle(JOB)["admission"]
    source = world.objects[SOURCE]
    world.change(SOURCE, status={**source["status"], "digest": OUTPUT_DIGEST})
    world.refusals.clear()
    second = engine.settle(JOB)["admission"]
    assert second["sourceDigest"] == OUTPUT_DIGEST
    assert second["jobName"] != first["jobName"]
    assert second["keys"] == first["keys"]
    assert config_ref(first["jobName"]) not in world.objects


def test_spec_that_does_not_parse() -> None:
    _, engine = clinic(nonsense=1)
    status = engine.settle(JOB)
    assert ready(status)[1] == "InvalidSpec"
    assert "nonsense" in ready(status)[2]
