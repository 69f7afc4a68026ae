"""DatasetPreview: a pod serves the first rows, once, and ends."""

from leeward.formats.jobconfig import JobConfig, PreviewConfig, ReportConfig, parse_job_config
from leeward.plans.shared.model import DeleteSecret, ObjectRef
from unit.plans.clinic import (
    NAMESPACE,
    PREVIEW,
    REPORT_DIGEST,
    SOURCE,
    clinic,
    preview_spec,
    resource,
    sealed_source,
)
from unit.plans.simulator import ready
from unit.plans.world import World

SERVED = {"formatVersion": 1, "outcome": "Succeeded"}


def test_it_serves_and_ends() -> None:
    world, engine = clinic()
    key_id = sealed_source(world)
    world.add(resource(PREVIEW, preview_spec(rows=5)))
    status = engine.settle(PREVIEW)
    assert status["admission"]["keys"] == [{"role": "source", "id": key_id, "version": 1}]
    name = status["admission"]["jobName"]
    config = told(world, name)
    assert isinstance(config, PreviewConfig)
    assert config.rows == 5
    pod = world.start_pod()
    pod_name = pod["metadata"]["name"]
    engine.settle(PREVIEW)
    assert ready(world.objects[PREVIEW]["status"])[1] == "Running"
    world.progress[pod_name] = {"done": 5, "total": 5, "unit": "serving", "etaSeconds": 0}
    status = engine.settle(PREVIEW)
    assert ready(status)[:2] == ("True", "Serving")
    assert status["pod"] == pod_name
    world.remove(ObjectRef("v1", "Pod", NAMESPACE, pod_name))
    world.succeed(SERVED)
    status = engine.settle(PREVIEW)
    assert ready(status, "Complete")[:2] == ("True", "Served")
    assert world.of_kind("Secret") == []
    world.done.clear()
    engine.settle(PREVIEW)
    assert {type(action) for action in world.done} == {DeleteSecret}


def told(world: World, name: str) -> JobConfig:
    stored = world.objects[ObjectRef("v1", "ConfigMap", NAMESPACE, name)]["data"]["job.json"]
    return parse_job_config(stored.encode())


def test_a_report_is_served_with_the_key_of_the_data() -> None:
    world, engine = clinic()
    key_id = sealed_source(world)
    report = {"path": "masked/x.report.lwe1", "digest": REPORT_DIGEST, "bytes": 7}
    world.change(SOURCE, status={**world.objects[SOURCE]["status"], "report": report})
    world.add(resource(PREVIEW, preview_spec(content="Report")))
    status = engine.settle(PREVIEW)
    assert status["admission"]["keys"] == [{"role": "source", "id": key_id, "version": 1}]
    config = told(world, status["admission"]["jobName"])
    assert isinstance(config, ReportConfig)
    assert config.path == "/data/source/masked/x.report.lwe1"
    assert (config.digest, config.key_role) == (REPORT_DIGEST, "source")


def test_what_no_job_made_has_no_report() -> None:
    world, engine = clinic()
    world.add(resource(PREVIEW, preview_spec(content="Report")))
    assert ready(engine.settle(PREVIEW), "Admitted")[:2] == ("False", "NoReport")
    assert world.of_kind("Job") == []


def test_plain_source_needs_no_key() -> None:
    world, engine = clinic()
    world.add(resource(PREVIEW, preview_spec()))
    status = engine.settle(PREVIEW)
    assert "jobUid" in status
    assert "secret" not in status["admission"]
    assert world.of_kind("Secret") == []
    assert all(
        v["name"] != "keys" for v in world.only("Job")["spec"]["template"]["spec"]["volumes"]
    )


def test_failure_makes_no_clean_up() -> None:
    world, engine = clinic()
    world.add(resource(PREVIEW, preview_spec()))
    engine.settle(PREVIEW)
    world.fail(exitCode=137, reason="OOMKilled")
    assert ready(engine.settle(PREVIEW), "Failed")[1] == "PodOutOfMemory"
    assert len(world.of_kind("Job")) == 1
