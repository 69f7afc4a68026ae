"""Pods of one masking job, as processes that are really killed, at every stage.

A short run kills them at two stages: that another one goes on wherever one stops is shown in one
process beside the tests of workers. LEEWARD_SOAK=1 kills them at all.
"""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from chaos.trying import SOAK
from leeward.formats.document import canonical_json
from leeward.formats.jobconfig import INDEX_VARIABLE
from leeward.formats.keyset import PodKey, PodKeyset
from leeward.formats.parts import parse_manifest, parts_folder, parts_key
from leeward.formats.result import Result, parse_result
from leeward.formats.sealed import ArtefactKey, open_reader
from leeward_masking.workers.workfolder import work_folder

ROWS = 40_000
OUTPUT = ArtefactKey(bytes.fromhex("0b" * 16), b"O" * 32)
SHARED = b"p" * 32
STAGES = ("survey.lock", "shard-00000", "gather-0-00000.lock", "merge-0.lock", "mask-00000.lock",
          "mask-00000", "mask-00002.lock")  # fmt: skip
QUICK_STAGES = ("gather-0-00000.lock", "mask-00002.lock")
_PATIENCE = 120.0


def key(role: str, material: bytes, key_id: str) -> PodKey:
    return PodKey.model_validate(
        {
            "id": key_id,
            "role": role,
            "algorithm": "AES256_GCM",
            "version": 1,
            "material": base64.b64encode(material).decode(),
        }
    )


class Job:
    """A masking job of two pods in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = folder / "masked" / "job.parquet.lwe1"
        source = folder / "source.csv"
        # Long texts make the file one of three shards.
        numbers = pl.Series("age", range(ROWS))
        names = numbers.hash().cast(pl.String).str.pad_start(440, "n")
        frame = pl.DataFrame({"age": numbers % 97, "name": names})
        frame.write_csv(source)
        rules: list[dict[str, object]] = [
            {"rule": {"name": "age", "generalize": {"quantiles": 4}}, "columns": ["age"]},
            {"rule": {"name": "name", "keep": {}}, "columns": ["name"]},
        ]
        columns = [{"name": "age", "type": "Integer"}, {"name": "name", "type": "String"}]
        config = {
            "task": "Mask",
            "source": {"path": str(source), "format": "CSV", "columns": columns},
            "rules": rules,
            "output": {"path": str(self.output), "format": "Parquet"},
            "workers": 2,
        }
        (folder / "job.json").write_bytes(canonical_json(config))
        keys = [key("output", OUTPUT.material, OUTPUT.key_id.hex())]
        keys.append(key("parts", SHARED, "0c" * 16))
        (folder / "keyset.json").write_bytes(PodKeyset(keys=keys).canonical())

    @contextlib.contextmanager
    def pod(self, index: int) -> Iterator[subprocess.Popen[str]]:
        """One pod; it is killed when the block ends."""
        log = self.folder / f"termination-{index}"
        process = subprocess.Popen(
            [sys.executable, "-m", "leeward_masking", "--config", str(self.folder / "job.json"),
             "--keys", str(self.folder / "keyset.json"), "--termination-log", str(log),
             "--bind", "127.0.0.1", "--port", "0"],
            stdout=subprocess.DEVNULL, text=True, env={**os.environ, INDEX_VARIABLE: str(index)},
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.wait(10)

    def reached(self, stage: str) -> bool:
        """Whether the pods have come this far."""
        return any(True for _ in work_folder(self.output).rglob(stage))

    def result(self, index: int) -> Result:
        """What a pod said last."""
        answer = parse_result((self.folder / f"termination-{index}").read_bytes())
        assert isinstance(answer, Result)
        return answer

    def rows(self) -> pl.DataFrame:
        """What stands in all parts."""
        with open_reader(self.output, [OUTPUT]) as reader:
            manifest = parse_manifest(reader.read())
        folder = Path(parts_folder(self.output))
        assert {part.name for part in manifest.parts} == set(os.listdir(folder))
        frames = []
        for part in manifest.parts:
            with open_reader(folder / part.name, [parts_key(SHARED)]) as reader:
                frames.append(pl.read_parquet(reader.read()))
        return pl.concat(frames)


def until(what: str, seen: object) -> None:
    ends = time.monotonic() + _PATIENCE
    while not seen():  # type: ignore[operator]
        assert time.monotonic() < ends, what
        time.sleep(0.002)


@pytest.mark.parametrize("stage", STAGES if SOAK else QUICK_STAGES)
def test_a_pod_that_is_killed_is_replaced(tmp_path: Path, stage: str) -> None:
    job = Job(tmp_path)
    with job.pod(0) as first:
        until(stage, lambda: job.reached(stage) or first.poll() is not None)
        first.send_signal(signal.SIGKILL)
        assert first.wait(10) == -signal.SIGKILL
    assert not job.output.exists()
    with job.pod(1) as other, job.pod(0) as again:
        assert again.wait(_PATIENCE) == 0
        assert other.wait(_PATIENCE) == 0
    rows = job.rows()
    assert rows.height == ROWS
    assert rows["name"].n_unique() == ROWS
    assert rows["age"].n_unique() == 4
    assert job.result(0).output is not None
    assert job.result(1) == Result(outcome="Succeeded")
    assert not work_folder(job.output).exists()


def test_both_share_the_work(tmp_path: Path) -> None:
    job = Job(tmp_path)
    with job.pod(0) as first, job.pod(1) as second:
        until("both at work", lambda: len(list(work_folder(job.output).rglob("*.progress"))) == 2)
        assert first.wait(_PATIENCE) == second.wait(_PATIENCE) == 0
    assert job.rows().height == ROWS
