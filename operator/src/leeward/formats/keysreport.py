"""What a pod says at ``/keys``: which keys it has loaded. It holds no material."""

from typing import Annotated, Literal

from pydantic import Field

from leeward.formats.document import Document


class LoadedKey(Document):
    """One key, as it stands in ``keyset.json``."""

    id: Annotated[str, Field(max_length=64)]
    role: Annotated[str, Field(max_length=128)]
    version: int


class KeysReport(Document):
    """All keys that a pod uses now."""

    format_version: Literal[1] = 1
    keys: Annotated[list[LoadedKey], Field(max_length=256)]

    def loaded(self) -> frozenset[tuple[str, str]]:
        """(role, id) of each."""
        return frozenset((key.role, key.id) for key in self.keys)
