"""``leeward rewrap``: other recipients for sealed files on this machine, or other data keys."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from leeward.cli.errors import CliError, UsageError
from leeward.cli.keyfiles import naming, opening_keys, public_keys, sealing_keys
from leeward.cli.localfiles import check_source, writing_to
from leeward.cli.output import counted, print_raw
from leeward.cli.passphrase import Passphrases
from leeward.cli.session import Session
from leeward.formats.sealed import (
    NoKeyForFile,
    Recipient,
    Unwrapper,
    inspect_file,
    reencrypt_file,
    rewrap_file,
)

_HEADERS_AT_ONCE: Final = 32
"""They wait for the disk, four times each, and disks serve many that wait at once."""

State = Literal["done", "was done"]


@dataclass(frozen=True, slots=True)
class RewrapRequest:
    """What is to be done to each file.

    Attributes:
        files: The sealed files.
        keys: Key files that open them.
        to: PEM files of who shall open them from now on.
        to_keys: The same, keyset.json files.
        reencrypt: Under another data key, not by the header alone.
    """

    files: Sequence[Path]
    keys: Sequence[Path]
    to: Sequence[Path]
    to_keys: Sequence[Path]
    reencrypt: bool


def rewrap_files(session: Session, request: RewrapRequest, passphrases: Passphrases) -> None:
    """Do it to all of them; a file that fails stays as it was, and the others go on.

    Run again after an interruption, it does what is left: a file that is sealed to the new
    recipients alone, and that no key opens which was given, is taken for done.

    Raises:
        UsageError: No key, or nobody to seal to.
        CliError: Some files failed; each is named on standard error.
    """
    recipients = [*public_keys(session, request.to), *sealing_keys(session, request.to_keys)]
    unwrappers = opening_keys(session, request.keys, passphrases)
    if not unwrappers:
        raise UsageError("no key is given that opens the files", "name one: --key alice.key")
    if not recipients:
        raise UsageError(
            "nobody could open the files: no key is given to seal them to",
            "name one: --to bob.pub.pem or --to-key keyset.json",
        )
    work = _reencrypted if request.reencrypt else _rewrapped
    at_once = (os.cpu_count() or 1) if request.reencrypt else _HEADERS_AT_ONCE
    done, failed = _all(
        session, request.files, lambda path: work(path, unwrappers, recipients), at_once
    )
    what = "encrypted anew" if request.reencrypt else "rewrapped"
    session.err.print(f"{what}: {counted(done, 'file')}, to {counted(len(recipients), 'key')}")
    if failed:
        raise CliError(
            f"{failed} of {counted(len(request.files), 'file')} stayed as they were",
            "see above why; run it again when that is put right",
        )


def _all(
    session: Session, files: Sequence[Path], work: Callable[[Path], State], at_once: int
) -> tuple[int, int]:
    """How many were done, and how many failed."""
    failed = 0
    with ThreadPoolExecutor(min(at_once, max(1, len(files)))) as pool:
        waiting: dict[Future[State], Path] = {pool.submit(work, path): path for path in files}
        try:
            for future in as_completed(waiting):
                path = waiting[future]
                try:
                    state = future.result()
                except CliError as error:
                    failed += 1
                    print_raw(session.err, f"{error.message}: {error.remedy}".rstrip(": "))
                except OSError as error:
                    failed += 1
                    print_raw(session.err, f"{path}: {error.strerror or type(error).__name__}")
                else:
                    if state == "was done":
                        print_raw(session.err, f"{path}: was done before")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return len(files) - failed, failed


def _rewrapped(path: Path, keys: Sequence[Unwrapper], recipients: Sequence[Recipient]) -> State:
    check_source(path)
    with naming(path):
        try:
            rewrap_file(path, keys, recipients)
        except NoKeyForFile:
            if not _is_for(path, recipients):
                raise
            return "was done"
    return "done"


def _reencrypted(path: Path, keys: Sequence[Unwrapper], recipients: Sequence[Recipient]) -> State:
    check_source(path)
    with naming(path), writing_to(path):
        try:
            reencrypt_file(path, keys, recipients)
        except NoKeyForFile:
            if not _is_for(path, recipients):
                raise
            return "was done"
    return "done"


def _is_for(path: Path, recipients: Sequence[Recipient]) -> bool:
    """Whether the file says that it is sealed to just these."""
    info = inspect_file(path)
    entries = (each.wrap(bytes(32), info.file_id, os.urandom) for each in recipients)
    return {entry.key_id for entry in entries} == {r.key_id for r in info.recipients}
