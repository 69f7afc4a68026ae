"""What every workload has: purpose, limits, resources, and what its pods may change."""

from typing import Annotated, Literal

from pydantic import Field

from leeward.api.meta import (
    Digest,
    Duration,
    Hex128,
    ListMap,
    Model,
    Name,
    Status,
    StatusModel,
    Timestamp,
)

Quantity = Annotated[
    str,
    Field(
        max_length=24,
        pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$",
        description="A Kubernetes quantity: 500m, 2, 1Gi.",
    ),
]
LabelKey = Annotated[str, Field(min_length=1, max_length=317)]
LabelValue = Annotated[str, Field(max_length=63)]


class ResourceAmounts(Model):
    """An amount of each resource."""

    cpu: Quantity | None = None
    memory: Quantity | None = None
    ephemeral_storage: Quantity | None = Field(default=None, alias="ephemeral-storage")


class Resources(Model):
    """Requests and limits of the pod, as in a container."""

    requests: ResourceAmounts | None = None
    limits: ResourceAmounts | None = None


class Toleration(Model):
    """As in a pod."""

    key: LabelKey | None = None
    operator: Literal["Exists", "Equal"] = "Equal"
    value: LabelValue | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: Annotated[int, Field(ge=0)] | None = None


class PodTemplate(Model):
    """What a user may say of the pods, within Pod Security "restricted"."""

    labels: Annotated[dict[LabelKey, LabelValue], Field(max_length=32)] = Field(
        default={}, description="Labels added to the pods."
    )
    node_selector: Annotated[dict[LabelKey, LabelValue], Field(max_length=32)] = Field(
        default={}, description="Nodes that the pods may run on."
    )
    tolerations: Annotated[list[Toleration], Field(max_length=32)] = Field(default=[])
    priority_class_name: Annotated[str, Field(max_length=253)] | None = None


class WorkloadSpec(Model):
    """Fields of every workload."""

    purpose: Name = Field(
        description="What the result is for. Grants of the data may name purposes."
    )
    suspend: bool = Field(
        default=False, description="True: nothing is started, and what runs is stopped."
    )
    active_deadline: Duration | None = Field(
        default=None, description="The job fails when it has run for this long."
    )
    ttl_after_finished: Duration | None = Field(
        default=None,
        description="The finished pods and their logs are removed after this time. Left out: kept"
        " until this resource is deleted.",
    )
    backoff_limit: Annotated[int, Field(ge=0, le=10)] = Field(
        default=2, description="How often a failed pod is tried again."
    )
    resources: Resources | None = Field(default=None, description="Of the job's pod.")
    pod_template: PodTemplate | None = Field(default=None, description="Changes to the pods.")


class Progress(StatusModel):
    """How far a running job is."""

    done: int = Field(ge=0)
    total: int | None = Field(default=None, ge=0)
    unit: str = Field(max_length=32)
    percent: str = Field(max_length=8, description="As shown by kubectl get: 42%.")
    eta_seconds: int | None = Field(default=None, ge=0)


class UsedKey(StatusModel):
    """One artefact key that the job was given, pinned at admission."""

    role: str = Field(max_length=128, description="What the job uses it for.")
    id: Hex128
    version: int = Field(ge=1, description="Version of the vault key that wraps it.")


class Admission(StatusModel):
    """What was decided when the job was admitted; it is never decided again."""

    job_name: str = Field(max_length=63, description="Name of the Job; its hash is of the config.")
    image: str = Field(max_length=512)
    config_digest: Digest
    secret: str | None = Field(default=None, max_length=63, description="Secret with its keys.")
    keys: Annotated[list[UsedKey], Field(max_length=64), ListMap(("role",))] = Field(default=[])
    source_digest: Digest | None = None
    admitted_at: Timestamp


class WorkloadStatus(Status):
    """Status of every workload."""

    admission: Admission | None = None
    progress: Progress | None = None
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None
