"""What every document that crosses a process border does with what is none."""

import json
import traceback

import pytest
from pydantic import ValidationError

from leeward.formats.document import UnreadableDocumentError, UnsupportedFormatVersionError
from leeward.formats.keyset import PodKeyset

SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC0="
KEY = {"id": "11" * 16, "role": "source", "algorithm": "AES256_GCM", "version": 1}
WHOLE = {"formatVersion": 1, "keys": [{**KEY, "material": SECRET}]}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (json.dumps(WHOLE)[:-20].encode(), UnreadableDocumentError),
        (json.dumps(WHOLE).encode("utf-16"), UnreadableDocumentError),
        (json.dumps({**WHOLE, "more": "\ud800"}), UnreadableDocumentError),
        (b'{"formatVersion": 1, "keys": [], "number": NaN}', UnreadableDocumentError),
        (b"[" * 100_000, UnreadableDocumentError),
        (json.dumps({**WHOLE, "formatVersion": 2}), UnsupportedFormatVersionError),
        (json.dumps({**WHOLE, "formatVersion": SECRET}), UnsupportedFormatVersionError),
        (json.dumps([SECRET]), UnsupportedFormatVersionError),
        (json.dumps({**WHOLE, "keys": [KEY | {"role": [SECRET]}]}), ValidationError),
        (json.dumps({**WHOLE, "more": SECRET}), ValidationError),
        (json.dumps({**WHOLE, SECRET: "more"}), ValidationError),
        (json.dumps({**WHOLE, "keys": [{**KEY, "material": SECRET[:-2]}]}), ValidationError),
    ],
)
def test_what_is_refused_is_not_quoted(text: bytes | str, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        PodKeyset.parse(text)
    said = "".join(traceback.format_exception(caught.value, limit=0))
    assert SECRET[:8] not in said


def test_another_format_version_is_named() -> None:
    with pytest.raises(UnsupportedFormatVersionError, match=r"format version 2; .* reads 1"):
        PodKeyset.parse('{"formatVersion": 2}')
