"""The manifest of a Dataset whose rows stand in several sealed files.

The manifest is itself a sealed file: its file id, its digest and its recipients are those of the
Dataset. What it holds begins with ``MAGIC``, followed by one JSON document. Its parts stand in the
folder beside it whose name ends in ``.parts``, each sealed with one symmetric key that only stands
in the manifest. So who may open the Dataset is decided by the recipients of the manifest alone.
"""

import base64
import binascii
import re
from pathlib import PurePath
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, field_serializer

from leeward.api.dataset import DataFormat
from leeward.api.meta import Digest, Hex128
from leeward.formats.document import Document
from leeward.formats.sealed import ArtefactKey

MAGIC: Final = b"LWPARTS1\n"
MAX_MANIFEST: Final = 64 << 20
"""Bytes; some 200,000 parts."""
_KEY_SIZE: Final = 32
_SUFFIX: Final = ".parts"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,127}")


def _is_plain_name(name: str) -> str:
    """No part lies anywhere but in the folder of the parts."""
    if _NAME.fullmatch(name) is None:
        raise ValueError("the name of a part has other characters than a-z, 0-9, '.' and '-'")
    return name


def _is_key(key: SecretStr) -> SecretStr:
    try:
        size = len(base64.b64decode(key.get_secret_value(), validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if size != _KEY_SIZE:
        # Without its cause, which quotes what was read.
        raise ValueError("the key of the parts is Base64 of 32 bytes")
    return key


class Part(Document):
    """One sealed file with some of the rows.

    Attributes:
        name: In the folder of the parts.
        file_id: In its sealed header.
        digest: Of its core.
        bytes: Of the file.
        rows: That it holds.
    """

    name: Annotated[str, AfterValidator(_is_plain_name)]
    file_id: Hex128
    digest: Digest
    bytes: Annotated[int, Field(ge=0)]
    rows: Annotated[int, Field(ge=0)]


class PartsManifest(Document):
    """Which files hold the rows, in which order, and what opens them.

    Attributes:
        format: Of each part.
        key: Base64 of the 32 bytes of the key that the parts are sealed with.
        parts: In the order of the rows.
    """

    format_version: Literal[1] = 1
    format: DataFormat
    key: Annotated[SecretStr, AfterValidator(_is_key)]
    parts: list[Part]

    @field_serializer("key", when_used="json")
    def _reveal(self, key: SecretStr) -> str:
        return key.get_secret_value()

    @classmethod
    def of(cls, form: DataFormat, key: bytes, parts: list[Part]) -> "PartsManifest":
        """The manifest of these parts, which this key opens."""
        return cls(format=form, key=SecretStr(base64.b64encode(key).decode()), parts=parts)

    def content(self) -> bytes:
        """What is sealed."""
        return MAGIC + self.canonical()

    @property
    def part_key(self) -> ArtefactKey:
        """What opens the parts."""
        return parts_key(base64.b64decode(self.key.get_secret_value()))

    @property
    def part_bytes(self) -> int:
        """Bytes of all parts."""
        return sum(part.bytes for part in self.parts)


def parse_manifest(content: bytes) -> PartsManifest:
    """Read what a sealed manifest holds.

    Raises:
        ValueError: It is none, or of a format version that is not read.
    """
    if not content.startswith(MAGIC):
        raise ValueError("this is no manifest of parts")
    return PartsManifest.parse(content.removeprefix(MAGIC))


def parts_key(material: bytes) -> ArtefactKey:
    """The key that seals and opens parts; its id is its fingerprint.

    Args:
        material: 32 bytes.
    """
    return ArtefactKey(b"", material)


def parts_folder(manifest: PurePath) -> PurePath:
    """The folder beside a manifest in which its parts stand."""
    return manifest.with_name(manifest.name + _SUFFIX)
