"""What every workload has: purpose, limits, resources, and what its pods may change."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field

from leeward.api.dataset import Tag
from leeward.api.meta import (
    IMMUTABLE,
    MAX_COLUMNS,
    Cel,
    ColumnName,
    Digest,
    Duration,
    Hex128,
    IntOrString,
    ListMap,
    Model,
    Name,
    ObjectName,
    Rules,
    Status,
    StatusModel,
    Text,
    Timestamp,
)

Quantity = Annotated[
    str,
    BeforeValidator(lambda given: str(given) if type(given) is int else given),
    Field(max_length=24, description="A Kubernetes quantity: 500m, 2, 1Gi."),
    IntOrString(
        r"^[0-9]+([.][0-9]+)?(m|k|[MGTP]|[KMGTP]i)?$",
        "must be a Kubernetes quantity that is not negative, as 500m, 2 or 1Gi",
    ),
]
LabelKey = Annotated[str, Field(min_length=1, max_length=317)]
LabelValue = Annotated[
    str,
    Field(max_length=63),
    Text(
        r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
        "must be the value of a label: letters, digits, '-', '_' and '.', with a letter or digit at"
        " both ends, as team-a",
    ),
]
OPERATOR_LABELS: Final = Rules(
    (
        Cel(
            "self.all(k, !k.matches('^(leeward[.]dev|(app|batch)[.]kubernetes[.]io)/'))",
            "labels that begin with leeward.dev/, app.kubernetes.io/ or batch.kubernetes.io/ are"
            " set by the operator and Kubernetes: choose another prefix",
        ),
    )
)

FIXED_ONCE_ADMITTED: Final = Cel(
    "!has(oldSelf.status) || !has(oldSelf.status.admission) || ("
    + " && ".join(
        f"has(self.spec.{name}) == has(oldSelf.spec.{name})"
        f" && (!has(self.spec.{name}) || self.spec.{name} == oldSelf.spec.{name})"
        for name in ("activeDeadline", "backoffLimit", "resources", "podTemplate")
    )
    + ")",
    "activeDeadline, backoffLimit, resources and podTemplate cannot be changed once the job is"
    " admitted: delete the resource and create it again",
    field_path=".spec",
)


class ResourceAmounts(Model):
    """An amount of each resource."""

    cpu: Quantity | None = Field(default=None, description="Processor cores: 500m, 2.")
    memory: Quantity | None = Field(default=None, description="Memory: 512Mi, 2Gi.")
    ephemeral_storage: Quantity | None = Field(
        default=None, alias="ephemeral-storage", description="Space on the node's disk: 1Gi."
    )


class Resources(Model):
    """Requests and limits of the pod, as in a container."""

    requests: ResourceAmounts | None = Field(default=None, description="What is set aside.")
    limits: ResourceAmounts | None = Field(default=None, description="What is the most.")


class Toleration(Model):
    """As in a pod."""

    key: LabelKey | None = Field(default=None, description="The taint's key. Left out: any.")
    operator: Literal["Exists", "Equal"] = Field(
        default="Equal", description="How key and value are compared with the taint."
    )
    value: LabelValue | None = Field(default=None, description="The taint's value.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="The taint's effect. Left out: any."
    )
    toleration_seconds: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="How long a NoExecute taint is borne. Left out: for ever."
    )
    cel: ClassVar = (
        Cel(
            "self.operator == 'Equal' ? has(self.key) : !has(self.value)",
            "operator Equal needs a key, and operator Exists takes no value: change one of them",
        ),
        Cel(
            "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            "tolerationSeconds needs effect NoExecute: remove it, or set that effect",
            field_path=".tolerationSeconds",
        ),
    )


class PodTemplate(Model):
    """What a user may say of the pods, within Pod Security "restricted"."""

    labels: Annotated[dict[LabelKey, LabelValue], Field(max_length=32), OPERATOR_LABELS] = Field(
        default={}, description="Labels added to the pods."
    )
    node_selector: Annotated[dict[LabelKey, LabelValue], Field(max_length=32)] = Field(
        default={}, description="Nodes that the pods may run on."
    )
    tolerations: Annotated[list[Toleration], Field(max_length=32)] = Field(
        default=[], description="Taints of nodes that the pods bear."
    )
    priority_class_name: ObjectName | None = Field(
        default=None, description="PriorityClass of the pods."
    )


class WorkloadSpec(Model):
    """Fields of every workload."""

    purpose: Annotated[Name, IMMUTABLE] = Field(
        description="What the result is for. Grants of the data may name purposes."
    )
    suspend: bool = Field(
        default=False, description="True: nothing is started, and what runs is stopped."
    )
    active_deadline: Duration | None = Field(
        default=None, description="The job fails when it has run for this long: 30m, 2h."
    )
    ttl_after_finished: Duration | None = Field(
        default=None,
        description="The finished pods and their logs are removed after this time: 30m, 7d. Left"
        " out: kept until this resource is deleted.",
    )
    backoff_limit: Annotated[int, Field(ge=0, le=10)] = Field(
        default=2, description="How often a failed pod is tried again."
    )
    resources: Resources | None = Field(default=None, description="Of the job's pod.")
    pod_template: PodTemplate | None = Field(default=None, description="Changes to the pods.")


class Progress(StatusModel):
    """How far a running job is."""

    done: int = Field(ge=0, description="Units done.")
    total: int | None = Field(default=None, ge=0, description="Units in all, where known.")
    unit: str = Field(max_length=32, description="What is counted: rows, waiting.")
    percent: str = Field(max_length=8, description="As shown by kubectl get: 42%.")
    eta_seconds: int | None = Field(default=None, ge=0, description="Seconds left, about.")


class UsedKey(StatusModel):
    """One artefact key that the job was given, pinned at admission."""

    role: str = Field(max_length=128, description="What the job uses it for.")
    id: Hex128 = Field(description="Id of the artefact key.")
    version: int = Field(ge=1, description="Version of the vault key that wraps it.")


class SelectedColumns(StatusModel):
    """The columns that one rule was found to be for, where it does not name them."""

    rule: str = Field(max_length=256, description="Name of the rule.")
    columns: Annotated[list[ColumnName], Field(max_length=MAX_COLUMNS)] = Field(
        description="Names of the columns."
    )


class TaggedColumn(StatusModel):
    """What the owner of the source said of one column."""

    name: ColumnName = Field(description="Name of the column.")
    tags: Annotated[list[Tag], Field(max_length=3)] = Field(
        description="What the column says about a person."
    )


class Egress(StatusModel):
    """What the job's pods may reach."""

    cidrs: Annotated[list[Annotated[str, Field(max_length=43)]], Field(max_length=16)] = Field(
        description="Ranges of addresses."
    )
    port: int = Field(ge=1, le=65535, description="TCP port.")


