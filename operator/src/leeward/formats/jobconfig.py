"""What a pod is told to do: one file, ``/run/leeward/config/job.json``. It holds no secret."""

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from leeward.api.csvoptions import CsvOptions
from leeward.api.dataset import DataFormat, SchemaColumn
from leeward.api.privacymodel import PrivacyModel
from leeward.api.transforms import ColumnRule
from leeward.formats.document import Document
from leeward.formats.report import ReportSubject

CONFIG_PATH: Final = "/run/leeward/config/job.json"
CONFIG_FILE: Final = "job.json"
CONFIG_DIGEST_VARIABLE: Final = "LEEWARD_CONFIG_DIGEST"
"""Environment variable with the digest that the file must have. A pod's template cannot be changed
once its Job is there; a ConfigMap can be deleted and made again with another text."""
INDEX_VARIABLE: Final = "JOB_COMPLETION_INDEX"
"""Environment variable by which Kubernetes tells the pods of an Indexed Job apart, from 0."""
GRACE_SECONDS: Final = 10
"""Seconds from SIGTERM to SIGKILL in every pod of ours."""

HTTP_PORT: Final = 8080
"""Port of /metrics, /progress, /keys and /result in every pod of ours."""
RECEIPT_HEADER: Final = "Leeward-Receipt"
"""Header of DELETE /result: what only somebody knows who has read the result. Of a report its
digest; of sealed rows ``receipt`` in the document that is sealed."""

SOURCE_MOUNT: Final = "/data/source"
OUTPUT_MOUNT: Final = "/data/output"
SAMPLE_MOUNT: Final = "/data/sample"
S3_MOUNT: Final = "/run/leeward/s3"
"""Folders source, output, sample, and each with -ca: credentials for buckets, and who certified."""


class S3Store(Document):
    """A bucket of an S3-compatible store.

    Attributes:
        credentials: Folder with the values of the Secret, below ``S3_MOUNT``.
        ca: File with who may have certified the endpoint; None: the public authorities.
    """

    endpoint: str
    bucket: str
    region: str
    path_style: bool
    credentials: str
    ca: str | None = None


class SourceFile(Document):
    """A file to read.

    Attributes:
        path: Absolute, below ``SOURCE_MOUNT``, or ``SAMPLE_MOUNT``; with a store the name of an
            object.
        store: Where it lies; None: on a volume.
        key_role: Role of the key that opens it; None: the file is plain.
        digest: What the file must have (admission pins it); None: not known yet.
        columns: Its schema as inspected; empty: not known yet.
        whole: Structs and lists that are read as one column each; None: none.
    """

    path: str
    store: S3Store | None = None
    format: DataFormat
    csv: CsvOptions | None = None
    key_role: str | None = None
    digest: str | None = None
    columns: list[SchemaColumn] = Field(default=[])
    whole: list[str] | None = None


class RuleConfig(Document):
    """One rule of a MaskingJob, resolved: which columns, and the role of its key.

    Attributes:
        hierarchy: The table that the rule names, as it was when the job was admitted.
        undo: True: its values are led back. Left out: it masks.
        by_default: True: no rule of the job is for these columns, and defaultAction keeps them. A
            name would not tell: any rule may have it. Left out: it is a rule of the job.
    """

    rule: ColumnRule
    columns: list[str]
    key_role: str | None = None
    key_algorithm: str | None = None
    subject: str | None = None
    hierarchy: str | None = None
    undo: Literal[True] | None = None
    by_default: Literal[True] | None = None


class ReportFile(Document):
    """The large report, sealed with the key of the output that it is about.

    Attributes:
        path: Absolute, below ``OUTPUT_MOUNT``; with a store the name of an object.
        withheld: Columns whose values it does not show, whatever is done to them.
        quasi_identifiers: Columns of which it counts classes, where there is no privacy model.
        subject: The column that says whose row it is; None: none does.
    """

    path: str
    about: ReportSubject
    withheld: list[str] = Field(default=[])
    quasi_identifiers: list[str] = Field(default=[])
    subject: str | None = None


class OutputFile(Document):
    """A sealed file to write.

    Attributes:
        path: Absolute, below ``OUTPUT_MOUNT``; with a store the name of an object. Holds the UID of
            the job.
        store: Where it is to lie; None: on a volume.
        key_role: Role of the key that it is sealed with.
        report: What is written beside it; None: nothing is.
    """

    path: str
    store: S3Store | None = None
    format: DataFormat
    key_role: str = "output"
    report: ReportFile | None = None


class PrivacyConfig(Document):
    """What must hold of all rows that are written.

    Attributes:
        subject: Column of the source that says whose row it is; None: each row is of somebody else.
        tables: The tables that its hierarchies name, by column, as they were at admission.
    """

    model: PrivacyModel
    subject: str | None = None
    tables: dict[str, str] = Field(default={})


