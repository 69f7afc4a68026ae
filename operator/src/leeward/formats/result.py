"""What a pod answers: its termination message, one JSON document of at most 4 KiB.

A larger result is served at ``/result`` (its canonical bytes) until the operator sends DELETE; the
message then holds its digest (``DetachedResult``). While it waits there, ``/progress`` names the
same digest in the member ``resultDigest``: the kubelet shows a message only when the pod has ended.
"""

from typing import Any, Final, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from leeward.api.dataset import SchemaColumn
from leeward.api.meta import Hex128
from leeward.formats.document import Document

MAX_MESSAGE: Final = 4096
"""Bytes that the kubelet keeps of a termination message."""

ErrorCode = Literal[
    "FileMissing",
    "FileEmpty",
    "MalformedData",
    "WrongEncoding",
    "WrongFormat",
    "NotSealed",
    "SealedWithOtherKey",
    "Tampered",
    "SourceChanged",
    "OtherRecipients",
    "RewrapInProgress",
    "ColumnMissing",
    "UnsuitableColumn",
    "DuplicateColumn",
    "SchemaDiffers",
    "VolumeFull",
    "VolumeReadOnly",
    "VolumeUnavailable",
    "SourceUnreadable",
    "OutputNotWritable",
    "OutputPathTaken",
    "LocksUnsupported",
    "BucketMissing",
    "CredentialsMissing",
    "CredentialsRefused",
    "StoreNotTrusted",
    "StoreRefused",
    "StoreUnavailable",
    "TooLarge",
    "RecallTooLow",
    "PrivacyModelUnmet",
    "InvalidConfig",
    "Interrupted",
    "Internal",
]

RETRYABLE: Final = frozenset(
    {
        "Interrupted",
        "Internal",
        "RewrapInProgress",
        "StoreUnavailable",
        "VolumeFull",
        "VolumeUnavailable",
    }
)
"""Errors that another try may not meet again; every other one is final at once."""


class ResultError(Document):
    """Why it failed: where, and what to do; never a value from the data."""

    code: ErrorCode
    message: str = Field(max_length=1024)
    remedy: str = Field(max_length=512)
    row: int | None = None
    column: str | None = None
    key_ids: list[Hex128] = Field(default=[])


class ResultFile(Document):
    """A file that was read or written.

    Attributes:
        digest: ``sha256:...``; of a sealed file that of its core.
        file_id: File id in the sealed header.
        key_ids: Artefact keys that open it, as its recipients say.
    """

    path: str
    digest: str
    bytes: int
    rows: int | None = None
    file_id: str | None = None
    key_ids: list[Hex128] = Field(default=[])
    columns: list[SchemaColumn] = Field(default=[])


class ColumnReport(Document):
    """What was done to one column. Counts only.

    Attributes:
        rule: Name of the rule; empty where none names the column, so that defaultAction is for it.
        changed: Rows whose value differs from before, of those that were written.
        applied: Rows for which ``when`` held; left out where the rule is for all rows.
        nulls_before, nulls_after: Rows without a value.
        distinct_before, distinct_after: Distinct values.
        distinct_estimated: True where one of the two is an estimate; left out where both are exact.
        linkable: True where equal values have equal results of their own, so that it can be seen
            which rows are equal and how often; left out elsewhere.
        note: What the transform does not give, where it could be taken for more.
        not_searched: Of notes: languages that occur in them, and that the rule does not search.
    """

    name: str
    transform: str
    rule: str
    type_before: str
    type_after: str | None = None
    changed: int
    applied: int | None = None
    nulls_before: int
    nulls_after: int
    distinct_before: int | None = None
    distinct_after: int | None = None
    distinct_estimated: Literal[True] | None = None
    linkable: Literal[True] | None = None
    note: str | None = None
    not_searched: list[str] | None = None


class RecallReport(Document):
    """How well one kind of finding was found in labelled notes.

    Attributes:
        entity: The kind.
        language: Of the notes; None: they are a sample of the user's own.
        labelled: Values that persons have marked.
        recall: Share of them of which nothing is left.
        precision: Share of the findings of this kind that touch a marked value of this kind; left
            out where nothing was found.
    """

    entity: str
    language: str | None = None
    labelled: int
    recall: str
    precision: str | None = None


class LanguageModelReport(Document):
    """A language model that searched notes.

    Attributes:
        language: Of the notes that it read.
        name: Of the pipeline, with its language, as spaCy names packages.
        version: As the pipeline says.
    """

    language: str
    name: str
    version: str


