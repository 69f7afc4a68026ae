"""MaskingJob: the course from a manifest to a published Dataset, and what can come between."""

from __future__ import annotations

import json
from typing import Any

import pytest

from leeward.formats.jobconfig import MaskingConfig, parse_job_config
from leeward.formats.result import Result
from leeward.plans.shared.model import (
    Action,
    Apply,
    Create,
    Delete,
    DeleteSecret,
    DeliverKeys,
    EnsureArtefactKey,
    Manifest,
    ObjectRef,
    Outcome,
    PublishArtefactKey,
)
from unit.plans.clinic import (
    FILE_ID,
    JOB,
    NAMESPACE,
    OUTPUT,
    OUTPUT_DIGEST,
    RULES,
    SOURCE,
    answer,
    clinic,
    dataset_spec,
    resource,
    sealed_source,
)
from unit.plans.simulator import IMAGE, NOW, Engine, World, condition, ready, stamp

OUT_OF_MEMORY: Manifest = {"exitCode": 137, "reason": "OOMKilled"}


def started(**job: Any) -> tuple[World, Engine]:
    world, engine = clinic(**job)
    engine.settle(JOB)
    assert "jobUid" in world.objects[JOB]["status"]
    return world, engine


def config_ref(name: str) -> ObjectRef:
    return ObjectRef("v1", "ConfigMap", NAMESPACE, name)


def error(code: str, **place: Any) -> str:
    return json.dumps(
        {
            "formatVersion": 1,
            "outcome": "Failed",
            "error": {"code": code, "message": "what is wrong", "remedy": "what to do", **place},
        }
    )


# --- the happy path ---------------------------------------------------------------------------


def test_it_runs_and_publishes() -> None:
    world, engine = started()
    job = world.only("Job")
    assert job["spec"]["suspend"] is False
    assert ready(world.objects[JOB]["status"], "Admitted")[0] == "True"
    world.succeed(answer(world))
    status = engine.settle(JOB)
    assert ready(status)[:2] == ("True", "Published")
    assert ready(status, "Complete")[0] == "True"
    assert status["finishedAt"] == stamp(NOW)
    assert {t["transform"]: t["columns"] for t in status["transforms"]}["generalize"] == 2
    output = world.objects[OUTPUT]
    assert output["status"]["digest"] == OUTPUT_DIGEST
    assert output["status"]["sourceId"] == FILE_ID
    assert output["status"]["producedBy"]["name"] == "mask"
    assert ready(output["status"])[:2] == ("True", "Published")
    assert "ownerReferences" not in output["metadata"]
    assert world.keys[output["status"]["keyId"]].published
    report = json.loads(world.objects[config_ref(status["report"])]["data"]["report.json"])
    assert report["columns"][0]["transform"] == "tokenize"
    assert world.of_kind("Secret") == []


def test_the_published_dataset_needs_no_inspection() -> None:
    world, engine = started()
    world.succeed(answer(world))
    engine.settle(JOB)
    engine.settle(OUTPUT)
    assert ready(world.objects[OUTPUT]["status"])[:2] == ("True", "Published")
    assert len(world.of_kind("Job")) == 1


def test_order_of_what_is_made() -> None:
    world, _ = started()
    kinds = [
        action.manifest["kind"] if isinstance(action, Apply | Create) else type(action).__name__
        for action in world.done
    ]
    first = kinds.index("NetworkPolicy")
    assert kinds[:first] == ["EnsureArtefactKey"] * 2
    assert kinds[first:] == ["NetworkPolicy", "ConfigMap", "DeliverKeys", "Job", "Job"]


def test_what_the_pod_is_told() -> None:
    world, _ = clinic(defaultAction="Keep", columns=RULES[:2])
    key_id = sealed_source(world)
    Engine(world).settle(JOB)
    status = world.objects[JOB]["status"]
    admission = status["admission"]
    stored = world.objects[config_ref(admission["jobName"])]
    assert stored["immutable"] is True
    config = parse_job_config(stored["data"]["job.json"].encode())
    assert isinstance(config, MaskingConfig)
    assert config.content_digest() == admission["configDigest"]
    assert config.source.path == "/data/source/raw/people.csv"
    assert config.source.key_role == "source"
    assert [rule.columns for rule in config.rules] == [["patient"], ["born"], ["income", "ward"]]
    assert config.rules[0].key_role == "rule:tokens/Vault"
    assert config.rules[0].key_algorithm == "AES256_SIV"
    assert config.output.path.endswith(f"mask-{world.objects[JOB]['metadata']['uid']}.parquet.lwe1")
    roles = {key["role"]: key["id"] for key in admission["keys"]}
    assert roles["source"] == key_id
    assert set(roles) == {"source", "output", "rule:tokens/Vault"}


