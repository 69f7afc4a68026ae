"""Where the passphrase of an encrypted private key comes from: never from the command line."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from leeward.cli.errors import CliError, UsageError
from leeward.cli.localfiles import check_source
from leeward.cli.session import Session

_MAX_SIZE: Final = 4096


@dataclass(frozen=True)
class Passphrases:
    """A file, a file descriptor, or the terminal.

    Attributes:
        file: Its first line; ``None``: not a file.
        descriptor: An open file descriptor of this process, read to its end.
    """

    session: Session
    file: Path | None = None
    descriptor: int | None = None

    def __post_init__(self) -> None:
        if self.file is not None and self.descriptor is not None:
            raise UsageError(
                "the passphrase is named twice", "give --passphrase-file or --passphrase-fd"
            )

    @property
    def given(self) -> bool:
        """Whether one was named on the command line."""
        return self.file is not None or self.descriptor is not None

    def for_key(self, path: Path) -> bytes:
        """The passphrase for the key file `path`.

        Raises:
            CliError: There is no terminal to ask at, or what was named holds none.
        """
        if self.file is not None:
            check_source(self.file)
            with self.file.open("rb") as file:
                return _first_line(file.read(_MAX_SIZE + 1), str(self.file))
        if self.descriptor is not None:
            return self._from_descriptor
        said = self.session.ask_secret(f"Passphrase for {path}: ")
        if said is None:
            raise CliError(
                f"{path} is encrypted, and there is no terminal to ask for its passphrase",
                "name a file that holds it with --passphrase-file, or an open descriptor with"
                " --passphrase-fd",
            )
        return _first_line(said.encode(), "the answer")

    @cached_property
    def _from_descriptor(self) -> bytes:
        number = -1 if self.descriptor is None else self.descriptor
        return _first_line(_drain(number), f"file descriptor {number}")


def _drain(descriptor: int) -> bytes:
    taken = b""
    while len(taken) <= _MAX_SIZE:
        try:
            piece = os.read(descriptor, _MAX_SIZE + 1)
        except OSError as error:
            raise CliError(
                f"file descriptor {descriptor} cannot be read: {error.strerror}",
                "open it for this command, as in: --passphrase-fd 3 3< FILE",
            ) from None
        if not piece:
            break
        taken += piece
    return taken


def _first_line(data: bytes, where: str) -> bytes:
    line = data.split(b"\n", 1)[0].removesuffix(b"\r")
    if not line or len(line) > _MAX_SIZE:
        raise CliError(
            f"{where} holds no passphrase in its first line",
            f"give one of 1 to {_MAX_SIZE} bytes, without a blank line before it",
        )
    return line
