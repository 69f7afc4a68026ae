"""What a file says about itself to somebody without a key."""

from __future__ import annotations

import io

import pytest

from golden.lwe1.cases import CAROL, MANIFEST
from leeward.formats.sealed import (
    HeaderTampered,
    NotSealed,
    RecipientsTampered,
    Truncated,
    UnsupportedVersion,
    core_digest,
    inspect,
    seal_stream,
)
from unit.formats.sealed.samples import ALICE, CHUNK, HEADER, PLAIN, seal_bytes


def test_shows_ids_sizes_and_recipients_and_what_is_unverified() -> None:
    file = io.BytesIO()
    sealed = seal_stream(
        io.BytesIO(PLAIN),
        file,
        [ALICE, CAROL.public_key],
        manifest_id=MANIFEST,
        chunk_size=CHUNK,
    )
    info = inspect(file)
    assert (info.file_id, info.manifest_id) == (sealed.file_id, MANIFEST)
    assert (info.algorithm, info.chunk_size) == ("AES-256-GCM-STREAM", CHUNK)
    assert (info.plaintext_size, info.generation) == (len(PLAIN), 1)
    assert info.recipients == sealed.recipients
    assert [r.kind for r in info.recipients] == ["artefact", "hpke-x25519"]
    assert info.digest is None
    assert len(info.unverified) == 3


def test_unknown_recipient_kind_is_listed_by_its_number() -> None:
    data = bytearray(seal_bytes())
    for slot in (0, 8192):
        data[slot + 41] = 77
    assert inspect(io.BytesIO(bytes(data))).recipients[0].kind == "kind 77"


@pytest.mark.parametrize(
    ("offset", "error"),
    [
        (0, RecipientsTampered),
        (100, RecipientsTampered),
        (8192 + 11, RecipientsTampered),
        (8184, RecipientsTampered),
        (HEADER, HeaderTampered),
        (HEADER + 9, UnsupportedVersion),
        (HEADER + 15, HeaderTampered),
        (HEADER + 20, HeaderTampered),
        (HEADER + 50, HeaderTampered),
    ],
)
def test_contradictions_are_found_without_a_key(offset: int, error: type[Exception]) -> None:
    data = bytearray(seal_bytes())
    data[offset] ^= 0xFF
    with pytest.raises(error):
        inspect(io.BytesIO(bytes(data)))


def test_impossible_size_is_truncation() -> None:
    data = seal_bytes(PLAIN[: 2 * CHUNK])
    for cut in (1 + CHUNK, 80 - 16):
        with pytest.raises(Truncated):
            inspect(io.BytesIO(data[:-cut]))


def test_other_files_are_named() -> None:
    with pytest.raises(NotSealed):
        inspect(io.BytesIO(b"a,b,c\n"))


def test_digest_differs_with_every_part_of_the_core_and_not_with_recipients() -> None:
    data = seal_bytes()
    digest = core_digest(io.BytesIO(data))
    for offset in (HEADER + 70, HEADER + 130, len(data) - 1):
        changed = bytearray(data)
        changed[offset] ^= 1
        assert core_digest(io.BytesIO(bytes(changed))) != digest
    changed = bytearray(data)
    changed[100] ^= 1
    assert core_digest(io.BytesIO(bytes(changed))) == digest


def test_digest_of_a_cut_file_is_refused() -> None:
    with pytest.raises(Truncated):
        core_digest(io.BytesIO(seal_bytes()[: 16512 + 10]))
