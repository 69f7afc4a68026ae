"""Transit keys of this process: connections to servers, tokens renewed in time, figures."""

import asyncio
import time
from pathlib import Path
from typing import Final

from leeward.app.settings import Settings
from leeward.keystore.providers.cluster import CaBundles, ClusterSources
from leeward.keystore.providers.directory import PooledTransitKeys, Surroundings
from leeward.keystore.providers.metered import ProviderMeter
from leeward.keystore.providers.pool import TransitPool
from leeward.keystore.providers.transit.config import TransitConfig
from leeward.keystore.providers.transit.login import token_file
from leeward.keystore.providers.transit.provider import TransitProvider
from leeward.keystore.rootkey import SecretClient

_TEND: Final = 15.0
_IDLE: Final = 3600.0
"""Every KeyVault on a Transit key is looked at more often."""


def transit_pool(settings: Settings, client: SecretClient, meter: ProviderMeter) -> TransitPool:
    """A pool that is connected to nothing yet."""
    token = token_file(Path(settings.transit_token))
    sources = ClusterSources(client, settings.namespace, token).sources

    def make(config: TransitConfig) -> TransitProvider:
        return TransitProvider(config, sources)

    return TransitPool(make, settings.transit_addresses, meter, time.monotonic, idle=_IDLE)


def surroundings(pool: TransitPool, client: SecretClient, meter: ProviderMeter) -> Surroundings:
    """What the key store's providers are given."""
    transit = PooledTransitKeys(pool, CaBundles(client, time.monotonic))
    return Surroundings(transit, meter, time.monotonic)


async def tend(pool: TransitPool) -> None:
    """Renew tokens, and close what is not used, until cancelled."""
    while True:
        await asyncio.sleep(_TEND)
        await pool.tend()
