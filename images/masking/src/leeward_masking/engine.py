"""Masking a file: read blocks, mask several at once, write them in order.

Where rules must know all rows first, the source is read once more for that before.
"""

import os
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import polars as pl

from leeward.formats.jobconfig import MaskingConfig, SourceFile
from leeward.formats.result import MaskingReport, Result, ResultFile
from leeward.formats.sealed import Recipient, Unwrapper
from leeward_masking.errors import JobError, Place
from leeward_masking.freetext import FreeTextMask, Measured, checked
from leeward_masking.output.encoding import Encoder
from leeward_masking.output.sink import sealed_output
from leeward_masking.progress import Progress, Told
from leeward_masking.report.archive import archive
from leeward_masking.report.building import large_report
from leeward_masking.report.stats import ReportBuilder
from leeward_masking.rules.plan import MaskPlan, compile_plan, whole_columns
from leeward_masking.rules.ruletransforms import MaterialOf
from leeward_masking.sources.blocks import PlacedReader
from leeward_masking.sources.labelled import labelled_notes
from leeward_masking.sources.source import Source, open_source
from leeward_masking.storage.content import changed
from leeward_masking.storage.places import storage_of
from leeward_masking.transforms.gathering import gather, merged

WORKERS: Final = max(2, min(4, len(os.sched_getaffinity(0))))


def mask_file(
    config: MaskingConfig,
    source_keys: Sequence[Unwrapper] | None,
    material_of: MaterialOf,
    recipient: Recipient,
    progress: Progress,
    sample_keys: Sequence[Unwrapper] | None = None,
) -> Result:
    """Mask the source, and write the sealed output.

    Args:
        config: What to do.
        source_keys: What opens the source; None: it is plain.
        material_of: Keys of the rules by role.
        recipient: Whom the output is sealed to.
        progress: Told how many bytes of the source are read.
        sample_keys: What opens the labelled notes; None: they are plain, or there are none.

    Raises:
        JobError: Nothing was written then.
    """
    began = time.monotonic()
    pinned = read_for(config)
    plan: MaskPlan | None = None
    first: pl.Schema | None = None
    recall: dict[str, tuple[Measured, ...]] = {}
    before = 0
    while True:
        with open_source(pinned, source_keys, typed=True) as source:
            schema, size = source.reader.schema, source.reader.position()[1]
            if plan is None or first is None:
                plan = compile_plan(config.rules, schema, material_of, config.privacy)
                first = schema
                plan.check(schema)
                recall = checked_recall(plan, config.sample, sample_keys)
                progress.begin("bytes", size * (1 + plan.readings))
            elif schema != first:
                raise changed("was changed between two readings of it")
            if not plan.gatherings:
                report = ReportBuilder(plan, schema, recall, order=config.output.report)
                reading = Reading(progress, before)
                return _write(config, source, plan, recipient, report, reading, began)
            blocks = blocks_ahead(source.reader, Reading(progress, before))
            with closing(blocks):
                tables = gather(plan.gatherings, blocks)
            # Every reading is of the same bytes: else rows are masked by what others said.
            pinned = pinned.model_copy(update={"digest": source.verify().digest})
        plan = plan.finished(merged(plan.gatherings, [tables]))
        before += size


def _write(
    config: MaskingConfig,
    source: Source,
    plan: MaskPlan,
    recipient: Recipient,
    report: ReportBuilder,
    reading: "Reading",
    began: float,
) -> Result:
    schema = masked_schema(plan, source.reader.schema)
    encoder = Encoder(config.output.format, source.reader.layout)
    storage = storage_of(config.output.store)
    with ExitStack() as beside, sealed_output(storage, config.output.path, recipient) as output:
        frames = masked_blocks(source.reader, plan, report, reading, encoder)
        with closing(frames):
            output.write_frames(frames, schema, encoder)
        found = source.verify()
        # Before the file gets its name: it gets none where its rows break what was asked.
        told = report.report(time.monotonic() - began)
        report_file = beside.enter_context(report_beside(config, recipient, report, told))
    written = output.result
    if written is None:
        raise AssertionError
    columns = encoder.columns(schema, told)
    return Result(
        outcome="Succeeded",
        source=found.model_copy(update={"rows": report.rows}),
        output=written.model_copy(update={"rows": report.written, "columns": columns}),
        report=told,
        report_file=report_file,
    )


