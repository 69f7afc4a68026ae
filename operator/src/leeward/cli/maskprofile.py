"""What a file on this machine holds, column by column. Imports the masking engine."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

import polars as pl
import yaml

from leeward.api.csvoptions import CsvOptions, TextEncoding
from leeward.api.dataset import DataFormat
from leeward.cli.errors import CliError, UsageError
from leeward.cli.maskrows import FORMATS, REMEDIES, checked_suffix
from leeward.formats.report import Combination
from leeward_masking.errors import JobError
from leeward_masking.profiling.columns import ColumnProfile, profile
from leeward_masking.profiling.uniqueness import telling, worst_combinations
from leeward_masking.sources.text.delimiter import DelimiterError
from leeward_masking.tasks.preview import first_rows

_CSV_REMEDIES: Final = {
    "WrongEncoding": f"say with --encoding what it is ({', '.join(get_args(TextEncoding))}); or"
    " convert the file to UTF-8",
    "MalformedData": "correct the file at that place; or say --delimiter or --encoding, where it is"
    " written in another way",
}
"""What to do here, where the engine would speak of a Dataset."""
ROWS: Final = 100_000
"""Rows that are read: more would tell little else."""


@dataclass(frozen=True, slots=True)
class FileProfile:
    """A file.

    Attributes:
        suffix: What its name ends in, with that of its compression.
        csv: How it is read, where that is not the default.
        rows: That were read.
        combinations: Columns that leave most rows alone when they are known together.
    """

    form: DataFormat
    suffix: str
    csv: CsvOptions | None
    rows: int
    columns: list[ColumnProfile]
    combinations: list[Combination]


def profile_file(data: Path, csv: CsvOptions | None = None) -> FileProfile:
    """Profile the first rows of a file.

    Args:
        data: The file.
        csv: How it is written, as far as somebody says it; another usual delimiter, and UTF-16
            with its byte order mark, are found without.

    Raises:
        CliError: It cannot be read; row and column are named.
    """
    suffix, packed = checked_suffix(data)
    form = FORMATS[suffix]
    if csv is not None and form != "CSV":
        raise UsageError(
            f"--delimiter and --encoding are for CSV, and {data} is {form}", "leave them out"
        )
    try:
        frame, options = _read(data, form, csv or CsvOptions())
    except JobError as error:
        remedies = _CSV_REMEDIES | REMEDIES if form == "CSV" else REMEDIES
        remedy = remedies.get(error.code, error.remedy)
        raise CliError(f"{data}: {error.message}", remedy) from error
    combinations = worst_combinations(frame, telling(frame))
    columns = profile(frame)
    return FileProfile(form, suffix + packed, options, frame.height, columns, combinations)


def _read(
    data: Path, form: DataFormat, given: CsvOptions
) -> tuple[pl.DataFrame, CsvOptions | None]:
    """The first rows, and how a CSV file is read where that is not the default."""
    if form != "CSV":
        return first_rows(data, form, ROWS), None
    if "encoding" not in given.model_fields_set and _begins_as_utf16(data):
        given = given.model_copy(update={"encoding": "UTF-16"})
    try:
        frame = first_rows(data, form, ROWS, csv=given)
    except DelimiterError as error:
        if "delimiter" in given.model_fields_set:
            raise CliError(f"{data}: {error.message}", f"say --delimiter {error.likely}") from error
        given = given.model_copy(update={"delimiter": yaml.safe_load(error.likely)})
        frame = first_rows(data, form, ROWS, csv=given)
    return frame, None if given == CsvOptions() else given


def _begins_as_utf16(data: Path) -> bool:
    with data.open("rb") as file:
        return file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
