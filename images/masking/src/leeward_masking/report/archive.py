"""The report as one file: a ZIP archive with the document and the page."""

import io
import zipfile
from typing import Final

from leeward.formats.report import REPORT_HTML, REPORT_JSON, LargeReport
from leeward_masking.report.page import page

_BEGINNING: Final = (1980, 1, 1, 0, 0, 0)
"""The first moment that the format knows: the same report gives the same bytes."""


def archive(report: LargeReport) -> bytes:
    """The archive that is sealed beside the output."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in (
            (REPORT_JSON, report.canonical()),
            (REPORT_HTML, page(report).encode()),
        ):
            file.writestr(zipfile.ZipInfo(name, _BEGINNING), content, zipfile.ZIP_DEFLATED)
    return target.getvalue()
