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
from leeward.cli.maskrows import FORMATS, REMEDIES
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
        csv: How it is read, where that is not the default.
        rows: That were read.
        combinations: Columns that leave most rows alone when they are known together.
    """

    form: DataFormat
    csv: CsvOptions | None
    rows: int
    columns: list[ColumnProfile]
    combinations: list[Combination]


def profile_file(data: Path) -> FileProfile:
    """Profile the first rows of a file.

    Raises:
        CliError: It cannot be read; row and column are named.
    """
    form = FORMATS.get(data.suffix.lower())
    if form is None:
        raise CliError(
            f"{data}: unknown format", f"give a file whose name ends in {', '.join(FORMATS)}"
        )
    if not data.is_file():
        what = "is a folder" if data.is_dir() else "does not exist"
        raise CliError(f"{data} {what}", "name a file on this machine")
    try:
        frame, csv = _read(data, form)
    except JobError as error:
        remedy = REMEDIES.get(error.code, error.remedy)
        raise CliError(f"{data}: {error.message}", remedy) from error
    return FileProfile(
        form, csv, frame.height, profile(frame), worst_combinations(frame, telling(frame))
    )


def _read(data: Path, form: DataFormat) -> tuple[pl.DataFrame, CsvOptions | None]:
    """The first rows; of a CSV file with another delimiter, with that."""
    try:
        return first_rows(data, form, ROWS), None
    except DelimiterError as error:
        csv = CsvOptions(delimiter=yaml.safe_load(error.likely))
        return first_rows(data, form, ROWS, csv=csv), csv