class MaskingConfig(Document):
    """Mask a file: every column of the source stands in exactly one rule, or is dropped.

    Attributes:
        workers: How many pods work on it; None: one, which writes one file. Several write parts,
            sealed with the key of role ``PARTS_ROLE``, and a manifest in the place of the file.
        sample: Labelled notes that detection in free text is measured on; None: rules that ask for
            a figure get that of the image's own notes.
    """

    format_version: Literal[1] = 1
    task: Literal["Mask"] = "Mask"
    source: SourceFile
    rules: list[RuleConfig]
    privacy: PrivacyConfig | None = None
    output: OutputFile
    workers: Annotated[int, Field(ge=2, le=64)] | None = None
    sample: SourceFile | None = None


class UnmaskTokensConfig(Document):
    """Lead tokens back that stand in the config itself: no source is read.

    Attributes:
        rule: The one that made them; its column is ``VALUE_COLUMN``.
    """

    format_version: Literal[1] = 1
    task: Literal["UnmaskTokens"] = "UnmaskTokens"
    tokens: list[str]
    rule: RuleConfig
    output: OutputFile


class InspectConfig(Document):
    """Look at a file: does it exist, who can open it, digest, rows, schema.

    Attributes:
        wait_seconds: How long to wait for a file that is not there yet.
        expected_columns: Columns that the Dataset speaks of; lacking ones are reported.
    """

    format_version: Literal[1] = 1
    task: Literal["Inspect"] = "Inspect"
    source: SourceFile
    sealed: bool
    wait_seconds: int = 0
    expected_columns: list[str] = Field(default=[])


class PreviewConfig(Document):
    """Serve the first rows at /result, sealed to an ephemeral X25519 key (base64)."""

    format_version: Literal[1] = 1
    task: Literal["Preview"] = "Preview"
    source: SourceFile
    rows: int
    recipient_key: str
    serve_seconds: int = 300


class ReportConfig(Document):
    """Serve a report at /result, sealed to an ephemeral X25519 key (base64).

    Attributes:
        path: Absolute, below ``SOURCE_MOUNT``; with a store the name of an object.
        store: Where it lies; None: on a volume.
        digest: What the sealed file must have.
    """

    format_version: Literal[1] = 1
    task: Literal["Report"] = "Report"
    path: str
    store: S3Store | None = None
    digest: str
    key_role: str
    recipient_key: str
    serve_seconds: int = 300


class CleanConfig(Document):
    """Remove what a deleted job left behind: ``path``, and all that stands beside it."""

    format_version: Literal[1] = 1
    task: Literal["Clean"] = "Clean"
    path: str
    store: S3Store | None = None


class StoredReport(Document):
    """The report beside a sealed file, which has the same recipients.

    Attributes:
        path: Absolute, below ``OUTPUT_MOUNT``.
        digest, file_id: What it must have; where it is another file, or gone, it is left alone.
    """

    path: str
    digest: str
    file_id: str


class RewrapConfig(Document):
    """Change who can open a sealed file, in place; its contents are neither read nor changed.

    Attributes:
        report: What is beside it and gets the same recipients.
        path: Absolute, below ``OUTPUT_MOUNT``.
        file_id: What its header must say.
        open_role: Role of the key that opens it.
        add_role: Role of the key that shall open it, too; None: none is added.
        drop: Key ids of recipients that go; all others stay.
    """

    format_version: Literal[1] = 1
    task: Literal["Rewrap"] = "Rewrap"
    path: str
    file_id: str
    open_role: str
    add_role: str | None = None
    drop: list[str] = Field(default=[])
    report: StoredReport | None = None


class ReencryptConfig(Document):
    """Seal what a sealed file holds anew, under another data key, and put it in its place.

    Attributes:
        report: What is beside it and is sealed anew, too.
        path: Absolute, below ``OUTPUT_MOUNT``.
        digest, file_id: What the file must have.
        open_role: Role of the key that opens it.
        seal_role: Role of the key that alone opens the new one.
        drop: Key ids of recipients that the file may have; another one would be locked out.
    """

    format_version: Literal[1] = 1
    task: Literal["Reencrypt"] = "Reencrypt"
    path: str
    digest: str
    file_id: str
    open_role: str
    seal_role: str
    drop: list[str]
    report: StoredReport | None = None


JobConfig: TypeAlias = Annotated[
    MaskingConfig
    | UnmaskTokensConfig
    | InspectConfig
    | PreviewConfig
    | ReportConfig
    | CleanConfig
    | RewrapConfig
    | ReencryptConfig,
    Field(discriminator="task"),
]

_ADAPTER: Final[TypeAdapter[JobConfig]] = TypeAdapter(JobConfig)


def parse_job_config(data: bytes) -> JobConfig:
    """Read a config of any task.

    Raises:
        pydantic.ValidationError: It is not one, or of a format version that is not read.
    """
    return _ADAPTER.validate_json(data)
