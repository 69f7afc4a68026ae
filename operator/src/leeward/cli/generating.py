"""``leeward keys generate``: keys for files of one's own, drawn or brought along."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Final

from leeward.api.algorithms import ALGORITHMS, why_banned
from leeward.cli.errors import CliError, UsageError
from leeward.cli.localfiles import STDIO, check_folder, read_small, shown
from leeward.cli.pemfiles import ALGORITHM_LINE
from leeward.cli.session import Session
from leeward.formats.keyset import PodKey, PodKeyset
from leeward.formats.material import (
    SIZES,
    InvalidMaterial,
    check_random,
    generate,
    private_pem,
    public_pem,
)
from leeward.formats.sealed import recipient_of

ROLE: Final = "local"
_SECRET: Final = 0o600
_PUBLIC: Final = 0o644
_ID_SIZE: Final = 16


def generate_key(
    session: Session, out: Path, algorithm: str, hex_digits: Path | None = None
) -> None:
    """Write a new pair (NAME.key, NAME.pub.pem), or a symmetric key (NAME.keyset.json).

    Private files are for their owner only, and nothing is ever written over.

    Args:
        session: Of this process.
        out: NAME.
        algorithm: Of the key.
        hex_digits: A file with the key, where it is not to be drawn: made from a passphrase, or
            given to a vault. It gets no id of its own, so it opens whatever was sealed with it.

    Raises:
        UsageError: No such algorithm, one whose keys vaults make, or no name.
        CliError: A file exists, their folder does not, or `hex_digits` hold no random key of the
            algorithm.
    """
    made = [name for name in ALGORITHMS if _is_made_here(name)]
    known = ALGORITHMS.get(algorithm)
    if known is None and (why := why_banned(algorithm)):
        raise UsageError(f"algorithm {algorithm} is banned", why)
    if known is None:
        raise UsageError(f"there is no algorithm {algorithm!r}", f"use one of {', '.join(made)}")
    if algorithm not in made:
        raise UsageError(
            f"keys of {algorithm} are not made here: they are of no use without a cluster",
            "name it in the keys of a KeyVault, which makes it",
        )
    if not out.name or out == STDIO:
        raise UsageError(f"{out} is no name for a file", "name it, as in --output alice")
    check_folder(out)
    if hex_digits is None:
        material, key_id = generate(algorithm, session.random), session.random(_ID_SIZE)
    else:
        material, key_id = _brought(session, hex_digits, algorithm), b""
    if known.key_class == "Symmetric":
        path = out.with_name(out.name + ".keyset.json")
        _write_new([(path, _keyset(algorithm, key_id, material), _SECRET)])
        session.err.print(f"wrote {shown(path)} ({algorithm}; keep it secret: it seals and opens)")
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
        f"wrote {shown(private)} ({algorithm}; keep it secret) and {shown(public)}"
        f" (give it to {use})"
    )


def _is_made_here(algorithm: str) -> bool:
    """Whether files are sealed or signed with such keys."""
    return bool(ALGORITHMS[algorithm].operations & {"Seal", "Sign"})


def _brought(session: Session, path: Path, algorithm: str) -> bytes:
    """The key in a file of hexadecimal digits; blanks and colons between them are left aside."""
    size = SIZES.get(algorithm)
    if size is None:
        raise UsageError(
            f"a key of {algorithm} is no plain bytes, so hexadecimal digits do not hold it",
            "name its PEM where a key is asked for",
        )
    try:
        material = bytes.fromhex(read_small(session, path).decode("ascii").replace(":", ""))
    except ValueError:
        material = b""
    if len(material) != size:
        raise CliError(
            f"{path} does not hold a key of {algorithm} in hexadecimal digits",
            f"it is to have {2 * size} of them, and nothing else but colons between them",
        )
    try:
        check_random(material)
    except InvalidMaterial as error:
        raise CliError(f"{path}: {error}") from None
    return material


def _keyset(algorithm: str, key_id: bytes, material: bytes) -> bytes:
    key = PodKey.model_validate(
        {
            "id": recipient_of(algorithm, key_id, material).key_id.hex(),
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
