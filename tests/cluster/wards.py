"""Long-lived pods on a cluster: the reference consumer, which says what it has loaded."""

import json
import time
from pathlib import Path

from cluster.clinic import Clinic, Kubectl, Manifest, resource

CONSUMER = Path(__file__).resolve().parents[1] / "consumer" / "reference_consumer.py"
RESTRICTED: Manifest = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def operator_image(kubectl: Kubectl) -> str:
    """The image of the operator: it is on every node, and has Python."""
    found = kubectl("-n", "leeward-system", "get", "deployment", "leeward-operator", "-o", "json")
    return str(json.loads(found.stdout)["spec"]["template"]["spec"]["containers"][0]["image"])


def program() -> Manifest:
    """The ConfigMap with the consumer's program."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "consumer"},
        "data": {"consumer.py": CONSUMER.read_text()},
    }


def consumers(name: str, image: str, secret: str, *options: str, replicas: int = 1) -> Manifest:
    """A Deployment of consumers with label ``app: NAME`` that mount a Secret."""
    mounts = [
        {"name": "keys", "mountPath": "/run/leeward/keys"},
        {"name": "program", "mountPath": "/program"},
    ]
    pod: Manifest = {
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "consumer",
                "image": image,
                "command": ["python3", "-u", "/program/consumer.py", *options],
                "securityContext": RESTRICTED,
                "volumeMounts": mounts,
            }
        ],
        "volumes": [
            {"name": "keys", "secret": {"secretName": secret}},
            {"name": "program", "configMap": {"name": "consumer"}},
        ],
    }
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def delivery(name: str, *items: Manifest) -> Manifest:
    """A KeyDelivery for the consumers of that name, into Secret ``NAME-keys``."""
    return resource(
        "KeyDelivery",
        name,
        {
            "purpose": "research",
            "selector": {"matchLabels": {"app": name}},
            "secretName": f"{name}-keys",
            "items": list(items),
        },
    )


def running(clinic: Clinic, name: str) -> list[str]:
    """Names of the consumers that run."""
    return sorted(
        pod["metadata"]["name"]
        for pod in clinic.items("pods", f"app={name}")
        if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
    )


def acknowledged(clinic: Clinic, name: str, pods: int) -> Manifest:
    """Wait until so many pods have loaded everything; the status."""

    def seen() -> Manifest | None:
        status = clinic.get("keydelivery", name)["status"]
        known = {c["type"]: c["reason"] for c in status["conditions"]}
        complete = status["acknowledgedCount"] == status["consumerCount"] == pods
        return status if complete and known["Acknowledged"] == "AllAcknowledged" else None

    return dict(clinic.until(f"{pods} pods of {name} have loaded their keys", seen))


def page(clinic: Clinic, pod: str, path: str) -> Manifest:
    """What a consumer answers; asked from within it."""
    code = (
        "import urllib.request as r;"
        f"print(r.urlopen('http://127.0.0.1:8080{path}', timeout=5).read().decode())"
    )
    return dict(json.loads(clinic.run("exec", pod, "--", "python3", "-c", code)))


def seconds_until(clinic: Clinic, what: str, seen: object) -> float:
    """How long it takes until that is seen."""
    start = time.monotonic()
    clinic.until(what, seen, timeout=60)  # type: ignore[arg-type]
    return time.monotonic() - start


def service(name: str) -> Manifest:
    """A Service in front of the consumers of that name, for calls over TLS."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 8443}]},
    }
