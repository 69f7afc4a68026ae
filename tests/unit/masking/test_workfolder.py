"""What several pods on one job tell each other, and where they cut text."""

import errno

import polars as pl
import pytest

from leeward.formats.parts import parts_key
from leeward_masking.errors import JobError
from leeward_masking.workers.sharding import RecordCutter
from leeward_masking.workers.workfolder import WorkFolder, work_folder
from unit.masking.support import Volume

SHARED = b"p" * 32


def test_a_file_system_without_locks(volume: Volume) -> None:
    def lock(number: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "")

    folder = WorkFolder(volume.output, "job", parts_key(SHARED), lock)
    folder.make()
    with pytest.raises(JobError) as caught, folder.taken("survey"):
        pass
    assert caught.value.code == "LocksUnsupported"
    assert "parallelism to 1" in caught.value.remedy


def test_a_record_under_another_name_is_refused(volume: Volume) -> None:
    folder = WorkFolder(volume.output, "job", parts_key(SHARED))
    folder.make()
    folder.put("mask-00001", {"a": 1}, {"t": pl.DataFrame({"x": [1]})})
    found = folder.get("mask-00001")
    assert found is not None
    assert found.document == {"a": 1}
    assert found.tables["t"]["x"].to_list() == [1]
    (path,) = work_folder(volume.output).rglob("mask-00001")
    path.rename(path.with_name("mask-00002"))
    with pytest.raises(JobError) as caught:
        folder.get("mask-00002")
    assert caught.value.code == "Tampered"


def test_records_are_cut_where_they_end() -> None:
    data = b'a,b\n1,"x\ny"\n2,z\n3,"q""\n"\n'
    for step in range(1, 9):
        cutter = RecordCutter(ord('"'), 0)
        cuts: list[int] = []
        for begin in range(0, len(data), step):
            cuts += cutter.take(data[begin : begin + step], 1)
        assert cuts == [4, 12, 16, len(data)]
