"""All Transit providers of a process: one for each key, address and way to log in."""

import asyncio
import logging
from collections.abc import Callable, Collection

from leeward.engine.errors import described
from leeward.keystore.providers.metered import MeteredProvider, ProviderMeter
from leeward.keystore.providers.port import KeyProvider, ProviderNotAllowedError
from leeward.keystore.providers.transit.config import TransitConfig
from leeward.keystore.providers.transit.provider import TransitProvider

_log = logging.getLogger(__name__)


class TransitPool:
    """Makes providers, shares them between KeyVaults, tends their tokens, and closes them.

    Whoever may write a KeyVault chooses an address, and the operator sends its credentials there.
    So only addresses that the operator was set up for are ever connected to.
    """

    def __init__(
        self,
        make: Callable[[TransitConfig], TransitProvider],
        addresses: Collection[str],
        meter: ProviderMeter,
        monotonic: Callable[[], float],
        idle: float,
    ) -> None:
        """Make an empty pool.

        Args:
            make: Makes a provider that is connected to nothing yet.
            addresses: The servers that may be talked to: ``https://`` host and port.
            meter: Counts what providers do.
            monotonic: Seconds on a clock that never jumps.
            idle: Seconds after which a provider that nobody asks for is closed: longer than any
                KeyVault in use goes without being looked at.
        """
        self._idle = idle
        self._make = make
        self._addresses = frozenset(address.rstrip("/") for address in addresses)
        self._meter = meter
        self._monotonic = monotonic
        self._providers: dict[TransitConfig, TransitProvider] = {}
        self._used_at: dict[TransitConfig, float] = {}

    def get(self, config: TransitConfig) -> KeyProvider:
        """The provider of that configuration.

        Raises:
            ProviderNotAllowedError: The operator was not set up for its address.
        """
        self.require_allowed(config.address)
        provider = self._providers.get(config)
        if provider is None:
            provider = self._providers[config] = self._make(config)
        self._used_at[config] = self._monotonic()
        return MeteredProvider(provider, self._meter, self._monotonic)

    def require_allowed(self, address: str) -> None:
        """Whether the operator was set up to talk to that server.

        Raises:
            ProviderNotAllowedError: It was not.
        """
        if address not in self._addresses:
            raise not_allowed(address)

    async def tend(self) -> None:
        """Renew what is due, and close what nobody has asked for in a long time.

        To be called some times a minute: the tokens in Secrets run out otherwise.
        """
        oldest = self._monotonic() - self._idle
        for config, provider in list(self._providers.items()):
            if self._used_at[config] < oldest:
                del self._providers[config], self._used_at[config]
                await provider.close()
        # At the same time: a server that is away is waited for.
        await asyncio.gather(*map(self._look_after, list(self._providers.values())))

    async def _look_after(self, provider: TransitProvider) -> None:
        """What goes wrong with one, which a user may have set up wrongly, is nothing to others."""
        try:
            await provider.tend()
        except Exception as error:  # noqa: BLE001 - whoever needs the token next is told
            _log.warning("a token for Transit was not looked after", extra=described(error))

    async def close(self) -> None:
        """Close all connections."""
        for provider in self._providers.values():
            await provider.close()
        self._providers.clear()
        self._used_at.clear()


def not_allowed(address: str) -> ProviderNotAllowedError:
    """The operator was not set up for that server."""
    return ProviderNotAllowedError(
        f"the operator is not set up to talk to {address}",
        "Let an administrator add it to transitAddresses of the operator's Helm chart.",
    )
