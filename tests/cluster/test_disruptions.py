"""The operator and parts of the cluster are killed while a job runs: the end state is the same."""

import json
import subprocess

import pytest

from cluster.clinic import KEEP_WORDS, Clinic, Kubectl, masking_job

pytestmark = [pytest.mark.cluster, pytest.mark.disruptive]


def leader(kubectl: Kubectl) -> str:
    lease = json.loads(
        kubectl("-n", "leeward-system", "get", "lease", "leeward-operator", "-o", "json").stdout
    )
    return str(lease["spec"].get("holderIdentity", "")).partition("_")[0]


def operator_pods(kubectl: Kubectl) -> list[str]:
    done = kubectl(
        *("-n", "leeward-system", "get", "pods", "-l", "app.kubernetes.io/component=operator"),
        *("-o", "jsonpath={.items[*].metadata.name}"),
    )
    return str(done.stdout).split()


def test_leader_killed_while_a_job_runs(words: Clinic, kubectl: Kubectl) -> None:
    before = leader(kubectl)
    assert before in operator_pods(kubectl)
    words.apply(masking_job("orphan", "words", KEEP_WORDS))
    words.until("its Job is there", lambda: words.items("jobs", "leeward.dev/name=orphan"))
    kubectl("-n", "leeward-system", "delete", "pod", before, "--grace-period=0", "--force")
    words.reason("maskingjob", "orphan", "Published")
    assert len(words.items("jobs", "leeward.dev/name=orphan")) == 1
    words.until("another leads", lambda: leader(kubectl) not in ("", before))
    words.delete("maskingjob", "orphan")


@pytest.mark.parametrize("component", ["kubelet-n1", "kube-apiserver"])
def test_component_killed_while_a_job_runs(
    words: Clinic, local_cluster: list[str], component: str
) -> None:
    name = f"through-{component}"
    words.apply(masking_job(name, "words", KEEP_WORDS))
    words.until("its Job is there", lambda: words.items("jobs", f"leeward.dev/name={name}"))
    subprocess.run([*local_cluster, "restart", component], check=True, timeout=90)
    words.until("the API server answers", lambda: words.get("maskingjob", name))
    words.reason("maskingjob", name, "Published", timeout=180)
    assert len(words.items("jobs", f"leeward.dev/name={name}")) == 1
    words.delete("maskingjob", name)
