"""Text that is packed, or written, in other ways than plain UTF-8."""

import gzip
import random
from collections.abc import Callable

import pytest
import zstandard

from leeward.api.csvoptions import CsvOptions
from leeward_masking.errors import JobError
from leeward_masking.sources.text.csvescapes import UnescapedStream
from leeward_masking.sources.text.decompression import DecompressedStream
from leeward_masking.sources.text.structure import Dialect, without_comments
from unit.masking.support import Volume, keep

SECRET = "SECRET-Žofie"
CSV = f"id,name\n1,{SECRET}\n2,\n".encode()
JSONL = b'{"id":1,"name":"x"}\n{"id":2,"name":null}\n'
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "gzip of two members": lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:]),
    "zstd": zstandard.ZstdCompressor().compress,
    "zstd of two frames": lambda data: (
        zstandard.ZstdCompressor().compress(data[:9])
        + zstandard.ZstdCompressor().compress(data[9:])
    ),
}


class Bytes:
    """A stream of some bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._done = 0

    def read(self, size: int) -> bytes:
        data = self._data[self._done : self._done + size]
        self._done += len(data)
        return data

    def position(self) -> tuple[int, int]:
        return self._done, len(self._data)


def failure(volume: Volume, name: str, data: bytes, csv: CsvOptions | None = None) -> JobError:
    with pytest.raises(JobError) as caught:
        volume.inspect(volume.write(name, data), csv=csv)
    assert SECRET not in caught.value.result().model_dump_json()
    return caught.value


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
@pytest.mark.parametrize("pack", PACK)
@pytest.mark.parametrize(("name", "data"), [("a.csv", CSV), ("a.jsonl", JSONL)])
def test_compressed_text_is_read(
    volume: Volume, name: str, data: bytes, pack: str, sealed: bool
) -> None:
    path = volume.write(name, PACK[pack](data), sealed=sealed)
    source = volume.inspect(path).source
    assert source is not None
    assert source.rows == 2
    types = {column.name: column.type for column in source.columns}
    assert types == {"id": "Integer", "name": "String"}
    digest = source.digest
    volume.mask(volume.source(path, types, digest=digest), [keep("id")])
    assert volume.masked()["id"].to_list() == [1, 2]


@pytest.mark.parametrize("pack", ["gzip", "zstd"])
@pytest.mark.parametrize("what", ["cut", "damaged", "followed by others"])
def test_compressed_text_that_is_not_whole(volume: Volume, pack: str, what: str) -> None:
    packed = PACK[pack](CSV * 1000)
    data = {
        "cut": packed[:-5],
        "damaged": packed[:-12] + bytes(12),
        "followed by others": packed + b"SECRET",
    }[what]
    error = failure(volume, "a.csv", data)
    assert error.code in ("MalformedData", "FileEmpty")
    assert "compressed source" in error.message


@pytest.mark.parametrize("pack", ["gzip", "zstd"])
def test_a_file_that_expands_out_of_all_proportion_is_refused(pack: str) -> None:
    packed = PACK[pack](bytes(64 << 20))
    stream = DecompressedStream(Bytes(packed), packed[:4], free_bytes=4 << 20)
    with pytest.raises(JobError) as caught:
        stream.read(60 << 20)
    assert caught.value.code == "TooLarge"


def test_a_frame_that_asks_for_much_memory_is_refused(volume: Volume) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=True)
    packed = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    data = packed.compress(CSV) + packed.flush()
    assert failure(volume, "a.csv", data).code == "MalformedData"


@pytest.mark.parametrize("encoding", ["Latin-1", "Windows-1252", "UTF-16", "GB18030"])
def test_encodings(volume: Volume, encoding: str) -> None:
    text = {"GB18030": "名,年\n张伟,1980-02-29\n李娜,\n"}.get(
        encoding, "name,born\nMüller,1980-02-29\nÉva,\n"
    )
    codec = {"Windows-1252": "cp1252"}.get(encoding, encoding)
    options = CsvOptions.model_validate({"encoding": encoding})
    path = volume.write("a.csv", text.encode(codec))
    source = volume.inspect(path, csv=options).source
    assert source is not None
    assert [column.type for column in source.columns] == ["String", "Date"]
    types = {column.name: column.type for column in source.columns}
    volume.mask(volume.source(path, types, csv=options), [keep(*types)])
    header, *rows = [line.split(",") for line in text.splitlines()]
    assert volume.masked().columns == header
    assert volume.masked().to_series(0).to_list() == [row[0] for row in rows]


@pytest.mark.parametrize(
    ("encoding", "data", "words"),
    [
        ("GB18030", "a\n张\n".encode("gb18030") + b"\xff\n", "line 3 is not GB18030"),
        ("Windows-1252", b"a\nx\n\x81\n", "line 3 is not Windows-1252"),
        ("UTF-16", "a\nx\n".encode("utf-16") + b"\x00\xd8\n\x00", "line 3 is not UTF-16"),
        ("UTF-16", "a\nx\n".encode("utf-16-le"), "no byte order mark"),
    ],
)
def test_bytes_that_are_not_of_the_encoding(
    volume: Volume, encoding: str, data: bytes, words: str
) -> None:
    error = failure(volume, "a.csv", data, CsvOptions.model_validate({"encoding": encoding}))
    assert error.code == "WrongEncoding"
    assert words in error.message


def test_escapes(volume: Volume) -> None:
    options = CsvOptions(escape="\\")
    path = volume.write(
        "a.csv", b'a,b\r\n"said \\"hi\\", left","x\\\\y"\r\none\\,two,"two\nlines"\r\n'
    )
    volume.mask(volume.source(path, {"a": "String", "b": "String"}, csv=options), [keep("a", "b")])
    assert volume.masked().rows() == [('said "hi", left', "x\\y"), ("one,two", "two\nlines")]


class Endless:
    """The same bytes again and again."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.given = 0

    def read(self, size: int) -> bytes:
        start = self.given % len(self._data)
        self.given += size
        return (self._data * (2 + size // len(self._data)))[start : start + size]

    def position(self) -> tuple[int, int]:
        return self.given, 1 << 40


def test_no_more_is_read_with_escapes_than_was_asked_for() -> None:
    source = Endless(b"a" * (1 << 17) + b",b\n")
    stream = UnescapedStream(source, CsvOptions(escape="\\"))
    assert len(stream.read(1 << 20)) == 1 << 20
    assert source.given <= 4 << 20


def test_a_line_without_end_is_refused_with_escapes() -> None:
    source = Endless(b"a")
    stream = UnescapedStream(source, CsvOptions(escape="\\"), max_line=2 << 20)
    with pytest.raises(JobError, match="line 1 is longer than 2 MiB"):
        stream.read(1)
    assert source.given <= 4 << 20


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'a,b\n1,"2\n3,4\n', "not closed"),
        (b"a,b\n1,2\n3\n", "row 2 has 1 field"),
        (b"a,b\n1,2\n3,\xff\n", "row 2, column 2 is not UTF-8"),
    ],
)
def test_bad_files_with_escapes(volume: Volume, data: bytes, words: str) -> None:
    assert words in failure(volume, "a.csv", data, CsvOptions(escape="\\")).message


