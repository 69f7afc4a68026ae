"""Ordinary words of English, from the lists of SCOWL that Debian packages.

A capitalised word that is none of them is very likely a name of something.
"""

import gzip
import re
from pathlib import Path

DICTIONARIES = Path("/usr/share/dict")
LISTS = ("american-english", "british-english")
COPYRIGHT = Path("/usr/share/doc/wamerican/copyright")
WORD = re.compile("[a-zàâäçèéêëîïñôöûü]{2,}")
"""No names: the lists write them with a capital."""


def write(folder: Path) -> None:
    """Write words.txt.gz and the licence of the lists.

    Raises:
        SystemExit: The lists are not installed.
    """
    files = [DICTIONARIES / name for name in LISTS]
    if not all(file.is_file() for file in files):
        raise SystemExit("the lists of words are missing: apt-get install wamerican wbritish")
    words = {word for file in files for word in file.read_text("utf-8").split()}
    text = " ".join(sorted(word for word in words if WORD.fullmatch(word)))
    (folder / "words.txt.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    (folder / "words.LICENSE.txt").write_bytes(COPYRIGHT.read_bytes())
    print(f"words: {text.count(' ') + 1}")
