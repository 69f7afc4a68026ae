from dataclasses import replace
from typing import Any

import pytest

from fakeapi import virtualtime
from fakeapi.documents import clone
from fakeapi.replica import Journal
from fakeapi.store import Answer, FakeApi, Place, refusal
from fakeapi.transport import DirectTransport, Fault, FaultPlan
from leeward.engine.ratelimit import TokenBucket
from leeward.kube.client import KubeClient
from leeward.kube.objects import ObjectStore
from leeward.plans.shared.faults import DeniedError, StaleWriteError, TransientError
from leeward.plans.shared.model import Listing, Manifest, ObjectRef, Outcome, PodsOf, SetFinalizer

REF = ObjectRef("v1", "ConfigMap", "ns", "config")
VAULT = ObjectRef("leeward.dev/v1alpha1", "KeyVault", "ns", "vault")


def config_map(uid: str = "owner", **data: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "config",
            "namespace": "ns",
            "annotations": {"leeward.dev/uid": uid},
        },
        "data": data,
    }


class Bench:
    """An object store over a fake API server."""

    def __init__(self, plan: FaultPlan | None = None) -> None:
        self.api = FakeApi()
        self.journal = Journal()
        transport = DirectTransport(self.api, plan)
        self.client = KubeClient(transport, TokenBucket(1000, 1000), self.journal)
        self.objects = ObjectStore(self.client)

    def forbid(self, method: str, message: str) -> None:
        def refuse(called: str, _: Manifest | None, __: Place) -> Any:
            return refusal(403, "Forbidden", message) if called == method else None

        self.api.refusals.append(refuse)


def test_an_object_is_read_by_name_or_is_not_there() -> None:
    async def main() -> None:
        bench = Bench()
        assert await bench.objects.get(REF) is None
        bench.api.add(config_map(a="1"))
        found = await bench.objects.get(REF)
        assert found is not None
        assert found["data"] == {"a": "1"}
        assert bench.journal.calls == [("get", "404"), ("get", "200")]

    virtualtime.run(main())


@pytest.mark.parametrize(
    "name", ["../secrets/root", "..", ".", "", "a/b", "a?b", "a%2fb", "a#b", "A", "a\n", "a/status"]
)
def test_a_name_that_nothing_can_have_leads_nowhere(name: str) -> None:
    async def main() -> None:
        bench = Bench()
        assert await bench.objects.get(replace(REF, name=name)) is None
        assert bench.journal.calls == []

    virtualtime.run(main())


def test_what_may_not_be_read_is_no_missing_object() -> None:
    async def main() -> None:
        bench = Bench()
        bench.forbid("GET", 'configmaps is forbidden: User "x" cannot get resource')
        with pytest.raises(DeniedError, match="cannot get"):
            await bench.objects.get(REF)

    virtualtime.run(main())


def test_an_object_of_a_kind_that_is_not_served_is_not_gone() -> None:
    async def main() -> None:
        bench = Bench()
        not_served = Answer(404, {})  # "404 page not found", as plain text
        bench.api.refusals.append(lambda *_: not_served)
        with pytest.raises(TransientError, match="is not served"):
            await bench.objects.get(VAULT)

    virtualtime.run(main())


def test_pods_of_a_job_are_found_over_pages() -> None:
    async def main() -> None:
        bench = Bench()
        for number in range(1203):
            bench.api.add(
                {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": {
                        "name": f"pod-{number}",
                        "namespace": "ns",
                        "labels": {"batch.kubernetes.io/job-name": "a" if number else "b"},
                    },
                }
            )
        pods = await bench.objects.pods_of(PodsOf("ns", "a"))
        assert len(pods) == 1202
        assert {pod["kind"] for pod in pods} == {"Pod"}
        assert bench.journal.calls == [("list", "200")] * 3

    virtualtime.run(main())


