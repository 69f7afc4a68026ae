"""Private keys in PEM (RFC 7468): PKCS#8, plain or encrypted, PKCS#1, SEC 1."""

import base64
import binascii
import re
from typing import Final

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from leeward.formats.material import InvalidMaterial, XWingPrivateKey
from leeward.keystore.origins.errors import ImportRefusedError
from leeward.keystore.origins.importing.encrypted import check_cost
from leeward.keystore.origins.importing.expected import material_of, refused
from leeward.keystore.origins.members import without_newline

_LABEL: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----")
_ENCRYPTED: Final = "ENCRYPTED PRIVATE KEY"
_OPENSSH: Final = "OPENSSH PRIVATE KEY"
_READ: Final = ("PRIVATE KEY", _ENCRYPTED, "RSA PRIVATE KEY", "EC PRIVATE KEY")
_PUBLIC: Final = {
    "PUBLIC KEY": "a public key",
    "RSA PUBLIC KEY": "a public key",
    "CERTIFICATE": "a certificate",
    "CERTIFICATE REQUEST": "a certificate request",
}


def looks_like_pem(data: bytes) -> bool:
    """Whether there is a PEM block in it."""
    return _LABEL.search(data) is not None


def from_pem(data: bytes, algorithm: str, passphrase: bytes | None) -> bytes:
    """The material of the private key in PEM.

    Args:
        data: One private key; certificates and EC parameters beside it are left aside.
        algorithm: Which the key must be one of.
        passphrase: Of an encrypted key; one line end is taken away.

    Raises:
        ImportRefusedError: There is none, or several, it is of another algorithm, damaged,
            encrypted by another passphrase, or not encrypted at all where one is given.
    """
    label = _label(data, algorithm)
    block = _block(data, label)
    if label == _ENCRYPTED:
        if passphrase is None:
            raise ImportRefusedError(
                "the private key is encrypted: put its passphrase into another member of the"
                " Secret, and name that by origin.import.passphraseKey"
            )
        check_cost(_der(block))
    elif b"\nProc-Type:" in block:
        raise ImportRefusedError(
            "the private key is encrypted in the traditional way of OpenSSL, by MD5: encrypt it"
            " again with openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY.pem"
        )
    elif passphrase is not None:
        raise ImportRefusedError(
            "the private key is not encrypted, and a passphrase is given for it: leave it out of"
            " origin.import, or put the encrypted key into the Secret"
        )
    return material_of(_loaded(block, passphrase), algorithm)


def _label(data: bytes, algorithm: str) -> str:
    labels: list[str] = [label.decode() for label in _LABEL.findall(data)]
    private = [label for label in labels if label.endswith("PRIVATE KEY")]
    if len(private) > 1:
        raise ImportRefusedError(
            f"the Secret holds {len(private)} private keys in one member: leave one there"
        )
    if not private:
        found = next((_PUBLIC[label] for label in labels if label in _PUBLIC), "a PEM block")
        raise refused(f"{found} and no private key", algorithm)
    if private[0] == _OPENSSH:
        raise ImportRefusedError(
            "the private key is in the format of OpenSSH: copy it, turn the copy into PKCS#8 with"
            " ssh-keygen -p -m PKCS8 -f COPY, and import that"
        )
    if private[0] not in _READ:
        raise refused("a private key of a kind that is not read", algorithm)
    return private[0]


def _block(data: bytes, label: str) -> bytes:
    begin, end = (b"-----%b %b-----" % (word, label.encode()) for word in (b"BEGIN", b"END"))
    start = data.index(begin)
    stop = data.find(end, start)
    if stop < 0:
        raise ImportRefusedError(
            "the private key ends too early, its last line (END) is missing: put the whole file"
            " into the Secret"
        )
    return data[start : stop + len(end)] + b"\n"


def _der(block: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(block.split(b"-----")[2].split()), validate=True)
    except binascii.Error:
        raise ImportRefusedError(
            "the encrypted private key is damaged, it is not Base64: put an intact copy there"
        ) from None


def _loaded(block: bytes, passphrase: bytes | None) -> object:
    secret = None if passphrase is None else without_newline(passphrase)
    try:
        # Factors of an RSA key are tested once its size is known: in large ones that takes hours.
        return XWingPrivateKey.from_pem(block) or load_pem_private_key(
            block, secret, unsafe_skip_rsa_key_validation=True
        )
    except (ValueError, TypeError, UnsupportedAlgorithm, InternalError, InvalidMaterial):
        if secret is not None:
            raise ImportRefusedError(
                "the encrypted private key does not open: the passphrase is wrong, or the key is"
                " damaged or of a kind that is not read here"
            ) from None
        raise ImportRefusedError(
            "the private key cannot be read: it is damaged or of a kind that is not read here;"
            " give PKCS#8, as openssl pkcs8 -topk8 -nocrypt writes it"
        ) from None
