"""Names that users give for our kinds: plural, singular, short, in any case."""

from __future__ import annotations

from leeward.api import KINDS, Kind
from leeward.api.meta import API_VERSION
from leeward.cli.errors import UsageError
from leeward.cli.port import ApiResource


def resource_of(kind: Kind) -> ApiResource:
    """The API resource of one of our kinds."""
    return ApiResource(API_VERSION, kind.kind, kind.plural)


def parse_kind(text: str) -> Kind:
    """The kind that a user means by ``mj``, ``maskingjobs``, ``MaskingJob.leeward.dev`` or so.

    Raises:
        UsageError: No kind of ours is called so.
    """
    wanted = text.lower().removesuffix(".leeward.dev")
    for kind in KINDS:
        if wanted in (kind.kind.lower(), kind.plural, *kind.short_names):
            return kind
    known = ", ".join(f"{kind.kind} ({', '.join(kind.short_names)})" for kind in KINDS)
    raise UsageError(f"there is no kind {text!r}", f"use one of {known}")


def parse_reference(text: str, given: str | None = None) -> tuple[Kind, str]:
    """The kind and the name in ``KIND/NAME``, or in ``KIND`` and ``NAME``.

    Raises:
        UsageError: It is something else.
    """
    kind, slash, name = (text, "/", given) if given else text.partition("/")
    if not slash or not name or "/" in name:
        raise UsageError(f"{text!r} names no resource", "write KIND/NAME, as in dataset/visits")
    return parse_kind(kind), name
