"""Masking a file: read blocks, mask several at once, write them in order."""

import os
import time
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Final

import polars as pl

from leeward.formats.jobconfig import MaskingConfig
from leeward.formats.result import Result
from leeward.formats.sealed import Recipient, Unwrapper
from leeward_masking.freetext import Measured, check_recall, measure
from leeward_masking.progress import Progress
from leeward_masking.rules import MaskPlan, MaterialOf, compile_plan
from leeward_masking.sink import csv_ready, sealed_output
from leeward_masking.source import Source, open_source
from leeward_masking.stats import ReportBuilder
from leeward_masking.volumestorage import VolumeStorage

WORKERS: Final = max(2, min(4, len(os.sched_getaffinity(0))))


def mask_file(
    config: MaskingConfig,
    source_keys: Sequence[Unwrapper] | None,
    material_of: MaterialOf,
    recipient: Recipient,
    progress: Progress,
) -> Result:
    """Mask the source, and write the sealed output.

    Args:
        config: What to do.
        source_keys: What opens the source; None: it is plain.
        material_of: Keys of the rules by role.
        recipient: Whom the output is sealed to.
        progress: Told how many bytes of the source are read.

    Raises:
        JobError: Nothing was written then.
    """
    began = time.monotonic()
    with open_source(config.source, source_keys, typed=True) as source:
        schema = source.reader.schema
        plan = compile_plan(config.rules, schema, material_of)
        masked_schema = _masked_schema(plan, schema, config)
        report = ReportBuilder(plan, schema, checked_recall(plan))
        with sealed_output(VolumeStorage(), config.output.path, recipient) as output:
            frames = masked_blocks(source, plan, report, progress)
            with closing(frames):
                output.write_frames(frames, masked_schema, config.output.format)
            found = source.verify()
        written = output.result
    if written is None:
        raise AssertionError
    return Result(
        outcome="Succeeded",
        source=found.model_copy(update={"rows": report.rows}),
        output=written.model_copy(update={"rows": report.rows}),
        report=report.report(time.monotonic() - began),
    )


def checked_recall(plan: MaskPlan) -> dict[str, tuple[Measured, ...]]:
    """How well each column of notes is searched, as measured on labelled notes.

    Raises:
        JobError: ``RecallTooLow``.
    """
    found: dict[str, tuple[Measured, ...]] = {}
    for column in plan.columns:
        if column.free_text is not None:
            found[column.name] = measure(column.free_text)
            check_recall(column.name, column.free_text, found[column.name])
    return found


def masked_blocks(
    source: Source, plan: MaskPlan, report: ReportBuilder, progress: Progress
) -> Generator[pl.DataFrame, None, None]:
    """The masked blocks in the order of the source.

    One thread reads ahead, ``WORKERS`` mask, and who iterates writes: a few blocks are in memory.
    """
    progress.begin("bytes", source.reader.position()[1])
    blocks = source.reader.blocks()

    def work(block: pl.DataFrame, first_row: int) -> pl.DataFrame:
        masked = plan.mask(block, first_row)
        report.add(block, masked)
        return masked

    pending: deque[Future[pl.DataFrame]] = deque()
    with ThreadPoolExecutor(1, "read") as reader, ThreadPoolExecutor(WORKERS, "mask") as pool:
        try:
            first_row = 1
            ahead = reader.submit(next, blocks, None)
            while (block := ahead.result()) is not None:
                progress.advance(source.reader.position()[0])
                ahead = reader.submit(next, blocks, None)
                pending.append(pool.submit(work, block, first_row))
                first_row += block.height
                if len(pending) > WORKERS:
                    yield pending.popleft().result()
            while pending:
                progress.check()
                yield pending.popleft().result()
        finally:
            reader.shutdown(cancel_futures=True)
            pool.shutdown(cancel_futures=True)


def _masked_schema(plan: MaskPlan, schema: pl.Schema, config: MaskingConfig) -> pl.Schema:
    """Mask an empty block: the types of the output, and errors of types before any work."""
    empty = plan.mask(pl.DataFrame(schema=schema))
    return (csv_ready(empty) if config.output.format == "CSV" else empty).schema
