"""What goes wrong in the cluster ends in a condition with a remedy, and the end state is right."""

from collections.abc import Callable

import pytest

from cluster.clinic import KEEP_WORDS, Clinic, dataset, masking_job

pytestmark = pytest.mark.cluster


def test_pod_out_of_memory(words: Clinic) -> None:
    resources = {"requests": {"memory": "24Mi"}, "limits": {"memory": "24Mi"}}
    words.apply(masking_job("greedy", "words", KEEP_WORDS, resources=resources, backoffLimit=0))
    failed = words.reason("maskingjob", "greedy", "PodOutOfMemory", "Failed")
    assert failed["status"] == "True"
    assert "resources.limits.memory" in failed["message"]
    assert words.get("dataset", "greedy-out") == {}
    words.delete("maskingjob", "greedy")


def test_output_name_taken(words: Clinic) -> None:
    words.apply(dataset("squat-out", "raw/other.csv"))
    words.apply(masking_job("squat", "words", KEEP_WORDS))
    taken = words.reason("maskingjob", "squat", "OutputNameTaken", "Admitted")
    assert "squat-out" in taken["message"]
    words.delete("maskingjob", "squat")
    words.delete("dataset", "squat-out")


def test_pod_that_is_drained_while_it_works_loses_nothing(words: Clinic) -> None:
    words.apply(masking_job("drained", "words", KEEP_WORDS))
    selector = "leeward.dev/name=drained,leeward.dev/role=masking"

    def running() -> bool:
        pods = words.items("pods", selector)
        return any(pod["status"]["phase"] in {"Running", "Succeeded"} for pod in pods)

    words.until("a pod works", running)
    words.run("delete", "pods", "-l", selector, "--wait=false")
    words.reason("maskingjob", "drained", "Published", timeout=180)
    assert words.get("dataset", "drained-out")["status"]["rows"] == 400_000
    words.delete("maskingjob", "drained")


def test_volume_claim_missing(words: Clinic) -> None:
    job = masking_job("nowhere", "words", KEEP_WORDS)
    job["spec"]["output"]["location"]["volume"]["claimName"] = "nope"
    words.apply(job)
    missing = words.reason("maskingjob", "nowhere", "VolumeClaimMissing", "Admitted")
    assert "nope" in missing["message"]
    words.delete("maskingjob", "nowhere")


def test_namespace_not_enabled(words: Clinic, leeward: Callable[..., str]) -> None:
    leeward("namespace", "disable", words.namespace)
    words.apply(masking_job("locked", "words", KEEP_WORDS))
    locked = words.reason("maskingjob", "locked", "NamespaceNotEnabled", "Admitted")
    assert f"leeward namespace enable {words.namespace}" in locked["message"]
    leeward("namespace", "enable", words.namespace)
    words.reason("maskingjob", "locked", "Published", timeout=240)
    words.delete("maskingjob", "locked")
