"""The golden files are what the code makes, opens, and what a second reader sees in them."""

from __future__ import annotations

import io

import pytest

from golden.lwe1.cases import CASES, PAIRS, SYMMETRIC, Case
from golden.lwe1.decoder import decode
from leeward.formats.sealed import core_digest, inspect, open_stream

SECRETS = {key.key_id: key.material for key in SYMMETRIC} | {
    pair.key_id: pair.to_bytes() for pair in PAIRS
}

cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.reproducible], ids=lambda case: case.name
)
def test_fixed_randomness_gives_the_exact_bytes(case: Case) -> None:
    assert case.make() == case.path.read_bytes()


@cases
def test_golden_file_opens(case: Case) -> None:
    for key in case.keys[1:] if case.rewrapped_to else case.keys:
        target = io.BytesIO()
        open_stream(io.BytesIO(case.path.read_bytes()), target, [key])
        assert target.getvalue() == case.plaintext


@cases
def test_second_reader_sees_the_same(case: Case) -> None:
    data = case.path.read_bytes()
    info = inspect(io.BytesIO(data))
    decoded = decode(data, SECRETS)
    assert decoded.plaintext == case.plaintext
    assert decoded.file_id == info.file_id
    assert decoded.manifest_id == (info.manifest_id or bytes(16))
    assert decoded.generation == info.generation == (2 if case.rewrapped_to else 1)
    assert [key_id for _, key_id in decoded.recipients] == [r.key_id for r in info.recipients]
    assert decoded.digest == core_digest(io.BytesIO(data))


@cases
def test_second_reader_opens_by_each_key(case: Case) -> None:
    data = case.path.read_bytes()
    for key in case.keys[1:] if case.rewrapped_to else case.keys:
        key_id = key.key_id
        assert decode(data, {key_id: SECRETS[key_id]}).plaintext == case.plaintext


@cases
def test_second_reader_opens_what_is_sealed_now(case: Case) -> None:
    assert decode(case.make(), SECRETS).plaintext == case.plaintext
