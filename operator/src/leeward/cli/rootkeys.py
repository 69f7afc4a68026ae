"""``leeward root-key``: export, verify, restore, rotate, status."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import typer

from leeward.cli.backuprecords import of_root_key
from leeward.cli.errors import CliError, UsageError
from leeward.cli.options import RowsFormat
from leeward.cli.output import counted, print_json, print_raw
from leeward.cli.port import Cluster
from leeward.cli.rootsecret import (
    Keysets,
    RootKeyStatus,
    annotate_root,
    create_keyring,
    created_at,
    damaged,
    find_keyring,
    replace_keyring,
    rotation_request,
    sound_keyring,
)
from leeward.cli.session import Session
from leeward.cli.shareinput import ShareInput, recover
from leeward.cli.sharepages import SharePage
from leeward.cli.shares import ShareSet, check_numbers, set_number, split
from leeward.formats.rootkey import RootKey, RootKeyring
from leeward.keystore.rootkey import FoundKeyring

_POLL: Final = 5.0
_STATUS: Final = "leeward root-key status"


def export(
    session: Session,
    cluster: Cluster,
    namespace: str,
    numbers: tuple[int, int],
    out: Path | None,
    passphrase: Callable[[], bytes],
) -> None:
    """Split the root key into shares, one file or screen each.

    Args:
        session: Of the command.
        cluster: The cluster.
        namespace: The operator's.
        numbers: How many shares, and how many of them are needed.
        out: Folder for the files; None: on the screen, one page after the other.
        passphrase: Gives the one to protect the shares with; empty: none.

    Raises:
        CliError: There is no root key to be shared now, or a file cannot be written.
    """
    check_numbers(*numbers)
    if out is None and not session.out.is_terminal:
        raise UsageError(
            "the shares would all go into one stream",
            "name a folder with --out, or run it at a terminal, which shows a page at a time",
        )
    status = RootKeyStatus.look(cluster, namespace)
    if status.rotation != "None":
        raise CliError(
            f"the root key is being rotated ({_how_far(status)}), so shares of it would open only a"
            " part of the keys",
            f"wait until it is done ({_STATUS}), then export the new one",
        )
    key, protection = status.keyring.current_key, passphrase()
    shares = split(key, *numbers, protection)
    pages = [
        SharePage(
            number=number,
            count=numbers[0],
            threshold=numbers[1],
            root_key_id=key.id,
            set_number=set_number(words),
            made_at=_rfc3339(session.clock.now()),
            installation=f"namespace {namespace} at {cluster.address}",
            with_passphrase=bool(protection),
            words=words,
        )
        for number, words in enumerate(shares, 1)
    ]
    if out is None:
        _show(session, pages)
    else:
        _write(session, pages, out)
    session.err.print(
        f"root key {key.id}: any {numbers[1]} of these {numbers[0]} shares make it again; shares of"
        " earlier exports stay valid until the root key is rotated"
    )


def _show(session: Session, pages: list[SharePage]) -> None:
    for page in pages:
        # The other screen of the terminal, which is not kept when it is left.
        with session.out.screen(hide_cursor=False):
            session.out.print(page.words_text())
            question = f"Share {page.number} of {page.count}: copy it, then press Enter"
            typer.prompt(question, default="", show_default=False, prompt_suffix=" ")


def _write(session: Session, pages: list[SharePage], out: Path) -> None:
    out.mkdir(mode=0o700, exist_ok=True)
    for page in pages:
        path = out / page.file_name
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "w", encoding="ascii") as file:
            file.write(page.text())
            file.flush()
            os.fsync(file.fileno())
        print_raw(session.out, str(path))
    session.err.print("give each file to somebody else, then delete it here (shred -u FILE)")


def verify(
    session: Session,
    given: ShareInput,
    connect: Callable[[], Cluster],
    namespace: str,
    expected: str | None,
) -> None:
    """Say whether shares make the root key; nothing is written.

    Args:
        session: Of the command.
        given: The shares.
        connect: The cluster to compare with.
        namespace: The operator's.
        expected: The root key's id to compare with, instead of asking the cluster.

    Raises:
        CliError: They do not.
    """
    shares, key = recover(session, given)
    said = _described(shares, key)
    if expected is None:
        _, keyring = sound_keyring(connect(), namespace)
        here = keyring.key(key.id)
        if here is not None and not here.is_same(key):
            raise damaged(namespace)
        expected = keyring.current
    if key.id != expected:
        raise CliError(
            f"{said}, which is not the one to be expected: {expected}",
            "shares from before a rotation of the root key open backups from before it only; make"
            " new ones: leeward root-key export",
        )
    session.out.print(f"{said}, as it should be")


def _described(shares: ShareSet, key: RootKey) -> str:
    listed = ", ".join(map(str, shares.numbers))
    return f"shares {listed} (any {shares.threshold} are needed) make root key {key.id}"


def restore(
    session: Session, cluster: Cluster, namespace: str, given: ShareInput, *, add: bool
) -> None:
    """Make the Secret of the root key again, where it is missing.

    Args:
        session: Of the command.
        cluster: The cluster.
        namespace: The operator's.
        given: The shares.
        add: Where another root key stands: put this one beside it.

    Raises:
        CliError: Another root key stands there, a damaged one, or nothing there needs this one.
    """
    shares, key = recover(session, given)
    session.err.print(_described(shares, key))
    found = find_keyring(cluster, namespace)
    if found is None:
        _check_needed(Keysets.look(cluster, namespace), key)
        if create_keyring(cluster, namespace, RootKeyring.of(key)):
            session.out.print(f"root key {key.id} was restored in namespace {namespace}")
            session.err.print(
                "an operator that runs there sees it within a minute; next, put back the wrapped"
                " keys that are missing: leeward keys restore FILE"
            )
            return
        found = find_keyring(cluster, namespace)
    if found is None or found.keyring is None:
        raise damaged(namespace)
    _beside(session, cluster, namespace, (found, found.keyring), key, add=add)


def _check_needed(keysets: Keysets, key: RootKey) -> None:
    named = keysets.by_root_key
    if named and key.id not in named:
        listed = ", ".join(f"{id_} ({counted(n, 'keyset')})" for id_, n in named.items())
        raise CliError(
            f"no keyset there is wrapped by root key {key.id}; they are by {listed}; nothing was"
            " written",
            "give the shares of that root key: their pages name it",
        )


def _beside(
    session: Session,
    cluster: Cluster,
    namespace: str,
    there: tuple[FoundKeyring, RootKeyring],
    key: RootKey,
    *,
    add: bool,
) -> None:
    found, keyring = there
    known = keyring.key(key.id)
    if known is not None:
        if not known.is_same(key):
            raise damaged(namespace)
        session.out.print(f"root key {key.id} is there already; nothing was changed")
        return
    if not add:
        raise CliError(
            f"another root key is there: {keyring.current}, and the shares make {key.id}; nothing"
            " was changed",
            "restore keys before the operator is installed, for it makes a root key where there is"
            " none; or keep both with --add: the operator then moves to its own key what the"
            " restored one wraps",
        )
    replace_keyring(cluster, namespace, found, keyring.joined(key))
    session.out.print(f"root key {key.id} was added beside {keyring.current}")
    session.err.print(
        "within five minutes put back what it wraps (leeward keys restore FILE): a root key that"
        f" wraps nothing is removed; then the operator moves that to {keyring.current}, of which"
        " you should have shares"
    )


def rotate(
    session: Session,
    cluster: Cluster,
    namespace: str,
    *,
    sure: bool,
    timeout: float | None,
) -> None:
    """Ask the operator for a new root key.

    Args:
        session: Of the command.
        cluster: The cluster.
        namespace: The operator's.
        sure: Do not ask.
        timeout: Seconds to wait for the end; None: do not wait.

    Raises:
        CliError: One is under way, or the wait was too short.
    """
    status = RootKeyStatus.look(cluster, namespace)
    if status.rotation != "None":
        raise CliError(
            f"a rotation is under way: {_how_far(status)}", f"wait for its end: {_STATUS}"
        )
    old = status.keyring.current
    _warn(session, cluster, namespace, old)
    if not sure:
        session.confirm("Rotate the root key?")
    request = session.clock.now().isoformat(timespec="milliseconds")
    annotate_root(cluster, namespace, rotation_request(request))
    if timeout is None:
        session.out.print(f"a rotation was asked for; see how far it is: {_STATUS}")
        return
    _wait(session, cluster, namespace, old, timeout)


def _warn(session: Session, cluster: Cluster, namespace: str, old: str) -> None:
    session.err.print(
        f"a new root key takes the place of {old}. Its shares then open backups from before only:"
        " keep them for as long as such backups are kept. When it is done, make new shares (leeward"
        " root-key export) and a new backup (leeward keys backup --all)"
    )
    records = of_root_key(cluster, namespace, old)
    if records:
        session.err.print(
            f"{counted(len(records), 'recorded backup')} can be opened only with shares of {old}:"
            " see leeward keys backups"
        )


def _wait(session: Session, cluster: Cluster, namespace: str, old: str, timeout: float) -> None:
    end = session.clock.monotonic() + timeout
    told = ""
    while True:
        status = RootKeyStatus.look(cluster, namespace)
        if status.keyring.key(old) is None:
            session.out.print(f"the root key is {status.keyring.current} now")
            return
        how_far = _how_far(status)
        if how_far != told:
            session.err.print(how_far)
            told = how_far
        if session.clock.monotonic() >= end:
            raise CliError(
                f"the rotation has not ended yet: {how_far}",
                f"it goes on without this command; see {_STATUS}. Where it has not begun, check"
                " that the operator runs: leeward doctor",
            )
        session.clock.sleep(_POLL)


def _how_far(status: RootKeyStatus) -> str:
    match status.rotation:
        case "Requested":
            return "asked for, and not begun"
        case "Moving":
            total = status.moved + status.left
            stuck = status.keysets.unreadable
            unread = f", {counted(len(stuck), 'unreadable keyset')}" if stuck else ""
            return f"{status.moved} of {counted(total, 'keyset')} moved{unread}"
        case "Removing":
            return (
                f"{counted(status.moved, 'keyset')} moved, the old key is removed in a few minutes"
            )
        case _:
            return "none is under way"


def show_status(session: Session, cluster: Cluster, namespace: str, output: RowsFormat) -> None:
    """Say which root key is current, and how far a rotation is."""
    status = RootKeyStatus.look(cluster, namespace)
    if output is RowsFormat.JSON:
        print_json(session.out, status.as_json())
        return
    print_raw(session.out, "\n".join(_lines(status)))


def _lines(status: RootKeyStatus) -> list[str]:
    keyring = status.keyring
    lines = [
        f"Root key:  {keyring.current}",
        f"Made:      {created_at(status.found, keyring) or 'not known'}",
        f"Keysets:   {status.moved} under it",
        f"Rotation:  {_how_far(status)}",
    ]
    for key in keyring.given_up:
        count = status.keysets.by_root_key[key.id]
        lines.append(f"Given up:  {key.id}, {counted(count, 'keyset')} left")
    if status.keysets.by_transit:
        lines.append(
            f"Transit:   {counted(status.keysets.by_transit, 'keyset')} wrapped by a Transit key,"
            " to which root keys mean nothing"
        )
    for id_, count in status.strangers.items():
        lines.append(
            f"Not here:  {id_}, which wraps {counted(count, 'keyset')}: restore it from its shares"
            " (leeward root-key restore --add)"
        )
    for name in status.keysets.unreadable:
        lines.append(
            f"Damaged:   Secret {name}: restore it from a backup, or delete it if its vault is not"
            " needed; until then no old root key is removed"
        )
    return lines


def _rfc3339(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
