"""Reading a sealed report back, for who may see it."""

import io
import json
import zipfile
from collections.abc import Sequence
from typing import Final

from leeward.formats.report import REPORT_HTML, REPORT_JSON
from leeward.formats.sealed import Unwrapper
from leeward_masking.errors import SOURCE, JobError
from leeward_masking.storage.content import check_digest, open_content
from leeward_masking.storage.port import Storage

MAX_SIZE: Final = 64 << 20
"""Bytes of a report; one of ours has a hundredth of that."""
_FAULTS: Final = frozenset(
    {
        "FileMissing",
        "FileEmpty",
        "NotSealed",
        "SealedWithOtherKey",
        "SourceChanged",
        "Tampered",
        "WrongFormat",
    }
)
"""What can be wrong with the file."""
_REMEDY: Final = (
    "restore the report from a backup, or run a new masking job for another; the data itself is not"
    " affected"
)


def stored_report(
    storage: Storage, path: str, digest: str, keys: Sequence[Unwrapper] | None, receipt: str
) -> bytes:
    """The report as a document: ``{"report": {...}, "html": "...", "receipt": ""}``.

    Args:
        storage: Where it is.
        path: The sealed file.
        digest: What it must have.
        keys: What opens it.
        receipt: What whoever reads this can show.

    Raises:
        JobError: It is gone, another one, or cannot be read.
    """
    try:
        with open_content(storage, path, keys) as content:
            if content.size > MAX_SIZE:
                raise _unreadable()
            data = content.read(content.size)
            check_digest(content.describe(), digest)
    except JobError as error:
        if error.code not in _FAULTS:
            raise
        # What the readers of sources say is about the file of a Dataset, and how to mend that.
        fault = error.message.replace(SOURCE, "the report")
        raise JobError(error.code, fault, _REMEDY, key_ids=error.key_ids) from None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            page = file.read(REPORT_HTML).decode()
            report = json.loads(file.read(REPORT_JSON))
    except (zipfile.BadZipFile, KeyError, ValueError):
        raise _unreadable() from None
    document = {"report": report, "html": page, "receipt": receipt}
    return json.dumps(document, ensure_ascii=False).encode()


def _unreadable() -> JobError:
    return JobError(
        "WrongFormat",
        "the file of the report holds no report",
        _REMEDY,
    )
