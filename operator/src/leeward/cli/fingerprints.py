"""``leeward keys fingerprint``: what to compare by another channel before sealing to a key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from leeward.cli.datasets import key_id_in
from leeward.cli.localfiles import read_small, shown
from leeward.cli.output import print_raw
from leeward.cli.pemfiles import public_blocks, read_public
from leeward.cli.session import Session
from leeward.formats.material import fingerprint


def show_fingerprints(session: Session, files: Sequence[Path]) -> None:
    """Print the fingerprint of each public key in PEM files, one line each.

    Raises:
        CliError: A file holds something else.
    """
    for path in files:
        for block in public_blocks(read_small(session, path)):
            digits = fingerprint(read_public(path, block)).hex()
            key_id = key_id_in(block.decode("ascii", "replace")).hex()
            named = f"  (files name it {key_id})" if key_id else ""
            print_raw(session.out, f"{digits}  {shown(path)}{named}")
