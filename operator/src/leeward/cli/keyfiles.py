"""Key files on this machine: PEM and keyset.json, as who seals or opens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from pydantic import ValidationError

from leeward.cli.datasets import key_id_in
from leeward.cli.errors import CliError
from leeward.cli.localfiles import read_small
from leeward.cli.output import print_raw
from leeward.cli.passphrase import Passphrases
from leeward.cli.pemfiles import is_pem, public_blocks, read_private, read_public
from leeward.cli.session import Session
from leeward.formats.document import UnsupportedFormatVersionError
from leeward.formats.keyset import PodKey, PodKeyset
from leeward.formats.material import InvalidMaterial, PrivateKey, PublicKey, XWingPrivateKey
from leeward.formats.sealed import (
    SEALING_ALGORITHMS,
    PublicHalf,
    Recipient,
    SealedError,
    Unwrapper,
    recipient_from_pem,
    recipient_of,
    unwrapper_from_pem,
    unwrapper_of,
)


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Errors of the sealed format as errors of this command, with the file's name."""
    try:
        yield
    except (SealedError, InvalidMaterial) as error:
        raise CliError(f"{path}: {error}") from error


def public_keys(session: Session, paths: Iterable[Path]) -> list[Recipient]:
    """Recipients from PEM files of public keys: all that each of them holds.

    Raises:
        CliError: A file holds something else, or two hold the same key.
    """
    found: dict[bytes, Path] = {}
    recipients: list[Recipient] = []
    for path in paths:
        keys = _public_keys_in(path, read_small(session, path))
        for key in keys:
            if key.fingerprint in found:
                raise _named_twice(found[key.fingerprint], path)
            found[key.fingerprint] = path
        if len(keys) > 1:
            ids = ", ".join(key.key_id.hex() for key in keys)
            print_raw(session.err, f"{path} holds {len(keys)} public keys: {ids}")
        recipients += keys
    return recipients


def _named_twice(first: Path, second: Path) -> CliError:
    if first == second:
        return CliError(f"{first} holds the same key twice", "leave one of the two out")
    return CliError(f"{first} and {second} hold the same key", "name each recipient once with --to")


def _public_keys_in(path: Path, data: bytes) -> list[PublicHalf[PublicKey]]:
    if not is_pem(data):
        raise CliError(
            f"{path} holds no public key in PEM (BEGIN PUBLIC KEY)",
            "give what `leeward dataset public-key` or `leeward keys generate` wrote; a keyset.json"
            " is named with --key",
        )
    found = []
    for block in public_blocks(data):
        read_public(path, block, "PublicKey")
        with naming(path):
            found.append(recipient_from_pem(block, key_id_in(block.decode("ascii", "replace"))))
    return found


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
        for key in _keys_in(path, data):
            with naming(f"{path}: key {key.id}"):
                found.append(recipient_of(key.algorithm, bytes.fromhex(key.id), key.raw()))
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
        if is_pem(data):
            key = read_private(path, data, "PublicKey", passphrases)
            with naming(path):
                found.append(
                    unwrapper_from_pem(_plain_pem(key), key_id_in(data.decode("ascii", "replace")))
                )
            continue
        for each in _keys_in(path, data):
            with naming(f"{path}: key {each.id}"):
                found.append(unwrapper_of(each.algorithm, bytes.fromhex(each.id), each.raw()))
    return found


def _plain_pem(key: PrivateKey) -> bytes:
    """The key without its passphrase, in memory only."""
    if isinstance(key, XWingPrivateKey):
        return key.to_pem()
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _keys_in(path: Path, data: bytes) -> list[PodKey]:
    keys = [key for key in _keyset(path, data).keys if key.algorithm in SEALING_ALGORITHMS]
    if not keys:
        raise CliError(
            f"{path} holds no key that files are sealed with",
            f"give one of {', '.join(SEALING_ALGORITHMS)}",
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
