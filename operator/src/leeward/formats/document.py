"""Base of every JSON document that crosses a process border, and its canonical bytes."""

import hashlib
import json
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class UnsupportedFormatVersionError(ValueError):
    """The document is of a format version that this release does not read."""


class Document(BaseModel):
    """A document with a format version; readers accept the current version and the one before."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        serialize_by_alias=True,
    )
    versions: ClassVar[tuple[int, ...]] = (1,)

    def canonical(self) -> bytes:
        """The bytes that digests are taken of: JSON, sorted keys, no spaces, UTF-8."""
        return canonical_json(self.model_dump(mode="json", by_alias=True, exclude_none=True))

    def content_digest(self) -> str:
        """``sha256:`` and the digest of ``canonical()``."""
        return "sha256:" + hashlib.sha256(self.canonical()).hexdigest()

    @classmethod
    def parse(cls, data: bytes | str) -> Self:
        """Read a document.

        Raises:
            UnsupportedFormatVersionError: Its formatVersion is not one that this release reads.
            pydantic.ValidationError: It is not such a document (no values in the message).
        """
        document = json.loads(data)
        version = document.get("formatVersion") if isinstance(document, dict) else None
        if version not in cls.versions:
            raise UnsupportedFormatVersionError(
                f"{cls.__name__} has format version {version!r}; this release reads "
                f"{', '.join(map(str, cls.versions))}: use a matching image and operator"
            )
        return cls.model_validate(document)


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys and no spaces, UTF-8: one form for one value."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()
