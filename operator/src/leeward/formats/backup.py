"""A backup of wrapped keys: one JSON document, and the record of it that stays in the cluster.

The keys in it are wrapped as they are in the cluster: without the root keys that it names, it opens
nothing. Its checksum (SHA-256 over the canonical JSON of everything else) shows damage; it is no
signature. That a key which comes out of a backup is the right one shows when it is unwrapped.
"""

import json
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidationError

from leeward.formats.document import (
    Document,
    UnreadableDocumentError,
    UnsupportedFormatVersionError,
    read_json,
)
from leeward.formats.rootkey import Hex128

BackedUpRole = Literal["keyset", "artefact-key"]

CHECKSUM: Final = "checksum"


class BackupDamagedError(Exception):
    """The file is not a backup, or not whole any more; its text says which."""


class BackedUpKey(Document):
    """One Secret of the operator's.

    Attributes:
        name: Of the Secret.
        role: What it holds.
        document: The JSON text in it, as it stood there.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")]
    role: BackedUpRole
    document: str


class BackupRecord(Document):
    """What the cluster knows of a copy of its wrapped keys.

    Attributes:
        id: Of the backup.
        created_at: RFC 3339.
        root_key_ids: Root keys that are needed to open what is in it.
        transit_keys: Transit keys that are needed besides, in words; None: none is.
        vault_ids: Vaults of which there are keys in it.
        file_name: Where it was written to: a hint, no more.
        made_by: The user who made it, as the API server knows them.
    """

    format_version: Literal[1] = 1
    id: Hex128
    created_at: str
    root_key_ids: list[Hex128]
    transit_keys: list[str] | None = None
    vault_ids: list[Hex128]
    file_name: str
    made_by: str

    def holds(self, vault_id: str) -> bool:
        """Whether there are keys of this vault in it."""
        return vault_id in self.vault_ids


class KeyBackup(Document):
    """A backup of wrapped keys.

    Attributes:
        record: What it is.
        keys: What is in it.
    """

    format_version: Literal[1] = 1
    record: BackupRecord
    keys: list[BackedUpKey]

    def to_bytes(self) -> bytes:
        """The file: the canonical document, with its checksum, and a newline."""
        document = json.loads(self.canonical())
        document[CHECKSUM] = self.content_digest()
        return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the file.

        Raises:
            BackupDamagedError: It is not a backup that this release reads, or not whole.
        """
        document = _object_in(data)
        checksum = document.pop(CHECKSUM, None)
        try:
            backup = cls.of_json(document)
        except UnsupportedFormatVersionError as error:
            raise BackupDamagedError(str(error)) from None
        except ValidationError as error:
            place = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise BackupDamagedError(f"it is no backup of keys: {place or 'it'} is wrong") from None
        if checksum != backup.content_digest():
            raise BackupDamagedError("its checksum does not fit: it was changed or damaged")
        names = [key.name for key in backup.keys]
        if len(set(names)) != len(names):
            raise BackupDamagedError("it names a Secret twice")
        return backup


def _object_in(data: bytes) -> dict[str, Any]:
    try:
        document = read_json(data)
    except UnreadableDocumentError:
        raise BackupDamagedError("it is not JSON, or cut off") from None
    if not isinstance(document, dict):
        raise BackupDamagedError("it is no backup of keys")
    return document
