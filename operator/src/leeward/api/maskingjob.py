"""MaskingJob: a masked, sealed copy of a Dataset."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from leeward.api.columnmatch import MAX_PATTERNS
from leeward.api.dataset import DataFormat, DataGrant, Location, ReportStatus, SchemaColumn
from leeward.api.meta import (
    AGE,
    IMMUTABLE,
    MAX_COLUMNS,
    READY,
    REASON,
    Cel,
    Column,
    Digest,
    Hex128,
    KeyRef,
    Kind,
    ListMap,
    Model,
    Ref,
    ResourceName,
    Rules,
    StatusModel,
)
from leeward.api.privacymodel import PrivacyModel
from leeward.api.transforms import ColumnRule
from leeward.api.unmasking import UNMASKING_RULES, Direction, Reason, Tokens
from leeward.api.workload import FIXED_ONCE_ADMITTED, WorkloadSpec, WorkloadStatus

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

    direction: Annotated[Direction, IMMUTABLE] = Field(
        default="Mask",
        description="Mask; or Unmask: lead values of a masked Dataset back, by the same rules.",
    )
    reason: Reason | None = Field(
        default=None, description="Why values are led back. Needed with direction Unmask."
    )
    tokens: Tokens = Field(
        default=[],
        description="With direction Unmask: these tokens are led back, and not the source, which"
        " says only who may. The output has the columns token and value.",
    )
    source: Annotated[Ref, IMMUTABLE] = Field(description="The Dataset to mask, or to lead back.")
    default_action: Annotated[DefaultAction, IMMUTABLE] = Field(
        default="Fail", description="What happens to columns without a rule."
    )
    parallelism: Annotated[int, Field(ge=1, le=64), IMMUTABLE] = Field(
        default=1,
        description="How many pods work on it at once. More than one write a file each, and a"
        " manifest that stands for all.",
    )
    columns: Annotated[
        list[ColumnRule],
        Field(max_length=200),
        ListMap(),
        Rules(
            (
                # Building the map fails at the first name that it already holds, which the error
                # then names; comparing every pair would exceed the API server's cost limit.
                Cel(
                    "self.transformMapEntry(i, r, has(r.match)"
                    " ? (has(r.match.names) ? r.match.names.transformMapEntry(j, n, {n: i}) : {})"
                    " : {r.name: i}).size() >= 0",
                    "two rules for one column: it has a rule of its own twice, or also stands in a"
                    " match, or in two: remove one",
                ),
                Cel(
                    "self.filter(r, (has(r.match) && has(r.match.pattern))"
                    f" || (has(r.when) && has(r.when.pattern))).size() <= {MAX_PATTERNS}",
                    f"at most {MAX_PATTERNS} rules can have a pattern: join some with |, or name"
                    " columns",
                ),
                *IMMUTABLE.rules,
            )
        ),
    ] = Field(default=[], description="Rules, one per column.")
    privacy_model: Annotated[PrivacyModel, IMMUTABLE] | None = Field(
        default=None,
        description="What must hold of all rows together, beside what the rules do to each value.",
    )
    output: Annotated[MaskingOutput, IMMUTABLE] = Field(description="Where the result goes.")
    cel: ClassVar = (
        Cel(
            "self.parallelism == 1 || !has(self.output.location.s3)",
            "several pods share a folder with locks, which a bucket has not: set parallelism to 1,"
            " or write to a volume",
            field_path=".parallelism",
        ),
        Cel(
            "has(self.privacyModel) == has(oldSelf.privacyModel)",
            "privacyModel cannot be added or removed: delete the resource and create it again",
            field_path=".privacyModel",
        ),
        Cel(
            "has(self.columns) == has(oldSelf.columns)",
            "columns cannot be changed: delete the resource and create it again",
            field_path=".columns",
        ),
        *UNMASKING_RULES,
    )


class TransformCount(StatusModel):
    """How many columns went through one transform."""

    transform: str = Field(max_length=32, description="Name of the transform.")
    columns: int = Field(ge=0, description="Columns that went through it.")


class OutputStatus(StatusModel):
    """The file that the job wrote."""

    path: str = Field(max_length=1024, description="Path on the volume.")
    digest: Digest = Field(description="SHA-256 of the core of the sealed file.")
    rows: int = Field(ge=0, description="Rows in the file.")
    bytes: int = Field(ge=0, description="Size of the file.")
    source_id: Hex128 | None = Field(default=None, description="File id in the sealed header.")
    columns: Annotated[list[SchemaColumn], Field(max_length=MAX_COLUMNS)] = Field(
        default=[], description="Name and type of every column."
    )
    report: ReportStatus | None = Field(
        default=None, description="The report with distributions and risks, sealed like the file."
    )


class PrivacyStatus(StatusModel):
    """What the job measured of spec.privacyModel, on the rows that it wrote."""

    classes: int = Field(ge=0, description="Distinct combinations of the quasi-identifiers.")
    smallest_class: int = Field(ge=0, description="People (or rows) in the smallest one.")
    suppressed_rows: int = Field(ge=0, description="Rows that were left out.")
    loss: str = Field(max_length=16, description="From 0, nothing lost, to 1, nothing left.")
    linkage_rate: str = Field(
        max_length=16,
        description="Share of the source's people whom a join with the output finds, by one guess.",
    )


class FreeTextStatus(StatusModel):
    """What was found in notes, and how much of it detection finds."""

    findings: int = Field(ge=0, description="Values that were replaced.")
    lowest_recall: str | None = Field(
        default=None,
        max_length=16,
        description="Of all kinds that were searched, the lowest share that was found in labelled"
        " notes.",
    )


class MaskingJobStatus(WorkloadStatus):
    """What the operator found and did."""

    output: OutputStatus | None = None
    privacy: PrivacyStatus | None = None
    free_text: FreeTextStatus | None = None
    transforms: Annotated[list[TransformCount], Field(max_length=32)] = Field(
        default=[], description="Columns by transform."
    )
    sample_key_id: Hex128 | None = Field(
        default=None,
        description="Artefact key of the labelled notes that its pods are given, until it is over.",
    )
    report: str | None = Field(
        default=None,
        max_length=253,
        description="ConfigMap that holds the counts (report.json).",
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
        Column("Linkage", "string", ".status.privacy.linkageRate", priority=1),
        Column("Recall", "string", ".status.freeText.lowestRecall", priority=1),
        AGE,
    ),
    selectable_fields=(
        ".spec.source.name",
        ".spec.output.dataset",
        ".status.sourceKeyId",
        ".status.sampleKeyId",
    ),
    rules=(FIXED_ONCE_ADMITTED,),
    is_workload=True,
)
