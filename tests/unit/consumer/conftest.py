"""Mounted keysets, and a consumer with a certificate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from consumer.reference_consumer import Consumer
from unit.consumer.consumer_world import (
    Volume,
    authority,
    certificate,
    leaf_of,
)


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    folder = tmp_path / "keys"
    folder.mkdir()
    return Volume(folder)


@pytest.fixture
def make_volume(tmp_path: Path) -> Callable[[str], Volume]:
    def make(name: str) -> Volume:
        (tmp_path / name).mkdir()
        return Volume(tmp_path / name)

    return make


@pytest.fixture
def mesh(volume: Volume) -> Consumer:
    """A consumer with a certificate."""
    volume.write(*certificate(leaf_of(authority()), authority()))
    consumer = Consumer(str(volume.path), "mesh")
    consumer.poll()
    assert consumer.last_error == ""
    return consumer
