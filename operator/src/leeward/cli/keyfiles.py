"""Key files on this machine: PEM and keyset.json, as who seals or opens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from pydantic import ValidationError

from leeward.cli.datasets import key_id_in
from leeward.cli.errors import CliError
from leeward.cli.localfiles import read_small
from leeward.cli.passphrase import Passphrases
from leeward.cli.pemfiles import is_pem, read_private, read_public
from leeward.cli.session import Session
from leeward.formats.document import UnsupportedFormatVersionError
from leeward.formats.keyset import PodKey, PodKeyset
from leeward.formats.material import InvalidMaterial
from leeward.formats.sealed import (
    ArtefactKey,
    HpkePrivateKey,
    HpkePublicKey,
    Recipient,
    SealedError,
    Unwrapper,
)

_OPENING: Final = ("AES256_GCM", "HPKE_X25519")


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Errors of the sealed format as errors of this command, with the file's name."""
    try:
        yield
    except (SealedError, InvalidMaterial) as error:
        raise CliError(f"{path}: {error}") from error


def public_keys(session: Session, paths: Iterable[Path]) -> list[Recipient]:
    """Recipients from PEM files of public keys.

    Raises:
        CliError: A file holds something else, or two hold the same key.
    """
    return [_public_key(path, read_small(session, path)) for path in paths]


def _public_key(path: Path, data: bytes) -> Recipient:
    key = read_public(path, data, "PublicKey")
    if not isinstance(key, X25519PublicKey):
        raise CliError(f"{path} holds a key that does not seal", "give a key that seals")
    with naming(path):
        return HpkePublicKey(key, key_id_in(data.decode("ascii", "replace")))


def sealing_keys(session: Session, paths: Iterable[Path]) -> list[Recipient]:
    """Recipients from keyset.json files: everything in them that files can be sealed with.

    Raises:
        CliError: A file holds no such key.
    """
    found: list[Recipient] = []
    for path in paths:
        data = read_small(session, path)
        if is_pem(data):
            raise CliError(
                f"{path} is a PEM file, and --key takes a keyset.json",
                "name the public half with --to",
            )
        keys = _keys_in(path, data)
        found.extend(k.public_key if isinstance(k, HpkePrivateKey) else k for k in keys)
    return found


def opening_keys(
    session: Session, paths: Iterable[Path], passphrases: Passphrases
) -> list[Unwrapper]:
    """Keys from PEM files of private keys and from keyset.json files.

    Raises:
        CliError: A file holds no key that opens files.
    """
    found: list[Unwrapper] = []
    for path in paths:
        data = read_small(session, path)
        if not is_pem(data):
            found.extend(_keys_in(path, data))
            continue
        key = read_private(path, data, "PublicKey", passphrases)
        if not isinstance(key, X25519PrivateKey):
            raise CliError(f"{path} holds a key that does not open", "give a key that opens")
        with naming(path):
            found.append(HpkePrivateKey(key, key_id_in(data.decode("ascii", "replace"))))
    return found


def _keys_in(path: Path, data: bytes) -> list[ArtefactKey | HpkePrivateKey]:
    keys = [_opener(key) for key in _keyset(path, data).keys if key.algorithm in _OPENING]
    if not keys:
        raise CliError(
            f"{path} holds no key that files are sealed with",
            f"give one of {' or '.join(_OPENING)}",
        )
    return keys


def _keyset(path: Path, data: bytes) -> PodKeyset:
    try:
        return PodKeyset.parse(data)
    except (ValidationError, ValueError) as error:
        if isinstance(error, UnsupportedFormatVersionError) and b'"formatVersion"' in data:
            raise CliError(f"{path}: {error}") from error
        raise CliError(
            f"{path} is no key file", "give a PEM file or a keyset.json, as pods receive it"
        ) from None


def _opener(key: PodKey) -> ArtefactKey | HpkePrivateKey:
    key_id = bytes.fromhex(key.id)
    with naming(f"key {key.id}"):
        if key.algorithm == "HPKE_X25519":
            return HpkePrivateKey.from_bytes(key.raw(), key_id)
        return ArtefactKey(key_id, key.raw())
