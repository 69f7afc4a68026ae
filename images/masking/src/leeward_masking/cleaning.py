"""Removing what a deleted job left on the volume."""

from pathlib import Path

from leeward.formats.jobconfig import CleanConfig
from leeward.formats.result import Result
from leeward_masking.errors import volume
from leeward_masking.sink import WHAT, temporary_siblings


def clean(config: CleanConfig) -> Result:
    """Remove the output and its temporary siblings; what is gone already is no error.

    Raises:
        JobError: The volume refuses.
    """
    path = Path(config.path)
    with volume(WHAT):
        for left in [path, *temporary_siblings(path)]:
            left.unlink(missing_ok=True)
    return Result(outcome="Succeeded")
