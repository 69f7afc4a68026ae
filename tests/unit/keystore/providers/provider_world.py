"""What providers are given in tests: time that a test moves, Secrets, and figures."""

from __future__ import annotations

from dataclasses import dataclass, field

from leeward.keystore.providers.metered import ProviderOperation
from leeward.keystore.providers.port import Binding, ProviderKind
from leeward.keystore.providers.transit.config import (
    AppRoleAuth,
    KubernetesAuth,
    SecretValue,
    TokenAuth,
)
from leeward.keystore.providers.transit.surroundings import Pace, Sources

MATERIAL = bytes(range(32))
VAULT = "clinic/clinic"
TOKEN = SecretValue("bao-token", "token", VAULT)
SECRET_ID = SecretValue("bao-approle", "secretId", VAULT)
BY_TOKEN = TokenAuth(TOKEN)
BY_ROLE = AppRoleAuth("role-id", SECRET_ID)
BY_CLUSTER = KubernetesAuth("leeward")


@dataclass
class World:
    """Time, chance, and what stands in Secrets.

    Attributes:
        now: Monotonic seconds; sleeping moves it.
        pauses: Seconds that were slept.
        chance: What is drawn, from 0 to 1.
        values: What Secrets hold.
        jwt: The projected service account token.
        unused: Whether nothing is wrapped by the Transit key.
    """

    now: float = 1000.0
    pauses: list[float] = field(default_factory=list)
    chance: float = 1.0
    values: dict[SecretValue, str] = field(default_factory=dict)
    reads: int = 0
    jwt: str | None = "header.claims.signature"
    unused: bool = True

    @property
    def pace(self) -> Pace:
        return Pace(monotonic=lambda: self.now, sleep=self._sleep, unit_random=lambda: self.chance)

    @property
    def sources(self) -> Sources:
        return Sources(self._secret, self._jwt, self._is_unused)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    async def _secret(self, secret: SecretValue) -> str | None:
        self.reads += 1
        return self.values.get(secret)

    async def _jwt(self) -> str | None:
        return self.jwt

    async def _is_unused(self, key_id: str) -> bool:
        return self.unused


@dataclass
class Figures:
    """A meter that remembers."""

    asked: list[tuple[ProviderKind, ProviderOperation, float]] = field(default_factory=list)
    failed: list[tuple[ProviderKind, str]] = field(default_factory=list)

    def provider_asked(
        self, provider: ProviderKind, operation: ProviderOperation, seconds: float
    ) -> None:
        self.asked.append((provider, operation, seconds))

    def provider_failed(self, provider: ProviderKind, reason: str) -> None:
        self.failed.append((provider, reason))


def place(key_id: str, text: str = "data/1") -> Binding:
    return Binding(key_id, text.encode())
