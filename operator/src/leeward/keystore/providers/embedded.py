"""The embedded provider: the installation's root key, a Secret of the operator's own namespace."""

from collections.abc import Callable
from typing import Protocol

from leeward.formats.rootkey import RootKey
from leeward.formats.wrapped import AnyWrapped, UnwrapError, Wrapped, unwrap, wrap
from leeward.keystore.providers.port import (
    Binding,
    ProviderKeyMissingError,
    ProviderKeyReplacedError,
    ProviderKind,
)


class RootKeys(Protocol):
    """Who holds the root key (``keystore.rootkey.RootKeyCustodian``)."""

    async def current(self) -> RootKey | None:
        """The root key that wraps now; None: it is lost, or was never made."""

    async def key(self, key_id: str) -> RootKey | None:
        """A root key that wraps or wrapped; None: it is not there (any more)."""


class EmbeddedProvider:
    """Wraps by the root key (``port.KeyProvider``)."""

    def __init__(self, root: RootKeys, random: Callable[[int], bytes]) -> None:
        """Make a provider; it reads nothing yet.

        Args:
            root: Who holds the root key.
            random: Yields so many bytes that nobody can guess.
        """
        self._root = root
        self._random = random

    @property
    def kind(self) -> ProviderKind:
        """``embedded``."""
        return "embedded"

    async def check(self) -> tuple[str, ...]:
        """Whether there is a root key; nothing to warn of."""
        await self._current()
        return ()

    async def key_id(self) -> str:
        """The id of the root key."""
        return (await self._current()).id

    async def wrap(self, material: bytes, binding: Binding) -> Wrapped:
        """Wrap a key by the root key."""
        root = await self._of(binding.key_id)
        return wrap(root.raw(), material, binding.aad, self._random)

    async def unwrap(self, wrapped: AnyWrapped, binding: Binding, size: int) -> bytes:
        """Open a wrapped key of so many bytes."""
        if not isinstance(wrapped, Wrapped):
            raise UnwrapError("a stored key is wrapped by a Transit key, not by the root key")
        root = await self._of(binding.key_id)
        return unwrap(root.raw(), wrapped, binding.aad, size)

    async def is_current(self, wrapped: AnyWrapped, key_id: str) -> bool:
        """Whether it is wrapped by the root key of today."""
        return isinstance(wrapped, Wrapped) and key_id == await self.key_id()

    async def rewrap(self, wrapped: AnyWrapped, old: Binding, new: Binding, size: int) -> Wrapped:
        """Wrap the same key anew."""
        return await self.wrap(await self.unwrap(wrapped, old, size), new)

    async def _current(self) -> RootKey:
        key = await self._root.current()
        if key is None:
            raise ProviderKeyMissingError(
                "the root key is lost", "Restore the Secret leeward-root-key from a backup."
            )
        return key

    async def _of(self, key_id: str) -> RootKey:
        key = await self._root.key(key_id)
        if key is None:
            await self._current()
            raise ProviderKeyReplacedError(
                "the root key is another one than the one that wraps these keys",
                "Restore the Secret leeward-root-key from a backup.",
            )
        return key
