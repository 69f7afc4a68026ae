"""Fixed keys: the key of one version of a vault key itself, wrapped by that version.

Only the key store uses this. What ``open_fixed`` yields leaves the process in copies only, which
are artefact keys.
"""

import asyncio
from collections.abc import Callable

from leeward.api.algorithms import ALGORITHMS
from leeward.formats.material import generate, public_pem
from leeward.formats.wrapped import FixedKey, WrappedKeyset, WrappedVersion, unwrap, wrap

Random = Callable[[int], bytes]


def is_signing(algorithm: str) -> bool:
    """Whether keys of this algorithm sign: then each version has a pair."""
    return ALGORITHMS[algorithm].key_class == "Signing"


async def drawn(algorithm: str, random: Random) -> bytes:
    """New material. Primes take up to a second: others are served meanwhile."""
    if algorithm.startswith("RSA"):
        return await asyncio.to_thread(generate, algorithm, random)
    return generate(algorithm, random)


def wrap_fixed(
    keyset: WrappedKeyset,
    place: tuple[str, str, int],
    wrapping_key: bytes,
    material: bytes,
    random: Random,
) -> FixedKey:
    """The fixed key of a version.

    Args:
        keyset: That it belongs to.
        place: Name and algorithm of the key, and the version.
        wrapping_key: That version in the clear.
        material: Of the fixed key.
        random: Draws the nonce.
    """
    name, algorithm, number = place
    pem = public_pem(algorithm, material)
    aad = keyset.fixed_aad(name, algorithm, number, pem)
    return FixedKey(wrapped=wrap(wrapping_key, material, aad, random), public_key=pem)


def open_fixed(
    keyset: WrappedKeyset,
    name: str,
    algorithm: str,
    version: WrappedVersion,
    wrapping_key: bytes,
) -> bytes | None:
    """Material of a version's fixed key; None: it has none.

    Raises:
        UnwrapError: It does not open.
    """
    fixed = version.fixed
    if fixed is None:
        return None
    aad = keyset.fixed_aad(name, algorithm, version.version, fixed.public_key)
    return unwrap(wrapping_key, fixed.wrapped, aad)
