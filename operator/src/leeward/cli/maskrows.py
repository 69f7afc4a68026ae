"""The masking engine on the first rows of a file. The only module here that imports it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import polars as pl

from leeward.api.dataset import DataFormat, SchemaColumn
from leeward.api.transforms import KEYED_TRANSFORMS, ColumnRule
from leeward.cli.errors import CliError
from leeward.cli.jobfile import JobFile
from leeward.formats.jobconfig import RuleConfig, SourceFile
from leeward_masking.canonical import column_type
from leeward_masking.csvtypes import TypeInference
from leeward_masking.errors import JobError
from leeward_masking.rules import compile_plan
from leeward_masking.source import open_source

FORMATS: Final[dict[str, DataFormat]] = {".csv": "CSV", ".parquet": "Parquet", ".pq": "Parquet"}
PREFERRED: Final = {
    "hash": "HMAC_SHA256",
    "tokenize": "AES256_SIV",
    "encrypt": "AES256_GCM",
    "dateShift": "HMAC_SHA256",
}
"""Algorithm of a key that no manifest defines."""

Row = dict[str, Any]


def mask_rows(
    job: JobFile, data: Path, count: int, random: Callable[[int], bytes]
) -> tuple[list[Row], list[Row]]:
    """The first rows of a file before and after, values as text.

    Raises:
        CliError: The data cannot be read, or the rules do not fit it; row and column are named.
    """
    try:
        source = _source_of(job, data)
        head = _head(source, count)
        rules = [_rule_config(job, rule) for rule in job.spec.columns]
        _check_rules(job, list(head.columns))
        if job.spec.default_action == "Keep":
            rules.extend(_kept(job, list(head.columns)))
        materials = _Materials(rules, random)
        plan = compile_plan(rules, head.schema, materials)
        masked = plan.mask(head)
    except JobError as error:
        raise CliError(f"{data}: {error.message}", error.remedy) from error
    return _texts(head), _texts(masked)


def _source_of(job: JobFile, data: Path) -> SourceFile:
    """The file with its schema, as an inspection would find it."""
    file_format = FORMATS.get(data.suffix.lower())
    if file_format is None:
        raise CliError(f"{data}: unknown format", f"give a file that ends in {', '.join(FORMATS)}")
    if not data.is_file():
        raise CliError(f"{data} is not there, or is no file")
    csv = job.source.csv if job.source and file_format == "CSV" else None
    source = SourceFile(path=str(data.resolve()), format=file_format, csv=csv)
    return source.model_copy(update={"columns": _schema(source)})


def _schema(source: SourceFile) -> list[SchemaColumn]:
    with open_source(source, None, typed=False) as opened:
        schema = opened.reader.schema
        if source.format == "Parquet":
            return [SchemaColumn(name=n, type=column_type(t)) for n, t in schema.items()]
        found = {name: TypeInference() for name in schema}
        for block in opened.reader.blocks():
            for name, inference in found.items():
                inference.add(block.get_column(name))
    return [SchemaColumn(name=n, type=i.type()) for n, i in found.items()]


def _head(source: SourceFile, count: int) -> pl.DataFrame:
    with open_source(source, None, typed=True) as opened:
        taken: list[pl.DataFrame] = []
        left = count
        for block in opened.reader.blocks():
            taken.append(block.head(left))
            left -= taken[-1].height
            if left == 0:
                break
        return pl.concat(taken) if taken else pl.DataFrame(schema=opened.reader.schema)


def _check_rules(job: JobFile, columns: list[str]) -> None:
    named = {name for rule in job.spec.columns for name in rule.column_names}
    bare = [name for name in columns if name not in named]
    if bare and job.spec.default_action == "Fail":
        listed = ", ".join(f'"{name}"' for name in bare)
        raise CliError(
            f"no rule of MaskingJob {job.name} is for {listed}, and defaultAction is Fail",
            "add rules, or set defaultAction to Drop",
        )


def _kept(job: JobFile, columns: list[str]) -> list[RuleConfig]:
    named = {name for rule in job.spec.columns for name in rule.column_names}
    rest = [name for name in columns if name not in named]
    rule = ColumnRule.model_validate({"name": "rest", "keep": {}})
    return [RuleConfig(rule=rule, columns=rest)] if rest else []


def _rule_config(job: JobFile, rule: ColumnRule) -> RuleConfig:
    role = algorithm = subject = None
    if rule.key_use is not None:
        key, scope = rule.key_use
        algorithm = job.algorithm_of(key) or PREFERRED[rule.transform]
        if algorithm not in KEYED_TRANSFORMS[rule.transform]:
            fitting = ", ".join(sorted(KEYED_TRANSFORMS[rule.transform]))
            raise CliError(
                f'rule "{rule.name}": {rule.transform} cannot use key {key.key}, which is'
                f" {algorithm}",
                f"name a key of algorithm {fitting}",
            )
        role = f"{key.vault.name}/{key.key}/{scope}/{algorithm}"
    if rule.date_shift is not None:
        subject = rule.date_shift.subject or (job.source.subject_column if job.source else None)
        if subject is None:
            raise CliError(
                f'rule "{rule.name}" shifts dates and does not say whose',
                "set dateShift.subject; or put the Dataset with its subjectColumn beside the job",
            )
    return RuleConfig(
        rule=rule,
        columns=list(rule.column_names),
        key_role=role,
        key_algorithm=algorithm,
        subject=subject,
    )


class _Materials:
    """Keys that live as long as this run: one per vault key and scope, as in a real job."""

    def __init__(self, rules: list[RuleConfig], random: Callable[[int], bytes]) -> None:
        self._made = {
            rule.key_role: random(64 if rule.key_algorithm == "AES256_SIV" else 32)
            for rule in rules
            if rule.key_role is not None
        }

    def __call__(self, role: str) -> bytes:
        return self._made[role]


def _texts(frame: pl.DataFrame) -> list[Row]:
    return [
        {name: None if value is None else str(value) for name, value in row.items()}
        for row in frame.to_dicts()
    ]
