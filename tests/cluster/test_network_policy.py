"""The local cluster holds NetworkPolicies: shown with traffic between pods.

On a cluster of the user's own this is that cluster's affair, and the module is skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif("KUBE_CONTEXT" in os.environ, reason="tests the local cluster's own agent"),
]

IMAGE = "localhost/leeward-cluster/busybox:1"
API_SERVICE = "10.96.0.1"
HTTP, OTHER = 8080, 9090
Manifest = dict[str, Any]


def kubectl(*words: str, given: object = None, check: bool = True) -> str:
    done = subprocess.run(
        ["kubectl", *words],
        input=None if given is None else json.dumps(given),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout


def pod(namespace: str, name: str, command: str, **labels: str) -> Manifest:
    container: Manifest = {
        "name": "main",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", command],
    }
    if name == "server":
        container["ports"] = [{"name": "http", "containerPort": HTTP}]
        container["readinessProbe"] = {"tcpSocket": {"port": HTTP}, "periodSeconds": 1}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name, "labels": {"app": name, **labels}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "restartPolicy": "Never",
            "containers": [container],
        },
    }


@dataclass(frozen=True)
class Ward:
    """Two namespaces: server, friend and stranger in one, friend in the other."""

    home: str
    away: str
    server: str
    friend: str

    def reaches(self, client: str, port: int = HTTP, *, away: bool = False, to: str = "") -> bool:
        namespace = self.away if away else self.home
        words = ("exec", "-n", namespace, client, "--", "nc", "-w", "1")
        done = subprocess.run(
            ["kubectl", *words, to or self.server, str(port)],
            capture_output=True,
            timeout=30,
            check=False,
        )
        return done.returncode == 0

    def apply(self, app: str = "server", **spec: object) -> None:
        spec["podSelector"] = {"matchLabels": {"app": app}}
        kubectl("apply", "-f", "-", given=self.policy(spec))

    def policy(self, spec: Manifest) -> Manifest:
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"namespace": self.home, "name": "tried"},
            "spec": spec,
        }


@pytest.fixture(scope="module")
def namespaces() -> Iterator[Ward]:
    mark = uuid.uuid4().hex[:6]
    home, away = f"policy-home-{mark}", f"policy-away-{mark}"
    serve = f"httpd -p {OTHER} && exec httpd -f -p {HTTP}"
    for name in (home, away):
        kubectl("create", "namespace", name)
    kubectl("label", "namespace", away, "team=away")
    wanted = [pod(home, "server", serve), pod(home, "stranger", "sleep 3600")]
    wanted += [pod(home, "friend", "sleep 3600"), pod(away, "friend", "sleep 3600")]
    kubectl("apply", "-f", "-", given={"apiVersion": "v1", "kind": "List", "items": wanted})
    for name in (home, away):
        kubectl("wait", "-n", name, "pod", "--all", "--for=condition=Ready", "--timeout=60s")
    address = "jsonpath={.status.podIP}"
    yield Ward(
        home,
        away,
        kubectl("get", "pod", "-n", home, "server", "-o", address),
        kubectl("get", "pod", "-n", home, "friend", "-o", address),
    )
    kubectl("delete", "namespace", home, away, "--wait=false")


@pytest.fixture
def ward(namespaces: Ward) -> Iterator[Ward]:
    yield namespaces
    kubectl("delete", "networkpolicy", "-n", namespaces.home, "--all")
    deadline = time.monotonic() + 5
    while not namespaces.reaches("stranger") and time.monotonic() < deadline:
        time.sleep(0.05)


def test_without_a_policy_everybody_reaches_everybody(ward: Ward) -> None:
    assert ward.reaches("stranger")
    assert ward.reaches("friend", OTHER)
    assert ward.reaches("friend", away=True)


def test_a_denied_pod_is_cut_off_within_a_second_and_stays_ready(ward: Ward) -> None:
    assert ward.reaches("stranger")
    ward.apply()
    started = time.monotonic()
    # A refused attempt itself takes a second: the first one that fails began before that.
    while True:
        attempt = time.monotonic()
        if not ward.reaches("stranger"):
            break
        assert attempt - started < 10, "the policy is not held"
    assert attempt - started < 1.0
    assert not ward.reaches("friend", OTHER)
    assert not ward.reaches("friend", away=True)
    # The probe is the kubelet's, from the pod's own node. Three failures would show after 3 s.
    time.sleep(3)
    ready = '{.status.conditions[?(@.type=="Ready")].status}'
    assert kubectl("get", "pod", "-n", ward.home, "server", "-o", f"jsonpath={ready}") == "True"


def test_chosen_pods_reach_a_named_port_and_no_other(ward: Ward) -> None:
    peers = [{"podSelector": {"matchLabels": {"app": "friend"}}}]
    ward.apply(ingress=[{"from": peers, "ports": [{"port": "http"}]}])
    assert ward.reaches("friend")
    assert not ward.reaches("friend", OTHER)
    assert not ward.reaches("stranger")
    assert not ward.reaches("friend", away=True)


def test_a_chosen_namespace_is_let_in(ward: Ward) -> None:
    peers = [{"namespaceSelector": {"matchLabels": {"team": "away"}}}]
    ward.apply(ingress=[{"from": peers, "ports": [{"port": HTTP, "endPort": OTHER}]}])
    assert ward.reaches("friend", OTHER, away=True)
    assert not ward.reaches("friend")


def test_a_block_of_addresses_lets_in_all_but_its_exceptions(ward: Ward) -> None:
    block = {"cidr": "10.244.0.0/16", "except": [f"{ward.friend}/32"]}
    ward.apply(ingress=[{"from": [{"ipBlock": block}]}])
    assert ward.reaches("stranger")
    assert not ward.reaches("friend")


def test_egress_is_held_also_towards_the_api_server(ward: Ward) -> None:
    assert ward.reaches("friend", 443, to=API_SERVICE)
    peers = [{"podSelector": {"matchLabels": {"app": "server"}}}]
    ports = [{"port": HTTP, "protocol": "TCP"}]
    ward.apply("friend", policyTypes=["Egress"], egress=[{"to": peers, "ports": ports}])
    assert ward.reaches("friend")
    assert not ward.reaches("friend", OTHER)
    assert not ward.reaches("friend", 443, to=API_SERVICE)
    assert ward.reaches("stranger", 443, to=API_SERVICE)


def test_a_new_pod_is_held_from_its_first_packet(ward: Ward) -> None:
    ward.apply("newcomer", policyTypes=["Egress"])
    # It tries without a pause from the moment it runs, and says how the attempts went.
    connect = f"nc -w 1 {ward.server} {HTTP} </dev/null 2>/dev/null"
    attempt = f"for i in 1 2 3; do {connect} && echo reached; done; true"
    held = pod(ward.home, "newcomer", attempt)
    free = pod(ward.home, "visitor", attempt)
    for one in (held, free):
        kubectl("apply", "-f", "-", given=one)
    said = {}
    for name in ("newcomer", "visitor"):
        done = "--for=jsonpath={.status.phase}=Succeeded"
        kubectl("wait", "-n", ward.home, f"pod/{name}", done, "--timeout=30s")
        said[name] = kubectl("logs", "-n", ward.home, name).split()
    assert said == {"newcomer": [], "visitor": ["reached"] * 3}
