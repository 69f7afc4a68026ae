"""Base of every JSON document that crosses a process border, and its canonical bytes."""

import hashlib
import json
from typing import Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails, from_json

_SHOWN_VERSIONS: Final = 1000


class UnreadableDocumentError(ValueError):
    """No JSON: says so, never what stands there."""


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
        hide_input_in_errors=True,
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
            UnreadableDocumentError: It is not JSON.
            UnsupportedFormatVersionError: Its formatVersion is not one that this release reads.
            pydantic.ValidationError: It is not such a document (no values in the message).
        """
        return cls.of_json(read_json(data))

    @classmethod
    def of_json(cls, document: Any) -> Self:
        """`parse`, of what `read_json` made of the text."""
        version = document.get("formatVersion") if isinstance(document, dict) else None
        if version not in cls.versions:
            raise UnsupportedFormatVersionError(
                f"{cls.__name__} has {_told(version)}; this release reads "
                f"{', '.join(map(str, cls.versions))}: use a matching image and operator"
            )
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise _without_names(error) from None


def read_json(data: bytes | str) -> Any:
    """The value of a JSON text (RFC 8259) in UTF-8, nested 200 deep at most.

    Raises:
        UnreadableDocumentError: It is none, or half a character (a lone surrogate) stands in it.
    """
    try:
        return from_json(data, allow_inf_nan=False)
    except (ValueError, TypeError):
        raise UnreadableDocumentError(
            "it is not JSON in UTF-8, or cut off: give an intact copy"
        ) from None


def _without_names(error: ValidationError) -> ValidationError:
    """The same error without the names of members that are not known: anything may stand there."""
    details = [
        InitErrorDetails(
            type=each["type"],
            loc=each["loc"][:-1] if each["type"] == "extra_forbidden" else each["loc"],
            input=None,
            ctx=each.get("ctx", {}),
        )
        for each in error.errors(include_url=False, include_input=False)
    ]
    return ValidationError.from_exception_data(error.title, details, hide_input=True)


def _told(version: object) -> str:
    """A format version, in an error: only if it can be one, since anything may stand there."""
    if isinstance(version, int) and 0 <= version < _SHOWN_VERSIONS:
        return f"format version {int(version)}"
    return "no format version that can be told" if version else "no format version"


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys and no spaces, UTF-8: one form for one value."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()