@pytest.mark.parametrize("known", [True, False], ids=["known", "not known yet"])
def test_objects_are_selected_by_a_field(known: bool) -> None:
    """An API server that was given a new CRD refuses the field for a while."""

    async def main() -> None:
        bench = Bench()
        for name, key in (("a", "11"), ("b", "22"), ("c", None)):
            status = {} if key is None else {"sourceKeyId": key}
            placed = {"name": name, "namespace": "ns"}
            bench.api.add(
                {
                    "apiVersion": "leeward.dev/v1alpha1",
                    "kind": "MaskingJob",
                    "metadata": placed,
                    "status": status,
                }
            )
        refused = [] if known else [refusal(400, "BadRequest", "field label not supported")]
        bench.api.refusals.append(lambda *_: refused.pop() if refused else None)
        need = Listing("leeward.dev/v1alpha1", "MaskingJob", "ns", "status.sourceKeyId", "22")
        found = await bench.objects.listing(need)
        assert [each["metadata"]["name"] for each in found] == ["b"]

    virtualtime.run(main())


def test_applying_twice_changes_nothing_and_drops_what_is_no_longer_named() -> None:
    async def main() -> None:
        bench = Bench()
        await bench.objects.apply(config_map(a="1", b="2"), "m")
        version = bench.api.version
        again = await bench.objects.apply(config_map(a="1", b="2"), "m")
        assert again.code == "Done"
        assert bench.api.version == version
        less = await bench.objects.apply(config_map(a="1"), "m")
        assert less.result["data"] == {"a": "1"}

    virtualtime.run(main())


def test_an_own_child_that_was_edited_is_put_back() -> None:
    async def main() -> None:
        bench = Bench()
        made = await bench.objects.apply(config_map(a="1"), "m")
        edited = clone(made.result)
        edited["data"]["a"] = "by hand"
        bench.api.edit(edited)
        outcome = await bench.objects.apply(config_map(a="1"), "m")
        assert (outcome.code, outcome.result["data"]) == ("Done", {"a": "1"})

    virtualtime.run(main())


def test_somebody_elses_object_is_left_alone() -> None:
    async def main() -> None:
        bench = Bench()
        bench.api.add(config_map("stranger", a="theirs"))
        for call in (bench.objects.apply, bench.objects.create):
            outcome = await call(config_map(a="1"), "m")
            assert outcome.code == "Conflict"
            assert outcome.result["data"] == {"a": "theirs"}
            assert "ConfigMap config exists" in outcome.message

    virtualtime.run(main())


def test_creating_what_was_created_before_is_as_good() -> None:
    async def main() -> None:
        bench = Bench(FaultPlan({0: Fault.UNANSWERED}))
        with pytest.raises(TransientError):
            await bench.objects.create(config_map(a="1"), "m")
        outcome = await bench.objects.create(config_map(a="1"), "m")
        assert (outcome.code, outcome.result["data"]) == ("Done", {"a": "1"})
        assert bench.api.created["ConfigMap", "ns", "config"] == 1

    virtualtime.run(main())


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('configmaps is forbidden: User "x" cannot create resource', "Forbidden"),
        ("configmaps is forbidden: exceeded quota", "Invalid"),
    ],
)
def test_a_refused_create_is_an_outcome(message: str, code: str) -> None:
    async def main() -> Outcome:
        bench = Bench()
        bench.forbid("POST", message)
        return await bench.objects.create(config_map(), "m")

    outcome = virtualtime.run(main())
    assert (outcome.code, outcome.message) == (code, message)


def test_what_has_taken_the_name_of_an_object_since_is_not_deleted() -> None:
    async def main() -> None:
        bench = Bench()
        bench.api.add(config_map())
        with pytest.raises(StaleWriteError):
            await bench.objects.delete(REF, "uid-of-another")
        found = await bench.objects.get(REF)
        assert found is not None
        assert (await bench.objects.delete(REF, found["metadata"]["uid"])).code == "Done"

    virtualtime.run(main())


