"""Removing what a deleted job left behind."""

from leeward.formats.jobconfig import CleanConfig
from leeward.formats.result import Result
from leeward_masking.volumestorage import VolumeStorage


def clean(config: CleanConfig) -> Result:
    """Remove the output and what tries to write it left; what is gone already is no error.

    Raises:
        JobError: The volume refuses.
    """
    VolumeStorage().remove(config.path)
    return Result(outcome="Succeeded")
