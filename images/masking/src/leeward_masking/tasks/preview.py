"""First rows: of a Dataset for who may open it, and of a masking job on a laptop."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import polars as pl

from leeward.api.csvoptions import CsvOptions
from leeward.api.dataset import DataFormat
from leeward.formats.jobconfig import PrivacyConfig, RuleConfig, SourceFile
from leeward.formats.report import LargeReport, ReportSubject
from leeward.formats.sealed import Unwrapper
from leeward_masking.ciphers.keys import key_size
from leeward_masking.engine import free_text_masks
from leeward_masking.errors import FIRST
from leeward_masking.freetext import checked
from leeward_masking.report.building import large_report
from leeward_masking.report.stats import ReportBuilder
from leeward_masking.rules.plan import MaskedBlock, MaskPlan, compile_plan
from leeward_masking.rules.ruletransforms import MaterialOf
from leeward_masking.sources.readers import reader_of
from leeward_masking.sources.source import open_source
from leeward_masking.sources.text.csvtypes import TypeInference, parse_column
from leeward_masking.sources.text.delimiter import check_delimiter
from leeward_masking.storage.content import open_content
from leeward_masking.storage.volume import VolumeStorage
from leeward_masking.transforms.gathering import gather, merged
from leeward_masking.values.canonical import canonical_text, column_type
from leeward_masking.values.nesting import list_depth, map_values, value_dtype

_NESTED = "(list, struct or binary)"


def first_rows(
    path: Path,
    form: DataFormat,
    rows: int,
    *,
    csv: CsvOptions | None = None,
    keys: Sequence[Unwrapper] | None = None,
) -> pl.DataFrame:
    """The first rows of a file as rules see them, one column for each leaf.

    Types of CSV columns are inferred from these rows alone.

    Args:
        path: The file.
        form: Its format.
        rows: How many rows at most.
        csv: Options for CSV.
        keys: What opens it; None: it is plain.

    Raises:
        JobError: It cannot be read.
    """
    with open_content(VolumeStorage(), str(path.resolve()), keys) as content:
        reader = reader_of(SourceFile(path=str(path), format=form, csv=csv), content, None)
        if form == "CSV":
            check_delimiter(reader.schema.names(), csv or CsvOptions())
        frame = _head(reader.blocks(), rows)
    if form != "CSV":
        return frame
    return pl.DataFrame([_typed(column) for column in frame.iter_columns()])


def preview_frame(
    frame: pl.DataFrame,
    rules: Sequence[RuleConfig],
    material_of: MaterialOf,
    count: int | None = None,
    privacy: PrivacyConfig | None = None,
) -> MaskedBlock:
    """What a masking job would make of the first rows, if there were no others than the given.

    Args:
        frame: The rows.
        rules: Resolved rules; columns that none names are dropped.
        material_of: Keys of the rules by role.
        count: How many rows to mask; None: all.
        privacy: What must hold of all rows together; None: nothing.

    Raises:
        JobError: A rule does not fit the columns, no levels keep to the privacy model, or
            ``RecallTooLow``.
    """
    plan = _plan(frame, rules, material_of, privacy)
    # How well it would be found in notes of the user's own, the job alone can tell: it has them.
    masks = free_text_masks(plan).items()
    checked({name: mask for name, mask in masks if mask.rule.sample is None}, None)
    return plan.mask(frame if count is None else frame.head(count))


def preview_report(
    about: ReportSubject,
    frame: pl.DataFrame,
    rules: Sequence[RuleConfig],
    material_of: MaterialOf,
    privacy: PrivacyConfig | None = None,
) -> LargeReport:
    """What a masking job would report of these rows, if there were no others.

    Raises:
        JobError: See ``preview_frame``.
    """
    plan = _plan(frame, rules, material_of, privacy)
    report = ReportBuilder(plan, frame.schema)
    report.add(frame, plan.mask(frame))
    return large_report(about, report.report(0.0), report.sample)


def _plan(
    frame: pl.DataFrame,
    rules: Sequence[RuleConfig],
    material_of: MaterialOf,
    privacy: PrivacyConfig | None,
) -> MaskPlan:
    """The plan of a job that has no other rows."""
    plan = compile_plan(rules, frame.schema, material_of, privacy)
    while plan.gatherings:
        tables = gather(plan.gatherings, [(frame, FIRST)])
        plan = plan.finished(merged(plan.gatherings, [tables]))
    return plan


def ephemeral_keys(
    rules: Sequence[RuleConfig], random: Callable[[int], bytes] = os.urandom
) -> MaterialOf:
    """A fresh key for each role that the rules name."""
    made = {rule.key_role: random(key_size(rule.key_algorithm)) for rule in rules if rule.key_role}

    def material_of(role: str) -> bytes:
        return made[role]

    return material_of


def source_rows(
    config: SourceFile, keys: Sequence[Unwrapper] | None, rows: int, receipt: str
) -> bytes:
    """The first rows of a source: ``{"columns": [...], "rows": [[text or null]], "receipt": ""}``.

    Args:
        config: The source.
        keys: What opens it; None: it is plain.
        rows: How many rows at most.
        receipt: What whoever reads this can show.

    Raises:
        JobError: It cannot be read. Only what is shown is read: the digest is not compared.
    """
    with open_source(config, keys, typed=False) as source:
        frame = _head(source.reader.blocks(), rows)
    texts = pl.DataFrame([_text(column) for column in frame.iter_columns()])
    document = {"columns": texts.columns, "rows": [list(row) for row in texts.rows()]}
    document["receipt"] = receipt
    return json.dumps(document, ensure_ascii=False).encode()


def _head(blocks: Iterator[pl.DataFrame], rows: int) -> pl.DataFrame:
    frames: list[pl.DataFrame] = []
    missing = rows
    while missing > 0 and (block := next(blocks, None)) is not None:
        frames.append(block.head(missing))
        missing -= frames[-1].height
    return pl.concat(frames)


def _typed(column: pl.Series) -> pl.Series:
    inference = TypeInference()
    inference.add(column)
    return parse_column(column, inference.type(), 1)


def _text(column: pl.Series) -> pl.Series:
    """What of a list is shown is one text for all of its values."""
    if column_type(value_dtype(column.name, column.dtype)) == "Other":
        return pl.Series(column.name, [_NESTED] * len(column))
    texts = map_values(column, canonical_text)
    if not list_depth(column.name, column.dtype):
        return texts
    lists = texts.to_list()
    shown = [None if row is None else json.dumps(row, ensure_ascii=False) for row in lists]
    return pl.Series(column.name, shown, pl.String)
