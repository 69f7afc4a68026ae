"""What stays of a destruction: its record, for people, and tombstones, for ``keys restore``.

They hold names, ids and digests of sealed files; no key, and nothing that opens one. A record
stands where users may delete or forge it; a tombstone in the operator's namespace.
"""

import hashlib
from collections.abc import Iterable
from typing import Literal, Self

from pydantic import Field, model_validator

from leeward.formats.document import Document
from leeward.formats.rootkey import Hex128

MAX_ARTEFACTS = 200
"""Artefacts that are listed. Of all, there is the number and one digest."""


class DestroyedKey(Document):
    """One vault key, and the numbers of its versions that were destroyed."""

    name: str
    algorithm: str
    numbers: list[int]


class DestroyedArtefact(Document):
    """One file that is unreadable from then on.

    Attributes:
        kind, namespace, name: The resource that stood for it.
        key_id: Id of its artefact key, as sealed files name it.
        digest: Of the sealed file, where the resource said so.
    """

    kind: str
    namespace: str
    name: str
    key_id: str
    digest: str | None = None


class DestructionRecord(Document):
    """What was destroyed.

    Attributes:
        what: A vault with everything in it, versions of one key, or the key of one artefact.
        kind, namespace, name, uid: The resource for which it was asked.
        vault_id: Id of the keyset.
        keys: The vault keys.
        artefact_keys: How many artefact keys went.
        artefact_keys_digest: ``sha256:`` of their ids in order, each with a newline.
        artefacts: The first of what they opened.
        requested_by: Who asked, as the request says; None: it does not say.
        destroyed_at: RFC 3339.
    """

    format_version: Literal[1] = 1
    what: Literal["Vault", "Versions", "Artefact"]
    kind: str
    namespace: str
    name: str
    uid: str
    vault_id: str
    keys: list[DestroyedKey]
    artefact_keys: int = 0
    artefact_keys_digest: str
    artefacts: list[DestroyedArtefact] = Field(default=[], max_length=MAX_ARTEFACTS)
    requested_by: str | None = None
    destroyed_at: str


class Tombstone(Document):
    """That a key was destroyed for good, and no backup is to bring it back.

    It is written before the key is destroyed: alone, beside the key itself, it says nothing.

    Attributes:
        what: A vault with everything in it, or one artefact key.
        id: Of the vault (its ``vault_id``), or of the artefact key.
        vault_id, vault_namespace, vault: The vault.
        namespace, owner: Of an artefact key: for whom it was, as ``Kind/name/uid``.
        destroyed_at: RFC 3339.
    """

    format_version: Literal[1] = 1
    what: Literal["Vault", "ArtefactKey"]
    id: Hex128
    vault_id: Hex128
    vault_namespace: str
    vault: str
    namespace: str | None = None
    owner: str | None = None
    destroyed_at: str

    @model_validator(mode="after")
    def _names_one_thing(self) -> Self:
        if self.what == "Vault" and self.id != self.vault_id:
            raise ValueError("the tombstone of a vault has the id of that vault")
        return self


def ids_digest(key_ids: Iterable[str]) -> str:
    """One digest that stands for these ids."""
    lines = "".join(f"{key_id}\n" for key_id in sorted(key_ids))
    return "sha256:" + hashlib.sha256(lines.encode()).hexdigest()
