"""A short-lived pod that reaches a volume or a bucket, through which a file is brought there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from leeward.api.dataset import Location
from leeward.cli.errors import CliError
from leeward.cli.installed import MaskingImage
from leeward.cli.port import PODS, Cluster, Manifest
from leeward.cli.session import Session
from leeward.cli.temporary import temporary
from leeward.cli.waiting import POLL_SECONDS
from leeward.plans.shared.locations import Places
from leeward.plans.shared.pods import (
    container_security_context,
    place_mounts,
    place_volumes,
    pod_security_context,
)

_REQUESTS: Final = {"cpu": "50m", "memory": "64Mi"}
_HOPELESS: Final = frozenset(
    {
        "ErrImagePull",
        "ErrImageNeverPull",
        "ImagePullBackOff",
        "InvalidImageName",
        "CreateContainerError",
        "CreateContainerConfigError",
    }
)


@contextmanager
def upload_pod(
    session: Session,
    cluster: Cluster,
    namespace: str,
    location: Location,
    image: MaskingImage,
    deadline: float,
) -> Iterator[str]:
    """Start the pod, wait until it runs, yield its name, and delete it whatever happens.

    Raises:
        CliError: It does not start before ``deadline`` (of the session's monotonic clock).
    """
    name = f"leeward-put-{session.random(5).hex()}"
    seconds = max(1, int(deadline - session.clock.monotonic()))
    with temporary(cluster, PODS, _manifest(namespace, name, location, image, seconds)):
        _await_running(session, cluster, namespace, name, deadline)
        yield name


def _await_running(
    session: Session, cluster: Cluster, namespace: str, name: str, deadline: float
) -> None:
    while True:
        pod = cluster.find(PODS, namespace, name)
        if pod is None:
            raise CliError(f"pod {name} was deleted meanwhile", "try again")
        status = pod.get("status", {})
        containers = status.get("containerStatuses", [])
        if status.get("phase") == "Running" and containers and "running" in containers[0]["state"]:
            return
        why = _why_not(status)
        hopeless = any(
            c["state"].get("waiting", {}).get("reason") in _HOPELESS for c in containers
        ) or status.get("phase") in ("Failed", "Succeeded")
        if hopeless or session.clock.monotonic() >= deadline:
            raise CliError(
                f"the pod that writes to the volume does not start, and nothing was sent: {why}",
                _remedy(status),
            )
        session.clock.sleep(POLL_SECONDS)


def _why_not(status: Manifest) -> str:
    for container in status.get("containerStatuses", []):
        waiting = container["state"].get("waiting")
        if waiting:
            return f"{waiting.get('reason')}: {waiting.get('message', '')}"
    for condition in status.get("conditions", []):
        if condition["status"] == "False" and condition.get("message"):
            return str(condition["message"])
    return str(status.get("phase", "Pending"))


def _remedy(status: Manifest) -> str:
    """What to do: a pod that no node takes has not come as far as its image."""
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            if "persistentvolumeclaim" in condition.get("message", "").lower():
                return "check the volume claim of the Dataset: kubectl get pvc"
            asked = f"{_REQUESTS['cpu']} of CPU and {_REQUESTS['memory']} of memory"
            return (
                f"make room on a node that can reach the volume (the pod asks for {asked}), or wait"
                " longer for it with --timeout"
            )
    return "check the image (--image) and the volume claim of the Dataset"


def _manifest(
    namespace: str, name: str, location: Location, image: MaskingImage, seconds: int
) -> Manifest:
    """Within Pod Security "restricted"; it ends by itself when this program is killed."""
    places = Places(output=location)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {
                "app.kubernetes.io/name": "leeward",
                "app.kubernetes.io/managed-by": "leeward-cli",
                "app.kubernetes.io/component": "put",
            },
        },
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "imagePullSecrets": [{"name": name} for name in image.pull_secrets],
            "activeDeadlineSeconds": seconds + 60,
            "terminationGracePeriodSeconds": 0,
            "securityContext": pod_security_context(),
            "containers": [
                {
                    "name": "put",
                    "image": image.image,
                    "imagePullPolicy": image.pull_policy,
                    "command": ["python3", "-c", f"import time; time.sleep({seconds + 60})"],
                    "resources": {
                        "requests": dict(_REQUESTS),
                        "limits": {"memory": "256Mi"},
                    },
                    "securityContext": container_security_context(),
                    "volumeMounts": place_mounts(places, "output", location),
                }
            ],
            "volumes": place_volumes(places),
        },
    }
