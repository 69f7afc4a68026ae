"""The manifest of a Dataset in several files (docs/formats/parts.md)."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Any

import pytest
from pydantic import ValidationError

from leeward.formats.document import UnsupportedFormatVersionError
from leeward.formats.parts import MAGIC, Part, PartsManifest, parse_manifest, parts_folder

KEY = bytes(range(32))
PART = Part(
    name="part-00000-1f2e3d4c.lwe1",
    file_id="ab" * 16,
    digest="sha256:" + "cd" * 32,
    bytes=40_000,
    rows=7,
)
CONTENT = (
    b'LWPARTS1\n{"format":"CSV","formatVersion":1,'
    b'"key":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=","parts":[{"bytes":40000,'
    b'"digest":"sha256:' + b"cd" * 32 + b'","fileId":"' + b"ab" * 16 + b'",'
    b'"name":"part-00000-1f2e3d4c.lwe1","rows":7}]}'
)


def test_it_stands_as_it_is_written_down() -> None:
    manifest = PartsManifest.of("CSV", KEY, [PART])
    assert manifest.content() == CONTENT
    read = parse_manifest(CONTENT)
    assert read == manifest
    assert read.part_key.material == KEY
    assert read.part_bytes == 40_000
    assert str(parts_folder(PurePath("/a/b.csv.lwe1"))) == "/a/b.csv.lwe1.parts"


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("name", "../other.lwe1"),
        ("name", "/run/leeward/keys/keyset.json"),
        ("name", ".hidden"),
        ("name", ""),
        ("key", "AAEC"),
        ("key", "no base64!"),
        ("formatVersion", 2),
        ("format", "XML"),
        ("rows", -1),
    ],
)
def test_what_is_none_is_refused_without_its_key(place: str, value: object) -> None:
    document: dict[str, Any] = json.loads(CONTENT.removeprefix(MAGIC))
    (document if place in document else document["parts"][0])[place] = value
    with pytest.raises((ValidationError, UnsupportedFormatVersionError)) as caught:
        parse_manifest(MAGIC + json.dumps(document).encode())
    assert "AAEC" not in str(caught.value)


def test_a_key_is_not_shown() -> None:
    assert "AAEC" not in repr(PartsManifest.of("CSV", KEY, [PART]))
