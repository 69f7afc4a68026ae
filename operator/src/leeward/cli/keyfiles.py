"""Key files on this machine: PEM (public or private X25519) and keyset.json."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from leeward.cli.datasets import key_id_in
from leeward.cli.errors import CliError
from leeward.formats.document import UnsupportedFormatVersionError
from leeward.formats.keyset import PodKey, PodKeyset
from leeward.formats.sealed import (
    ArtefactKey,
    HpkePrivateKey,
    HpkePublicKey,
    Recipient,
    SealedError,
    Unwrapper,
)

_PEM_MARK = b"-----BEGIN "


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Errors of the sealed format as errors of this command, with the file's name."""
    try:
        yield
    except SealedError as error:
        raise CliError(f"{path}: {error}") from error


def public_keys(paths: Iterable[Path]) -> list[Recipient]:
    """Recipients from PEM files of public keys.

    Raises:
        CliError: A file holds something else.
    """
    return [_public_key(path) for path in paths]


def _public_key(path: Path) -> HpkePublicKey:
    pem = path.read_bytes()
    if b"PRIVATE KEY" in pem:
        raise CliError(
            f"{path} holds a private key", "--to takes the public half: keep this file secret"
        )
    with naming(path):
        return HpkePublicKey.from_pem(pem, key_id_in(pem.decode("ascii", "replace")))


def sealing_keys(paths: Iterable[Path]) -> list[Recipient]:
    """Recipients from keyset.json files: everything in them that files can be sealed with.

    Raises:
        CliError: A file holds no such key.
    """
    found: list[Recipient] = []
    for path in paths:
        if _PEM_MARK in path.read_bytes():
            raise CliError(
                f"{path} is a PEM file, and --key takes a keyset.json",
                "name the public half with --to",
            )
        keys = [_opener(key) for key in _keyset(path).keys if _opens_files(key)]
        if not keys:
            raise CliError(
                f"{path} holds no key that files are sealed with", "give one of AES256_GCM"
            )
        found.extend(k.public_key if isinstance(k, HpkePrivateKey) else k for k in keys)
    return found


def opening_keys(paths: Iterable[Path]) -> list[Unwrapper]:
    """Keys from PEM files of private keys and from keyset.json files.

    Raises:
        CliError: A file holds no key that opens files.
    """
    found: list[Unwrapper] = []
    for path in paths:
        data = path.read_bytes()
        if _PEM_MARK in data:
            if b"PUBLIC KEY" in data and b"PRIVATE KEY" not in data:
                raise CliError(
                    f"{path} holds a public key, which seals and does not open",
                    "name the private half: --key NAME.key",
                )
            with naming(path):
                found.append(HpkePrivateKey.from_pem(data))
            continue
        keys = [_opener(key) for key in _keyset(path).keys if _opens_files(key)]
        if not keys:
            raise CliError(
                f"{path} holds no key that opens files", "give one of AES256_GCM or HPKE_X25519"
            )
        found.extend(keys)
    return found


def _keyset(path: Path) -> PodKeyset:
    data = path.read_bytes()
    try:
        return PodKeyset.parse(data)
    except (ValidationError, ValueError) as error:
        if isinstance(error, UnsupportedFormatVersionError) and b'"formatVersion"' in data:
            raise CliError(f"{path}: {error}") from error
        raise CliError(
            f"{path} is no key file", "give a PEM file or a keyset.json, as pods receive it"
        ) from error


def _opens_files(key: PodKey) -> bool:
    return key.algorithm in ("AES256_GCM", "HPKE_X25519")


def _opener(key: PodKey) -> ArtefactKey | HpkePrivateKey:
    key_id = bytes.fromhex(key.id)
    with naming(f"key {key.id}"):
        if key.algorithm == "HPKE_X25519":
            return HpkePrivateKey.from_bytes(key.raw(), key_id)
        return ArtefactKey(key_id, key.raw())
