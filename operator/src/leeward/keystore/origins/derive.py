"""Keys from other keys of the vault: HKDF-SHA256 (RFC 5869, two-step of NIST SP 800-56C Rev. 2).

The salt is empty (SP 800-56C's default), the info is the canonical JSON of

    ["leeward.dev/derived-key", 1, vaultId, from, fromVersion, key, version, algorithm, info]

so a derived key is one of this vault, this place and this algorithm only, and differs from whatever
else is derived from the same key: other uses of HKDF have another label in front. Who has a derived
key learns nothing about the one it was derived from, or about another.
"""

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from leeward.formats.document import canonical_json
from leeward.keystore.origins.errors import NotDerivableError
from leeward.keystore.origins.seeds import seed_size

MIN_PARENT: Final = 32
MAX_INFO: Final = 256


@dataclass(frozen=True, slots=True)
class DerivedKey:
    """Which key is derived from which.

    Attributes:
        vault_id: 32 hexadecimal digits.
        parent, parent_version: Name and version of the key that it is derived from.
        key, version: Its own.
        algorithm: Its own.
        info: What the user says it is for, at most 256 characters.
    """

    vault_id: str
    parent: str
    parent_version: int
    key: str
    version: int
    algorithm: str
    info: str

    def context(self) -> bytes:
        """HKDF's info: see the module."""
        return canonical_json(
            [
                "leeward.dev/derived-key",
                1,
                self.vault_id,
                self.parent,
                self.parent_version,
                self.key,
                self.version,
                self.algorithm,
                self.info,
            ]
        )


def derive_key(parent: bytes, derived: DerivedKey) -> bytes:
    """Make a key from another one. Takes microseconds.

    Args:
        parent: Material of the key that it is derived from, of any algorithm: 32 bytes or more.
        derived: Which key.

    Returns:
        Material as ``leeward.formats.material`` has it.

    Raises:
        NotDerivableError: No key of this algorithm is made so, the key would be derived from
            itself, or `parent` is too short.
    """
    size = seed_size(derived.algorithm)
    if derived.parent == derived.key:
        raise NotDerivableError(
            f"key {derived.key} would be derived from itself: name another key in origin.derive"
        )
    if len(parent) < MIN_PARENT:
        raise NotDerivableError(
            f"key {derived.parent} has {len(parent)} bytes, and {MIN_PARENT} are needed to derive"
            " another from it: name another key in origin.derive"
        )
    if len(derived.info) > MAX_INFO:
        raise NotDerivableError(
            f"the info of origin.derive has {len(derived.info)} characters, at most {MAX_INFO} are"
            " taken: shorten it"
        )
    return HKDF(SHA256(), size, salt=None, info=derived.context()).derive(parent)
