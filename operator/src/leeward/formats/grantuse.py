"""To which workloads a grant with maxDeliveries gave its key: one document per grant."""

from typing import Literal

from pydantic import Field

from leeward.formats.document import Document

MAX_WORKLOADS = 10_000
"""At most, so that the document fits into a Secret: maxDeliveries has the same bound."""


class GrantRecord(Document):
    """Who has had the key by a grant.

    Attributes:
        vault_id, key, grant: The grant.
        workloads: UIDs, in the order in which they came.
    """

    format_version: Literal[1] = 1
    vault_id: str
    key: str
    grant: str
    workloads: list[str] = Field(default=[], max_length=MAX_WORKLOADS)