def checked_recall(
    plan: MaskPlan, sample: SourceFile | None, sample_keys: Sequence[Unwrapper] | None
) -> dict[str, tuple[Measured, ...]]:
    """How well each column of notes is searched, as measured on labelled notes.

    Raises:
        JobError: ``RecallTooLow``; or the user's own notes cannot be read, or are wrongly labelled.
    """
    masks = free_text_masks(plan)
    own = [mask.rule.sample.column for mask in masks.values() if mask.rule.sample is not None]
    if not own:
        return checked(masks, None)
    if sample is None:
        raise JobError(
            "InvalidConfig",
            "the pod was given no labelled notes",
            "delete the job and create it again",
        )
    return checked(masks, labelled_notes(sample, sample_keys, own))


def free_text_masks(plan: MaskPlan) -> dict[str, FreeTextMask]:
    """What searches notes, by column."""
    return {c.name: c.free_text for c in plan.columns if c.free_text is not None}


@dataclass(frozen=True, slots=True)
class Reading:
    """One of the readings of the source.

    Attributes:
        progress: Of all readings.
        before: Bytes that earlier ones read.
    """

    progress: Progress
    before: int

    def advance(self, done: int) -> None:
        """See ``Told``."""
        self.progress.advance(self.before + done)

    def check(self) -> None:
        """See ``Told``."""
        self.progress.check()


def blocks_ahead(
    reader: PlacedReader, told: Told
) -> Generator[tuple[pl.DataFrame, Place], None, None]:
    """The blocks of a source, read by a thread while who iterates works on the one before."""
    blocks = reader.blocks()

    def read() -> tuple[pl.DataFrame, Place] | None:
        block = next(blocks, None)
        return None if block is None else (block, reader.place)

    with ThreadPoolExecutor(1, "read") as pool:
        try:
            ahead = pool.submit(read)
            while (block := ahead.result()) is not None:
                told.advance(reader.position()[0])
                ahead = pool.submit(read)
                yield block
        finally:
            pool.shutdown(cancel_futures=True)


def masked_blocks(
    reader: PlacedReader, plan: MaskPlan, report: ReportBuilder, told: Told, encoder: Encoder
) -> Generator[pl.DataFrame, None, None]:
    """The masked blocks in the order of the source, ready to be written.

    One thread reads ahead, ``WORKERS`` mask, and who iterates writes: a few blocks are in memory.

    Args:
        reader: The rows.
        plan: What happens to them.
        report: Told of every block, before and after.
        told: How many bytes are read.
        encoder: Of the output.
    """

    def work(block: pl.DataFrame, place: Place) -> pl.DataFrame:
        masked = plan.mask(block, place)
        report.add(block, masked)
        try:
            return encoder.ready(masked.frame)
        except JobError as error:
            raise masked.in_source(error).in_block(place) from None

    pending: deque[Future[pl.DataFrame]] = deque()
    with (
        closing(blocks_ahead(reader, told)) as blocks,
        ThreadPoolExecutor(WORKERS, "mask") as pool,
    ):
        try:
            for block, place in blocks:
                pending.append(pool.submit(work, block, place))
                if len(pending) > WORKERS:
                    yield pending.popleft().result()
            while pending:
                told.check()
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def report_beside(
    config: MaskingConfig, recipient: Recipient, report: ReportBuilder, counts: MaskingReport
) -> Iterator[ResultFile | None]:
    """Write the large report; in the block the output gets its name, for neither stands alone.

    Raises:
        JobError: It cannot be written. Where the block fails, it is removed.
    """
    order = config.output.report
    if order is None:
        yield None
        return
    large = large_report(
        order.about,
        counts,
        report.sample,
        withheld=order.withheld,
        sections=report.sections(),
    )
    storage = storage_of(config.output.store)
    with sealed_output(storage, order.path, recipient) as target:
        target.write_bytes(archive(large))
    try:
        yield target.result
    except BaseException:
        remove_report(config)
        raise


def remove_report(config: MaskingConfig) -> None:
    """Remove the large report of an output that is not there; that it fails is not told."""
    order = config.output.report
    if order is not None:
        with suppress(JobError):
            storage_of(config.output.store).remove(order.path)


def masked_schema(plan: MaskPlan, schema: pl.Schema) -> pl.Schema:
    """Mask an empty block: its types, and errors of types before any work."""
    return plan.mask(pl.DataFrame(schema=schema)).frame.schema


def read_for(config: MaskingConfig) -> SourceFile:
    """The source as a job reads it: lists and structs as one column where all of them goes."""
    return config.source.model_copy(update={"whole": whole_columns(config.rules)})
