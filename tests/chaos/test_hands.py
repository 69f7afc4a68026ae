"""People interfere: children are deleted and edited, jobs deleted while they run."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable

import pytest

from chaos.course import CLAIM, JOB, NAMESPACE, PLAIN, VAULT, Course, ready
from fakeapi import virtualtime
from fakeapi.documents import clone
from fakeapi.replica import Replica, working
from fakeapi.store import Answer, FakeApi, Manifest, Place, refusal
from fakeapi.transport import FaultPlan
from fakeapi.world import World

MASKING = Course("masking", (VAULT, CLAIM, PLAIN, JOB), lambda api: False)


def meddled(meddle: Callable[[FakeApi, Replica], Awaitable[None]]) -> tuple[World, Replica]:
    """Let somebody meddle while the job runs, and five minutes pass."""

    async def main() -> tuple[World, Replica]:
        world = World(FakeApi(virtualtime.stamp))
        for manifest in MASKING.manifests:
            world.api.add(clone(manifest))
        replica = Replica(world, FaultPlan())
        async with working(world) as api:
            running = asyncio.create_task(replica.run())
            await _until_it_runs(api)
            await meddle(api, replica)
            await asyncio.sleep(300)
            running.cancel()
            await asyncio.wait({running})
        return world, replica

    return virtualtime.run(main())


async def _until_it_runs(api: FakeApi) -> None:
    async with asyncio.timeout(600):
        while True:
            pods = [pod for pod in api.find("Pod") if "mj-mask" in pod["metadata"]["name"]]
            if pods and pods[0]["status"]["phase"] == "Running":
                return
            await asyncio.sleep(0.5)


def test_a_policy_that_was_deleted_is_there_again_within_a_second() -> None:
    async def meddle(api: FakeApi, _: Replica) -> None:
        api.remove("NetworkPolicy", NAMESPACE, "mj-mask")
        await asyncio.sleep(1)
        assert api.one("NetworkPolicy", NAMESPACE, "mj-mask") is not None

    world, _ = meddled(meddle)
    assert ready(world.api, "MaskingJob", "mask", "Published")
    assert world.pods_started.total() == 2


def test_a_policy_that_was_opened_by_hand_is_closed_again() -> None:
    async def meddle(api: FakeApi, _: Replica) -> None:
        policy = api.one("NetworkPolicy", NAMESPACE, "mj-mask")
        assert policy is not None
        before = clone(policy["spec"])
        policy["spec"] = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}
        api.edit(policy)
        await asyncio.sleep(1)
        after = api.one("NetworkPolicy", NAMESPACE, "mj-mask")
        assert after is not None
        assert after["spec"]["ingress"] == before["ingress"]
        assert after["spec"]["podSelector"] == before["podSelector"]

    meddled(meddle)


def test_a_job_that_was_deleted_is_not_run_a_second_time() -> None:
    async def meddle(api: FakeApi, _: Replica) -> None:
        (job,) = [job for job in api.find("Job") if "mj-mask" in job["metadata"]["name"]]
        api.remove("Job", NAMESPACE, job["metadata"]["name"])

    world, _ = meddled(meddle)
    assert ready(world.api, "MaskingJob", "mask", "JobLost")
    started = [name for name in world.pods_started.elements() if name.startswith("mj-mask")]
    assert len([name for name in started if "clean" not in name]) == 1


def test_a_job_whose_pod_was_removed_before_its_answer_was_read_runs_once_more() -> None:
    async def meddle(api: FakeApi, _: Replica) -> None:
        def refuse_to_tell(method: str, _: Manifest | None, place: Place) -> Answer | None:
            blind = method == "GET" and place.plural == "pods"
            return refusal(500, "InternalError", "not now") if blind else None

        api.refusals.append(refuse_to_tell)
        (job,) = [job for job in api.find("Job") if "mj-mask" in job["metadata"]["name"]]
        (pod,) = [pod for pod in api.find("Pod") if "mj-mask" in pod["metadata"]["name"]]
        async with asyncio.timeout(600):
            while not job.get("status", {}).get("conditions"):
                await asyncio.sleep(0.5)
                (job,) = [job for job in api.find("Job") if "mj-mask" in job["metadata"]["name"]]
        api.remove("Pod", NAMESPACE, pod["metadata"]["name"])
        api.refusals.remove(refuse_to_tell)

    world, replica = meddled(meddle)
    assert ready(world.api, "MaskingJob", "mask", "Published")
    assert "AnswerLost" in [reason for _, _, reason in replica.journal.events]
    started = [name for name in world.pods_started.elements() if name.startswith("mj-mask")]
    assert len(started) == 2
    assert not _unpublished_keys(world.api)


def test_a_masking_job_that_is_deleted_while_it_runs_leaves_nothing() -> None:
    async def meddle(api: FakeApi, _: Replica) -> None:
        assert _unpublished_keys(api)
        api.remove("MaskingJob", NAMESPACE, "mask")
        await asyncio.sleep(60)
        assert not _unpublished_keys(api)

    world, _ = meddled(meddle)
    names = [
        f"{m['kind']} {m['metadata']['name']}"
        for m in world.api.objects.values()
        if m["metadata"].get("namespace") == NAMESPACE
        and "mask" in m["metadata"]["name"]
        and "clean" not in m["metadata"]["name"]
    ]
    assert not names
    assert not world.api.find("Secret", NAMESPACE)
    cleaned = [name for name in world.pods_started if "clean" in name]
    assert len(cleaned) == 1


def test_a_masking_job_that_is_deleted_while_it_publishes_leaves_no_empty_dataset() -> None:
    async def meddle(api: FakeApi, _: Replica) -> None:
        def refuse_to_publish(method: str, body: Manifest | None, place: Place) -> Answer | None:
            if api.one("Dataset", NAMESPACE, "people-masked") is None or method != "PUT":
                return None
            if place.plural != "secrets" or body is None:
                return None
            published = body["metadata"]["labels"].get("leeward.dev/published")
            return refusal(500, "InternalError", "not now") if published == "true" else None

        api.refusals.append(refuse_to_publish)
        await asyncio.sleep(60)
        assert api.one("Dataset", NAMESPACE, "people-masked") is not None
        api.remove("MaskingJob", NAMESPACE, "mask")
        await asyncio.sleep(60)
        assert api.one("Dataset", NAMESPACE, "people-masked") is None
        assert not _unpublished_keys(api)

    world, _ = meddled(meddle)
    assert not world.files


def test_a_record_of_a_key_that_makes_no_sense_ends_nothing() -> None:
    async def meddle(api: FakeApi, replica: Replica) -> None:
        (good,) = _unpublished_keys(api)
        key = json.loads(base64.b64decode(good["data"]["artefact-key.json"]))
        for key_id, lie in ((f"{1:032x}", {"owner": "nobody"}), (f"{2:032x}", {"owner": 7})):
            record = json.dumps({**key, "id": key_id, **lie}).encode()
            bad = clone(good)
            bad["metadata"]["name"] = f"artefact-{key_id}"
            bad["data"]["artefact-key.json"] = base64.b64encode(record).decode()
            api.add(bad)
        api.remove("MaskingJob", NAMESPACE, "mask")
        await asyncio.sleep(60)
        assert replica.sweeper.damaged == 2
        assert len(_unpublished_keys(api)) == 2
        api.add(clone({**JOB, "metadata": {**JOB["metadata"], "name": "again"}}))

    world, _ = meddled(meddle)
    assert ready(world.api, "MaskingJob", "again", "Published")


def _unpublished_keys(api: FakeApi) -> list[Manifest]:
    """Keys of the job's output: the scope keys of the vault stay."""
    return [
        secret
        for secret in api.find("Secret", "leeward-system")
        if secret["metadata"]["name"].startswith("artefact-")
        and secret["metadata"]["labels"].get("leeward.dev/published") == "false"
    ]


@pytest.mark.parametrize("what", ["ConfigMap", "Pod"])
def test_a_child_that_is_touched_by_others_costs_a_reconcile_and_no_harm(what: str) -> None:
    async def meddle(api: FakeApi, _: Replica) -> None:
        (child,) = [c for c in api.find(what) if "mj-mask" in c["metadata"]["name"]]
        child["metadata"].setdefault("annotations", {})["example.com/seen"] = "yes"
        api.edit(child)

    world, _ = meddled(meddle)
    assert ready(world.api, "MaskingJob", "mask", "Published")


def test_the_events_tell_the_course_of_a_job_and_nothing_of_what_is_well() -> None:
    async def meddle(api: FakeApi, _: Replica) -> None:
        return None

    _, replica = meddled(meddle)
    reasons = [(name, reason) for name, _, reason in replica.journal.events]
    assert ("mask", "Admitted") in reasons
    assert ("mask", "Published") in reasons
    assert not [name for name, _ in reasons if name == "vault"]
    assert len(reasons) == len(set(reasons))
