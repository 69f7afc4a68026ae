"""Dataset: a handle on data, and the rules for its use."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from leeward.api.csvoptions import CsvOptions
from leeward.api.keyvault import WorkloadKind
from leeward.api.meta import (
    AGE,
    IMMUTABLE,
    MAX_COLUMNS,
    READY,
    REASON,
    Cel,
    Column,
    ColumnName,
    Digest,
    Hex128,
    KeyRef,
    Kind,
    ListMap,
    Model,
    Moment,
    Name,
    ObjectName,
    Rules,
    Status,
    StatusModel,
    Text,
    Timestamp,
)
from leeward.api.s3 import S3

DataFormat = Literal["ArrowIPC", "CSV", "JSONL", "Parquet"]
Sensitivity = Literal["Raw", "Masked", "Synthetic", "Public"]
Tag = Literal["DirectIdentifier", "QuasiIdentifier", "Sensitive"]
ColumnType = Literal[
    "String", "Integer", "Float", "Boolean", "Date", "Datetime", "Decimal", "Time", "Other"
]

Detected = Literal[
    "Mail",
    "Url",
    "Ip",
    "Card",
    "Iban",
    "NationalId",
    "Phone",
    "MedicalRecordNumber",
    "DateOfBirth",
    "Address",
    "Person",
]
"""What the values of a column can be taken for, as in free text."""

INSPECT_ANNOTATION: Final = "leeward.dev/inspect"
"""Set to a new value, it asks for another inspection of the data."""


class Volume(Model):
    """A place on a PersistentVolumeClaim in the resource's own namespace."""

    claim_name: ObjectName = Field(description="Name of the PersistentVolumeClaim.")
    path: Annotated[
        str,
        Field(max_length=512),
        Text(
            r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*/?$",
            "must be a path from the root of the volume, without '/' at its start and without '..',"
            " made of letters, digits, '.', '_' and '-', as raw/visits.csv",
        ),
    ] = Field(description="Path on the volume, relative to its root, without '..'.")


class Location(Model):
    """Where the data lies. Exactly one member."""

    volume: Volume | None = Field(default=None, description="On a PersistentVolumeClaim.")
    s3: S3 | None = Field(default=None, description="In a bucket of an S3-compatible store.")
    cel: ClassVar = (
        Cel(
            "has(self.volume) != has(self.s3)",
            "name exactly one location: volume: {claimName, path}, or s3: {endpoint, bucket, path,"
            " credentialsRef, cidrs}",
        ),
    )

    @property
    def path(self) -> str:
        """Path on the volume, or name of the object in the bucket."""
        return self._place.path

    def at(self, path: str) -> "Location":
        """Another path in the same place."""
        moved = self._place.model_copy(update={"path": path})
        return Location(s3=moved) if isinstance(moved, S3) else Location(volume=moved)

    @property
    def _place(self) -> Volume | S3:
        place = self.s3 or self.volume
        if place is None:
            raise ValueError("a location names exactly one place")
        return place


class DataColumn(Model):
    """What the owner says of one column."""

    name: ColumnName = Field(description="Name of the column, as in the file.")
    tags: Annotated[list[Tag], Field(max_length=3)] = Field(
        default=[], description="What the column says about a person."
    )


class DataGrant(Model):
    """Leave to use the data. What no grant names is denied."""

    name: Name = Field(description="Name of this grant, shown in events.")
    kinds: Annotated[list[WorkloadKind], Field(min_length=1, max_length=16)] = Field(
        description="Kinds of workload that may read the data."
    )
    namespaces: Annotated[list[Name], Field(min_length=1, max_length=64)] | None = Field(
        default=None, description="Namespaces of those workloads. Left out: the Dataset's own."
    )
    purposes: Annotated[list[Name], Field(min_length=1, max_length=16)] | None = Field(
        default=None,
        description="Purposes (spec.purpose of the workload) it is given for. Left out: any.",
    )
    not_after: Moment | None = Field(
        default=None, description="The grant ends at this time. Left out: it does not end."
    )


class DatasetRotation(Model):
    """When the keys of a sealed file are replaced. Times: a moment to come replaces then, once."""

    renewed_after: Moment | None = Field(
        default=None,
        description="The artefact key is to be made after this time: leeward dataset rewrap sets it"
        " to now. The file's header is written anew, its contents are not.",
    )
    reencrypted_after: Moment | None = Field(
        default=None,
        description="The file is to be encrypted anew after this time, under another data key and"
        " another artefact key: leeward dataset rewrap --reencrypt sets it to now. A time before"
        " this Dataset was created asks for nothing.",
    )


