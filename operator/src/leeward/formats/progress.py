"""What a pod answers at ``/progress`` while it runs."""

from typing import Annotated

from pydantic import Field

from leeward.formats.document import Document

_MOST = 1 << 53
"""No pod counts further, and every program reads such a number in JSON."""


class ProgressReport(Document):
    """How far the job is.

    Attributes:
        done, total: In units; a total of 0 is not known.
        unit: What is counted, or what the pod waits for.
        eta_seconds: Estimated seconds to the end.
        result_digest: Set when a result too large for the termination message waits at
            ``/result``: its digest, ``sha256:...``.
    """

    done: Annotated[int, Field(ge=0, le=_MOST)]
    total: Annotated[int, Field(ge=0, le=_MOST)] = 0
    unit: Annotated[str, Field(max_length=32)]
    eta_seconds: Annotated[int, Field(ge=0, le=_MOST)] | None = None
    result_digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
