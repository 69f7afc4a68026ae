"""``leeward keys generate``: keys for files of one's own."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Final

from leeward.api.algorithms import ALGORITHMS
from leeward.cli.errors import CliError, UsageError
from leeward.cli.localfiles import check_folder
from leeward.cli.pemfiles import ALGORITHM_LINE
from leeward.cli.session import Session
from leeward.formats.keyset import PodKey, PodKeyset
from leeward.formats.material import generate, private_pem, public_pem

ROLE: Final = "local"
_SECRET: Final = 0o600
_PUBLIC: Final = 0o644
_ID_SIZE: Final = 16


def generate_key(session: Session, out: Path, algorithm: str) -> None:
    """Write a new pair (NAME.key, NAME.pub.pem), or a symmetric key (NAME.keyset.json).

    Private files are for their owner only, and nothing is ever written over.

    Raises:
        UsageError: No such algorithm, one whose keys vaults make, or no name.
        CliError: A file exists, or their folder does not.
    """
    made = [name for name in ALGORITHMS if _is_made_here(name)]
    known = ALGORITHMS.get(algorithm)
    if known is None:
        raise UsageError(f"there is no algorithm {algorithm!r}", f"use one of {', '.join(made)}")
    if algorithm not in made:
        raise UsageError(
            f"keys of {algorithm} are not made here: they are of no use without a cluster",
            "name it in the keys of a KeyVault, which makes it",
        )
    if not out.name:
        raise UsageError(f"{out} is no name for a file", "name it, as in --output alice")
    check_folder(out)
    material = generate(algorithm, session.random)
    if known.key_class == "Symmetric":
        path = out.with_name(out.name + ".keyset.json")
        _write_new([(path, _keyset(session, algorithm, material), _SECRET)])
        session.err.print(f"wrote {path} ({algorithm}; keep it secret: it seals and opens)")
        return
    private, public = out.with_name(out.name + ".key"), out.with_name(out.name + ".pub.pem")
    stated = f"{ALGORITHM_LINE}{algorithm}\n"
    _write_new(
        [
            (private, (stated + private_pem(algorithm, material)).encode(), _SECRET),
            (public, (stated + (public_pem(algorithm, material) or "")).encode(), _PUBLIC),
        ]
    )
    use = "who checks your signatures" if known.key_class == "Signing" else "who seals"
    session.err.print(
        f"wrote {private} ({algorithm}; keep it secret) and {public} (give it to {use})"
    )


def _is_made_here(algorithm: str) -> bool:
    """Whether files are sealed or signed with such keys."""
    return bool(ALGORITHMS[algorithm].operations & {"Seal", "Sign"})


def _keyset(session: Session, algorithm: str, material: bytes) -> bytes:
    key = PodKey.model_validate(
        {
            "id": session.random(_ID_SIZE).hex(),
            "role": ROLE,
            "algorithm": algorithm,
            "version": 1,
            "material": base64.b64encode(material).decode(),
        }
    )
    return PodKeyset(keys=[key]).canonical() + b"\n"


def _write_new(files: list[tuple[Path, bytes, int]]) -> None:
    """Write all files or none, and none over another."""
    for path, _, _ in files:
        if os.path.lexists(path):
            raise CliError(f"{path} exists already", "choose another name: keys are not replaced")
    written: list[Path] = []
    try:
        for path, data, mode in files:
            number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            written.append(path)
            with os.fdopen(number, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
