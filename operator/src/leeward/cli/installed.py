"""The installed operator, as far as commands need to know it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from leeward.cli.errors import FORBIDDEN, ApiError, CliError
from leeward.cli.port import DEPLOYMENTS, Cluster, Manifest

DEPLOYMENT: Final = "leeward-operator"
SERVICE_ACCOUNT: Final = "leeward-operator"
IMAGE_VARIABLE: Final = "LEEWARD_MASKING_IMAGE"


@dataclass(frozen=True, slots=True)
class MaskingImage:
    """The image that runs for datasets, and how it is pulled."""

    image: str
    pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()


def find_deployment(cluster: Cluster, namespace: str) -> Manifest | None:
    """The operator's Deployment, or None where it is not installed there."""
    return cluster.find(DEPLOYMENTS, namespace, DEPLOYMENT)


def environment_of(deployment: Manifest) -> dict[str, str]:
    """Environment variables of the operator that have a literal value."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    return {e["name"]: e["value"] for e in containers[0].get("env", []) if "value" in e}


def masking_image(cluster: Cluster, operator_namespace: str) -> MaskingImage:
    """The masking image that the operator runs jobs with.

    Raises:
        CliError: The operator is not there, or does not say.
    """
    remedy = "name the masking image with --image, or the operator's with --operator-namespace"
    try:
        deployment = find_deployment(cluster, operator_namespace)
    except ApiError as error:
        if error.status != FORBIDDEN:
            raise
        raise ApiError(error.status, error.message, remedy) from error
    if deployment is None:
        raise CliError(f"there is no operator in namespace {operator_namespace}", remedy)
    environment = environment_of(deployment)
    image = environment.get(IMAGE_VARIABLE)
    if not image:
        raise CliError(f"the operator's Deployment does not set {IMAGE_VARIABLE}", remedy)
    secrets = environment.get("LEEWARD_IMAGE_PULL_SECRETS", "").split(",")
    policy = environment.get("LEEWARD_IMAGE_PULL_POLICY", "IfNotPresent")
    return MaskingImage(image, policy, tuple(name for name in secrets if name))