class Admission(StatusModel):
    """What was decided when the job was admitted; it is never decided again."""

    job_name: str = Field(max_length=63, description="Name of the Job; its hash is of the config.")
    image: str = Field(max_length=512, description="Image that the pod runs.")
    config_digest: Digest = Field(description="SHA-256 of the config that the pod reads.")
    secret: str | None = Field(default=None, max_length=63, description="Secret with its keys.")
    keys: Annotated[list[UsedKey], Field(max_length=64), ListMap(("role",))] = Field(
        default=[], description="Artefact keys that it was given."
    )
    source_digest: Digest | None = Field(default=None, description="Digest of the source's file.")
    dataset_scope: str | None = Field(
        default=None, max_length=64, description="What scope Dataset of rules stands for."
    )
    selected: Annotated[list[SelectedColumns], Field(max_length=200)] = Field(
        default=[],
        description="Columns of rules that match by pattern, tag, type or detected content.",
    )
    egress: Annotated[list[Egress], Field(max_length=4)] = Field(
        default=[], description="Stores outside the cluster's volumes that its pods may reach."
    )
    volumes: Hex128 | None = Field(
        default=None,
        description="Hash of the volumes that its pods mount: claims, and for buckets Secrets and"
        " ConfigMaps.",
    )
    tags: Annotated[list[TaggedColumn], Field(max_length=MAX_COLUMNS)] = Field(
        default=[], description="Columns of the source with tags, which the output takes over."
    )
    subject_column: ColumnName | None = Field(
        default=None, description="Column of the source that says whose row it is."
    )
    admitted_at: Timestamp = Field(description="When it was admitted.")


class WorkloadStatus(Status):
    """Status of every workload."""

    admission: Admission | None = None
    job_uid: str | None = Field(
        default=None,
        max_length=64,
        description="UID of the Job that runs this workload. Another only follows when it is gone.",
    )
    source_key_id: Hex128 | None = Field(
        default=None,
        description="Artefact key of the source that its pods are given, until it is over.",
    )
    progress: Progress | None = None
    started_at: Timestamp | None = Field(default=None, description="When its pod started.")
    finished_at: Timestamp | None = Field(default=None, description="When it was done or failed.")