def test_comments_are_left_out(volume: Volume) -> None:
    data = b'# by "us\n#\na,b\n1,x\n# 2,y"\n3,"z\n# no comment\n"\n#'
    path = volume.write("a.csv", data)
    options = CsvOptions(comment="#")
    source = volume.inspect(path, csv=options).source
    assert source is not None
    assert source.rows == 2
    volume.mask(volume.source(path, {"a": "Integer", "b": "String"}, csv=options), [keep("a", "b")])
    assert volume.masked().rows() == [(1, "x"), (3, "z\n# no comment\n")]


def test_comments_are_found_as_a_reader_of_lines_does() -> None:
    drawn = random.Random(3)
    for _ in range(3000):
        data = bytes(drawn.choices(b'#"\na', k=drawn.randrange(14))) + b"\n"
        expected, odd = [], 0
        for line in data.splitlines(keepends=True):
            if not odd and line.startswith(b"#"):
                continue
            expected.append(line)
            odd ^= line.count(b'"') & 1
        assert without_comments(data, Dialect(44, 34), ord("#")) == b"".join(expected), data


def test_compressed_files_are_read_in_small_pieces() -> None:
    data = b"".join(b"%d,%d\n" % (number, number * 7) for number in range(50_000))
    for pack in PACK.values():
        packed = pack(data)
        stream = DecompressedStream(Bytes(packed), packed[:4])
        pieces = []
        while piece := stream.read(1000):
            pieces.append(piece)
        assert b"".join(pieces) == data
