"""Whether the provider that a KeyVault names now is the one that wraps its keyset."""

from leeward.formats.provider import TransitSettings
from leeward.formats.wrapped import KEY_SIZE, UnwrapError, WrappedKeyset
from leeward.keystore.providers.directory import Providers
from leeward.keystore.providers.port import Binding, KeyProvider, ProviderKeyReplacedError


async def fitting(
    providers: Providers,
    keyset: WrappedKeyset,
    transit: TransitSettings | None,
    vault: tuple[str, str],
) -> KeyProvider:
    """The provider that the KeyVault names.

    A Transit key is the same one by another address, or another way to log in. At another address
    it has to open what is there: a key of the same name on another server would wrap what comes,
    and what was wrapped before would open nowhere together with it.

    Args:
        providers: Of this process.
        keyset: What is wrapped.
        transit: The Transit key that the KeyVault names; None: the root key.
        vault: Namespace and name of the KeyVault.

    Raises:
        ProviderError: It is another one, or cannot be asked now.
    """
    provider = await providers.of(transit, vault)
    if keyset.transit is None and transit is None:
        return provider  # of root keys, several may be there
    if keyset.transit is None or transit is None:
        wraps = "the root key" if keyset.transit is None else keyset.transit.place
        raise ProviderKeyReplacedError(
            f"the keyset {keyset.vault_id} is wrapped by {wraps}",
            "Make the KeyVault with that provider.",
        )
    if await provider.key_id() != keyset.root_key_id:
        raise ProviderKeyReplacedError(
            f"the keyset {keyset.vault_id} is wrapped by {keyset.transit.place}",
            "Give the KeyVault that Transit namespace, mount and key.",
        )
    if transit.address != keyset.transit.address:
        await _check_opens(provider, keyset, transit)
    return provider


async def _check_opens(
    provider: KeyProvider, keyset: WrappedKeyset, transit: TransitSettings
) -> None:
    for key in keyset.keys:
        version = key.primary
        if version.wrapped is None:
            continue
        place = keyset.aad(key.name, key.algorithm, version.version)
        try:
            await provider.unwrap(version.wrapped, Binding(keyset.root_key_id, place), KEY_SIZE)
        except UnwrapError:
            raise ProviderKeyReplacedError(
                f"{transit.place} is another key than the one that wraps the keyset"
                f" {keyset.vault_id}, although it has the same name",
                "Give the KeyVault the address of the server that has that key, or restore the key"
                " there from a backup.",
            ) from None
        return
