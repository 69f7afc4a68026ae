"""``leeward seal``, ``open``, ``inspect``: sealed files on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from leeward.cli.errors import CliError, UsageError
from leeward.cli.keyfiles import naming, opening_keys, public_keys, sealing_keys
from leeward.cli.localfiles import (
    STDIO,
    check_regular,
    check_source,
    check_target,
    into_new_file,
    print_failure,
    reading,
    shown,
    writing_to,
)
from leeward.cli.options import RowsFormat
from leeward.cli.output import (
    byte_size,
    counted,
    print_json,
    print_raw,
    printable,
)
from leeward.cli.passphrase import Passphrases
from leeward.cli.session import Session
from leeward.formats.partfiles import open_parts, read_manifest
from leeward.formats.parts import MAGIC, PartsManifest
from leeward.formats.sealed import (
    SealedInfo,
    digest_file,
    inspect_file,
    open_file,
    open_stream,
    seal_file,
    seal_stream,
)
from leeward.formats.sealed.streams import ByteTarget

SUFFIX: Final = ".lwe1"


def seal_to(
    session: Session,
    source: Path,
    target: Path | None,
    to: Sequence[Path],
    keys: Sequence[Path],
    *,
    force: bool,
) -> None:
    """Seal a file or standard input.

    Raises:
        UsageError: Nobody is named who shall open it.
        CliError: The target exists, or a key file is none.
    """
    recipients = [*public_keys(session, to), *sealing_keys(session, keys)]
    if not recipients:
        raise UsageError(
            "nobody could open the file: no key is given",
            "name one: --to dataset.pem, from `leeward dataset public-key NAME > dataset.pem`",
        )
    check_source(source)
    if target is None:
        target = STDIO if source == STDIO else source.with_name(source.name + SUFFIX)
    if target == STDIO and session.stdout.isatty():
        raise UsageError("a sealed file does not go to a terminal", "name a file with --output")
    check_target(target, force=force, source=source)
    with naming(shown(source)), writing_to(target):
        if STDIO in (source, target):
            info = _through_streams(
                session, source, target, lambda i, o: seal_stream(i, o, recipients)
            )
        else:
            info = seal_file(source, target, recipients, overwrite=force)
    size, readers = byte_size(info.plaintext_size), counted(len(recipients), "recipient")
    session.err.print(
        f"sealed {shown(source)} as {shown(target)}: {size}, {readers}, file id"
        f" {info.file_id.hex()}"
    )


def open_with(
    session: Session,
    source: Path,
    target: Path | None,
    keys: Sequence[Path],
    passphrases: Passphrases,
    *,
    force: bool,
) -> None:
    """Open a sealed file or standard input.

    Raises:
        UsageError: No key, or no name for the opened file.
        CliError: The file is damaged, no key fits, or the target exists.
    """
    unwrappers = opening_keys(session, keys, passphrases)
    if not unwrappers:
        raise UsageError("no key is given", "name one: --key alice.key or --key keyset.json")
    check_source(source)
    if target is None:
        target = _opened_name(source)
    check_target(target, force=force, source=source)
    with naming(shown(source)), writing_to(target):
        manifest = None if source == STDIO else read_manifest(source, unwrappers)
        if manifest is not None:
            _open_parts(session, source, manifest, target)
            return
        if STDIO in (source, target):
            info = _through_streams(
                session, source, target, lambda i, o: open_stream(i, _RowsOnly(o), unwrappers)
            )
        else:
            info = open_file(source, target, unwrappers, overwrite=force)
    session.err.print(
        f"opened {shown(source)} as {shown(target)}: {byte_size(info.plaintext_size)}"
    )


def _open_parts(session: Session, source: Path, manifest: PartsManifest, target: Path) -> None:
    if target == STDIO:
        raise UsageError(
            f"the rows of {source.name} stand in {counted(len(manifest.parts), 'file')}, which do"
            " not fit on standard output",
            "name a folder for them with --output",
        )
    opened = open_parts(source, manifest, target)
    rows = counted(sum(part.rows for part in manifest.parts), "row")
    session.err.print(
        f"opened {shown(source)} as {counted(len(opened), 'file')} in {shown(target)}: {rows}"
    )


class _RowsOnly:
    """A target that takes no manifest of parts: it holds a key, and its parts are elsewhere."""

    def __init__(self, target: ByteTarget) -> None:
        self._target = target
        self._begun = False

    def write(self, data: memoryview | bytes, /) -> int | None:
        if not self._begun and bytes(data[: len(MAGIC)]) == MAGIC:
            raise UsageError(
                "the rows stand in files beside the one that was given on standard input",
                "name the file itself",
            )
        self._begun = True
        return self._target.write(data)


def _opened_name(source: Path) -> Path:
    if source == STDIO:
        return STDIO
    if source.suffix != SUFFIX:
        raise UsageError(
            f"{source.name} does not end in {SUFFIX}, so the opened file has no name",
            "name it with --output",
        )
    return source.with_suffix("")


def _through_streams(
    session: Session, source: Path, target: Path, work: Callable[[Any, Any], SealedInfo]
) -> SealedInfo:
    """Do the work where at least one end is a stream; a file that is left half written goes."""
    with reading(session, source) as opened:
        if target == STDIO:
            info = work(opened, session.stdout)
            session.stdout.flush()
            return info
        return into_new_file(session, target, lambda file: work(opened, file))


def show_info(
    session: Session, files: Sequence[Path], *, with_digest: bool, output: RowsFormat
) -> None:
    """Print what sealed files tell without a key.

    A file that fails is named, and the others are shown.

    Raises:
        CliError: A file is no sealed one, or is damaged so that it shows without a key.
    """
    if len(files) == 1:
        found = [_document(files[0], with_digest)]
    else:
        found = list(_documents(session, files, with_digest))
    if output is RowsFormat.JSON:
        print_json(session.out, found if len(files) > 1 else found[0])
    else:
        for document in found:
            _print_document(session, document)
        if found:
            print_raw(
                session.err, "read without a key: none of this is proven until the file is opened"
            )
    if len(found) < len(files):
        raise CliError(
            f"{len(files) - len(found)} of {len(files)} files could not be looked at",
            "see above why",
        )


def _documents(
    session: Session, files: Sequence[Path], with_digest: bool
) -> Iterator[dict[str, Any]]:
    for path in files:
        try:
            yield _document(path, with_digest)
        except (CliError, OSError) as error:
            print_failure(session, path, error)


def _print_document(session: Session, document: dict[str, Any]) -> None:
    width = max(map(len, document)) + 2
    for label, value in document.items():
        values = value if isinstance(value, list) else [value]
        for index, each in enumerate(values):
            head = label if index == 0 else ""
            print_raw(session.out, f"{head:<{width}}{printable(str(each))}")


def _document(path: Path, with_digest: bool) -> dict[str, Any]:
    check_regular(path)
    with naming(path):
        return _told(path, inspect_file(path), with_digest)


def _told(path: Path, info: SealedInfo, with_digest: bool) -> dict[str, Any]:
    document: dict[str, Any] = {
        "file": str(path),
        "format": "LWE1",
        "algorithm": info.algorithm,
        "fileId": info.file_id.hex(),
        "plaintextBytes": info.plaintext_size,
        "chunkBytes": info.chunk_size,
        "generation": info.generation,
        "recipients": [f"{r.kind} {r.key_id.hex()}" for r in info.recipients],
    }
    if info.manifest_id is not None:
        document["manifestId"] = info.manifest_id.hex()
    if info.rewrap_interrupted:
        document["rewrap"] = "interrupted: run it again"
    if with_digest:
        document["digest"] = f"sha256:{digest_file(path).hex()}"
    return document