def test_the_pod_is_restricted_and_changed_as_the_user_says() -> None:
    world, _ = started(
        activeDeadline="2h",
        backoffLimit=5,
        resources={"limits": {"memory": "256Mi"}},
        podTemplate={"labels": {"team": "a"}, "nodeSelector": {"disk": "ssd"}},
    )
    spec = world.only("Job")["spec"]
    assert (spec["activeDeadlineSeconds"], spec["backoffLimit"]) == (7200, 5)
    template = spec["template"]
    assert template["metadata"]["labels"]["team"] == "a"
    assert template["metadata"]["labels"]["leeward.dev/name"] == "mask"
    pod = template["spec"]
    assert pod["nodeSelector"] == {"disk": "ssd"}
    assert pod["automountServiceAccountToken"] is False
    (container,) = pod["containers"]
    assert container["image"] == IMAGE
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["resources"]["requests"]["memory"] == "256Mi"
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert mounts["/data/source"]["readOnly"] is True
    assert "readOnly" not in mounts["/data/output"]
    assert mounts["/data/source"]["name"] == mounts["/data/output"]["name"]
    keys = next(volume for volume in pod["volumes"] if volume["name"] == "keys")
    assert keys["secret"]["defaultMode"] == 0o440


def test_policy_lets_the_operator_in_and_nothing_out() -> None:
    world, _ = started()
    spec = world.only("NetworkPolicy")["spec"]
    assert spec["egress"] == []
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    (rule,) = spec["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8080}]


def test_tags_and_subject_of_the_source_are_taken_over() -> None:
    world, engine = clinic()
    spec = dataset_spec(
        subjectColumn="patient",
        columns=[
            {"name": "patient", "tags": ["DirectIdentifier"]},
            {"name": "born", "tags": ["QuasiIdentifier"]},
        ],
    )
    world.change(SOURCE, spec=spec)
    engine.settle(JOB)
    world.succeed(answer(world))
    engine.settle(JOB)
    made = world.objects[OUTPUT]["spec"]
    assert made["subjectColumn"] == "patient"
    assert made["columns"] == [{"name": "born", "tags": ["QuasiIdentifier"]}]
    assert made["sensitivity"] == "Masked"


@pytest.mark.parametrize(("scope", "same"), [("Vault", True), ("Dataset", True), ("Job", False)])
def test_scope_of_a_rule_key(scope: str, same: bool) -> None:
    rule = {"key": {"vault": {"name": "vault"}, "key": "tokens"}, "scope": scope}
    columns = [{"name": "patient", "tokenize": rule}]
    world, engine = started(columns=columns, defaultAction="Drop")
    other = ObjectRef(JOB.api_version, JOB.kind, NAMESPACE, "other")
    spec = {**world.objects[JOB]["spec"]}
    spec["output"] = {**spec["output"], "dataset": "other-masked"}
    world.add(resource(other, spec))
    engine.settle(other)
    first, second = (
        {key["role"]: key["id"] for key in world.objects[ref]["status"]["admission"]["keys"]}
        for ref in (JOB, other)
    )
    assert (first[f"rule:tokens/{scope}"] == second[f"rule:tokens/{scope}"]) is same
    assert first["output"] != second["output"]


def test_progress_is_shown() -> None:
    world, engine = started()
    pod = world.start_pod()
    world.progress[pod["metadata"]["name"]] = {
        "done": 42,
        "total": 100,
        "unit": "rows",
        "etaSeconds": 7,
    }
    plan = engine.reconcile(JOB)
    assert plan is not None
    assert plan.requeue_after == 2.0
    assert plan.status["progress"] == {
        "done": 42,
        "total": 100,
        "unit": "rows",
        "percent": "42%",
        "etaSeconds": 7,
    }
    assert ready(plan.status, "Running")[0] == "True"


def test_answer_too_large_for_a_message_is_taken_over_first() -> None:
    world, engine = started()
    pod = world.start_pod()
    name = pod["metadata"]["name"]
    result = Result.model_validate(answer(world))
    digest = result.content_digest()
    world.progress[name] = {"done": 1, "total": 1, "unit": "result", "resultDigest": digest}
    world.results[name] = json.loads(result.canonical())
    engine.reconcile(JOB)
    assert name not in world.results
    detached = {"formatVersion": 1, "outcome": "Detached", "digest": digest, "size": 9000}
    world.end_pod(pod, "Succeeded", exitCode=0, message=json.dumps(detached))
    condition(world.only("Job"), "Complete", "")
    assert ready(engine.settle(JOB))[:2] == ("True", "Published")


def test_detached_answer_that_was_not_taken_over_is_lost() -> None:
    world, engine = started()
    detached = {"formatVersion": 1, "outcome": "Detached", "digest": OUTPUT_DIGEST, "size": 9000}
    world.succeed(detached)
    assert ready(engine.settle(JOB), "Failed")[1] == "ResultLost"


# --- suspension, retirement -------------------------------------------------------------------


def test_suspended_job_is_not_admitted_and_makes_nothing() -> None:
    world, engine = clinic(suspend=True)
    assert ready(engine.settle(JOB))[1] == "Suspended"
    assert world.done == []


def test_running_job_is_suspended_and_goes_on() -> None:
    world, engine = started()
    spec = world.objects[JOB]["spec"]
    world.change(JOB, spec={**spec, "suspend": True})
    assert ready(engine.settle(JOB))[1] == "Suspended"
    assert world.only("Job")["spec"]["suspend"] is True
    world.change(JOB, spec={**spec, "suspend": False})
    engine.settle(JOB)
    assert world.only("Job")["spec"]["suspend"] is False


def test_finished_job_keeps_its_pods_until_its_time_to_live() -> None:
    world, engine = started(ttlAfterFinished="1h")
    world.succeed(answer(world))
    engine.settle(JOB)
    world.pass_time(3599)
    plan = engine.reconcile(JOB)
    assert plan is not None
    assert plan.requeue_after == 1.0
    assert world.of_kind("Pod")
    world.pass_time(1)
    engine.reconcile(JOB)
    assert [m["metadata"]["name"] for m in world.of_kind("ConfigMap")] == ["mj-mask-report"]
    assert not world.of_kind("Pod") + world.of_kind("Job") + world.of_kind("NetworkPolicy")


def test_finished_job_never_gets_another_job() -> None:
    world, engine = started()
    world.succeed(answer(world))
    engine.settle(JOB)
    world.remove(ObjectRef("batch/v1", "Job", NAMESPACE, world.only("Job")["metadata"]["name"]))
    world.remove(OUTPUT)
    world.done.clear()
    engine.settle(JOB)
    assert {type(action) for action in world.done} == {DeleteSecret}


# --- failures -----------------------------------------------------------------------------------


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
    condition(world.only("Job"), "Complete", "")
    assert ready(engine.settle(JOB), "Failed")[1] == "ResultLost"


@pytest.mark.parametrize(
    ("part", "change", "told"),
    [
        ("output", {"path": "/data/output/elsewhere"}, "another path"),
        ("output", {"keyIds": ["99" * 16]}, "another key"),
        ("source", {"digest": OUTPUT_DIGEST}, "source"),
        ("output", {"columns": [{"name": "note", "type": "String"}]}, "dropped"),
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


# --- publishing -----------------------------------------------------------------------------------


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


# --- children, waiting ----------------------------------------------------------------------------


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


def test_job_without_a_pod_is_explained_after_a_while() -> None:
    world, engine = started()
    world.only("Job")["status"] = {"startTime": stamp(NOW)}
    assert ready(engine.settle(JOB))[1] == "Starting"
    world.pass_time(31)
    status = engine.settle(JOB)
    assert ready(status)[1] == "PodRefused"
    assert "quota" in ready(status)[2].lower()


@pytest.mark.parametrize(
    ("kind", "code", "reason"),
    [
        (DeliverKeys, "Forbidden", "NamespaceNotEnabled"),
        (DeliverKeys, "Unreadable", "KeysetUnreadable"),
        (DeliverKeys, "Missing", "KeyLost"),
        (EnsureArtefactKey, "Missing", "KeyMissing"),
        (Create, "Invalid", "PodRefused"),
        (Create, "Conflict", "NameTaken"),
        (Apply, "Invalid", "ChildRefused"),
        (Apply, "Missing", "NamespaceGone"),
    ],
)
def test_what_is_refused_before_the_start_is_said_and_tried_again(
    kind: type, code: Any, reason: str
) -> None:
    world, engine = clinic()
    world.refusals.append(
        lambda action: Outcome(code, "as told") if isinstance(action, kind) else None
    )
    plan = engine.reconcile(JOB)
    assert plan is not None
    assert ready(plan.status, "Admitted")[:2] == ("False", reason)
    assert plan.requeue_after == 15.0
    assert "jobUid" not in plan.status
    world.refusals.clear()
    assert ready(engine.settle(JOB), "Admitted")[0] == "True"


def test_grant_taken_away_before_the_start_takes_the_keys_away() -> None:
    world, engine = clinic()
    world.refusals.append(lambda action: Outcome("Invalid") if isinstance(action, Create) else None)
    engine.settle(JOB)
    assert len(world.of_kind("Secret")) == 1
    world.change(SOURCE, spec=dataset_spec(grants=[]))
    world.refusals.clear()
    assert ready(engine.settle(JOB))[1] == "NotGranted"
    assert world.of_kind("Secret") == []
    assert world.of_kind("Job") == []
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
