"""Removing what a deleted job left behind."""

import shutil
from pathlib import Path

from leeward.formats.jobconfig import CleanConfig
from leeward.formats.parts import parts_folder
from leeward.formats.report import report_path
from leeward.formats.result import Result
from leeward_masking.errors import OUTPUT, volume
from leeward_masking.storage.places import storage_of
from leeward_masking.workers.workfolder import work_folder


def clean(config: CleanConfig) -> Result:
    """Remove the output, its report and what tries to write them left; what is gone is no error.

    Raises:
        JobError: The volume or the store refuses.
    """
    storage = storage_of(config.store)
    for path in (config.path, report_path(config.path)):
        storage.remove(path)
    if config.store is not None:
        return Result(outcome="Succeeded")  # several workers write to volumes alone
    output = Path(config.path)
    with volume(OUTPUT):
        for folder in (work_folder(output), Path(parts_folder(output))):
            if folder.exists():
                shutil.rmtree(folder)
    return Result(outcome="Succeeded")
