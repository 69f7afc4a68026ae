"""What the server says of a Transit key, and whether it may wrap vault keys."""

from dataclasses import dataclass
from typing import Final

from leeward.keystore.providers.port import ProviderError
from leeward.keystore.providers.transit import faults
from leeward.keystore.providers.transit.config import TransitConfig
from leeward.keystore.providers.transit.faults import KEY_TYPE, Answer

_AEAD: Final = frozenset(
    {KEY_TYPE, "aes128-gcm96", "aes192-gcm96", "chacha20-poly1305", "xchacha20-poly1305"}
)


@dataclass(frozen=True, slots=True)
class TransitKey:
    """A Transit key, without its material.

    Attributes:
        type: As the server names it.
        latest: Its newest version.
        oldest_decrypting: The oldest version that may decrypt.
        oldest_available: The oldest version that was not trimmed away; 0: all are there. It is
            never above ``oldest_decrypting``.
        derived: Whether each use derives a key of its own.
        deleted: Whether it is marked as deleted.
        leaks: Settings that let the key itself leave the server, or go.
    """

    type: str
    latest: int
    oldest_decrypting: int
    oldest_available: int
    derived: bool
    deleted: bool
    leaks: tuple[str, ...]

    @classmethod
    def read(cls, config: TransitConfig, answer: Answer) -> "TransitKey":
        """The key in the server's answer.

        Raises:
            ProviderError: It is none.
        """
        data = answer.member("data")
        numbers = [
            data.get(name)
            for name in ("latest_version", "min_decryption_version", "min_available_version")
        ]
        latest, decrypting, available = (n if isinstance(n, int) else 0 for n in numbers)
        kind = data.get("type")
        if not isinstance(kind, str) or latest < 1:
            raise faults.not_transit(config, "a key without type and version")
        risky = ("exportable", "allow_plaintext_backup", "deletion_allowed")
        return cls(
            type=kind,
            latest=latest,
            oldest_decrypting=decrypting,
            oldest_available=available,
            derived=data.get("derived") is True,
            deleted=data.get("soft_deleted") is True,
            leaks=tuple(name for name in risky if data.get(name) is True),
        )

    def obstacle(self, config: TransitConfig) -> ProviderError | None:
        """Why it cannot wrap."""
        if self.type not in _AEAD:
            what = "is of a type that does not bind what it wraps to its place"
            return faults.unsuitable(config, what)
        if self.derived:
            return faults.unsuitable(config, "derives another key for each context")
        return faults.key_deleted(config) if self.deleted else None

    def obstacle_to(self, config: TransitConfig, version: int) -> ProviderError | None:
        """Why it cannot unwrap what that version of it wrapped."""
        if version > self.latest:
            return faults.version_unknown(config, version, self.latest)
        if version < self.oldest_decrypting:
            return faults.version_missing(config, version, self.oldest_available)
        return self.obstacle(config)

    def warnings(self, config: TransitConfig) -> tuple[str, ...]:
        """What works, and ought to be different."""
        return tuple(
            f"The key {config.key_path} has {name}: vault keys are as safe as whoever may use that."
            for name in self.leaks
        )
