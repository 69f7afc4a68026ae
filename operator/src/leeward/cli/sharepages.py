"""The page that holds one share: a text file, or a sheet of paper."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from leeward.cli.errors import CliError
from leeward.cli.shares import PREFIX, Words, words_in

_MAX_SIZE: Final = 1 << 16
_PER_LINE: Final = 4
_MARK: Final = "Words:"
_ID: Final = re.compile(r"^Root key:\s+([0-9a-f]{32})\s*$", re.MULTILINE)

_TEXT: Final = """\
LEEWARD ROOT KEY: SHARE {number} OF {count}

Root key:     {root_key_id}
Set:          {set_number}
Made:         {made_at}
Installation: {installation}
Needed:       any {threshold} of the {count} shares of this set{passphrase}

{mark}
{words}
"""

_INSTRUCTIONS: Final = """
What this is
  One of {count} parts of the key that protects all sealed data of this installation. Alone it tells
  nothing. Whoever has {threshold} of them{and_passphrase} and a copy of the installation's wrapped
  keys can read all of that data.

What to do with it
  Keep it where the other shares are not: another person, another safe. On paper it outlives disks.
  Do not photograph it, and do not keep it on a machine that makes backups of itself.
  If it is lost or seen by others: make new shares (leeward root-key export) and destroy this set.
  If {threshold} or more may have been seen: rotate the root key first (leeward root-key rotate).
  When the root key has been rotated, this share opens older backups only.

How it is used
  leeward root-key restore --share FILE --share FILE ...     puts the key back into a cluster
  leeward root-key verify  --share FILE --share FILE ...     only checks the shares
  Without files, --ask asks for the words. The first {prefix} letters of a word are enough. They are
  words of SLIP-0039; {passphrase_note}
"""


@dataclass(frozen=True, slots=True)
class SharePage:
    """One share with what its holder must know.

    Attributes:
        number: Its number, from 1.
        count: How many there are.
        threshold: How many are needed.
        root_key_id: The root key.
        set_number: Which export: SLIP-0039's identifier.
        made_at: RFC 3339.
        installation: Namespace of the operator and address of the cluster.
        with_passphrase: Whether a passphrase is needed besides.
        words: The share.
    """

    number: int
    count: int
    threshold: int
    root_key_id: str
    set_number: int
    made_at: str
    installation: str
    with_passphrase: bool
    words: Words = field(repr=False)

    @property
    def file_name(self) -> str:
        """A name that no other share has."""
        return (
            f"leeward-root-key-{self.root_key_id[:8]}-set-{self.set_number}"
            f"-share-{self.number}-of-{self.count}.txt"
        )

    def words_text(self) -> str:
        """What must be copied: fits on a small screen."""
        return _TEXT.format(
            number=self.number,
            count=self.count,
            threshold=self.threshold,
            root_key_id=self.root_key_id,
            set_number=self.set_number,
            made_at=self.made_at,
            installation=self.installation,
            passphrase=", and the passphrase" if self.with_passphrase else "",
            mark=_MARK,
            words=_rows(self.words),
        )

    def text(self) -> str:
        """The whole page, with what its holder must know."""
        return self.words_text() + _INSTRUCTIONS.format(
            count=self.count,
            threshold=self.threshold,
            prefix=PREFIX,
            and_passphrase=", the passphrase," if self.with_passphrase else "",
            passphrase_note="the passphrase is asked for."
            if self.with_passphrase
            else "there is no passphrase.",
        )


def _rows(words: Words) -> str:
    cells = [f"{number:4d} {word:<10}" for number, word in enumerate(words, 1)]
    rows = [cells[start : start + _PER_LINE] for start in range(0, len(cells), _PER_LINE)]
    return "\n".join("".join(row).rstrip() for row in rows)


def read_page(path: Path) -> tuple[Words, str | None]:
    """The words on a page, and the root key that it names.

    A file that holds nothing but words is read, too.

    Raises:
        CliError: There are no words of a share in it.
    """
    with path.open("rb") as file:
        data = file.read(_MAX_SIZE + 1)
    try:
        text = data.decode() if len(data) <= _MAX_SIZE else ""
    except UnicodeDecodeError:
        text = ""
    if not text.strip():
        raise CliError(f"{path} is no page with a share", "give a file of `root-key export`")
    named = _ID.search(text)
    _, mark, rest = text.partition(f"\n{_MARK}")
    block = rest.strip("\n").partition("\n\n")[0] if mark else text
    return words_in(str(path), block), named[1] if named else None
