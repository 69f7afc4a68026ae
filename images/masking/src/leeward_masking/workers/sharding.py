"""Dividing a source among workers: at row groups of Parquet, at record borders of text."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from leeward.api.csvoptions import CsvOptions
from leeward.formats.jobconfig import SourceFile
from leeward.formats.parts import PartsManifest, parts_folder
from leeward.formats.result import ResultFile
from leeward.formats.sealed import Unwrapper
from leeward_masking.errors import Place, in_file
from leeward_masking.progress import Told
from leeward_masking.sources.blocks import PlacedReader
from leeward_masking.sources.columnar.parquetfooter import RowGroup
from leeward_masking.sources.columnar.parquetsource import ParquetReader
from leeward_masking.sources.folder import (
    describe_folder,
    files_in,
    folder_size,
    is_folder,
    open_file,
)
from leeward_masking.sources.partsource import check_part, manifest_in, open_part
from leeward_masking.sources.readers import flat, reader_of
from leeward_masking.sources.text.structure import LINE_FEED
from leeward_masking.sources.text.textstream import is_divisible
from leeward_masking.storage.content import Content, check_digest, empty, open_content
from leeward_masking.storage.places import storage_of
from leeward_masking.storage.ranges import Print, RangeContent, RangeHasher, header_print
from leeward_masking.values.nesting import Layout

SHARDS_PER_WORKER: Final = 8
"""So that at the end no worker waits long for another one."""
MIN_SHARD: Final = 8 << 20
MAX_SHARD: Final = 512 << 20
"""Bytes of a shard: what is lost at most where a worker dies."""
_READ: Final = 4 << 20
_NO_QUOTE: Final = 0xFF
"""A byte that UTF-8 does not have: line ends in texts of JSON are escaped."""


def shard_size(size: int, workers: int, least: int = MIN_SHARD) -> int:
    """Bytes of the shards of a source of ``size`` bytes."""
    return max(least, min(MAX_SHARD, -(-size // (workers * SHARDS_PER_WORKER))))


@dataclass(frozen=True, slots=True)
class Shard:
    """Some of the rows of a source.

    Attributes:
        number: From 0, in the order of the rows.
        file: Number of the file that they are in.
        ranges: What is read of it.
        groups: Row groups of Parquet, first and behind the last.
        first_row: Number of the first row in its file; None: it takes counting.
        size: Bytes.
        total: Bytes of all shards, about.
    """

    number: int
    file: int
    ranges: tuple[tuple[int, int], ...]
    groups: tuple[int, int] | None
    first_row: int | None
    size: int
    total: int

    def plain(self) -> dict[str, Any]:
        """As it stands in JSON."""
        return {
            "number": self.number,
            "file": self.file,
            "ranges": [list(each) for each in self.ranges],
            "groups": self.groups and list(self.groups),
            "firstRow": self.first_row,
            "size": self.size,
            "total": self.total,
        }

    @classmethod
    def of(cls, plain: dict[str, Any]) -> "Shard":
        """From JSON."""
        return cls(
            number=plain["number"],
            file=plain["file"],
            ranges=tuple((start, end) for start, end in plain["ranges"]),
            groups=tuple(plain["groups"]) if plain["groups"] else None,
            first_row=plain["firstRow"],
            size=plain["size"],
            total=plain["total"],
        )


class SourceFiles:
    """The files of a source: one, or the parts that its manifest names.

    Raises:
        JobError: The source cannot be opened.
    """

    def __init__(self, config: SourceFile, keys: Sequence[Unwrapper] | None) -> None:
        self.config = config
        self._keys = keys
        self._manifest: PartsManifest | None = None
        self._names = files_in(config) if is_folder(config) else []
        self._found: dict[str, ResultFile] = {}
        if self._names:
            self.size = folder_size(config) or 0
            return
        with self._open_itself() as content:
            self._manifest = manifest_in(content)
            self.size = content.size
        if self._manifest is not None:
            self.size = self._manifest.part_bytes

    @property
    def count(self) -> int:
        """How many there are."""
        if self._names:
            return len(self._names)
        return 1 if self._manifest is None else len(self._manifest.parts)

    def name(self, number: int) -> str:
        """What one of them is called in errors; empty where it is the only one."""
        if self._manifest is not None:
            return self._manifest.parts[number].name
        return self._names[number] if self._names else ""

    @cached_property
    def layout(self) -> Layout:
        """How columns of the source are made flat."""
        with self.open(0) as content:
            return reader_of(self.config, content, self.config.columns).layout

    @contextmanager
    def open(self, number: int) -> Iterator[Content]:
        """Open one of them."""
        if self._names:
            with open_file(self.config, self._names[number]) as content:
                yield content
        elif self._manifest is None:
            with self._open_itself() as content:
                yield content
        else:
            folder = Path(parts_folder(Path(self.config.path)))
            part = self._manifest.parts[number]
            with open_part(storage_of(self.config.store), self._manifest, folder, part) as content:
                yield content

    def check(self, number: int, found: ResultFile) -> ResultFile:
        """Hold one file, which was read to its end, to what it should be; says what the source is.

        Raises:
            JobError: ``SourceChanged``.
        """
        if self._names:
            self._found[self._names[number]] = found
            folder = describe_folder(self.config, self._found)
            if len(self._found) == len(self._names):
                check_digest(folder, self.config.digest)
            return folder
        if self._manifest is None:
            check_digest(found, self.config.digest)
            return found
        check_part(self._manifest.parts[number], found)
        with self._open_itself() as content:
            whole = content.describe()
        check_digest(whole, self.config.digest)
        return whole.model_copy(update={"bytes": whole.bytes + self._manifest.part_bytes})

    def _open_itself(self) -> AbstractContextManager[Content]:
        return open_content(storage_of(self.config.store), self.config.path, self._keys)


class Survey:
    """Reads a source once, says into which shards it falls, and takes all digests.

    Args:
        files: The source.
        target: Bytes of a shard.
        found: Told of every shard, as soon as it is known.
        progress: Asked whether to stop.
    """

    def __init__(
        self, files: SourceFiles, target: int, found: Callable[[Shard], None], progress: Told
    ) -> None:
        self._files = files
        self._target = target
        self._found = found
        self._progress = progress
        self.shards: list[Shard] = []
        self.prints: list[Print] = []

    def run(self) -> ResultFile:
        """Do it; what the source is.

        Raises:
            JobError: It cannot be read, or is not the one that admission looked at.
        """
        whole: ResultFile | None = None
        for number in range(self._files.count):
            with in_file(self._files.name(number)), self._files.open(number) as content:
                if self._files.config.format == "Parquet":
                    self._parquet(number, content)
                else:
                    self._text(number, content)
                found = content.describe()
            whole = self._files.check(number, found)
        if whole is None or not self.shards:
            raise empty("has columns and no rows")
        return whole

    def _parquet(self, number: int, content: Content) -> None:
        reader = ParquetReader(content, self._files.config.columns)
        cuts = {content.size - len(reader.footer), content.size}
        row = 1
        for first, last in _bunches(reader.row_groups, self._target):
            groups = reader.row_groups[first:last]
            begin, end = groups[0].start, groups[-1].end
            cuts |= {begin, end}
            self._add(number, ((begin, end),), (first, last), row, end - begin)
            row += sum(group.rows for group in groups)
        if content.core_header is not None:
            self.prints.append(header_print(number, content.core_header))
            return
        hasher = RangeHasher(number)
        left = sorted(cuts)
        position = 0
        while data := content.read(_READ):
            self._progress.check()
            position += len(data)
            hasher.take(data, [cut for cut in left if cut <= position])
            left = [cut for cut in left if cut > position]
        self.prints.extend(hasher.prints)

    def _text(self, number: int, content: Content) -> None:
        quote, has_header = _text_form(self._files.config)
        options = self._files.config.csv
        if self._files.config.format == "ArrowIPC" or not is_divisible(content, options):
            # One shard: where a record begins is known only to who reads all before it, and the
            # dictionaries of an Arrow file may stand anywhere.
            has_header, self._target = False, max(self._target, content.size)
        cutter = RecordCutter(quote, 0 if has_header else self._target)
        hasher = RangeHasher(number)
        head: int | None = None if has_header else 0
        begin = position = 0
        while data := content.read(_READ):
            self._progress.check()
            position += len(data)
            cuts = cutter.take(data, self._target)
            if position == content.size and (not cuts or cuts[-1] < position):
                cuts.append(position)
            hasher.take(data, cuts)
            for cut in cuts:
                if head is None:
                    head = cut
                else:
                    self._add_records(number, head, begin, cut)
                begin = cut
        if content.core_header is not None:
            self.prints.append(header_print(number, content.core_header))
        else:
            self.prints.extend(hasher.prints)

    def _add_records(self, number: int, head: int, begin: int, end: int) -> None:
        ranges = ((0, head), (begin, end)) if head else ((begin, end),)
        first = 1 if begin == head else None
        self._add(number, ranges, None, first, end - begin)

    def _add(
        self,
        file: int,
        ranges: tuple[tuple[int, int], ...],
        groups: tuple[int, int] | None,
        first_row: int | None,
        size: int,
    ) -> None:
        number = len(self.shards)
        shard = Shard(number, file, ranges, groups, first_row, size, self._files.size)
        self.shards.append(shard)
        self._found(shard)


def _text_form(config: SourceFile) -> tuple[int, bool]:
    """The quote inside of which line ends do not count, and whether there is a header."""
    if config.format == "JSONL":
        return _NO_QUOTE, False
    options = config.csv or CsvOptions()
    return ord(options.quote), options.header


class RecordCutter:
    """Finds ends of records in text that goes by: line feeds with an even number of quotes before.

    Args:
        quote: The quote, one byte.
        first: Bytes after which the first record that ends is wanted.
    """

    def __init__(self, quote: int, first: int) -> None:
        self._quote = bytes((quote,))
        self._wanted = first
        self._position = 0
        self._odd = 0

    def take(self, data: bytes, target: int) -> list[int]:
        """The next bytes; ends of records in them, at least ``target`` bytes apart."""
        begin, self._position = self._position, self._position + len(data)
        odd, self._odd = self._odd, (self._odd + data.count(self._quote)) & 1
        if self._wanted >= self._position:
            return []
        block = np.frombuffer(data, np.uint8)
        inside = (np.cumsum(block == self._quote[0]) + odd) & 1
        ends = np.flatnonzero((block == LINE_FEED) & (inside == 0)) + 1 + begin
        cuts: list[int] = []
        while True:
            place = int(np.searchsorted(ends, self._wanted))
            if place == len(ends):
                return cuts
            cuts.append(int(ends[place]))
            self._wanted = cuts[-1] + target


@contextmanager
def open_shard(
    files: SourceFiles, shard: Shard, first_row: int
) -> Iterator[tuple[PlacedReader, Callable[[], list[Print]]]]:
    """The rows of a shard, and, once they are read, what was read.

    Args:
        files: The source.
        shard: Which of its rows.
        first_row: Number of the first one in its file, in errors.

    Raises:
        JobError: The file cannot be opened.
    """
    config = files.config
    begin = Place(first_row, files.name(shard.file))
    with files.open(shard.file) as content:
        ranges = RangeContent(content, shard.file, shard.ranges)
        footers: list[Print] = []

        def prints() -> list[Print]:
            with in_file(begin.file):
                return [*ranges.prints(), *footers]

        if shard.groups is None:
            yield reader_of(config, ranges, config.columns, begin=begin), prints
            return
        with in_file(begin.file):
            table = ParquetReader(ranges, config.columns, groups=range(*shard.groups))
        if content.core_header is None:
            start = content.size - len(table.footer)
            footers.append(Print.of(shard.file, start, table.footer))
        yield flat(config, table, begin), prints


def rows_before(files: SourceFiles, shard: Shard) -> int:
    """Count the rows of the file before a shard of text; only errors need that."""
    with files.open(shard.file) as content:
        before = RangeContent(content, shard.file, ((0, shard.ranges[-1][0]),))
        return sum(block.height for block in reader_of(files.config, before, None).blocks())


def _bunches(groups: Sequence[RowGroup], target: int) -> Iterator[tuple[int, int]]:
    """Row groups taken together until they have ``target`` bytes; those without rows go along."""
    first = size = rows = 0
    for number, group in enumerate(groups, 1):
        size += group.end - group.start
        rows += group.rows
        if rows and size >= target:
            yield first, number
            first, size, rows = number, 0, 0
    if rows:
        yield first, len(groups)
