"""Keys from elsewhere: PEM, JSON Web Keys, Tink keysets, plain bytes.

What is in the Secret is told by its content, except for plain bytes: those may be anything, so the
spec says that they are a key, and how they are written. A key is taken only if it is one of the
algorithm in full: kind, size, curve, and what its owner says that it is for.

Nothing here does I/O. The data is untrusted: it is bounded before it is parsed (64 KiB, depth of
JSON, cost of opening an encrypted key, bits of RSA), and every parser is one that is reviewed.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from leeward.keystore.origins.errors import ImportRefusedError
from leeward.keystore.origins.importing.expected import expected, refused
from leeward.keystore.origins.importing.jwk import from_jwk
from leeward.keystore.origins.importing.pem import from_pem, looks_like_pem
from leeward.keystore.origins.importing.plain import from_plain, looks_like_fernet
from leeward.keystore.origins.importing.tink import from_tink
from leeward.keystore.origins.members import member
from leeward.keystore.origins.strictjson import AmbiguousJsonError, strict_json

ImportFormat = Literal["Auto", "Raw", "Base64", "Hex"]

KEY_MEMBER: Final = "key"
"""Member of the Secret that holds the key, unless the spec names another."""


def import_key(
    data: Mapping[str, bytes],
    algorithm: str,
    *,
    format: ImportFormat = "Auto",
    key: str = KEY_MEMBER,
    passphrase: str | None = None,
) -> bytes:
    """Read a key from a Secret.

    Takes milliseconds; 0.2 s for RSA, up to a second more for encrypted PEM: call it in a worker
    thread.

    Args:
        data: The Secret's data, decoded.
        algorithm: Of the vault's key.
        format: Auto tells PEM, JWK and Tink, and Fernet's own for FERNET.
        key: Member that holds the key.
        passphrase: Member that holds the passphrase of an encrypted PEM; None: not encrypted.

    Returns:
        Material as ``leeward.formats.material`` has it.

    Raises:
        SecretMemberError: A member is missing, empty or too large.
        ImportRefusedError: It is not a key of this algorithm; says what was found and what to do.
    """
    expected(algorithm)
    found = member(data, key)
    secret = None if passphrase is None else member(data, passphrase)
    if format == "Auto" and looks_like_pem(found):
        return from_pem(found, algorithm, secret)
    if secret is not None:
        raise ImportRefusedError(
            "a passphrase is given for a key that is not in PEM, so is not encrypted by one: leave"
            " it out of origin.import"
        )
    if format != "Auto":
        return from_plain(found, algorithm, format)
    if found.lstrip().startswith(b"{"):
        return _from_json(found, algorithm)
    if algorithm == "FERNET" and looks_like_fernet(found):
        return from_plain(found, algorithm, "Base64")
    raise refused(
        f"{len(found)} bytes that are neither PEM nor a JSON object (if they are the key itself,"
        " say how it is written by origin.import.format: Raw, Base64 or Hex)",
        algorithm,
    )


def _from_json(found: bytes, algorithm: str) -> bytes:
    document = _object(found)
    if "kty" in document:
        return from_jwk(document, algorithm)
    if "primaryKeyId" in document or "encryptedKeyset" in document:
        return from_tink(document, algorithm)
    if "keys" in document:
        raise refused("a JWK set; take one key out of it", algorithm)
    raise refused("JSON that is neither a JWK nor a Tink keyset", algorithm)


def _object(found: bytes) -> dict[str, Any]:
    try:
        document: dict[str, Any] = strict_json(found)
    except AmbiguousJsonError as error:
        raise ImportRefusedError(
            f"the Secret holds JSON that cannot be read, {error}: put an intact copy of the key"
            " there"
        ) from None
    return document
