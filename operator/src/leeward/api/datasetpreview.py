"""DatasetPreview: the first rows of a Dataset, or its report, sealed to whoever asked."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from leeward.api.meta import AGE, IMMUTABLE, READY, REASON, Cel, Column, Kind, Ref, Text
from leeward.api.workload import FIXED_ONCE_ADMITTED, WorkloadSpec, WorkloadStatus

DEFAULT_ROWS: Final = 20


class DatasetPreviewSpec(WorkloadSpec):
    """What the user asks for."""

    dataset: Annotated[Ref, IMMUTABLE] = Field(description="The Dataset to look into.")
    content: Annotated[Literal["Rows", "Report"], IMMUTABLE] = Field(
        default="Rows",
        description="What is served: Rows, the first ones; Report, how the data was masked, of a"
        " Dataset that a MaskingJob made.",
    )
    rows: Annotated[int, Field(ge=1, le=100), IMMUTABLE] = Field(
        default=DEFAULT_ROWS, description="How many rows, from the first."
    )
    recipient_key: Annotated[
        str,
        Field(max_length=128),
        Text(
            r"^[A-Za-z0-9+/]{43}=$",
            "must be an X25519 public key: 32 bytes in base64, which is 43 characters and '=';"
            " leeward dataset preview makes one, and the DatasetPreview with it",
        ),
        IMMUTABLE,
    ] = Field(
        description="An ephemeral X25519 public key (32 bytes, base64) that all is sealed to."
    )
    cel: ClassVar = (
        Cel(
            f"self.content == 'Rows' || self.rows == {DEFAULT_ROWS}",
            "a report has no rows to choose: remove rows, or set content to Rows",
            field_path=".rows",
        ),
    )


class DatasetPreviewStatus(WorkloadStatus):
    """What the operator found."""

    pod: str | None = Field(
        default=None, max_length=253, description="The pod that serves them, sealed, at /result."
    )


DATASETPREVIEW: Final = Kind(
    kind="DatasetPreview",
    plural="datasetpreviews",
    short_names=("dp",),
    spec=DatasetPreviewSpec,
    status=DatasetPreviewStatus,
    description="The first rows of a Dataset, or its report, sealed to whoever asked for them.",
    columns=(
        Column("Dataset", "string", ".spec.dataset.name"),
        READY,
        REASON,
        AGE,
    ),
    selectable_fields=(".status.sourceKeyId",),
    rules=(FIXED_ONCE_ADMITTED,),
    is_workload=True,
)
