"""Counts what any provider does."""

from collections.abc import Awaitable, Callable
from typing import Literal, Protocol, TypeVar

from leeward.formats.wrapped import AnyWrapped, UnwrapError
from leeward.keystore.providers.port import (
    Binding,
    KeyProvider,
    ProviderError,
    ProviderKind,
    ProviderReason,
)

ProviderOperation = Literal["check", "wrap", "unwrap", "is_current", "rewrap"]

T = TypeVar("T")


class ProviderMeter(Protocol):
    """Figures of providers."""

    def provider_asked(
        self, provider: ProviderKind, operation: ProviderOperation, seconds: float
    ) -> None:
        """One operation ended, well or not (``leeward_provider_request_seconds``)."""

    def provider_failed(
        self, provider: ProviderKind, reason: ProviderReason | Literal["DoesNotOpen"]
    ) -> None:
        """One operation failed (``leeward_provider_errors_total``)."""


class MeteredProvider:
    """A provider with figures (``port.KeyProvider``)."""

    def __init__(
        self, provider: KeyProvider, meter: ProviderMeter, monotonic: Callable[[], float]
    ) -> None:
        """Count what that one does.

        Args:
            provider: Does the work.
            meter: Counts it.
            monotonic: Seconds on a clock that never jumps.
        """
        self._provider = provider
        self._meter = meter
        self._monotonic = monotonic

    @property
    def kind(self) -> ProviderKind:
        """Which kind it is."""
        return self._provider.kind

    async def check(self) -> tuple[str, ...]:
        """See ``KeyProvider``."""
        return await self._measured("check", self._provider.check())

    async def key_id(self) -> str:
        """See ``KeyProvider``; not counted, for it asks nobody."""
        return await self._provider.key_id()

    async def wrap(self, material: bytes, binding: Binding) -> AnyWrapped:
        """See ``KeyProvider``."""
        return await self._measured("wrap", self._provider.wrap(material, binding))

    async def unwrap(self, wrapped: AnyWrapped, binding: Binding, size: int) -> bytes:
        """See ``KeyProvider``."""
        return await self._measured("unwrap", self._provider.unwrap(wrapped, binding, size))

    async def is_current(self, wrapped: AnyWrapped, key_id: str) -> bool:
        """See ``KeyProvider``."""
        return await self._measured("is_current", self._provider.is_current(wrapped, key_id))

    async def rewrap(
        self, wrapped: AnyWrapped, old: Binding, new: Binding, size: int
    ) -> AnyWrapped:
        """See ``KeyProvider``."""
        return await self._measured("rewrap", self._provider.rewrap(wrapped, old, new, size))

    async def _measured(self, operation: ProviderOperation, work: Awaitable[T]) -> T:
        start = self._monotonic()
        try:
            return await work
        except ProviderError as error:
            self._meter.provider_failed(self.kind, error.reason)
            raise
        except UnwrapError:
            self._meter.provider_failed(self.kind, "DoesNotOpen")
            raise
        finally:
            self._meter.provider_asked(self.kind, operation, self._monotonic() - start)
