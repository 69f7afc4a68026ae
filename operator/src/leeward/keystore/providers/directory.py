"""Which provider wraps a keyset."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from leeward.formats.provider import TransitLogin, TransitSettings
from leeward.keystore.providers.cluster import CaBundles
from leeward.keystore.providers.metered import MeteredProvider, ProviderMeter
from leeward.keystore.providers.pool import TransitPool, not_allowed
from leeward.keystore.providers.port import KeyProvider, ProviderError, ProviderNotAllowedError
from leeward.keystore.providers.transit.config import (
    AppRoleAuth,
    InvalidTransitConfigError,
    KubernetesAuth,
    SecretValue,
    TokenAuth,
    TransitAuth,
    TransitConfig,
)

Vault = tuple[str, str]
"""Namespace and name of a KeyVault."""


class TransitKeys(Protocol):
    """Makes providers on Transit keys."""

    async def of(self, settings: TransitSettings, vault: Vault) -> KeyProvider:
        """The provider on that key, for that KeyVault. Raises ProviderError."""


class PooledTransitKeys:
    """Transit keys by the settings of KeyVaults (``TransitKeys``)."""

    def __init__(self, pool: TransitPool, bundles: CaBundles) -> None:
        """Make it; it asks nobody yet.

        Args:
            pool: Makes and holds providers.
            bundles: Reads the authorities that settings name.
        """
        self._pool = pool
        self._bundles = bundles

    async def of(self, settings: TransitSettings, vault: Vault) -> KeyProvider:
        """The provider on that key.

        Raises:
            ProviderError: The operator may not talk to it, or its authorities are not there.
            FaultError: They cannot be read now.
        """
        self._pool.require_allowed(settings.address)
        pem = None
        if settings.ca is not None:
            pem = await self._bundles.read(vault[0], settings.ca)
        try:
            config = TransitConfig(
                address=settings.address,
                mount=settings.mount,
                key=settings.key,
                namespace=settings.namespace or "",
                auth=_auth(settings.login, f"{vault[0]}/{vault[1]}"),
                ca_pem=pem,
            )
        except InvalidTransitConfigError as error:
            raise ProviderNotAllowedError(
                str(error), "Correct spec.provider.transit of the KeyVault."
            ) from None
        return self._pool.get(config)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What else providers are given.

    Attributes:
        transit: Makes those on Transit keys.
        meter: Counts what they do.
        monotonic: Seconds on a clock that never jumps.
    """

    transit: TransitKeys
    meter: ProviderMeter
    monotonic: Callable[[], float]


class Providers:
    """The providers of this process."""

    def __init__(self, embedded: KeyProvider, surroundings: Surroundings | None) -> None:
        """Make it; it asks nobody yet.

        Args:
            embedded: On the root key.
            surroundings: None: there is no other provider, and no figures.
        """
        self._surroundings = surroundings
        self._embedded = embedded
        if surroundings is not None:
            meter, monotonic = surroundings.meter, surroundings.monotonic
            self._embedded = MeteredProvider(embedded, meter, monotonic)

    async def of(self, transit: TransitSettings | None, vault: Vault) -> KeyProvider:
        """The provider that a keyset names.

        Args:
            transit: The Transit key; None: the root key.
            vault: For which KeyVault it is asked.

        Raises:
            ProviderError: There is none for it.
        """
        if transit is None:
            return self._embedded
        if self._surroundings is None:
            raise not_allowed(transit.address)
        try:
            return await self._surroundings.transit.of(transit, vault)
        except ProviderError as error:
            self._surroundings.meter.provider_failed("transit", error.reason)
            raise


def _auth(login: TransitLogin, vault: str) -> TransitAuth:
    secret = SecretValue(login.secret or "", login.secret_key or "", vault)
    match login.method:
        case "kubernetes":
            return KubernetesAuth(login.role or "", login.mount or "")
        case "appRole":
            return AppRoleAuth(login.role or "", secret, login.mount or "")
        case "token":
            return TokenAuth(secret)
