"""``leeward seal``, ``open``, ``inspect``, ``keys generate``: files on this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from leeward.cli.errors import CliError, UsageError
from leeward.cli.keyfiles import naming, opening_keys, public_keys, sealing_keys
from leeward.cli.options import RowsFormat
from leeward.cli.output import byte_size, counted, print_json, print_raw
from leeward.cli.session import Session
from leeward.formats.sealed import (
    HpkePrivateKey,
    SealedInfo,
    digest_file,
    inspect_file,
    open_file,
    open_stream,
    seal_file,
    seal_stream,
)

STDIO: Final = Path("-")
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
    recipients = [*public_keys(to), *sealing_keys(keys)]
    if not recipients:
        raise UsageError(
            "nobody could open the file: no key is given",
            "name one: --to dataset.pem, from `leeward dataset public-key NAME > dataset.pem`",
        )
    _check_source(source)
    if target is None:
        target = STDIO if source == STDIO else source.with_name(source.name + SUFFIX)
    if target == STDIO and session.stdout.isatty():
        raise UsageError("a sealed file does not go to a terminal", "name a file with --output")
    _check_target(target, force)
    with naming(_name(source)):
        if STDIO in (source, target):
            info = _through_streams(
                session, source, target, lambda i, o: seal_stream(i, o, recipients)
            )
        else:
            info = seal_file(source, target, recipients, overwrite=force)
    size, readers = byte_size(info.plaintext_size), counted(len(recipients), "recipient")
    session.err.print(
        f"sealed {_name(source)} as {_name(target)}: {size}, {readers}, file id"
        f" {info.file_id.hex()}"
    )


def open_with(
    session: Session, source: Path, target: Path | None, keys: Sequence[Path], *, force: bool
) -> None:
    """Open a sealed file or standard input.

    Raises:
        UsageError: No key, or no name for the opened file.
        CliError: The file is damaged, no key fits, or the target exists.
    """
    unwrappers = opening_keys(keys)
    if not unwrappers:
        raise UsageError("no key is given", "name one: --key alice.key or --key keyset.json")
    _check_source(source)
    if target is None:
        target = _opened_name(source)
    _check_target(target, force)
    with naming(_name(source)):
        if STDIO in (source, target):
            info = _through_streams(
                session, source, target, lambda i, o: open_stream(i, o, unwrappers)
            )
        else:
            info = open_file(source, target, unwrappers, overwrite=force)
    session.err.print(
        f"opened {_name(source)} as {_name(target)}: {byte_size(info.plaintext_size)}"
    )


def _check_source(source: Path) -> None:
    if source != STDIO and source.is_dir():
        raise CliError(f"{source} is a folder", "name a file in it")


def _check_target(target: Path, force: bool) -> None:
    if target == STDIO:
        return
    _check_folder(target)
    if target.is_dir():
        raise CliError(f"{target} is a folder", "name a file in it with --output")
    if os.path.lexists(target) and not force:
        raise CliError(
            f"{target} exists already",
            "say --force to write over it, or name another file with --output",
        )


def _check_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise CliError(f"there is no folder {path.parent}", "make it first, or name another one")


def _opened_name(source: Path) -> Path:
    if source == STDIO:
        return STDIO
    if source.suffix != SUFFIX:
        raise UsageError(
            f"{source.name} does not end in {SUFFIX}, so the opened file has no name",
            "name it with --output",
        )
    return source.with_suffix("")


def _through_streams(session: Session, source: Path, target: Path, work: Any) -> SealedInfo:
    """Do the work where at least one end is a stream; a file that is left half written goes."""
    reader = session.stdin if source == STDIO else source.open("rb")
    with reader if source != STDIO else _Kept(reader) as opened:
        if target == STDIO:
            info: SealedInfo = work(opened, session.stdout)
            session.stdout.flush()
            return info
        return _into_new_file(session, target, lambda file: work(opened, file))


def _into_new_file(session: Session, target: Path, work: Any) -> SealedInfo:
    temporary = target.with_name(f".{target.name}.{session.random(8).hex()}.part")
    number = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(number, "wb") as file:
            info: SealedInfo = work(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return info


class _Kept:
    """A stream of this process, which a ``with`` block must not close."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __enter__(self) -> Any:
        return self._stream

    def __exit__(self, *_: object) -> None:
        """Leave it open."""


def show_info(
    session: Session, files: Sequence[Path], *, with_digest: bool, output: RowsFormat
) -> None:
    """Print what sealed files tell without a key.

    Raises:
        CliError: A file is no sealed one, or is damaged so that it shows without a key.
    """
    found = []
    for path in files:
        with naming(path):
            found.append(_document(path, inspect_file(path), with_digest))
    if output is RowsFormat.JSON:
        print_json(session.out, found if len(found) > 1 else found[0])
        return
    for document in found:
        width = max(map(len, document)) + 2
        for label, value in document.items():
            values = value if isinstance(value, list) else [value]
            for index, each in enumerate(values):
                head = label if index == 0 else ""
                print_raw(session.out, f"{head:<{width}}{each}")
    print_raw(session.err, "read without a key: none of this is proven until the file is opened")


def _document(path: Path, info: SealedInfo, with_digest: bool) -> dict[str, Any]:
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


def generate_pair(session: Session, out: Path) -> None:
    """Write a new X25519 pair: NAME.key, for its owner only, and NAME.pub.pem.

    Raises:
        CliError: One of the files exists, or their folder does not.
    """
    if not out.name:
        raise UsageError(f"{out} is no name for two files", "name them, as in --output alice")
    _check_folder(out)
    private, public = out.with_name(out.name + ".key"), out.with_name(out.name + ".pub.pem")
    for path in (private, public):
        if path.exists():
            raise CliError(f"{path} exists already", "choose another name: keys are not replaced")
    pair = HpkePrivateKey.generate(session.random)
    number = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "wb") as file:
        file.write(pair.to_pem())
    public.write_bytes(pair.public_key.to_pem())
    session.err.print(f"wrote {private} (keep it secret) and {public} (give it to who seals)")


def _name(path: Path) -> str:
    return "the stream" if path == STDIO else str(path)
