"""Masking by several pods at once: tasks that any of them may do, in a folder beside the output.

    survey     read the source once: shards, as soon as each is known; then all digests
    gather-R-N look at shard N for rules that must know all rows before; R: which reading it is
    merge-R    put together what was gathered
    mask-N     mask shard N, and write it as a sealed part
    finish     pod 0 alone: hold what was masked to what was hashed, and write the manifest

No pod waits for another one to start, and one alone does everything. What a pod leaves undone when
it dies is done by another one, or by the one that follows it. Nothing stands under the name of the
output before every part is there.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Final

import polars as pl

from leeward.formats.jobconfig import MaskingConfig
from leeward.formats.parts import Part, PartsManifest, parts_folder, parts_key
from leeward.formats.result import Result, ResultFile
from leeward.formats.sealed import (
    ArtefactChaCha20Key,
    ChunkAlgorithm,
    Recipient,
    SealedError,
    Unwrapper,
    inspect_file,
)
from leeward.formats.sealed.layout import ID_SIZE
from leeward.formats.sealed.schedule import derive
from leeward_masking.engine import (
    blocks_ahead,
    checked_recall,
    masked_blocks,
    masked_schema,
    read_for,
    remove_report,
    report_beside,
)
from leeward_masking.errors import OUTPUT, JobError, volume
from leeward_masking.output.encoding import Encoder
from leeward_masking.output.sink import SealedOutput, sealed_output
from leeward_masking.privacymodel.release import Release
from leeward_masking.progress import Progress
from leeward_masking.report.sample import Share
from leeward_masking.report.stats import ReportBuilder
from leeward_masking.rules.plan import MaskPlan, compile_plan
from leeward_masking.rules.ruletransforms import MaterialOf
from leeward_masking.storage.content import changed
from leeward_masking.storage.volume import VolumeStorage
from leeward_masking.transforms.gathering import Tables, gather, merged
from leeward_masking.workers.sharding import (
    MIN_SHARD,
    SHARDS_PER_WORKER,
    Shard,
    SourceFiles,
    Survey,
    open_shard,
    rows_before,
    shard_size,
)
from leeward_masking.workers.workfolder import Record, Telling, WorkFolder, tampered
from leeward_masking.workers.workrecords import (
    GatheredParts,
    gathered_tables,
    merged_tables,
    part_of,
    read_merged,
)

_SURVEY: Final = "survey"
_SHARD: Final = "shard"
_MASK: Final = "mask"
_PART: Final = "part"
_WAIT: Final = 0.2
"""Seconds until it is looked again whether another pod has left something to do."""
_SAMPLE_LABEL: Final = b"leeward report sample"
_MANIFEST_LABEL: Final = b"leeward manifest id"


class _OverError(Exception):
    """The manifest is written, and what pods tell each other removed, or being removed."""


class Worker:
    """One of the pods of a masking job.

    Args:
        config: What to do.
        source_keys: What opens the source; None: it is plain.
        material_of: Keys of the rules by role.
        recipient: Whom the output is sealed to.
        shared: 32 bytes that only the pods of this job have.
        index: Of this pod, from 0.
        progress: Told how far all pods are.
        sample_keys: What opens the labelled notes; None: they are plain, or there are none.
        min_shard: Bytes of the smallest shards.
    """

    def __init__(
        self,
        config: MaskingConfig,
        source_keys: Sequence[Unwrapper] | None,
        material_of: MaterialOf,
        recipient: Recipient,
        shared: bytes,
        index: int,
        progress: Progress,
        *,
        sample_keys: Sequence[Unwrapper] | None = None,
        min_shard: int = MIN_SHARD,
    ) -> None:
        self._sample_keys = sample_keys
        self._min_shard = min_shard
        self._config = config
        self._source_keys = source_keys
        self._material_of = material_of
        self._recipient = recipient
        self._shared = shared
        self._key = parts_key(shared)
        self._index = index
        self._progress = progress
        self._output = Path(config.output.path)
        self._parts = Path(parts_folder(self._output))
        self._work = WorkFolder(self._output, config.content_digest()[7:23], self._key)
        self._shards: list[Shard] = []
        self._merged: list[Mapping[str, Tables]] = []
        self._release: Release | None = None
        self._began = time.monotonic()

    def run(self) -> Result:
        """Do what there is to do; pod 0 answers for all.

        Raises:
            JobError: The job cannot be done, or this pod is to stop.
        """
        try:
            self._work.make()
            if self._index == 0 and self._is_over:
                # Its result was never taken, and it is made again: other pods are to take part.
                VolumeStorage().remove(str(self._output))
                remove_report(self._config)
            return self._run()
        except (_OverError, JobError):
            if self._index == 0 or not self._is_over:
                raise
        # Pod 0 may have removed it before this one made something in it.
        self._work.leave()
        return Result(outcome="Succeeded")

    @property
    def _is_over(self) -> bool:
        """Whether the manifest is written: other pods than the first have nothing to do then."""
        try:
            return inspect_file(self._output).file_id == self._manifest_id
        except (OSError, SealedError):
            return False

    def _run(self) -> Result:
        self._files = SourceFiles(read_for(self._config), self._source_keys)
        plan = self._plan(0)
        plan.check(self._schema)
        self._recall = checked_recall(plan, self._config.sample, self._sample_keys)
        total = self._files.size * (1 + plan.readings)
        self._telling = Telling(self._work, self._index, self._progress, total)
        while self._plan(0).gatherings:
            number = len(self._merged)
            self._work_off(f"gather-{number}", self._gather)
            while not self._do(f"merge-{number}", self._merge, number):
                if self._work.has(f"merge-{number}"):
                    break
                self._pause()
            self._merged.append(read_merged(self._get(f"merge-{number}")))
        self._work_off(_MASK, self._mask)
        return Result(outcome="Succeeded") if self._index else self._finish()

    def _plan(self, part: int) -> MaskPlan:
        """The plan for one shard, as far as what was gathered reaches."""
        config = self._config
        plan = compile_plan(config.rules, self._schema, self._material_of, config.privacy)
        for tables in self._merged:
            plan = plan.finished(tables, part, self._release)
        # The search for it is long, and the same for every shard.
        self._release = plan.release
        return plan

    @property
    def _schema(self) -> pl.Schema:
        return self._files.layout.schema

    @property
    def _encoder(self) -> Encoder:
        return Encoder(self._config.output.format, self._files.layout)

    def _work_off(self, stage: str, work: Callable[[str, Shard], None]) -> None:
        """Do one thing with every shard, where no other pod does it, until all are done."""
        done: set[int] = set()
        while not self._all_done(stage, done):
            if self._do(_SURVEY, self._survey):
                continue
            left = [shard for shard in self._shards if shard.number not in done]
            tasks = ((_task(stage, shard.number), shard) for shard in left)
            if not any(self._do(task, work, task, shard) for task, shard in tasks):
                self._pause()

    def _all_done(self, stage: str, done: set[int]) -> bool:
        """Whether every shard is done; looks for new shards, and for what others have done."""
        while (record := self._work.get(_task(_SHARD, len(self._shards)))) is not None:
            self._shards.append(Shard.of(record.document))
        for shard in self._shards:
            if shard.number not in done and self._work.has(_task(stage, shard.number)):
                done.add(shard.number)
                self._telling.add(shard.size)
        return self._work.has(_SURVEY) and len(done) == len(self._shards)

    def _pause(self) -> None:
        self._progress.wait(_WAIT)
        self._telling.look()

    def _do(self, task: str, work: Callable[..., None], *arguments: object) -> bool:
        """Do a task that nobody has; False: it is done, or another pod has it."""
        if self._work.has(task):
            return False
        with self._work.taken(task) as taken:
            if not taken or self._work.has(task):
                return False
            if self._index and self._is_over:
                raise _OverError
            try:
                work(*arguments)
            except JobError:
                # Where locks do not hold, another pod may have done it meanwhile.
                if not self._work.has(task):
                    raise
        return True

    def _survey(self) -> None:
        def found(shard: Shard) -> None:
            if not self._work.has(_task(_SHARD, shard.number)):
                self._work.put(_task(_SHARD, shard.number), shard.plain())

        workers = self._config.workers or 1
        target = shard_size(self._files.size, workers, self._min_shard)
        survey = Survey(self._files, target, found, self._progress)
        source = survey.run()
        document = {
            "source": source.model_dump(mode="json", by_alias=True, exclude_none=True),
            "shards": [shard.plain() for shard in survey.shards],
            "prints": [each.plain() for each in survey.prints],
        }
        self._work.put(_SURVEY, document)

    def _gather(self, task: str, shard: Shard) -> None:
        plan = self._plan(shard.number)

        def work(first_row: int) -> None:
            with open_shard(self._files, shard, first_row) as (reader, prints):
                with closing(blocks_ahead(reader, self._telling)) as blocks:
                    known = gather(plan.gatherings, blocks)
                read = prints()
            document = {"shard": shard.plain(), "prints": [each.plain() for each in read]}
            self._work.put(task, document, gathered_tables(known))
            self._telling.rest()

        self._with_rows(shard, work)

    def _merge(self, number: int) -> None:
        gatherings = self._plan(0).gatherings
        parts = GatheredParts(lambda: self._checked(f"gather-{number}"), len(gatherings))
        known = merged(gatherings, parts)
        document, tables = merged_tables(known)
        self._work.put(f"merge-{number}", document, tables)

    def _mask(self, task: str, shard: Shard) -> None:
        def work(first_row: int) -> None:
            plan = self._plan(shard.number)
            schema = masked_schema(plan, self._schema)
            order = self._config.output.report
            report = ReportBuilder(plan, self._schema, share=self._share, order=order)
            path = self._parts / f"{_task(_PART, shard.number)}-{os.urandom(4).hex()}.lwe1"
            with (
                open_shard(self._files, shard, first_row) as (reader, prints),
                self._sealed_part(path) as output,
            ):
                encoder = self._encoder
                frames = masked_blocks(reader, plan, report, self._telling, encoder)
                with closing(frames):
                    output.write_frames(frames, schema, encoder)
                read = prints()
            part = part_of(path, output.result, report.written)
            document = {
                "shard": shard.plain(),
                "part": part.model_dump(mode="json", by_alias=True),
                "prints": [each.plain() for each in read],
            }
            self._work.put(task, document, report.tables())
            self._telling.rest()

        self._with_rows(shard, work)

    def _sealed_part(self, path: Path) -> AbstractContextManager[SealedOutput]:
        return sealed_output(
            VolumeStorage(),
            str(path),
            self._key,
            manifest_id=self._manifest_id,
            algorithm=self._chunks,
        )

    def _with_rows(self, shard: Shard, work: Callable[[int], None]) -> None:
        """Work on a shard; where it fails, once more with the number that its first row has."""
        try:
            work(shard.first_row or 1)
        except JobError as error:
            if error.row is None or shard.first_row is not None:
                raise
            work(rows_before(self._files, shard) + 1)

    def _checked(self, stage: str) -> Iterator[Record]:
        """The results of one stage, held to what the survey hashed.

        Raises:
            JobError: ``SourceChanged``.
        """
        survey = self._get(_SURVEY).document
        hashed = {tuple(each) for each in survey["prints"]}
        for number, shard in enumerate(survey["shards"]):
            record = self._get(_task(stage, number))
            read = {tuple(each) for each in record.document["prints"]}
            if record.document["shard"] != shard or not read <= hashed:
                raise changed("was changed while it was read")
            yield record

    def _finish(self) -> Result:
        """Check what all pods did, and write the manifest."""
        plan = self._plan(0)
        order = self._config.output.report
        report = ReportBuilder(plan, self._schema, self._recall, order=order)
        parts: list[Part] = []
        for record in self._checked(_MASK):
            report.merge(record.tables)
            parts.append(Part.model_validate(record.document["part"]))
        told = report.report(time.monotonic() - self._began)
        columns = self._encoder.columns(masked_schema(plan, self._schema), told)
        with report_beside(self._config, self._recipient, report, told) as report_file:
            output = self._write_manifest([part for part in parts if part.rows] or parts[:1])
        source = ResultFile.model_validate(self._get(_SURVEY).document["source"])
        self._work.remove()
        return Result(
            outcome="Succeeded",
            source=source.model_copy(update={"rows": report.rows}),
            output=output.model_copy(update={"columns": columns}),
            report=told,
            report_file=report_file,
        )

    def _write_manifest(self, parts: list[Part]) -> ResultFile:
        manifest = PartsManifest.of(self._config.output.format, self._shared, parts)
        with volume(OUTPUT):
            self._check_parts(parts)
            for path in set(self._parts.iterdir()) - {self._parts / part.name for part in parts}:
                path.unlink(missing_ok=True)
        with sealed_output(
            VolumeStorage(), str(self._output), self._recipient, file_id=self._manifest_id
        ) as output:
            output.write_bytes(manifest.content())
        written = output.result
        if written is None:
            raise AssertionError
        size = written.bytes + manifest.part_bytes
        rows = sum(part.rows for part in parts)
        return written.model_copy(update={"rows": rows, "bytes": size})

    def _check_parts(self, parts: list[Part]) -> None:
        for part in parts:
            if (self._parts / part.name).stat().st_size != part.bytes:
                raise tampered(f"part {part.name} of the output is not as it was written")

    def _get(self, task: str) -> Record:
        record = self._work.get(task)
        if record is None:
            raise tampered(f"what the job noted down of {task} is gone")
        return record

    @property
    def _share(self) -> Share:
        """Of the rows that the report looks at: each shard gives its part of them."""
        seed = derive(self._shared, b"", _SAMPLE_LABEL)[:4]
        parts = (self._config.workers or 1) * SHARDS_PER_WORKER
        return Share(parts, int.from_bytes(seed, "big"))

    @property
    def _manifest_id(self) -> bytes:
        """The file id of the manifest, which its parts name; it says nothing of the key."""
        return derive(self._shared, b"", _MANIFEST_LABEL)[:ID_SIZE]

    @property
    def _chunks(self) -> ChunkAlgorithm:
        """Chunks are sealed as in a file that is sealed to the recipient itself."""
        if isinstance(self._recipient, ArtefactChaCha20Key):
            return "CHACHA20_POLY1305"
        return "AES256_GCM"


def _task(stage: str, number: int) -> str:
    return f"{stage}-{number:05d}"
