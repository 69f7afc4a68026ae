"""Where shares and passphrases come from: files, or the terminal. Never the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer

from leeward.cli.errors import CliError
from leeward.cli.output import counted
from leeward.cli.passphrase import Passphrases
from leeward.cli.session import Session
from leeward.cli.sharepages import read_page
from leeward.cli.shares import ShareSet, check_passphrase, words_in
from leeward.formats.rootkey import RootKey

_FROM_A_FILE: Final = "name a file that holds the passphrase with --passphrase-file"


@dataclass(frozen=True)
class ShareInput:
    """How the shares are given.

    Attributes:
        files: Pages, or files with nothing but words.
        ask: Whether the words of (further) shares are asked for.
        echo: Whether what is typed is shown.
        passphrase_file: Its first line is the passphrase; None: it is asked for where needed.
    """

    files: Sequence[Path]
    ask: bool = False
    echo: bool = False
    passphrase_file: Path | None = None


def recover(session: Session, given: ShareInput) -> tuple[ShareSet, RootKey]:
    """The root key that the shares make, and the shares.

    Raises:
        CliError: They are too few, or one of them is damaged or of another set.
    """
    shares = ShareSet()
    for path in given.files:
        words, page_id = read_page(path)
        shares.add(str(path), words, page_id)
    if given.ask or not given.files:
        _ask_for_the_rest(session, shares, given)
    if shares.missing:
        return shares, shares.recover()  # which says what is missing
    passphrase = b""
    if shares.has_passphrase:
        passphrase = _known_passphrase(session, given.passphrase_file)
    return shares, shares.recover(passphrase)


def _ask_for_the_rest(session: Session, shares: ShareSet, given: ShareInput) -> None:
    read = typed(session, "name files with --share", echo=given.echo)
    while shares.missing:
        here = sum(1 for _ in shares.numbers)
        needed = "" if shares.threshold is None else f" of {shares.threshold}"
        answer = read(f"Words of share {here + 1}{needed} (an empty line ends): ")
        if not answer.strip():
            raise CliError(
                f"no further share was given: {counted(here, 'share')}{needed} are here",
                "run the command again with all of them at hand",
            )
        try:
            shares.add("what was typed", words_in("what was typed", answer))
        except CliError as error:
            session.err.print(f"{error.message}; {error.remedy}")


def typed(session: Session, instead: str, *, echo: bool) -> Callable[[str], str]:
    """Asks at the terminal; what is typed goes into no history and, without echo, on no screen.

    Args:
        session: Of this process.
        instead: What to do where there is no terminal.
        echo: Whether what is typed is shown.
    """

    def ask(question: str) -> str:
        if echo:
            answer = typer.prompt(
                question, default="", show_default=False, prompt_suffix="", err=True
            )
            return str(answer)
        hidden = session.ask_secret(question)
        if hidden is None:
            raise CliError("there is no terminal to ask at", f"{instead}, or run it at a terminal")
        return hidden

    return ask


def new_passphrase(session: Session, file: Path | None) -> bytes:
    """A passphrase for new shares: from a file, or typed twice.

    Raises:
        CliError: The two differ, or it has signs that SLIP-0039 does not allow.
    """
    if file is not None:
        passphrase = Passphrases(session, file).for_key(file)
    else:
        ask = typed(session, _FROM_A_FILE, echo=False)
        first = ask("Passphrase of the shares: ")
        if first != ask("Once more: "):
            raise CliError("the two passphrases differ", "run the command again")
        passphrase = first.encode()
    if not passphrase:
        raise CliError("the passphrase is empty", "type one, or leave --passphrase out")
    check_passphrase(passphrase)
    return passphrase


def _known_passphrase(session: Session, file: Path | None) -> bytes:
    if file is not None:
        return Passphrases(session, file).for_key(file)
    ask = typed(session, _FROM_A_FILE, echo=False)
    return ask("Passphrase of the shares: ").encode()