_SAME_PLACE: Final = Rules(
    (
        Cel(
            "has(self.volume) == has(oldSelf.volume)"
            " && (has(self.volume) ? self.volume == oldSelf.volume"
            " : self.s3.bucket == oldSelf.s3.bucket && self.s3.path == oldSelf.s3.path"
            " && self.s3.endpoint == oldSelf.s3.endpoint)",
            "cannot be changed: delete the resource and create it again (of s3, region,"
            " credentialsRef, caRef, cidrs and pathStyle can be)",
        ),
    )
)


class DatasetSpec(Model):
    """What the owner declares."""

    location: Annotated[Location, _SAME_PLACE] = Field(
        description="Where the data lies. A path on a volume that ends with '/' is a folder: its"
        " files, in the order of their names, are one table."
    )
    format: Annotated[DataFormat, IMMUTABLE] = Field(description="Format of the file.")
    csv: CsvOptions | None = Field(default=None, description="Options for format CSV.")
    sensitivity: Sensitivity = Field(default="Raw", description="How sensitive the data is.")
    subject_column: ColumnName | None = Field(
        default=None,
        description="The column that says whose row it is: the subject of date shifts that name no"
        " other.",
    )
    columns: Annotated[list[DataColumn], Field(max_length=MAX_COLUMNS), ListMap()] = Field(
        default=[], description="What the columns say about people."
    )
    sealed_with: Annotated[KeyRef, IMMUTABLE] | None = Field(
        default=None, description="The key that the file is sealed with. Left out: it is plain."
    )
    deletion_policy: Literal["Retain", "Shred"] = Field(
        default="Retain",
        description="What becomes of the artefact key of the file when the Dataset is deleted."
        " Retain: it stays. Shred: it is destroyed, so that nobody reads the file or a copy of it"
        " any more, once annotation leeward.dev/confirm-shred holds the UID of the Dataset and no"
        " backup of the key is known.",
    )
    rotation: DatasetRotation | None = Field(
        default=None, description="When the keys of the file are replaced. Left out: never."
    )
    grants: Annotated[list[DataGrant], Field(max_length=64), ListMap()] = Field(
        default=[], description="Who may use the data, and what for. None: nobody."
    )
    cel: ClassVar = (
        Cel(
            "!has(self.location.volume) || !self.location.volume.path.endsWith('/')"
            " || !has(self.sealedWith)",
            "the path of a sealed Dataset names a file: take away the '/' at its end; only plain"
            " files can be read as a folder",
            field_path=".location.volume.path",
        ),
        Cel(
            "!has(self.location.s3) || !self.location.s3.path.endsWith('/')"
            " || !has(self.sealedWith)",
            "the path of a sealed Dataset names an object: take away the '/' at its end; only plain"
            " files can be read as a folder",
            field_path=".location.s3.path",
        ),
        Cel(
            "!has(self.rotation) || !has(self.location.s3)",
            "an object cannot be written in place, so its keys cannot be replaced: remove rotation;"
            " for other keys, seal the file to another Dataset, and delete this one with"
            " deletionPolicy Shred",
            field_path=".rotation",
        ),
        Cel(
            "!has(self.csv) || self.format == 'CSV'",
            "csv options need format CSV: remove csv, or set format to CSV",
            field_path=".csv",
        ),
        Cel(
            "self.deletionPolicy != 'Shred' || has(self.sealedWith)",
            "deletionPolicy Shred destroys the key of a sealed file, and this one is plain: remove"
            " deletionPolicy, or name a key in sealedWith of another Dataset",
            field_path=".deletionPolicy",
        ),
        Cel(
            "!has(self.rotation) || has(self.sealedWith)",
            "only a sealed file has keys to replace: remove rotation, or name a key in sealedWith",
            field_path=".rotation",
        ),
        Cel(
            "has(self.sealedWith) == has(oldSelf.sealedWith)",
            "sealedWith cannot be added or removed: create another Dataset",
            field_path=".sealedWith",
        ),
    )


class SchemaColumn(StatusModel):
    """One column as the inspection found it."""

    name: ColumnName = Field(description="Name of the column.")
    type: ColumnType = Field(description="Type of its values.")
    nullable: bool = Field(default=True, description="Whether values may be missing.")
    detected: Detected | None = Field(
        default=None,
        description="What most of its first values look like. A hint: no detection is complete.",
    )


class ProducedBy(StatusModel):
    """The workload that wrote the data."""

    kind: str = Field(max_length=63, description="Kind of the workload.")
    name: str = Field(max_length=253, description="Its name.")
    uid: str = Field(max_length=64, description="Its UID.")
    dataset_scope: str | None = Field(
        default=None,
        max_length=64,
        description="What scope Dataset of its rules stood for, so that values can be led back.",
    )


