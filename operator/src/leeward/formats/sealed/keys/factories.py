"""Recipients and unwrappers by the algorithm's name, or by what a PEM holds."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from leeward.formats import material as keymaterial
from leeward.formats.material import InvalidMaterial, PrivateKey, PublicKey
from leeward.formats.sealed.errors import InvalidKey
from leeward.formats.sealed.keys.hpke import (
    HpkeHybridPrivateKey,
    HpkeHybridPublicKey,
    HpkeP256PrivateKey,
    HpkeP256PublicKey,
    HpkePrivateKey,
    HpkePublicKey,
)
from leeward.formats.sealed.keys.pairs import PrivateHalf, PublicHalf, matching
from leeward.formats.sealed.keys.rsa import RsaOaepPrivateKey, RsaOaepPublicKey
from leeward.formats.sealed.keys.symmetric import (
    ArtefactChaCha20Key,
    ArtefactFernetKey,
    ArtefactKey,
    SymmetricKey,
)

_SYMMETRIC: Final[dict[str, type[SymmetricKey]]] = {
    kind.ALGORITHM: kind for kind in (ArtefactKey, ArtefactChaCha20Key, ArtefactFernetKey)
}
_PUBLIC: Final[tuple[type[PublicHalf[PublicKey]], ...]] = (
    HpkePublicKey,
    HpkeP256PublicKey,
    HpkeHybridPublicKey,
    RsaOaepPublicKey,
)
_PRIVATE: Final[tuple[type[PrivateHalf[PrivateKey]], ...]] = (
    HpkePrivateKey,
    HpkeP256PrivateKey,
    HpkeHybridPrivateKey,
    RsaOaepPrivateKey,
)
_PUBLIC_BY_ALGORITHM: Final = {name: kind for kind in _PUBLIC for name in kind.ALGORITHMS}
_PRIVATE_BY_ALGORITHM: Final = {name: kind for kind in _PRIVATE for name in kind.ALGORITHMS}

SEALING_ALGORITHMS: Final[tuple[str, ...]] = (*_SYMMETRIC, *_PUBLIC_BY_ALGORITHM)
"""Names of the algorithms whose keys seal and open files."""
_PEM_MARK: Final = b"-----BEGIN "


def recipient_of(
    algorithm: str, key_id: bytes, data: bytes
) -> SymmetricKey | PublicHalf[PublicKey]:
    """Somebody to seal to.

    Args:
        algorithm: one of `SEALING_ALGORITHMS`.
        key_id: 16 bytes; or empty: then the fingerprint stands for it.
        data: material of a symmetric key; of a pair PEM of the public half, or material.

    Raises:
        InvalidKey: the algorithm seals no files, or `data` is no key of it.
    """
    if algorithm in _PUBLIC_BY_ALGORITHM and data.startswith(_PEM_MARK):
        public = _PUBLIC_BY_ALGORITHM[algorithm].from_pem(data, key_id)
        if public.algorithm != algorithm:
            raise InvalidKey(f"the key is one of {public.algorithm}, not of {algorithm}")
        return public
    opener = unwrapper_of(algorithm, key_id, data)
    return opener.public_key if isinstance(opener, PrivateHalf) else opener


def unwrapper_of(
    algorithm: str, key_id: bytes, material: bytes
) -> SymmetricKey | PrivateHalf[PrivateKey]:
    """Something to open with.

    Args:
        algorithm: one of `SEALING_ALGORITHMS`.
        key_id: as for `recipient_of`.
        material: as `leeward.formats.material` makes or has checked it.

    Raises:
        InvalidKey: the algorithm opens no files, or `material` is none of it.
    """
    if algorithm in _SYMMETRIC:
        return _SYMMETRIC[algorithm](key_id, material)
    if algorithm in _PRIVATE_BY_ALGORITHM:
        return _PRIVATE_BY_ALGORITHM[algorithm].from_bytes(material, key_id, algorithm)
    raise InvalidKey(
        f"{algorithm} seals and opens no files: use a key of {', '.join(SEALING_ALGORITHMS)}"
    )


def recipient_from_pem(pem: bytes, key_id: bytes = b"") -> PublicHalf[PublicKey]:
    """Somebody to seal to, from PEM SubjectPublicKeyInfo of any kind that seals.

    Raises:
        InvalidKey: no PEM, or a key that seals no files.
    """
    try:
        key = keymaterial.load_public(pem)
    except InvalidMaterial as error:
        raise InvalidKey(str(error)) from error
    return _PUBLIC_BY_ALGORITHM[_algorithm(key)](key, key_id)


def unwrapper_from_pem(pem: bytes, key_id: bytes = b"") -> PrivateHalf[PrivateKey]:
    """Something to open with, from unencrypted PEM PKCS#8 of any kind that opens.

    Raises:
        InvalidKey: no PEM, encrypted, or a key that opens no files.
    """
    try:
        key = keymaterial.load_private(pem)
    except InvalidMaterial as error:
        raise InvalidKey(str(error)) from error
    return _PRIVATE_BY_ALGORITHM[_algorithm(key.public_key())](key, key_id)


def _algorithm(key: PublicKey) -> str:
    if isinstance(key, RSAPublicKey):
        return matching(key, RsaOaepPublicKey.ALGORITHMS)
    try:
        return matching(key, tuple(_PUBLIC_BY_ALGORITHM))
    except InvalidKey as error:
        raise InvalidKey(
            "the key is for signing, or on another curve: files are sealed with keys of "
            f"{', '.join(_PUBLIC_BY_ALGORITHM)}"
        ) from error
