"""What a file on this machine holds, column by column. Imports the masking engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl
import yaml

from leeward.api.csvoptions import CsvOptions
from leeward.api.dataset import DataFormat
from leeward.cli.errors import CliError
from leeward.cli.maskrows import FORMATS, REMEDIES, checked_suffix
from leeward.formats.report import Combination
from leeward_masking.delimiter import DelimiterError
from leeward_masking.errors import JobError
from leeward_masking.preview import first_rows
from leeward_masking.profiling.columns import ColumnProfile, profile
from leeward_masking.profiling.uniqueness import telling, worst_combinations

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


def profile_file(data: Path) -> FileProfile:
    """Profile the first rows of a file.

    Raises:
        CliError: It cannot be read; row and column are named.
    """
    suffix, packed = checked_suffix(data)
    form = FORMATS[suffix]
    try:
        frame, csv = _read(data, form)
    except JobError as error:
        remedy = REMEDIES.get(error.code, error.remedy)
        raise CliError(f"{data}: {error.message}", remedy) from error
    combinations = worst_combinations(frame, telling(frame))
    return FileProfile(form, suffix + packed, csv, frame.height, profile(frame), combinations)


def _read(data: Path, form: DataFormat) -> tuple[pl.DataFrame, CsvOptions | None]:
    """The first rows; of a CSV file with another delimiter, with that."""
    try:
        return first_rows(data, form, ROWS), None
    except DelimiterError as error:
        csv = CsvOptions(delimiter=yaml.safe_load(error.likely))
        return first_rows(data, form, ROWS, csv=csv), csv