class ReportStatus(StatusModel):
    """The report on how the data was masked, sealed with the key of the data."""

    path: str = Field(max_length=1024, description="Path on the volume.")
    digest: Digest = Field(description="SHA-256 of the core of the sealed file.")
    bytes: int = Field(ge=0, description="Size of the file.")
    source_id: Hex128 | None = Field(default=None, description="File id in the sealed header.")


class Inspection(StatusModel):
    """The inspection job of one generation of the data."""

    name: str = Field(max_length=63, description="Name of the Job.")
    token: str = Field(max_length=256, description="What it was made for: location and request.")
    secret: str | None = Field(
        default=None, max_length=63, description="Secret with the key that it was given."
    )
    attempts: int = Field(default=0, ge=0, description="Inspections made so far.")
    retry_at: Timestamp | None = Field(default=None, description="When the next one starts.")
    result: str | None = Field(
        default=None, max_length=128, description="Reason with which the last one ended."
    )
    message: str | None = Field(
        default=None, max_length=2048, description="What the last one found wrong."
    )


class KeyReplacement(StatusModel):
    """The replacement of the file's keys that is under way."""

    mode: Literal["Rewrap", "Reencrypt"] = Field(
        description="Whether the header is written anew, or all of the file."
    )
    phase: Literal[
        "Adding", "Distributing", "Draining", "Encrypting", "Removing", "Destroying", "Waiting"
    ] = Field(
        description="Adding: the new key is made, and written into the header beside the old one."
        " Distributing: long-lived pods get it. Draining: workloads that were given the old key"
        " end. Encrypting: the file is encrypted anew. Removing: the old key leaves the header."
        " Destroying: it is destroyed. Waiting: it failed, and is tried again."
    )
    key_id: Hex128 = Field(description="Id of the new artefact key.")
    previous_key_id: Hex128 = Field(description="Id of the old one.")
    started_at: Timestamp = Field(description="When it began.")
    job: str | None = Field(default=None, max_length=63, description="Name of the Job at work.")
    job_uid: str | None = Field(
        default=None,
        max_length=64,
        description="Its UID. Once it is stored, no other is made of that name.",
    )
    secret: str | None = Field(default=None, max_length=63, description="Secret with its keys.")
    attempts: int = Field(default=0, ge=0, description="Jobs that failed since the last success.")
    retry_at: Timestamp | None = Field(default=None, description="When the next one is made.")
    reason: str | None = Field(default=None, max_length=128, description="Why the last one failed.")
    message: str | None = Field(
        default=None, max_length=2048, description="What was wrong, and what to do."
    )


class DatasetStatus(Status):
    """What the operator found."""

    key_id: Hex128 | None = Field(default=None, description="Id of the artefact key of the file.")
    replaced_key_id: Hex128 | None = Field(
        default=None, description="Id of the artefact key that this one took the place of."
    )
    reencrypted_at: Timestamp | None = Field(
        default=None, description="When the file was last encrypted anew."
    )
    replacement: KeyReplacement | None = Field(
        default=None, description="The replacement of its keys that is under way."
    )
    public_key: Annotated[str, Field(max_length=4096)] | None = Field(
        default=None, description="Public half (PEM) that owners seal the data to."
    )
    digest: Digest | None = Field(
        default=None, description="SHA-256 of the file, of a sealed one that of its core."
    )
    source_id: Hex128 | None = Field(default=None, description="File id in the sealed header.")
    bytes: int | None = Field(default=None, ge=0, description="Size of the file.")
    rows: int | None = Field(default=None, ge=0, description="Rows in the file.")
    columns: Annotated[list[SchemaColumn], Field(max_length=MAX_COLUMNS)] = Field(
        default=[], description="Name and type of every column."
    )
    sealed: bool | None = Field(default=None, description="Whether the file is sealed.")
    produced_by: ProducedBy | None = None
    report: ReportStatus | None = Field(
        default=None, description="The report of the job that made it: leeward report shows it."
    )
    inspection: Inspection | None = None


DATASET: Final = Kind(
    kind="Dataset",
    plural="datasets",
    short_names=("lds",),
    spec=DatasetSpec,
    status=DatasetStatus,
    description="A handle on data and the rules for its use.",
    columns=(
        Column("Format", "string", ".spec.format"),
        Column("Sensitivity", "string", ".spec.sensitivity"),
        Column("Rows", "integer", ".status.rows"),
        Column("Sealed", "boolean", ".status.sealed"),
        READY,
        REASON,
        AGE,
    ),
    selectable_fields=(".spec.format", ".spec.sensitivity"),
)
