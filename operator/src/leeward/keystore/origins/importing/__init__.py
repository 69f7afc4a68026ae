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

ImportFormat = Literal["Auto", "PEM", "JWK", "Tink", "Raw", "Base64", "Hex"]

KEY_MEMBER: Final = "key"
"""Member of the Secret that holds the key, unless the spec names another."""


def import_key(
    data: Mapping[str, bytes],
    algorithm: str,
    *,
    format: ImportFormat = "Auto",
    key: str = KEY_MEMBER,
    password: str | None = None,
) -> bytes:
    """Read a key from a Secret.

    Takes milliseconds; 0.2 s for RSA, up to a second more for encrypted PEM: call it in a worker
    thread.

    Args:
        data: The Secret's data, decoded.
        algorithm: Of the vault's key.
        format: Auto tells PEM, JWK and Tink, and Fernet's own for FERNET.
        key: Member that holds the key.
        password: Member that holds the password of an encrypted PEM; None: it is not encrypted.

    Returns:
        Material as ``leeward.formats.material`` has it.

    Raises:
        SecretMemberError: A member is missing, empty or too large.
        ImportRefusedError: It is not a key of this algorithm; says what was found and what to do.
    """
    expected(algorithm)
    found = member(data, key)
    secret = None if password is None else member(data, password)
    kind = _told(found, algorithm) if format == "Auto" else format
    if secret is not None and kind != "PEM":
        raise ImportRefusedError(
            f"a password is given for a key in {kind}, which has none: leave it out of"
            " origin.import"
        )
    if kind == "PEM":
        if not looks_like_pem(found):
            raise refused("no PEM, as origin.import says", algorithm)
        return from_pem(found, algorithm, secret)
    if kind == "JWK" or kind == "Tink":
        return _from_json(found, kind, algorithm)
    return from_plain(found, algorithm, kind)


def _told(found: bytes, algorithm: str) -> Literal["PEM", "JWK", "Tink", "Base64"]:
    """What is in the Secret, by its content."""
    if looks_like_pem(found):
        return "PEM"
    if found.lstrip().startswith(b"{"):
        return "Tink" if "kty" not in _object(found) else "JWK"
    if algorithm == "FERNET" and looks_like_fernet(found):
        return "Base64"
    raise refused(
        f"{len(found)} bytes that are neither PEM nor JSON (if they are the key itself, say how it"
        " is written by origin.import.format: Raw, Base64 or Hex)",
        algorithm,
    )


def _from_json(found: bytes, kind: Literal["JWK", "Tink"], algorithm: str) -> bytes:
    document = _object(found)
    if kind == "Tink" and ("primaryKeyId" in document or "encryptedKeyset" in document):
        return from_tink(document, algorithm)
    if kind == "JWK" and "kty" in document:
        return from_jwk(document, algorithm)
    if isinstance(document.get("keys"), list):
        raise refused("a JWK set; take one key out of it", algorithm)
    raise refused(f"JSON that is no {'Tink keyset' if kind == 'Tink' else 'JWK'}", algorithm)


def _object(found: bytes) -> dict[str, Any]:
    try:
        document = strict_json(found)
    except AmbiguousJsonError as error:
        raise ImportRefusedError(
            f"the Secret holds JSON that cannot be read, {error}: put an intact copy of the key"
            " there"
        ) from None
    if not isinstance(document, dict):
        raise ImportRefusedError(
            "the Secret holds JSON that is no object, so neither a JWK nor a Tink keyset: put one"
            " key there"
        )
    return document
