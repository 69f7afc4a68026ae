"""What can be wrong with a mounted volume, and what is said of it."""

import errno
import io
import os
from pathlib import Path

import polars as pl
import pytest

from leeward.api.dataset import DataFormat
from leeward.formats.parts import parts_key
from leeward.formats.result import RETRYABLE
from leeward.formats.sealed import SealedWriter
from leeward_masking.errors import SOURCE, JobError
from leeward_masking.errors import volume as reading
from leeward_masking.output.encoding import Encoder
from leeward_masking.output.sink import SealedOutput
from leeward_masking.storage.volume import VolumeFile, VolumeStorage
from leeward_masking.values.nesting import Layout
from leeward_masking.workers import workfolder
from unit.masking.support import OUTPUT_KEY, Volume, keep

FRAME = pl.DataFrame({"a": range(200)})
RULES = [keep("a")]
AWAY = [errno.EIO, errno.ESTALE, errno.ENOTCONN]
NAMES = [errno.errorcode[number] for number in AWAY]


def failing(number: int) -> object:
    def fail(*arguments: object, **options: object) -> None:
        raise OSError(number, "SECRET path")

    return fail


def masking(volume: Volume, *, sealed: bool = False) -> JobError:
    path = volume.write_frame(FRAME, sealed=sealed)
    with pytest.raises(JobError) as caught:
        volume.mask(volume.source(path, FRAME.schema), RULES)
    return caught.value


def check_away(error: JobError, what: str, number: int) -> None:
    assert error.code == "VolumeUnavailable"
    assert error.code in RETRYABLE
    assert error.message == f"the volume of {what} fails, or is away ({errno.errorcode[number]})"
    assert "claim" in error.remedy


@pytest.mark.parametrize("number", AWAY, ids=NAMES)
@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
@pytest.mark.parametrize("call", ["read_at", "readinto", "seek"])
def test_a_volume_that_is_away_while_its_file_is_read(
    volume: Volume, monkeypatch: pytest.MonkeyPatch, call: str, sealed: bool, number: int
) -> None:
    monkeypatch.setattr(VolumeFile, call, failing(number))
    check_away(masking(volume, sealed=sealed), "the source", number)
    assert volume.nothing_written()


@pytest.mark.parametrize("number", AWAY, ids=NAMES)
def test_a_volume_that_is_away_when_it_is_looked_at_is_not_said_to_be_empty(
    volume: Volume, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = str(volume.write_frame(FRAME))
    monkeypatch.setattr(os, "stat", failing(number))
    for look in (VolumeStorage().size, VolumeStorage().is_folder, VolumeStorage().entries):
        with pytest.raises(JobError) as caught:
            look(path)
        check_away(caught.value, "the source", number)


@pytest.mark.parametrize("number", AWAY, ids=NAMES)
@pytest.mark.parametrize("call", ["fsync", "open", "replace"])
def test_a_volume_that_is_away_while_the_output_is_written(
    volume: Volume, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    path = volume.write_frame(FRAME)
    source = volume.source(path, FRAME.schema)
    whole = getattr(os, call)

    def fail(given: object, *arguments: object, **options: object) -> object:
        if call == "fsync" or ".part" in str(given):
            raise OSError(number, "SECRET path")
        return whole(given, *arguments, **options)

    monkeypatch.setattr(os, call, fail)
    # It is away for good: what is left there cannot be removed either, and does not hide why.
    monkeypatch.setattr(Path, "unlink", failing(number))
    with pytest.raises(JobError) as caught:
        volume.mask(source, RULES)
    check_away(caught.value, "the output", number)


def test_a_folder_that_is_not_made_durable_leaves_no_output(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.fsync

    def fail(number: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{number}"):
            raise OSError(errno.EIO, "")
        whole(number)

    monkeypatch.setattr(os, "fsync", fail)
    check_away(masking(volume), "the output", errno.EIO)
    assert volume.nothing_written()


def test_a_volume_that_is_away_while_pods_tell_each_other(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = workfolder.WorkFolder(volume.output, "job", parts_key(b"p" * 32))
    folder.make()
    folder.put("survey", {})
    monkeypatch.setattr(workfolder, "open_reader", failing(errno.ESTALE))
    with pytest.raises(JobError) as caught:
        folder.get("survey")
    check_away(caught.value, "the output", errno.ESTALE)


@pytest.mark.parametrize("what", ["folder", "output"])
def test_something_else_in_the_place_of_the_output(volume: Volume, what: str) -> None:
    if what == "folder":
        volume.output.parent.write_bytes(b"in the way")
    else:
        volume.output.mkdir(parents=True)
    error = masking(volume)
    assert error.code == "OutputPathTaken"
    assert "stands where the output" in error.message
    assert volume.output.is_dir() or volume.output.parent.read_bytes() == b"in the way"


class _FailingVolume(io.RawIOBase):
    """Takes the headers, then fails as the operating system would."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._writes = 0

    def write(self, data: object, /) -> int:
        self._writes += 1
        if self._writes > 1:
            raise OSError(self._number, "SECRET path")
        return len(data)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "VolumeFull"), (errno.EDQUOT, "VolumeFull"), (errno.EROFS, "VolumeReadOnly"),
     (errno.EACCES, "OutputNotWritable"), (errno.EIO, "VolumeUnavailable"),
     (errno.ESTALE, "VolumeUnavailable"), (errno.EDOM, "Internal")],
)  # fmt: skip
@pytest.mark.parametrize("form", ["ArrowIPC", "CSV", "JSONL", "Parquet"])
def test_a_volume_that_fails_while_writing(number: int, code: str, form: DataFormat) -> None:
    writer = SealedWriter(_FailingVolume(number), [OUTPUT_KEY], chunk_size=64)
    encoder = Encoder(form, Layout(FRAME.schema))
    with pytest.raises(JobError) as caught:
        SealedOutput(writer).write_frames(iter([FRAME]), FRAME.schema, encoder)
    assert caught.value.code == code
    assert "SECRET" not in caught.value.message
    writer.abort()


def test_a_source_that_may_not_be_read_is_not_said_to_be_a_read_only_volume() -> None:
    with pytest.raises(JobError) as caught, reading(SOURCE):
        raise PermissionError(errno.EACCES, "SECRET path")
    assert caught.value.code == "SourceUnreadable"
    assert "fsGroup" in caught.value.remedy
    assert "SECRET" not in caught.value.message
