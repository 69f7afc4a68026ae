"""``leeward rewrap``: other recipients for sealed files on this machine, or other data keys."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from leeward.cli.errors import CliError, UsageError
from leeward.cli.keyfiles import naming, opening_keys, public_keys, sealing_keys
from leeward.cli.localfiles import check_regular, print_failure, shown, writing_to
from leeward.cli.output import counted, print_raw
from leeward.cli.passphrase import Passphrases
from leeward.cli.session import Session
from leeward.formats.partfiles import reencrypt_dataset
from leeward.formats.sealed import (
    NoKeyForFile,
    Recipient,
    SealedError,
    SealedInfo,
    Unwrapper,
    inspect_file,
    rewrap_file,
    unlock_file,
)
from leeward.formats.sealed.keys import UnwrapError
from leeward.formats.sealed.layout import RecipientEntry

_HEADERS_AT_ONCE: Final = 32
"""They wait for the disk, four times each, and disks serve many that wait at once."""


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


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of a file.

    Attributes:
        before: It was done before, and nothing was written.
        links: Other names under which it stays as it was.
        inode: That of these.
    """

    before: bool = False
    links: int = 0
    inode: int = 0


def rewrap_files(session: Session, request: RewrapRequest, passphrases: Passphrases) -> None:
    """Do it to all of them; a file that fails stays as it was, and the others go on.

    Run again after an interruption, it does what is left: a file is taken for done where a given
    key of the new recipients opens it, never on the word of its header alone.

    Raises:
        UsageError: No key, or nobody to seal to.
        CliError: Some files failed; each is named on standard error.
    """
    recipients = [*public_keys(session, request.to), *sealing_keys(session, request.to_keys)]
    keys = opening_keys(session, request.keys, passphrases)
    if not keys:
        raise UsageError("no key is given that opens the files", "name one: --key alice.key")
    if not recipients:
        raise UsageError(
            "nobody could open the files: no key is given to seal them to",
            "name one: --to bob.pub.pem or --to-key keyset.json",
        )
    change = _Change(recipients, keys, opening_keys(session, request.to_keys, passphrases))
    work = change.reencrypt if request.reencrypt else change.rewrap
    at_once = (os.cpu_count() or 1) if request.reencrypt else _HEADERS_AT_ONCE
    files = _once_each(request.files, by_name=request.reencrypt)
    outcomes = _all(session, files, work, at_once)
    before = sum(outcome.before for outcome in outcomes)
    what = "encrypted anew" if request.reencrypt else "rewrapped"
    done = counted(len(outcomes) - before, "file")
    rest = f"; {counted(before, 'file')} done before" if before else ""
    session.err.print(f"{what}: {done}, to {counted(len(recipients), 'key')}{rest}")
    if len(outcomes) < len(files):
        raise CliError(
            f"{len(files) - len(outcomes)} of {counted(len(files), 'file')} stayed as they were",
            "see above why; run it again when that is put right",
        )


def _once_each(files: Sequence[Path], *, by_name: bool) -> list[Path]:
    """Without those that name a file for a second time.

    Args:
        files: As they were given.
        by_name: Hard links are files of their own, since each name gets a new file.
    """
    found: dict[object, Path] = {}
    for path in files:
        try:
            status = path.stat()
        except OSError:
            found.setdefault(path, path)
            continue
        same = path.resolve() if by_name else (status.st_dev, status.st_ino)
        found.setdefault(same, path)
    return list(found.values())


def _all(
    session: Session, files: Sequence[Path], work: Callable[[Path], _Outcome], at_once: int
) -> list[_Outcome]:
    """What became of each file that did not fail."""
    outcomes: list[_Outcome] = []
    with ThreadPoolExecutor(min(at_once, max(1, len(files)))) as pool:
        waiting: dict[Future[_Outcome], Path] = {pool.submit(work, path): path for path in files}
        try:
            for future in as_completed(waiting):
                path = waiting[future]
                try:
                    outcome = future.result()
                except (CliError, OSError) as error:
                    print_failure(session, path, error)
                    continue
                outcomes.append(outcome)
                if outcome.before:
                    print_raw(session.err, f"{shown(path)}: was done before")
                if outcome.links:
                    print_raw(
                        session.err,
                        f"{shown(path)}: warning: the old file, with the old data key, stays under"
                        f" {counted(outcome.links, 'other name')} (hard links): look for them with"
                        f" find -inum {outcome.inode}, and delete them or rewrap them, too",
                    )
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return outcomes


class _Change:
    """From some keys to others, file by file; for use by several threads."""

    def __init__(
        self,
        recipients: Sequence[Recipient],
        keys: Sequence[Unwrapper],
        to_keys: Sequence[Unwrapper],
    ) -> None:
        """Sort the keys.

        Args:
            recipients: Who shall open the files from now on.
            keys: What opens them.
            to_keys: Keys of recipients that open as well.
        """
        with naming("--to"):
            entries = [each.wrap(bytes(32), bytes(16), os.urandom) for each in recipients]
        new = [key for key in keys if any(_opens(key, entry) for entry in entries)]
        self._recipients = recipients
        self._key_ids = sorted(entry.key_id for entry in entries)
        self._proofs = [*new, *to_keys]
        self._keys = [*keys, *to_keys]
        self._leaves_a_key = len(new) < len(keys)

    def rewrap(self, path: Path) -> _Outcome:
        """Write the header anew, unless it was."""
        check_regular(path)
        if self._proven(path) is not None:
            return _Outcome(before=True)
        with naming(path):
            try:
                rewrap_file(path, self._keys, self._recipients)
            except NoKeyForFile as error:
                self._refuse(path, error)
        return _Outcome()

    def reencrypt(self, path: Path) -> _Outcome:
        """Write all of it anew, unless it was.

        A file that was encrypted anew has generation 1, as every new one; one that was only
        rewrapped has a later one, and the data key that the former keys opened. Where no former
        key is given, it is the data key alone that is to be another.
        """
        check_regular(path)
        info = self._proven(path) if self._leaves_a_key else None
        if info is not None and info.generation == 1:
            return _Outcome(before=True)
        # The new file takes the place of the old one, not that of a link to it.
        real = path.resolve()
        status = real.stat()
        with naming(path), writing_to(path):
            try:
                reencrypt_dataset(real, self._keys, self._recipients)
            except NoKeyForFile as error:
                self._refuse(path, error)
        return _Outcome(links=status.st_nlink - 1, inode=status.st_ino)

    def _proven(self, path: Path) -> SealedInfo | None:
        """What a file says that is sealed to just the new recipients, one of whose keys opens it.

        None also where the file is damaged: the work itself says how.
        """
        if not self._proofs:
            return None
        try:
            info = unlock_file(path, self._proofs)
        except SealedError:
            return None
        return info if self._is_for_new(info) and not info.rewrap_interrupted else None

    def _refuse(self, path: Path, error: NoKeyForFile) -> NoReturn:
        if not self._is_for_new(inspect_file(path)):
            raise error
        raise CliError(
            f"{path}: {error}",
            "by its header, which proves nothing, this was done before: name the private key of a"
            " new recipient with --key, too, to make sure",
        ) from None

    def _is_for_new(self, info: SealedInfo) -> bool:
        return sorted(recipient.key_id for recipient in info.recipients) == self._key_ids


def _opens(key: Unwrapper, entry: RecipientEntry) -> bool:
    """Whether the key opens an entry of the file with id zero."""
    try:
        return key.unwrap(entry, bytes(16)) is not None
    except UnwrapError:
        return False
