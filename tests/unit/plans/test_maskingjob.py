"""MaskingJob: the course from a manifest to a published Dataset."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest

from leeward.formats.jobconfig import MaskingConfig, parse_job_config
from leeward.formats.result import Result
from leeward.plans.shared.conditions import condition_of
from leeward.plans.shared.model import (
    Apply,
    Create,
    DeleteSecret,
    ObjectRef,
    PublishArtefactKey,
)
from unit.plans.clinic import (
    FILE_ID,
    JOB,
    NAMESPACE,
    OUTPUT,
    OUTPUT_DIGEST,
    REPORT_DIGEST,
    RULES,
    SOURCE,
    VAULT,
    answer,
    clinic,
    config_ref,
    dataset_spec,
    resource,
    sealed_source,
    started,
)
from unit.plans.simulator import Engine, ready
from unit.plans.world import IMAGE, NOW, condition, stamp


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
    stored = output["status"]["report"]
    assert stored == status["output"]["report"]
    uid = world.objects[JOB]["metadata"]["uid"]
    assert stored["path"] == f"masked/mask-{uid}.parquet.report.lwe1"
    assert stored["digest"] == REPORT_DIGEST
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
    assert kinds[:first] == ["ConfigMap", "EnsureArtefactKey", "EnsureArtefactKey"]
    assert kinds[first:] == ["NetworkPolicy", "ConfigMap", "Job", "DeliverKeys", "Job"]


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
    assert [rule.by_default for rule in config.rules] == [None, None, True]
    assert config.rules[0].key_role == "rule:tokens/Vault"
    assert config.rules[0].key_algorithm == "AES256_SIV"
    assert config.output.path.endswith(f"mask-{world.objects[JOB]['metadata']['uid']}.parquet.lwe1")
    assert config.output.report is not None
    assert config.output.report.about.output == "people-masked"
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


EDITED = dataset_spec(subjectColumn="ward", columns=[{"name": "ward", "tags": ["Sensitive"]}])


@pytest.mark.parametrize("meanwhile", ["nothing", "edited", "deleted", "not readable"])
def test_tags_and_subject_are_those_that_the_source_had_at_admission(meanwhile: str) -> None:
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
    if meanwhile == "deleted":
        world.remove(SOURCE)
    elif meanwhile != "nothing":
        world.change(SOURCE, spec=EDITED if meanwhile == "edited" else {"format": "other"})
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


def test_of_the_keys_of_one_job_that_of_the_output_is_published_last_and_alone_has_the_file() -> (
    None
):
    rule = {"key": {"vault": {"name": "vault"}, "key": "tokens"}, "scope": "Job"}
    world, engine = started(columns=[{"name": "patient", "tokenize": rule}, *RULES[1:]])
    world.succeed(answer(world))
    engine.settle(JOB)
    published = [action.id for action in world.done if isinstance(action, PublishArtefactKey)]
    assert [world.keys[key_id].dataset for key_id in published] == [None, OUTPUT.name]


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


def test_answer_of_an_earlier_pod_gives_way_to_the_one_that_counts() -> None:
    world, engine = started()
    pod = world.start_pod()
    name = pod["metadata"]["name"]
    early = answer(world)
    early["report"]["seconds"] = "9.9"
    result = Result.model_validate(early)
    world.progress[name] = {
        "done": 1,
        "total": 1,
        "unit": "result",
        "resultDigest": result.content_digest(),
    }
    world.results[name] = json.loads(result.canonical())
    engine.reconcile(JOB)
    assert world.objects[config_ref("mj-mask-report")]["immutable"] is True
    world.end_pod(pod, "Failed", exitCode=1)
    world.succeed(answer(world))
    engine.settle(JOB)
    kept = json.loads(world.objects[config_ref("mj-mask-report")]["data"]["report.json"])
    assert kept["seconds"] == "0.1"


@pytest.mark.parametrize("replaced", [False, True])
def test_report_that_is_gone_or_another_one_is_told(replaced: bool) -> None:
    world, engine = started()
    world.succeed(answer(world))
    assert condition_of(engine.settle(JOB), "ReportLost") is None
    ref = config_ref("mj-mask-report")
    kept = world.objects[ref]
    world.remove(ref)
    if replaced:
        changed = kept["data"]["result.json"].replace(OUTPUT_DIGEST, "sha256:" + "33" * 32)
        world.add({**kept, "data": {**kept["data"], "result.json": changed}})
    status = engine.settle(JOB)
    assert ready(status, "ReportLost")[0] == "True"
    assert ready(status)[1] == "Published"
    world.remove(ref)
    world.add(kept)
    assert ready(engine.settle(JOB), "ReportLost")[0] == "False"


def test_detached_answer_that_was_not_taken_over_is_lost() -> None:
    world, engine = started()
    detached = {"formatVersion": 1, "outcome": "Detached", "digest": OUTPUT_DIGEST, "size": 9000}
    world.succeed(detached)
    assert ready(engine.settle(JOB), "Failed")[1] == "ResultLost"


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


def test_a_key_that_is_rotated_while_the_job_runs_changes_nothing() -> None:
    world, engine = started()
    admission = copy.deepcopy(world.objects[JOB]["status"]["admission"])
    for key_id, info in list(world.keys.items()):
        world.keys[key_id] = replace(info, version=2)
    vault = copy.deepcopy(world.objects[VAULT]["status"])
    for state in vault["keys"]:
        state["primaryVersion"] = 2
    world.change(VAULT, status=vault)
    assert engine.settle(JOB)["admission"] == admission
    world.succeed(answer(world))
    assert ready(engine.settle(JOB))[1] == "Published"


def test_a_key_that_is_rotated_while_the_job_is_suspended_changes_nothing() -> None:
    world, engine = started()
    spec = world.objects[JOB]["spec"]
    world.change(JOB, spec={**spec, "suspend": True})
    assert ready(engine.settle(JOB))[1] == "Suspended"
    for key_id, info in list(world.keys.items()):
        world.keys[key_id] = replace(info, version=2)
    vault = copy.deepcopy(world.objects[VAULT]["status"])
    for state in vault["keys"]:
        state["primaryVersion"] = 2
    world.change(VAULT, status=vault)
    world.change(JOB, spec={**spec, "suspend": False})
    engine.settle(JOB)
    world.succeed(answer(world))
    assert ready(engine.settle(JOB))[1] == "Published"
