"""DatasetPreview: a pod serves the first rows, once, and ends."""

from leeward.formats.jobconfig import PreviewConfig, parse_job_config
from leeward.plans.shared.model import DeleteSecret, ObjectRef
from unit.plans.clinic import NAMESPACE, PREVIEW, clinic, preview_spec, resource, sealed_source
from unit.plans.simulator import ready

SERVED = {"formatVersion": 1, "outcome": "Succeeded"}


def test_it_serves_and_ends() -> None:
    world, engine = clinic()
    key_id = sealed_source(world)
    world.add(resource(PREVIEW, preview_spec(rows=5)))
    status = engine.settle(PREVIEW)
    assert status["admission"]["keys"] == [{"role": "source", "id": key_id, "version": 1}]
    name = status["admission"]["jobName"]
    stored = world.objects[ObjectRef("v1", "ConfigMap", NAMESPACE, name)]["data"]["job.json"]
    config = parse_job_config(stored.encode())
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
