"""doctor, namespace, version, and what holds for every command."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from leeward.api import KINDS
from leeward.api.keydelivery import KEYDELIVERY
from leeward.api.keyvault import KEYVAULT
from leeward.api.maskingjob import MASKINGJOB
from leeward.cli.doctor.checks import POLICIES_LABEL
from leeward.cli.enabling import ROLE
from leeward.cli.errors import ApiError
from leeward.cli.installed import IMAGE_VARIABLE
from leeward.cli.kinds import resource_of
from leeward.cli.port import (
    CRDS,
    DAEMON_SETS,
    DEPLOYMENTS,
    LEASES,
    NAMESPACES,
    NODES,
    PODS,
    ROLE_BINDINGS,
    ROLES,
    STORAGE_CLASSES,
    Manifest,
)
from unit.cli.fake_cluster import FakeCluster, condition, leeward, resource

ENFORCED = {POLICIES_LABEL: "enforced"}
OPERATOR = {"name": "leeward-operator", "namespace": "leeward-system"}


def crd(kind: Any, *, without: str = "") -> Manifest:
    fields = [f.alias or name for name, f in kind.spec.model_fields.items()]
    spec: Manifest = {"properties": {field: {} for field in fields if field != without}}
    schema = {"openAPIV3Schema": {"properties": {"spec": spec}}}
    return {
        "metadata": {"name": kind.crd_name},
        "spec": {"versions": [{"name": "v1alpha1", "served": True, "schema": schema}]},
        "status": {"conditions": [{"type": "Established", "status": "True"}]},
    }


def healthy() -> FakeCluster:
    """An installation that the doctor has nothing to say about."""
    cluster = FakeCluster()
    for kind in KINDS:
        cluster.put(CRDS, crd(kind))
    env = [{"name": "LEEWARD_MASKING_IMAGE", "value": "masking:1"}]
    container = {"image": "operator:1", "env": env}
    cluster.put(
        DEPLOYMENTS,
        {
            "metadata": OPERATOR,
            "spec": {"replicas": 2, "template": {"spec": {"containers": [container]}}},
            "status": {"readyReplicas": 2},
        },
    )
    lease = {
        "holderIdentity": "leeward-operator-1",
        "renewTime": "2027-03-01T11:59:55.000000Z",
        "leaseDurationSeconds": 15,
    }
    cluster.put(LEASES, {"metadata": OPERATOR, "spec": lease})
    mark = {"storageclass.kubernetes.io/is-default-class": "true"}
    cluster.put(STORAGE_CLASSES, {"metadata": {"name": "fast", "annotations": mark}})
    agent = {"name": "calico-node", "namespace": "kube-system"}
    cluster.put(DAEMON_SETS, {"metadata": agent})
    command = ["kube-apiserver", "--encryption-provider-config=/etc/enc.yaml"]
    labels = {"component": "kube-apiserver"}
    cluster.put(
        PODS,
        {
            "metadata": {"name": "kube-apiserver-a", "namespace": "kube-system", "labels": labels},
            "spec": {"containers": [{"command": command}]},
        },
    )
    cluster.put(resource_of(KEYVAULT), resource("KeyVault", "v", condition("Ready", "True", "Ok")))

    def review(manifest: Manifest) -> list[Manifest]:
        verb = manifest["spec"]["resourceAttributes"]["verb"]
        return [manifest | {"status": {"allowed": verb in ("create", "update", "delete")}}]

    cluster.on_create = review
    return cluster


def findings(cluster: FakeCluster) -> dict[str, str]:
    """Level by subject, of what is not well."""
    result = leeward("doctor", "-o", "json", cluster=cluster)
    found = json.loads(result.stdout)
    assert all(f["remedy"] for f in found if f["level"] != "ok")
    return {f["subject"]: f["level"] for f in found if f["level"] != "ok"}


def test_nothing_is_wrong_with_a_healthy_installation() -> None:
    assert findings(healthy()) == {}
    assert leeward("doctor", cluster=healthy()).exit_code == 0


def test_namespaces_are_not_well_where_nobody_may_look() -> None:
    cluster = healthy()
    cluster.refused[resource_of(KEYVAULT).path(None)] = ApiError(403, "forbidden")
    assert findings(cluster)["namespaces"] == "not visible"


def _no_crds(cluster: FakeCluster) -> None:
    for kind in KINDS:
        cluster.delete(CRDS, None, kind.crd_name)


def _old_crd(cluster: FakeCluster) -> None:
    cluster.put(CRDS, crd(KEYVAULT, without="keys"))


def _no_operator(cluster: FakeCluster) -> None:
    cluster.delete(DEPLOYMENTS, "leeward-system", "leeward-operator")


def _replicas(ready: int) -> Callable[[FakeCluster], None]:
    def change(cluster: FakeCluster) -> None:
        path = DEPLOYMENTS.path("leeward-system", "leeward-operator")
        cluster.states[path][0]["status"]["readyReplicas"] = ready

    return change


def _lease(renewed: str, holder: str) -> Callable[[FakeCluster], None]:
    def change(cluster: FakeCluster) -> None:
        cluster.put(
            LEASES,
            {
                "metadata": OPERATOR,
                "spec": {
                    "holderIdentity": holder,
                    "renewTime": renewed,
                    "leaseDurationSeconds": 15,
                },
            },
        )

    return change


def _rights(*allowed: str) -> Callable[[FakeCluster], None]:
    def change(cluster: FakeCluster) -> None:
        def review(manifest: Manifest) -> list[Manifest]:
            verb = manifest["spec"]["resourceAttributes"]["verb"]
            return [manifest | {"status": {"allowed": verb in allowed}}]

        cluster.on_create = review

    return change


def _failing_pod(cluster: FakeCluster) -> None:
    labels = {"app.kubernetes.io/name": "leeward"}
    waiting = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    cluster.put(
        PODS,
        {
            "metadata": {"name": "p", "namespace": "clinic", "labels": labels},
            "status": {"containerStatuses": [waiting]},
        },
    )


def _unready_resource(cluster: FakeCluster) -> None:
    lost = condition("Ready", "False", "KeysetLost", "restore it")
    cluster.put(resource_of(KEYVAULT), resource("KeyVault", "v", lost))


def _no_encryption(cluster: FakeCluster) -> None:
    path = PODS.path("kube-system", "kube-apiserver-a")
    cluster.states[path][0]["spec"]["containers"][0]["command"] = ["kube-apiserver"]


def _api_server_not_seen(cluster: FakeCluster) -> None:
    cluster.delete(PODS, "kube-system", "kube-apiserver-a")


def _no_default_class(cluster: FakeCluster) -> None:
    cluster.put(STORAGE_CLASSES, {"metadata": {"name": "fast"}})


def _no_agent(cluster: FakeCluster) -> None:
    cluster.delete(DAEMON_SETS, "kube-system", "calico-node")


def _one_silent_node(cluster: FakeCluster) -> None:
    _no_agent(cluster)
    for name, labels in (("n1", ENFORCED), ("n2", {}), ("n3", {POLICIES_LABEL: "no"})):
        cluster.put(NODES, {"metadata": {"name": name, "labels": labels}})


def _clock(cluster: FakeCluster) -> None:
    cluster.clock_offset = -31.0


def _no_right_to_look(cluster: FakeCluster) -> None:
    cluster.refused[CRDS.path(None, KEYVAULT.crd_name)] = ApiError(403, "forbidden")


@pytest.mark.parametrize(
    ("change", "subject", "level"),
    [
        (_no_crds, "custom resources", "problem"),
        (_old_crd, "custom resources", "problem"),
        (_no_right_to_look, "custom resources", "not visible"),
        (_no_operator, "operator", "problem"),
        (_replicas(0), "operator", "problem"),
        (_replicas(1), "operator", "warning"),
        (_lease("2027-03-01T11:59:29.000000Z", "a"), "leader", "problem"),
        (_lease("2027-03-01T11:59:59.000000Z", ""), "leader", "problem"),
        (_rights("create"), "namespaces", "warning"),
        (_rights("create", "update", "delete", "get"), "namespaces", "warning"),
        (_failing_pod, "pods", "warning"),
        (_unready_resource, "resources", "warning"),
        (_no_encryption, "etcd encryption", "warning"),
        (_api_server_not_seen, "etcd encryption", "not visible"),
        (_no_default_class, "storage", "warning"),
        (_no_agent, "network policies", "warning"),
        (_one_silent_node, "network policies", "warning"),
        (_clock, "clock", "warning"),
    ],
)
def test_what_is_wrong_is_found_and_nothing_else(
    change: Callable[[FakeCluster], None], subject: str, level: str
) -> None:
    cluster = healthy()
    change(cluster)
    assert findings(cluster) == {subject: level}
    result = leeward("doctor", cluster=cluster)
    assert result.exit_code == (1 if level == "problem" else 0)


def test_the_masking_image_is_looked_for_where_it_is_never_pulled() -> None:
    cluster = healthy()
    path = DEPLOYMENTS.path("leeward-system", "leeward-operator")
    container = cluster.states[path][0]["spec"]["template"]["spec"]["containers"][0]
    container["imagePullPolicy"] = "Never"
    image = next(v["value"] for v in container["env"] if v["name"] == IMAGE_VARIABLE)
    # What kubelet writes of an image that has lost its last name.
    images: list[Manifest] = [{"names": None, "sizeBytes": 1}]
    node = {"metadata": {"name": "n1"}, "status": {"images": images}}
    cluster.put(NODES, node)
    assert findings(cluster) == {"masking image": "problem"}
    images.append({"names": [image], "sizeBytes": 1})
    cluster.put(NODES, node)
    assert findings(cluster) == {}


def test_nodes_that_name_an_agent_are_believed() -> None:
    cluster = healthy()
    _no_agent(cluster)
    for name in ("n1", "n2"):
        cluster.put(NODES, {"metadata": {"name": name, "labels": ENFORCED}})
    assert findings(cluster) == {}


def test_nodes_that_name_no_agent_are_named() -> None:
    cluster = healthy()
    _one_silent_node(cluster)
    assert "was found for node n2, n3:" in leeward("doctor", cluster=cluster).stdout


@pytest.mark.parametrize("reason", ["Starting", "Running", "Ending", "Publishing", "Suspended"])
def test_work_that_goes_on_is_no_trouble(reason: str) -> None:
    cluster = healthy()
    job = resource("MaskingJob", "m", condition("Ready", "False", reason))
    cluster.put(resource_of(MASKINGJOB), job)
    assert findings(cluster) == {}


def test_doctor_says_when_the_cluster_does_not_answer() -> None:
    cluster = FakeCluster()
    cluster.refused["/version"] = ApiError(0, "the API server does not answer", "check it")
    result = leeward("doctor", cluster=cluster)
    assert (result.exit_code, result.stderr.splitlines()[1]) == (1, "  check it")


def test_enabling_lets_the_operator_write_secrets_and_read_none() -> None:
    cluster = FakeCluster()
    cluster.put(NAMESPACES, {"metadata": {"name": "clinic"}})
    assert leeward("namespace", "enable", "clinic", cluster=cluster).exit_code == 0
    role = cluster.find(ROLES, "clinic", ROLE)
    binding = cluster.find(ROLE_BINDINGS, "clinic", ROLE)
    assert role
    assert binding
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "update", "delete"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]},
    ]
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "leeward-operator", "namespace": "leeward-system"}
    ]
    assert leeward("namespace", "disable", "clinic", cluster=cluster).exit_code == 0
    assert cluster.find(ROLES, "clinic", ROLE) is None
    assert cluster.find(ROLE_BINDINGS, "clinic", ROLE) is None


def test_disabling_names_the_keys_that_stay() -> None:
    cluster = FakeCluster()
    cluster.put(NAMESPACES, {"metadata": {"name": "clinic"}})
    given: Manifest = resource("KeyDelivery", "ward")
    given["spec"] = {"secretName": "ward-keys"}
    given["status"] = {"secret": {"digest": "d", "writtenAt": "2027-01-01T00:00:00Z"}}
    cluster.put(resource_of(KEYDELIVERY), given)
    waits: Manifest = resource("KeyDelivery", "waits")
    waits["spec"] = {"secretName": "no-keys"}
    cluster.put(resource_of(KEYDELIVERY), waits)
    runs: Manifest = resource("MaskingJob", "m")
    child = {"apiVersion": "v1", "namespace": "clinic"}
    runs["status"] = {
        "children": [
            {**child, "kind": "Secret", "name": "mj-m-keys"},
            {**child, "kind": "ConfigMap", "name": "mj-m"},
        ]
    }
    cluster.put(resource_of(MASKINGJOB), runs)
    leeward("namespace", "enable", "clinic", cluster=cluster)
    told = leeward("namespace", "disable", "clinic", cluster=cluster).stderr
    named = [line for line in told.splitlines() if line.startswith("- ")]
    assert named == ["- Secret mj-m-keys of MaskingJob m", "- Secret ward-keys of KeyDelivery ward"]
    assert "neither renew nor remove" in told
    assert "leeward namespace enable clinic" in told


def test_a_namespace_is_disabled_also_by_who_may_not_see_what_stays() -> None:
    cluster = FakeCluster()
    cluster.put(NAMESPACES, {"metadata": {"name": "clinic"}})
    leeward("namespace", "enable", "clinic", cluster=cluster)
    cluster.refused[resource_of(KEYVAULT).path("clinic")] = ApiError(403, "forbidden")
    result = leeward("namespace", "disable", "clinic", cluster=cluster)
    assert result.exit_code == 0
    assert "you may not see" in result.stderr
    assert cluster.find(ROLES, "clinic", ROLE) is None


def test_a_namespace_that_is_not_there_cannot_be_enabled() -> None:
    result = leeward("namespace", "enable", "nowhere", cluster=FakeCluster())
    assert result.exit_code == 1
    assert "kubectl create" in result.stderr


def test_version_of_program_operator_and_kubernetes() -> None:
    lines = leeward("version", cluster=healthy()).stdout.split()
    assert "v1.34.4" in lines
    assert "operator:1" in lines


def test_version_of_the_program_is_said_before_the_cluster_fails() -> None:
    cluster = FakeCluster()
    cluster.refused["/version"] = ApiError(0, "the API server does not answer", "check it")
    result = leeward("version", cluster=cluster)
    assert result.stdout.startswith("leeward ")
    assert (result.exit_code, result.stderr.splitlines()[1]) == (1, "  check it")


def test_version_of_the_program_needs_no_cluster() -> None:
    assert leeward("version", "--client").exit_code == 0


def test_help_loads_no_heavy_library() -> None:
    heavy = ["kubernetes", "rich", "pydantic", "cryptography", "polars", "yaml", "asyncio"]
    code = f"import sys, leeward.cli.main; print([n for n in {heavy} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