def test_deleting_what_is_gone_is_as_good() -> None:
    async def main() -> None:
        bench = Bench()
        bench.api.add(config_map())
        for _ in range(2):
            assert (await bench.objects.delete(REF)).code == "Done"
        bench.forbid("DELETE", 'configmaps is forbidden: User "x" cannot delete resource')
        assert (await bench.objects.delete(REF)).code == "Forbidden"

    virtualtime.run(main())


def _vault(bench: Bench) -> Manifest:
    return bench.api.add(
        {
            "apiVersion": VAULT.api_version,
            "kind": "KeyVault",
            "metadata": {"name": "vault", "namespace": "ns"},
            "spec": {"a": 1},
            "status": {"x": 1, "deep": {"gone": 1, "kept": 2}},
        }
    )


def test_a_status_is_replaced_as_a_whole_and_the_spec_is_not_touched() -> None:
    async def main() -> None:
        bench = Bench()
        read = _vault(bench)
        status = {"y": [1, 2], "deep": {"kept": 2}}
        written = await bench.objects.write_status(read, status, "m")
        assert written["status"] == status
        assert written["spec"] == {"a": 1}
        assert written["metadata"]["resourceVersion"] != read["metadata"]["resourceVersion"]

    virtualtime.run(main())


def test_a_status_is_not_written_over_a_version_that_was_not_read() -> None:
    async def main() -> None:
        bench = Bench()
        read = _vault(bench)
        bench.api.edit({**clone(read), "spec": {"a": 2}})
        with pytest.raises(StaleWriteError):
            await bench.objects.write_status(read, {"y": 1}, "m")
        bench.api.remove("KeyVault", "ns", "vault")
        with pytest.raises(StaleWriteError):
            await bench.objects.write_status(read, {"y": 1}, "m")

    virtualtime.run(main())


def test_a_status_that_is_refused_is_said_to_be() -> None:
    async def main() -> None:
        bench = Bench()
        read = _vault(bench)
        refused = refusal(422, "Invalid", "status.columns: Too many: 1001: must have at most 1000")
        bench.api.refusals.append(lambda *_: refused)
        with pytest.raises(DeniedError, match="Too many"):
            await bench.objects.write_status(read, {"y": 1}, "m")

    virtualtime.run(main())


def test_fields_of_another_status_are_set_beside_what_is_there() -> None:
    async def main() -> None:
        bench = Bench()
        assert (await bench.objects.patch_status(VAULT, {"y": 2}, "m")).code == "Missing"
        _vault(bench)
        outcome = await bench.objects.patch_status(VAULT, {"y": 2}, "m")
        assert outcome.result["status"] == {"x": 1, "deep": {"gone": 1, "kept": 2}, "y": 2}

    virtualtime.run(main())


def test_finalizers_are_replaced_over_the_version_that_was_seen() -> None:
    async def main() -> None:
        bench = Bench()
        made = bench.api.add(
            {
                "apiVersion": VAULT.api_version,
                "kind": VAULT.kind,
                "metadata": {"name": VAULT.name, "namespace": VAULT.namespace},
                "spec": {"keys": []},
            }
        )
        place = (VAULT.api_version, VAULT.kind, VAULT.namespace, VAULT.name)
        action = SetFinalizer(*place, ("leeward.dev/shred",), made["metadata"]["resourceVersion"])
        assert (await bench.objects.set_finalizers(action, "m")).code == "Done"
        found = bench.api.one("KeyVault", "ns", "vault")
        assert found is not None
        assert found["metadata"]["finalizers"] == ["leeward.dev/shred"]
        assert found["spec"] == {"keys": []}
        with pytest.raises(StaleWriteError):
            await bench.objects.set_finalizers(action, "m")
        bench.forbid("PATCH", "no")
        with pytest.raises(DeniedError):
            await bench.objects.set_finalizers(action, "m")

    virtualtime.run(main())
