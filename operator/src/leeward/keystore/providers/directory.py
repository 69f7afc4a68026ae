"""Which provider wraps a keyset."""

from leeward.formats.provider import TransitSettings
from leeward.keystore.providers.embedded import EmbeddedProvider
from leeward.keystore.providers.port import KeyProvider, ProviderNotAllowedError


class Providers:
    """The providers of this process."""

    def __init__(self, embedded: EmbeddedProvider) -> None:
        """Make it; it asks nobody yet.

        Args:
            embedded: The root key's.
        """
        self._embedded = embedded

    async def of(self, transit: TransitSettings | None, vault: tuple[str, str]) -> KeyProvider:
        """The provider that a keyset names.

        Args:
            transit: The Transit key; None: the root key.
            vault: Namespace and name of the KeyVault for which it is asked.

        Raises:
            ProviderError: There is none for it.
        """
        if transit is None:
            return self._embedded
        raise ProviderNotAllowedError(
            f"the operator is not set up to talk to {transit.address}",
            "Let an administrator add it to transitAddresses of the operator's Helm chart.",
        )
