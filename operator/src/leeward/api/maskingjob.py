"""MaskingJob: a masked, sealed copy of a Dataset."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from leeward.api.dataset import DataFormat, DataGrant, Location
from leeward.api.meta import (
    AGE,
    READY,
    REASON,
    Cel,
    Column,
    Digest,
    KeyRef,
    Kind,
    ListMap,
    Model,
    Ref,
    ResourceName,
    Rules,
    StatusModel,
)
from leeward.api.transforms import ColumnRule
from leeward.api.workload import WorkloadSpec, WorkloadStatus

DefaultAction = Literal["Fail", "Drop", "Keep"]


class MaskingOutput(Model):
    """The Dataset that appears when the job has succeeded."""

    dataset: ResourceName = Field(description="Name of the new Dataset, in this namespace.")
    location: Location = Field(
        description="Folder on a volume; the file's name holds the UID of this job."
    )
    format: DataFormat = Field(default="Parquet", description="Format of the file.")
    sealed_with: KeyRef = Field(description="The vault key; a new artefact key is made under it.")
    grants: Annotated[list[DataGrant], Field(max_length=64), ListMap()] = Field(
        default=[], description="Grants of the new Dataset. None: nobody may use it."
    )


class MaskingJobSpec(WorkloadSpec):
    """What the user asks for."""

    source: Ref = Field(description="The Dataset to mask.")
    default_action: DefaultAction = Field(
        default="Fail", description="What happens to columns without a rule."
    )
    columns: Annotated[
        list[ColumnRule],
        Field(max_length=200),
        ListMap(),
        Rules(
            (
                Cel(
                    "self.all(r, !has(r.match) || r.match.names.all(n,"
                    " self.exists_one(o, o.name == n || (has(o.match) && n in o.match.names))))",
                    "two rules for one column: a column named in match has a rule of its own, or"
                    " stands in two matches; remove one",
                ),
            )
        ),
    ] = Field(default=[], description="Rules, one per column.")
    output: MaskingOutput = Field(description="Where the result goes.")
    cel: ClassVar = (
        Cel(
            "self.source == oldSelf.source && self.columns == oldSelf.columns"
            " && self.output == oldSelf.output && self.defaultAction == oldSelf.defaultAction"
            " && self.purpose == oldSelf.purpose",
            "source, columns, defaultAction, output and purpose of a MaskingJob cannot be changed:"
            " delete the job and create it again, or create another",
        ),
    )


class TransformCount(StatusModel):
    """How many columns went through one transform."""

    transform: str = Field(max_length=32)
    columns: int = Field(ge=0)


class OutputStatus(StatusModel):
    """The file that the job wrote."""

    path: str = Field(max_length=1024)
    digest: Digest
    rows: int = Field(ge=0)
    bytes: int = Field(ge=0)


class MaskingJobStatus(WorkloadStatus):
    """What the operator found and did."""

    output: OutputStatus | None = None
    transforms: Annotated[list[TransformCount], Field(max_length=32)] = Field(
        default=[], description="Columns by transform."
    )
    report: str | None = Field(
        default=None, max_length=253, description="ConfigMap that holds the report (report.json)."
    )


MASKINGJOB: Final = Kind(
    kind="MaskingJob",
    plural="maskingjobs",
    short_names=("mj",),
    spec=MaskingJobSpec,
    status=MaskingJobStatus,
    description="A masked, sealed copy of a Dataset.",
    columns=(
        READY,
        REASON,
        Column("Progress", "string", ".status.progress.percent"),
        Column("Source", "string", ".spec.source.name", priority=1),
        Column("Output", "string", ".spec.output.dataset", priority=1),
        AGE,
    ),
    selectable_fields=(".spec.source.name", ".spec.output.dataset"),
    is_workload=True,
)
