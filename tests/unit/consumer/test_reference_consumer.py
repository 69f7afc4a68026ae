"""The reference consumer follows its keys through everything that may happen to them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import consumer.reference_consumer as program
from consumer.reference_consumer import Consumer, load
from leeward.formats.keyset import PodKey, PodKeyset
from unit.consumer.consumer_world import (
    SECRET,
    Volume,
    authority,
    certificate,
    document,
    leaf_of,
    reported,
    symmetric,
)


def test_it_says_what_it_holds_now(volume: Volume) -> None:
    consumer = Consumer(str(volume.path))
    consumer.poll()
    assert reported(consumer) == []
    assert consumer.page("/healthz") == (503, {"ready": False})
    volume.write(symmetric(1), symmetric(4, "output"))
    consumer.poll()
    assert reported(consumer) == [("source", 1), ("output", 4)]
    assert consumer.page("/healthz") == (200, {"ready": True})
    volume.write(symmetric(2))
    consumer.poll()
    assert reported(consumer) == [("source", 2)]
    assert consumer.page("/keys/") == (404, {})


def test_it_reads_what_the_operator_delivers(volume: Volume) -> None:
    key = PodKey.model_validate(symmetric(3))
    volume.update(PodKeyset(keys=[key]).canonical())
    consumer = Consumer(str(volume.path))
    consumer.poll()
    assert consumer.page("/keys")[1]["keys"] == [
        {"role": "source", "id": f"{3:032x}", "version": 3}
    ]


def test_it_reads_a_keyset_once(volume: Volume) -> None:
    consumer = Consumer(str(volume.path))
    volume.write(symmetric())
    for _ in range(3):
        consumer.poll()
    assert consumer.counts["keysets loaded"] == 1


@pytest.mark.parametrize("length", [0, 1, 40, -1])
def test_half_a_keyset_changes_nothing(volume: Volume, length: int) -> None:
    consumer = Consumer(str(volume.path))
    volume.write(symmetric(1))
    consumer.poll()
    whole = document(symmetric(2))
    volume.update(whole[:length])
    consumer.poll()
    assert reported(consumer) == [("source", 1)]
    assert consumer.counts["keysets refused"] == 1
    volume.update(whole)
    consumer.poll()
    assert reported(consumer) == [("source", 2)]


def test_a_keyset_that_is_taken_away_is_still_held(volume: Volume) -> None:
    consumer = Consumer(str(volume.path))
    volume.write(symmetric(1))
    consumer.poll()
    (volume.folder / "..data").unlink()
    consumer.poll()
    assert reported(consumer) == [("source", 1)]
    assert consumer.last_error == "keysets refused: FileNotFoundError"


def test_one_that_never_acknowledges_uses_the_new_and_reports_the_first(volume: Volume) -> None:
    consumer = Consumer(str(volume.path), acknowledges=False)
    for version in (1, 2, 3):
        volume.write(symmetric(version))
        consumer.poll()
        assert reported(consumer) == [("source", 1)]
    assert consumer.loaded.keys[0][2] == 3


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        load(data, None)
    except program._UNREADABLE:
        return


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
entries = st.fixed_dictionaries(
    {}, optional={name: json_values for name in ("id", "role", "version", "material")}
)


@given(st.lists(entries | json_values, max_size=3) | json_values, st.sampled_from([1, 2, "1"]))
def test_any_document_is_read_or_refused(keys: object, version: object) -> None:
    data = json.dumps({"formatVersion": version, "keys": keys}).encode()
    try:
        read = load(data, None)
    except program._UNREADABLE:
        return
    assert isinstance(keys, list | dict | str)
    assert len(read.keys) == len(keys)


def test_it_shows_no_key_material(volume: Volume) -> None:
    lines: list[str] = []
    consumer = Consumer(str(volume.path), "mesh", log=lines.append)
    leaf = leaf_of(authority())
    volume.write(symmetric(), *certificate(leaf, authority()))
    consumer.poll()
    pages = [json.dumps(consumer.page(path)) for path in ("/keys", "/healthz", "/tls")]
    secret_line = leaf.private_key_pem.splitlines()[1]
    for text in (*lines, *pages, repr(consumer)):
        assert SECRET not in text
        assert secret_line not in text
        assert "PRIVATE" not in text
    assert lines == ["holds source version 1, mesh version 1, mesh-trust version 1"]
