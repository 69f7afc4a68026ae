"""The masking engine on the first rows of a file. The only module here that imports it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from leeward.api.dataset import DataFormat, Tag
from leeward.api.transforms import KEYED_TRANSFORMS, ColumnRule
from leeward.cli.errors import CliError
from leeward.cli.jobfile import JobFile
from leeward.formats.columnpaths import expand
from leeward.formats.jobconfig import PrivacyConfig, RuleConfig
from leeward.formats.report import LargeReport, ReportSubject
from leeward.plans.maskingjob.privacy import Asked
from leeward.plans.maskingjob.selection import Selection, Traits, select
from leeward_masking.errors import JobError
from leeward_masking.freetext import check_pattern
from leeward_masking.freetext.detection import ContentSample, detect
from leeward_masking.rules.plan import MaskedBlock
from leeward_masking.rules.ruletransforms import MaterialOf
from leeward_masking.sources.text.delimiter import DelimiterError
from leeward_masking.tasks.preview import ephemeral_keys, first_rows, preview_frame, preview_report
from leeward_masking.values.canonical import column_type
from leeward_masking.values.nesting import list_depth, values_of

TYPED_ROWS: Final = 10_000
"""Rows that types of CSV columns are inferred from, at least, and what else a job must know of all
rows, as quantiles; a real job looks at all."""

FORMATS: Final[dict[str, DataFormat]] = {
    ".csv": "CSV",
    ".jsonl": "JSONL",
    ".ndjson": "JSONL",
    ".parquet": "Parquet",
    ".pq": "Parquet",
    ".arrow": "ArrowIPC",
    ".feather": "ArrowIPC",
}
COMPRESSIONS: Final = (".gz", ".zst")
PREFERRED: Final = {
    "hash": "HMAC_SHA256",
    "tokenize": "AES256_SIV",
    "encrypt": "AES256_GCM",
    "formatPreserving": "FF1_AES256",
    "dateShift": "HMAC_SHA256",
    "fake": "HMAC_SHA256",
}
"""Algorithm of a key that no manifest defines."""

REMEDIES: Final = {
    "FileEmpty": "give a file with data",
    "WrongFormat": "give a file whose content is what its name ends in",
}
"""What to do here, where the engine would speak of a Dataset on a volume."""

_OF_MANIFEST: Final = frozenset({"InvalidConfig", "RecallTooLow"})
"""Codes of errors that no other data would mend."""

Row = dict[str, Any]
RuleOf = dict[str, ColumnRule]


@dataclass(frozen=True, slots=True)
class Masked:
    """The first rows of a file.

    Attributes:
        before, after: The rows, values as text; after is empty where a row is left out.
        transforms: What happens to each column.
    """

    before: list[Row]
    after: list[Row]
    transforms: dict[str, str]


def mask_rows(job: JobFile, data: Path, count: int, random: Callable[[int], bytes]) -> Masked:
    """Mask the first rows of a file.

    Raises:
        CliError: The data cannot be read, or the rules do not fit it; row and column are named.
    """
    with _told_of(job, data):
        tried = _tried(job, data, max(count, TYPED_ROWS), random)
        masked = preview_frame(tried.frame, tried.rules, tried.keys, count, tried.privacy)
    frame, rule_of = tried.frame.head(count), tried.rule_of
    rest = "keep" if job.spec.default_action == "Keep" else "drop"
    transforms = {
        name: rule_of[name].transform if name in rule_of else rest for name in frame.columns
    }
    return Masked(_texts(frame), _rows_after(masked), transforms)


def report_on_rows(
    job: JobFile, data: Path, rows: int, random: Callable[[int], bytes]
) -> LargeReport:
    """What the job would report, if the file had no more rows than these.

    Raises:
        CliError: As ``mask_rows``.
    """
    about = ReportSubject(job=job.name, source=data.name, output=job.spec.output.dataset)
    with _told_of(job, data):
        tried = _tried(job, data, rows, random)
        return preview_report(about, tried.frame, tried.rules, tried.keys, tried.privacy)


@dataclass(frozen=True, slots=True)
class _Tried:
    """A job, resolved for the first rows of a file."""

    frame: pl.DataFrame
    rules: list[RuleConfig]
    rule_of: RuleOf
    keys: MaterialOf
    privacy: PrivacyConfig | None


def _tried(job: JobFile, data: Path, rows: int, random: Callable[[int], bytes]) -> _Tried:
    form = FORMATS[checked_suffix(data)[0]]
    csv = job.source.csv if job.source and form == "CSV" else None
    _check_patterns(job)
    typed = first_rows(data, form, rows, csv=csv)
    selection = _selected(job, typed)
    rule_of = selection.rule_of
    _check_rules(job, rule_of, typed.columns)
    _check_identifiers(job, rule_of, typed.columns)
    rules = [_rule_config(job, rule, selection.columns_of(rule)) for rule in job.spec.columns]
    if job.spec.default_action == "Keep":
        rules.extend(_kept(rule_of, typed.columns))
    keys = ephemeral_keys(rules, random)
    return _Tried(typed, rules, rule_of, keys, _privacy(job, typed, rule_of))


@contextmanager
def _told_of(job: JobFile, data: Path) -> Iterator[None]:
    """Errors of the engine as those of the file or of the manifest, whichever is at fault."""
    try:
        yield
    except DelimiterError as error:
        raise CliError(f"{data}: {error.message}", _delimiter_remedy(job, error)) from error
    except JobError as error:
        if error.code == "WrongEncoding" and job.source is None and _is_csv(data):
            remedy = _beside(job, "encoding", "what it is")
            raise CliError(f"{data}: {error.message}", remedy) from error
        what = f"MaskingJob {job.name}" if error.code in _OF_MANIFEST else str(data)
        raise CliError(
            f"{what}: {error.message}", REMEDIES.get(error.code, error.remedy)
        ) from error


def _check_patterns(job: JobFile) -> None:
    """Patterns of free text are in the syntax of the engine, which the API server does not know."""
    for rule in job.spec.columns:
        for one in rule.free_text.patterns if rule.free_text else ():
            try:
                check_pattern(one.name, one.pattern)
            except JobError as error:
                where = f'MaskingJob {job.name}, rule "{rule.name}"'
                raise CliError(f"{where}: {error.message}", error.remedy) from error


def _is_csv(data: Path) -> bool:
    return FORMATS[checked_suffix(data)[0]] == "CSV"


def checked_suffix(data: Path) -> tuple[str, str]:
    """What the name of a file ends in: of its format, and of its compression (or nothing).

    Raises:
        CliError: It is of no known format, or there is no such file.
    """
    packed = data.suffix.lower() if data.suffix.lower() in COMPRESSIONS else ""
    suffix = (data.with_suffix("") if packed else data).suffix.lower()
    if suffix not in FORMATS or (packed and FORMATS[suffix] not in ("CSV", "JSONL")):
        raise CliError(
            f"{data}: unknown format",
            f"give a file whose name ends in {', '.join(FORMATS)}; of CSV and JSONL also with"
            f" {' or '.join(COMPRESSIONS)} behind it",
        )
    if not data.is_file():
        what = "is a folder" if data.is_dir() else "does not exist"
        raise CliError(f"{data} {what}", "name a file of data on this machine")
    return suffix, packed


def _selected(job: JobFile, frame: pl.DataFrame) -> Selection:
    """Which rule each column has, as the operator finds it of the same rows.

    Raises:
        CliError: Rules clash, or match nothing.
    """
    tags = _tags(job, frame.columns)
    values = [values_of(column) for column in frame.iter_columns()]
    samples = [ContentSample(name) for name in frame.columns]
    for sample, column in zip(samples, values, strict=True):
        sample.add(column)
    columns = {
        name: Traits(column_type(column.dtype), tags.get(name, []), detected)
        for name, column, detected in zip(frame.columns, values, detect(samples), strict=True)
    }
    selection = select(job.spec.columns, columns, "the file")
    if selection.fault is not None:
        what, _, remedy = selection.fault.message.partition(": ")
        raise CliError(f"MaskingJob {job.name}: {what}", remedy)
    return selection


def _tags(job: JobFile, columns: list[str]) -> dict[str, list[Tag]]:
    tags = {column.name: column.tags for column in (job.source.columns if job.source else ())}
    return expand(tags, columns)


def _delimiter_remedy(job: JobFile, error: DelimiterError) -> str:
    if job.source is not None:
        return error.remedy
    return _beside(job, "delimiter", error.likely)


def _beside(job: JobFile, option: str, value: str) -> str:
    return (
        f"the manifest does not define Dataset {job.spec.source.name}: put it beside the job, with"
        f" spec.csv.{option} {value}"
    )


def _check_rules(job: JobFile, rule_of: RuleOf, columns: list[str]) -> None:
    bare = [name for name in columns if name not in rule_of]
    if bare and job.spec.default_action == "Fail":
        listed = ("column " if len(bare) == 1 else "columns ") + ", ".join(
            f'"{name}"' for name in bare
        )
        raise CliError(
            f"no rule of MaskingJob {job.name} is for {listed}, and defaultAction is Fail",
            "add rules, or set defaultAction to Drop",
        )


def _check_identifiers(job: JobFile, rule_of: RuleOf, columns: list[str]) -> None:
    """As the operator does: no column that names a person is kept as it is."""
    tagged = [name for name, tags in _tags(job, columns).items() if "DirectIdentifier" in tags]
    for name in tagged:
        rule = rule_of.get(name)
        if rule.keeps_values if rule else job.spec.default_action == "Keep":
            raise CliError(
                f'MaskingJob {job.name} would keep column "{name}", which the Dataset tags'
                " DirectIdentifier",
                "give it a rule that masks or drops it: the job would be refused (IdentifierKept)",
            )


def _kept(rule_of: RuleOf, columns: list[str]) -> list[RuleConfig]:
    rest = [name for name in columns if name not in rule_of]
    rule = ColumnRule.model_validate({"name": "rest", "keep": {}})
    return [RuleConfig(rule=rule, columns=rest, by_default=True)] if rest else []


def _rule_config(job: JobFile, rule: ColumnRule, columns: list[str]) -> RuleConfig:
    role = algorithm = subject = None
    table = rule.generalize.hierarchy if rule.generalize else None
    if rule.key_use is not None:
        key, scope = rule.key_use
        algorithm = job.algorithm_of(key) or PREFERRED[rule.key_transform]
        if algorithm not in KEYED_TRANSFORMS[rule.key_transform]:
            fitting = ", ".join(sorted(KEYED_TRANSFORMS[rule.key_transform]))
            raise CliError(
                f'rule "{rule.name}": {rule.transform} cannot use key {key.key}, which is'
                f" {algorithm}",
                f"name a key of algorithm {fitting}",
            )
        role = f"{key.vault.name}/{key.key}/{scope}/{algorithm}"
    if rule.by_subject is not None:
        subject = rule.by_subject.subject or (job.source.subject_column if job.source else None)
        if subject is None:
            raise CliError(
                f'rule "{rule.name}" does not say whose values they are',
                f"set {rule.transform}.subject; or put the Dataset with its subjectColumn beside"
                " the job",
            )
    return RuleConfig(
        rule=rule,
        columns=columns,
        key_role=role,
        key_algorithm=algorithm,
        subject=subject,
        hierarchy=job.text_of(table.config_map) if table else None,
    )


def _privacy(job: JobFile, frame: pl.DataFrame, rule_of: RuleOf) -> PrivacyConfig | None:
    """What must hold of all rows together.

    Raises:
        CliError: It does not suit the columns, as the operator would say.
    """
    if job.spec.privacy_model is None:
        return None
    asked = Asked(
        model=job.spec.privacy_model,
        types={c.name: column_type(values_of(c).dtype) for c in frame.iter_columns()},
        tags=_tags(job, frame.columns),
        rules=rule_of,
        rest="keep" if job.spec.default_action == "Keep" else "drop",
        subject=job.source.subject_column if job.source else None,
        label=f"Dataset {job.spec.source.name}",
        lists=frozenset(c.name for c in frame.iter_columns() if list_depth(c.name, c.dtype)),
    )
    if (denied := asked.check()) is not None:
        what, _, remedy = denied.message.rpartition(": ")
        raise CliError(f"MaskingJob {job.name}: {what}", remedy)
    tables = {
        entry.name: job.text_of(entry.table.config_map)
        for entry in asked.model.hierarchies
        if entry.table is not None
    }
    return PrivacyConfig(model=asked.model, subject=asked.counted_subject, tables=tables)


def _rows_after(masked: MaskedBlock) -> list[Row]:
    rows = iter(_texts(masked.frame))
    if masked.stays is None:
        return list(rows)
    return [next(rows) if stays else {} for stays in masked.stays]


def _texts(frame: pl.DataFrame) -> list[Row]:
    return [
        {name: None if value is None else str(value) for name, value in row.items()}
        for row in frame.to_dicts()
    ]
