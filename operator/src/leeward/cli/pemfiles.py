"""Keys in PEM files: which half, encrypted or not, and for what they were made.

A P-256 or RSA key does not say whether it seals or signs, and must do one only. Key files of ours
say it in a line before the PEM block (RFC 7468 allows text there); others are taken for either.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from leeward.api.algorithms import ALGORITHMS, KeyClass
from leeward.cli.errors import CliError
from leeward.cli.passphrase import Passphrases
from leeward.formats.material import (
    InvalidMaterial,
    PrivateKey,
    PublicKey,
    XWingPrivateKey,
    load_private,
    load_public,
)

ALGORITHM_LINE: Final = "Leeward-Algorithm: "
"""Explanatory text before the PEM block: what the key was made for."""

_LABEL: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----")
_END: Final = re.compile(rb"-----END [A-Z0-9 ]{1,64}-----[ \t]*\r?\n?")
_STATED: Final = re.compile(rf"^{ALGORITHM_LINE}([A-Z0-9_]{{1,64}})\r?$".encode(), re.MULTILINE)
_DOES: Final[dict[KeyClass, str]] = {"PublicKey": "sealing", "Signing": "signing"}
_NOT_FOR_OPENSSL: Final = {"ML_DSA_65", "HPKE_MLKEM768_X25519"}
"""OpenSSL 3.0 reads neither; later releases read the first only."""


def is_pem(data: bytes) -> bool:
    """Whether there is a PEM block in it."""
    return _LABEL.search(data) is not None


def public_blocks(data: bytes) -> list[bytes]:
    """A file of public keys, cut into its PEM blocks, each with the text before it.

    What comes after the last block goes with that; a block that was cut off stands alone.
    """
    ends = [found.end() for found in _END.finditer(data)]
    *whole, rest = (data[start:end] for start, end in pairwise([0, *ends, len(data)]))
    if not whole or is_pem(rest):
        return [*whole, rest]
    return [*whole[:-1], whole[-1] + rest]


def read_public(path: Path, data: bytes, wanted: KeyClass | None = None) -> PublicKey:
    """The public half in one block of a PEM file.

    Args:
        path: Names the file in errors.
        data: One of its `public_blocks`.
        wanted: PublicKey for sealing, Signing for verifying; None: for neither.

    Raises:
        CliError: It holds a private key, a certificate, a key of another use, or none.
    """
    labels = _labels(data)
    if any(label.endswith("PRIVATE KEY") for label in labels):
        raise CliError(
            f"{path} holds a private key, and the public half is what is needed here",
            "keep this file secret: do not pass it on, and give the public half (NAME.pub.pem)"
            + _how_to_make_public(path, data),
        )
    if "CERTIFICATE" in labels:
        raise CliError(
            f"{path} holds a certificate, not a public key",
            "verify takes it with --certificate and --ca; to seal to its key, take that out:"
            f" openssl x509 -in {path.name} -pubkey -noout",
        )
    if len(_LABEL.findall(data)) > 1:
        raise CliError(
            f"{path} holds a public key that is cut off", "give an intact copy of the file"
        )
    if wanted is not None:
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
    if sum(label.endswith(b"PRIVATE KEY") for label in _LABEL.findall(data)) > 1:
        raise CliError(
            f"{path} holds several private keys, and which of them is meant is not said",
            "put each into a file of its own",
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


def _how_to_make_public(path: Path, private: bytes) -> str:
    """A command that keeps what the key was made for; none where OpenSSL cannot read the key."""
    stated = _STATED.search(private)
    try:
        key = load_private(private)
    except InvalidMaterial:
        key = None
    if isinstance(key, XWingPrivateKey | MLDSA65PrivateKey) or (
        stated and stated[1].decode() in _NOT_FOR_OPENSSL
    ):
        return ", which was made together with it"
    pubout = f"openssl pkey -in {path.name} -pubout"
    if stated is None:
        return f"; {pubout} makes one"
    line = f"grep ^{ALGORITHM_LINE.partition(':')[0]} {path.name}"
    return f"; {{ {line}; {pubout}; }} > NAME.pub.pem makes one"


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
