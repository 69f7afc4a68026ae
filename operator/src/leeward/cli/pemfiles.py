"""Keys in PEM files: which half, encrypted or not, and for what they were made.

A P-256 or RSA key does not say whether it seals or signs, and must do one only. Key files of ours
say it in a line before the PEM block (RFC 7468 allows text there); others are taken for either.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from leeward.api.algorithms import ALGORITHMS, KeyClass
from leeward.cli.errors import CliError
from leeward.cli.passphrase import Passphrases
from leeward.formats.material import (
    InvalidMaterial,
    PrivateKey,
    PublicKey,
    XWingPrivateKey,
    load_public,
)

ALGORITHM_LINE: Final = "Leeward-Algorithm: "
"""Explanatory text before the PEM block: what the key was made for."""

_LABEL: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----")
_STATED: Final = re.compile(rf"^{ALGORITHM_LINE}([A-Z0-9_]{{1,64}})\r?$".encode(), re.MULTILINE)
_DOES: Final[dict[KeyClass, str]] = {"PublicKey": "sealing", "Signing": "signing"}


def is_pem(data: bytes) -> bool:
    """Whether there is a PEM block in it."""
    return _LABEL.search(data) is not None


def read_public(path: Path, data: bytes, wanted: KeyClass) -> PublicKey:
    """The public half in a PEM file.

    Args:
        path: Names the file in errors.
        data: What it holds.
        wanted: PublicKey for sealing, Signing for verifying.

    Raises:
        CliError: It holds a private key, a certificate, a key of another use, or none.
    """
    labels = _labels(data)
    if any(label.endswith("PRIVATE KEY") for label in labels):
        raise CliError(
            f"{path} holds a private key, and the public half is what is needed here",
            "keep this file secret: do not pass it on, and give the public half (NAME.pub.pem);"
            f" openssl pkey -in {path.name} -pubout makes one",
        )
    if "CERTIFICATE" in labels:
        raise CliError(
            f"{path} holds a certificate, not a public key",
            "verify takes it with --certificate and --ca; to seal to its key, take that out:"
            f" openssl x509 -in {path.name} -pubkey -noout",
        )
    _check_stated(path, data, wanted)
    try:
        return load_public(data)
    except InvalidMaterial as error:
        raise CliError(f"{path}: {error}") from None


def read_private(path: Path, data: bytes, wanted: KeyClass, passphrases: Passphrases) -> PrivateKey:
    """The private half in a PEM file; for an encrypted one the passphrase is asked for.

    Raises:
        CliError: It holds a public key, a key of another use or none, or the passphrase is wrong.
    """
    labels = _labels(data)
    if not any(label.endswith("PRIVATE KEY") for label in labels):
        raise _no_private_key(path, labels)
    if "OPENSSH PRIVATE KEY" in labels:
        raise CliError(
            f"{path} is in the format of OpenSSH",
            "give PKCS#8: copy the file, and run ssh-keygen -p -m PKCS8 -f COPY",
        )
    _check_stated(path, data, wanted)
    encrypted = "ENCRYPTED PRIVATE KEY" in labels or b"Proc-Type: 4,ENCRYPTED" in data
    passphrase = passphrases.for_key(path) if encrypted else None
    if passphrase is None and passphrases.given:
        raise CliError(
            f"{path} is not encrypted, and a passphrase is given for it",
            "leave the passphrase out, or name the encrypted file",
        )
    key = _loaded(path, data, passphrase)
    if not isinstance(key, PrivateKey):
        raise CliError(
            f"{path} holds a key that no algorithm of Leeward uses",
            "make one: leeward keys generate --algorithm NAME --output FILE",
        )
    return key


def _loaded(path: Path, data: bytes, passphrase: bytes | None) -> object:
    try:
        return XWingPrivateKey.from_pem(data) or load_pem_private_key(data, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Without its cause, which may quote what was read.
        if passphrase is not None:
            raise CliError(
                f"{path} does not open with this passphrase",
                "give the passphrase that it was encrypted with; if it is right, the file is"
                " damaged or of a kind that is not read here",
            ) from None
        raise CliError(
            f"{path} holds a private key that cannot be read",
            "give unencrypted or encrypted PKCS#8 (BEGIN PRIVATE KEY), of a kind that `leeward keys"
            " generate` makes, too",
        ) from None


def _no_private_key(path: Path, labels: set[str]) -> CliError:
    if any(label.endswith("PUBLIC KEY") for label in labels):
        return CliError(
            f"{path} holds a public key, which seals and verifies, but neither opens nor signs",
            "name the private half: --key NAME.key",
        )
    if "CERTIFICATE" in labels:
        return CliError(
            f"{path} holds a certificate and no private key", "name the file of the private key"
        )
    return CliError(f"{path} holds no private key", "give PEM PKCS#8 (BEGIN PRIVATE KEY)")


def _labels(data: bytes) -> set[str]:
    return {label.decode() for label in _LABEL.findall(data)}


def _check_stated(path: Path, data: bytes, wanted: KeyClass) -> None:
    stated = _STATED.search(data)
    known = ALGORITHMS.get(stated[1].decode()) if stated else None
    if known is not None and known.key_class != wanted:
        raise CliError(
            f"{path} was made for {_DOES.get(known.key_class, 'another use')} ({known.name}), not"
            f" for {_DOES[wanted]}",
            "one key does one of them only: make another with `leeward keys generate --algorithm`",
        )
