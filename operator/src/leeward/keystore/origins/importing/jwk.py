"""Private and symmetric keys as JSON Web Keys (RFC 7517, 7518, 8037), read by joserfc."""

import base64
import warnings
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from joserfc.errors import JoseError
from joserfc.jwk import Key, OctKey, OKPKey, import_key

from leeward.formats.material import RSA_BITS
from leeward.keystore.origins.errors import ImportRefusedError
from leeward.keystore.origins.importing.expected import is_symmetric, material_of, refused
from leeward.keystore.origins.importing.plain import symmetric

_ALGORITHMS: Final[dict[str, tuple[str, ...]]] = {
    "AES256_GCM": ("A256GCM", "A256GCMKW", "dir"),
    "CHACHA20_POLY1305": ("C20P", "C20PKW", "dir"),
    "HMAC_SHA256": ("HS256",),
    "RSA3072_OAEP": ("RSA-OAEP-256",),
    "RSA4096_OAEP": ("RSA-OAEP-256",),
    "RSA_PSS": ("PS256",),
    "ECDSA_P256": ("ES256", "ESP256"),
    "ECDSA_P384": ("ES384", "ESP384"),
    "ED25519": ("EdDSA", "Ed25519"),
}
"""Values of ``alg`` that mean the same; the other algorithms are not registered with JOSE."""

_SIGNING: Final = {"HMAC_SHA256", "RSA_PSS", "ECDSA_P256", "ECDSA_P384", "ED25519"}
_SIGN_OPERATIONS: Final = {"sign"}
_OPEN_OPERATIONS: Final = {"decrypt", "unwrapKey", "deriveKey", "deriveBits"}
_RSA_MEMBERS: Final = ("n", "e", "d", "p", "q", "dp", "dq", "qi")
_TYPES: Final = {"oct", "RSA", "EC", "OKP"}


def from_jwk(document: dict[str, Any], algorithm: str) -> bytes:
    """The material of a JSON Web Key.

    Args:
        document: As ``strict_json`` read it.
        algorithm: Which the key must be one of.

    Raises:
        ImportRefusedError: It is public, of another algorithm, meant for another use, or damaged.
    """
    _check_type(document, algorithm)
    _check_use(document, algorithm)
    key = _loaded(document)
    if isinstance(key, OctKey):
        if not is_symmetric(algorithm):
            raise refused(f"a symmetric key of {len(key.raw_value)} bytes", algorithm)
        return symmetric(key.raw_value, algorithm)
    if not key.is_private:
        raise refused(f"the public half of a JWK ({document['kty']})", algorithm)
    if isinstance(key, OKPKey):
        _check_public_half(key)
    return material_of(key.private_key, algorithm)


def _check_type(document: dict[str, Any], algorithm: str) -> None:
    kind = document["kty"]
    if kind == "AKP":
        raise ImportRefusedError(
            f"a JWK of type AKP is not read, and {algorithm} takes no other: give an ML-DSA-65 key"
            " as PEM, or its 32-byte seed as Base64 (format: Base64)"
        )
    if not isinstance(kind, str) or kind not in _TYPES:
        raise refused("a JWK of a type that is not known here", algorithm)
    if kind != "RSA":
        return
    missing = [name for name in _RSA_MEMBERS if name not in document]
    if "d" in missing:
        raise refused("the public half of a JWK (RSA)", algorithm)
    if missing:
        raise ImportRefusedError(
            f"the RSA key lacks {', '.join(missing)} (RFC 7518, 6.3.2): export it with its primes"
        )
    if algorithm not in RSA_BITS:
        raise refused("an RSA key", algorithm)
    # Base64 of 4096 bits; whatever is longer is not even turned into a number.
    if any(len(str(document[name])) > 700 for name in _RSA_MEMBERS):
        raise refused("an RSA key of more than 4096 bits", algorithm)


def _check_use(document: dict[str, Any], algorithm: str) -> None:
    """Refuse a key that its owner meant for something else (RFC 7517, 4.2 to 4.4)."""
    signs = algorithm in _SIGNING
    use = document.get("use")
    if use is not None and use != ("sig" if signs else "enc"):
        raise _meant_for_another("use", algorithm)
    operations = document.get("key_ops")
    if operations is not None:
        needed = _SIGN_OPERATIONS if signs else _OPEN_OPERATIONS
        if not isinstance(operations, list) or not any(
            operation in needed for operation in operations if isinstance(operation, str)
        ):
            raise _meant_for_another("key_ops", algorithm)
    named = document.get("alg")
    if named is not None and named not in _ALGORITHMS.get(algorithm, ()):
        raise _meant_for_another("alg", algorithm)


def _meant_for_another(name: str, algorithm: str) -> ImportRefusedError:
    fits = " or ".join(_ALGORITHMS.get(algorithm, ()))
    allowed = {
        "use": "it would be " + ("sig" if algorithm in _SIGNING else "enc"),
        "key_ops": "it would hold "
        + ("sign" if algorithm in _SIGNING else "decrypt, unwrapKey or deriveKey"),
        "alg": f"it would be {fits}" if fits else "JOSE has no name for it",
    }[name]
    return ImportRefusedError(
        f"member {name} of the JWK says that the key is meant for something else than {algorithm}"
        f" ({allowed}): one key does one thing only, so make another for this vault"
    )


def _loaded(document: dict[str, Any]) -> Key:
    try:
        with warnings.catch_warnings():
            # Its warnings about short keys: what is too short is refused below.
            warnings.simplefilter("ignore")
            return import_key(document)
    except (JoseError, ValueError, TypeError, KeyError, UnsupportedAlgorithm):
        # Without its cause, which may quote a member.
        raise ImportRefusedError(
            "the JWK cannot be read: a member is missing, is not base64url without padding, or does"
            " not fit the others (RFC 7518, RFC 8037); export the key again"
        ) from None


def _check_public_half(key: OKPKey) -> None:
    """Joserfc leaves ``x`` aside where there is a ``d``; a key whose halves differ is refused."""
    private = key.private_key
    if not isinstance(private, X25519PrivateKey | Ed25519PrivateKey):
        return
    own = base64.urlsafe_b64encode(private.public_key().public_bytes_raw()).rstrip(b"=").decode()
    if key["x"] != own:
        raise ImportRefusedError(
            "the JWK holds halves of two different pairs: export the key again from where it came"
            " from"
        )
