"""The chart on a real cluster: what the operator may do, what people may do, what stays."""

import json
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.clinic import Kubectl

pytestmark = pytest.mark.cluster

Run = Callable[..., "subprocess.CompletedProcess[str]"]
CHART = Path(__file__).resolve().parents[2] / "charts/leeward"
OPERATOR = "system:serviceaccount:leeward-system:leeward-operator"


def may(run_kubectl: Run, who: str, namespace: str, verb: str, what: str) -> bool:
    resource, _, part = what.partition("/")
    asked = ("auth", "can-i", verb, resource, f"--subresource={part}", "--as", who)
    return run_kubectl("-n", namespace, *asked).stdout.strip() == "yes"


@pytest.mark.parametrize("verb", ["get", "list", "watch", "patch", "create"])
def test_operator_has_no_secrets_in_a_namespace_that_is_not_enabled(
    run_kubectl: Run, namespace: str, verb: str
) -> None:
    assert not may(run_kubectl, OPERATOR, namespace, verb, "secrets")
    assert may(run_kubectl, OPERATOR, namespace, verb, "jobs.batch")


def test_operator_grants_no_rights(run_kubectl: Run, namespace: str) -> None:
    for what in ("roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io"):
        assert not may(run_kubectl, OPERATOR, namespace, "create", what)


PEOPLE = {
    "view": {("get", "maskingjobs"): True, ("create", "maskingjobs"): False},
    "edit": {("create", "maskingjobs"): True, ("update", "keyvaults"): False},
    "admin": {("update", "keyvaults"): True, ("update", "keyvaults/status"): False},
    "leeward-auditor": {("get", "keyvaults"): True, ("get", "secrets"): False},
    "leeward-scientist": {("create", "datasetpreviews"): True, ("create", "datasets"): False},
    "leeward-steward": {("create", "datasets"): True, ("create", "maskingjobs"): False},
}


@pytest.mark.parametrize("role", PEOPLE)
def test_people_may_do_what_their_role_says(
    run_kubectl: Run, kubectl: Kubectl, namespace: str, role: str
) -> None:
    person = f"{role}@example.org"
    binding = ("create", "rolebinding", f"test-{role}", "--clusterrole", role, "--user", person)
    kubectl("-n", namespace, *binding)
    for (verb, what), expected in PEOPLE[role].items():
        assert may(run_kubectl, person, namespace, verb, what) is expected, f"{verb} {what}"


REACH = "import socket,sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"


def test_operator_reaches_the_api_server_and_not_its_neighbour(
    run_kubectl: Run, kubectl: Kubectl
) -> None:
    """Anybody may read the neighbour's metrics; it is the operator that may not go there."""
    selector = ("-n", "leeward-system", "-l", "app.kubernetes.io/component=operator")
    pods = json.loads(kubectl("get", "pods", *selector, "-o", "json").stdout)["items"]
    first, second = (pod for pod in pods if "deletionTimestamp" not in pod["metadata"])
    start = ("-n", "leeward-system", "exec", first["metadata"]["name"], "--", "python", "-c", REACH)
    kubectl(*start, "kubernetes.default.svc", "443")
    denied = run_kubectl(*start, second["status"]["podIP"], "9090")
    assert "TimeoutError" in denied.stderr or "ConnectionRefusedError" in denied.stderr


def test_helm_test_succeeds(helm: Callable[..., str]) -> None:
    assert "Phase:          Succeeded" in helm("test", "leeward", "-n", "leeward-system")


@pytest.fixture
def other_home(kubectl: Kubectl) -> Iterator[str]:
    name = f"test-home-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def test_root_key_and_definitions_outlive_the_release(
    kubectl: Kubectl, helm: Callable[..., str], namespace: str, other_home: str
) -> None:
    """With a release of its own, which acts on one empty namespace."""
    found = kubectl("-n", "leeward-system", "get", "deployment", "leeward-operator", "-o", "json")
    container = json.loads(found.stdout)["spec"]["template"]["spec"]["containers"][0]
    repository, _, tag = container["image"].rpartition(":")
    values = {
        "crds.enabled": "false",
        "roles.enabled": "false",
        "operator.replicas": "1",
        "operator.image.repository": repository,
        "operator.image.tag": tag,
        "image.pullPolicy": container["imagePullPolicy"],
        "watchNamespaces": f"{{{namespace}}}",
    }
    settings = [part for name, value in values.items() for part in ("--set", f"{name}={value}")]

    def root_key() -> str:
        secret = kubectl("-n", other_home, "get", "secret", "leeward-root-key", "-o", "json")
        return str(json.loads(secret.stdout)["metadata"]["uid"])

    def install() -> str:
        helm("install", "second", str(CHART), "-n", other_home, *settings, "--wait")
        kubectl(
            "-n", other_home, "wait", "--for=create", "secret/leeward-root-key", "--timeout=60s"
        )
        return root_key()

    first = install()
    helm("uninstall", "second", "-n", other_home, "--wait")
    assert root_key() == first
    assert install() == first
    helm("uninstall", "second", "-n", other_home)
    kubectl("get", "crd", "keyvaults.leeward.dev", "datasets.leeward.dev")