class FreeTextReport(Document):
    """What was found in one column of notes.

    Attributes:
        found: Findings by kind.
        models: Language models that searched for persons, besides patterns; left out where patterns
            did alone.
        recall: On labelled notes, before anything was written; empty where an earlier column with
            the same rule has it.
        min_recall: What the rule wanted of each kind.
    """

    column: str
    rule: str
    found: dict[str, int]
    models: list[LanguageModelReport] = Field(default=[])
    recall: list[RecallReport]
    min_recall: str | None = None
    note: Literal["no detection is complete: the notes are still personal data"] = (
        "no detection is complete: the notes are still personal data"
    )


class GeneralizedColumn(Document):
    """How far a quasi-identifier was made coarser, beside what its own rule did.

    Attributes:
        level: 0: not at all.
        levels: How many there were to choose from.
        generalized_to: What the level is: ``Year``, ``width 10``, ``*``.
    """

    name: str
    level: int
    levels: int
    generalized_to: str


class ExposureReport(Document):
    """How well people can be told apart in a table, by whoever knows their quasi-identifiers.

    Shares and risks are decimal numbers from 0 to 1 (El Emam and Dankar 2008).

    Attributes:
        classes: Distinct combinations of the quasi-identifiers.
        smallest, mean, largest: People (or rows) per class.
        prosecutor_highest, prosecutor_mean: Risk of somebody who is known to be in the table.
        journalist_highest, journalist_mean: Risk of somebody from the population, of which only the
            table is known: an upper bound.
        marketer: Share of people whom a guess in each class finds.
        at_risk: Share of people in classes of fewer than 20.
        unique: Share of people who are alone in their class.
        estimated: True where only some of the classes were counted, or of the people in the largest
            ones; left out where all were.
    """

    classes: int
    smallest: int
    mean: str
    largest: int
    prosecutor_highest: str
    prosecutor_mean: str
    journalist_highest: str
    journalist_mean: str
    marketer: str
    at_risk: str
    unique: str
    estimated: Literal[True] | None = None


class PrivacyReport(Document):
    """What became of spec.privacyModel.

    Attributes:
        counted: What classes are measured in.
        suppressed_rows, suppressed_classes: What was left out.
        loss: Loss Metric of the quasi-identifiers (Iyengar 2002): 0 nothing lost, 1 nothing left.
        before: Of the source.
        after: Of the output, measured on the rows as they were written.
        linkage_rate: Share of the people in the source who were found when the output was joined
            with it on the quasi-identifiers, one guess for each.
        note: What all this does not protect from.
    """

    k: int
    counted: Literal["Subjects", "Rows"]
    suppressed_rows: int
    suppressed_classes: int
    loss: str
    columns: list[GeneralizedColumn]
    before: ExposureReport
    after: ExposureReport
    linkage_rate: str
    note: str


class MaskingReport(Document):
    """The report of a masking job.

    Attributes:
        rows: Of the source.
        written: Of the output, where that are fewer; left out where they are as many.
    """

    rows: int
    written: int | None = None
    columns: list[ColumnReport]
    privacy: PrivacyReport | None = None
    seconds: str
    free_text: list[FreeTextReport] = Field(default=[])


class RewrappedFile(Document):
    """A file of which the recipients were changed.

    Attributes:
        key_ids: Who can open it now.
        generation: How often its recipients were written.
    """

    path: str
    file_id: Hex128
    key_ids: list[Hex128]
    generation: int


class Result(Document):
    """The whole answer of one pod.

    Attributes:
        report: Counts.
        report_file: The sealed file with the large report.
    """

    format_version: Literal[1] = 1
    outcome: Literal["Succeeded", "Failed"]
    source: ResultFile | None = None
    output: ResultFile | None = None
    report_file: ResultFile | None = None
    rewrapped: RewrappedFile | None = None
    report: MaskingReport | None = None
    error: ResultError | None = None
    missing_columns: list[str] = Field(default=[])


class DetachedResult(Document):
    """Stands in the termination message for a result that was too large for it."""

    format_version: Literal[1] = 1
    outcome: Literal["Detached"] = "Detached"
    digest: str
    size: int


AnyResult: TypeAlias = Result | DetachedResult
_ADAPTER: Final[TypeAdapter[Any]] = TypeAdapter(AnyResult)


def parse_result(data: bytes | str) -> AnyResult:
    """Read a termination message or the body of /result.

    Raises:
        pydantic.ValidationError: It is not a result.
    """
    parsed: AnyResult = _ADAPTER.validate_json(data)
    return parsed
