"""Pods that hold what stands in a Secret, so far as their specs tell."""

import datetime
from collections.abc import Iterator

from leeward.plans.shared.conditions import parse_timestamp
from leeward.plans.shared.model import Manifest

_LATE = datetime.timedelta(seconds=30)
"""After the end of its grace period a pod that still stands there is one whose node is gone."""


def names_secret(pod: Manifest, secret: str) -> bool:
    """Whether a pod mounts a Secret, or has its environment from it."""
    spec = pod.get("spec") or {}
    return secret in _mounted(spec) or secret in _in_environment(spec)


def may_hold(pod: Manifest, now: datetime.datetime) -> bool:
    """Whether a pod that names a Secret may have it loaded, or be about to.

    One that has no node yet reads the Secret as it will be then. One that has ended reads nothing.
    """
    metadata, status = pod["metadata"], pod.get("status") or {}
    if status.get("phase") in ("Succeeded", "Failed"):
        return False
    if not (pod.get("spec") or {}).get("nodeName"):
        return False
    ends = metadata.get("deletionTimestamp")
    return ends is None or now < parse_timestamp(ends) + _LATE


def _mounted(spec: Manifest) -> Iterator[str]:
    for volume in spec.get("volumes") or ():
        yield (volume.get("secret") or {}).get("secretName", "")
        for source in (volume.get("projected") or {}).get("sources") or ():
            yield (source.get("secret") or {}).get("name", "")


def _in_environment(spec: Manifest) -> Iterator[str]:
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for variable in container.get("env") or ():
            source = variable.get("valueFrom") or {}
            yield (source.get("secretKeyRef") or {}).get("name", "")
        for source in container.get("envFrom") or ():
            yield (source.get("secretRef") or {}).get("name", "")
