"""Pods of jobs: Pod Security "restricted", read-only root, no token, keys from memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from leeward.api.dataset import Location
from leeward.api.s3 import ACCESS_KEY_ID, S3, SECRET_ACCESS_KEY, SESSION_TOKEN
from leeward.api.workload import PodTemplate, Resources
from leeward.formats.jobconfig import (
    CONFIG_DIGEST_VARIABLE,
    CONFIG_PATH,
    GRACE_SECONDS,
    HTTP_PORT,
)
from leeward.formats.keyset import KEYSET_PATH
from leeward.plans.shared.durations import amount
from leeward.plans.shared.locations import (
    CA_FILE,
    MOUNTS,
    Places,
    Use,
    ca_folder,
    claim_of_volume,
    credentials_folder,
)
from leeward.plans.shared.model import Context, Manifest

CONTAINER: Final = "masking"
USER: Final = 65532
"""User and group id of the program, and group of its volumes."""

DEFAULT_REQUESTS: Final[Mapping[str, str]] = {"cpu": "250m", "memory": "512Mi"}
DEFAULT_LIMITS: Final[Mapping[str, str]] = {"memory": "1536Mi"}
_TMP_SIZE: Final = "64Mi"
_KEYS_MODE: Final = 0o440


@dataclass(frozen=True, slots=True)
class PodParts:
    """What differs between the pods of our jobs.

    Attributes:
        image: Image of the program.
        config: Name of the ConfigMap with its config.
        config_digest: What the program must find there, or it does nothing.
        secret: Name of the Secret with its keys, if it has any.
        places: What it reads and writes.
        labels: Its labels.
        annotations: Its annotations.
        resources: What the user says of its resources.
        template: What the user says of the pod.
    """

    image: str
    config: str
    config_digest: str
    secret: str | None
    places: Places
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    resources: Resources | None = None
    template: PodTemplate | None = None


def pod_security_context() -> Manifest:
    """What every pod of Leeward's is held to: Pod Security "restricted", and a user of its own."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security_context() -> Manifest:
    """What every container of such a pod is held to, with a root that cannot be written."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def pod_template(parts: PodParts, context: Context) -> Manifest:
    """The template of a Job's pod."""
    user = parts.template or PodTemplate()
    spec: Manifest = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": pod_security_context(),
        "containers": [_container(parts, context)],
        "volumes": _volumes(parts),
    }
    if context.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in context.image_pull_secrets]
    if user.node_selector:
        spec["nodeSelector"] = dict(user.node_selector)
    if user.tolerations:
        spec["tolerations"] = [toleration.manifest() for toleration in user.tolerations]
    if user.priority_class_name:
        spec["priorityClassName"] = user.priority_class_name
    return {
        "metadata": {
            "labels": {**user.labels, **parts.labels},
            "annotations": dict(parts.annotations),
        },
        "spec": spec,
    }


def resource_amounts(resources: Resources | None) -> Manifest:
    """Requests and limits: the user's, filled up with defaults that fit them."""
    given = resources.manifest() if resources else {}
    requests: dict[str, str] = given.get("requests", {})
    limits: dict[str, str] = given.get("limits", {})
    filled_limits = {**DEFAULT_LIMITS, **limits}
    for name, request in requests.items():
        if name not in limits and name in filled_limits:
            filled_limits[name] = max(filled_limits[name], request, key=amount)
    filled_requests = {**DEFAULT_REQUESTS, **requests}
    for name, limit in filled_limits.items():
        if name not in requests and name in filled_requests:
            filled_requests[name] = min(filled_requests[name], limit, key=amount)
    return {"requests": filled_requests, "limits": filled_limits}


def _container(parts: PodParts, context: Context) -> Manifest:
    mounts = [
        {
            "name": "config",
            "mountPath": str(PurePosixPath(CONFIG_PATH).parent),
            "readOnly": True,
        },
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own, from memory
    ]
    if parts.secret:
        keys = str(PurePosixPath(KEYSET_PATH).parent)
        mounts.append({"name": "keys", "mountPath": keys, "readOnly": True})
    for use, place in parts.places.by_use:
        mounts.extend(place_mounts(parts.places, use, place))
    return {
        "name": CONTAINER,
        "image": parts.image,
        "imagePullPolicy": context.image_pull_policy,
        "env": [{"name": CONFIG_DIGEST_VARIABLE, "value": parts.config_digest}],
        "ports": [{"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"}],
        "resources": resource_amounts(parts.resources),
        "securityContext": container_security_context(),
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "volumeMounts": mounts,
    }


def place_mounts(places: Places, use: Use, place: Location) -> list[Manifest]:
    """Where a container finds a place: the volume, or what it needs for the bucket."""
    if place.s3 is None:
        read_only = {} if use == "output" else {"readOnly": True}
        return [{"name": _volume_of(places, use), "mountPath": MOUNTS[use], **read_only}]
    made = [{"name": f"{use}-s3", "mountPath": credentials_folder(use), "readOnly": True}]
    if place.s3.ca_ref is not None:
        made.append({"name": f"{use}-ca", "mountPath": ca_folder(use), "readOnly": True})
    return made


def _volume_of(places: Places, use: Use) -> str:
    # A claim is named once in a pod, however often it is mounted.
    claims = {each: claim_of_volume(place) for each, place in places.by_use}
    uses = [each for each, claim in claims.items() if claim == claims[use]]
    return "data" if {"source", "output"} <= set(uses) else uses[0]


def _volumes(parts: PodParts) -> list[Manifest]:
    volumes: list[Manifest] = [
        {"name": "config", "configMap": {"name": parts.config}},
        {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": _TMP_SIZE}},
    ]
    if parts.secret:
        volumes.append(
            {
                "name": "keys",
                "secret": {"secretName": parts.secret, "defaultMode": _KEYS_MODE},
            }
        )
    return [*volumes, *place_volumes(parts.places)]


def place_volumes(places: Places) -> list[Manifest]:
    """The volumes of a pod behind ``place_mounts``."""
    volumes: list[Manifest] = []
    for claim, use in {claim_of_volume(place): use for use, place in places.by_use}.items():
        if claim is not None:
            # Not readOnly here, but in the mount: the kubelet sets the group of the files only on
            # volumes that it may write to.
            name = _volume_of(places, use)
            volumes.append({"name": name, "persistentVolumeClaim": {"claimName": claim}})
    for use, place in places.by_use:
        if place.s3 is not None:
            volumes.extend(_s3_volumes(use, place.s3))
    return volumes


def _s3_volumes(use: Use, place: S3) -> list[Manifest]:
    """Credentials and authorities; where they are missing, the program says what is to be done."""
    names = (ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN)
    secret = {
        "secretName": place.credentials_ref.name,
        "defaultMode": _KEYS_MODE,
        "optional": True,
        "items": [{"key": name, "path": name} for name in names],
    }
    made: list[Manifest] = [{"name": f"{use}-s3", "secret": secret}]
    if place.ca_ref is not None:
        ca = {
            "name": place.ca_ref.name,
            "optional": True,
            "items": [{"key": place.ca_ref.key, "path": CA_FILE}],
        }
        made.append({"name": f"{use}-ca", "configMap": ca})
    return made
