"""Removing what a deleted job left behind."""

from leeward.formats.jobconfig import CleanConfig
from leeward.formats.report import report_path
from leeward.formats.result import Result
from leeward_masking.volumestorage import VolumeStorage


def clean(config: CleanConfig) -> Result:
    """Remove the output, its report and what tries to write them left; what is gone is no error.

    Raises:
        JobError: The volume refuses.
    """
    for path in (config.path, report_path(config.path)):
        VolumeStorage().remove(path)
    return Result(outcome="Succeeded")
