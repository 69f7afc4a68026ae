"""The provider itself: encrypt and decrypt by one Transit key, bound by associated data.

Transit's own rewrap takes no associated data (its ciphertexts would have to be bound to nothing),
so wrapping anew is decrypting and encrypting. Before it wraps for the first time, a provider shows
once that what it wraps can be opened, and only in its place: an old server ignores associated data
without a word, and a policy may allow to encrypt and not to decrypt.
"""

import asyncio
import base64
import binascii
import math
from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError

from leeward.formats.wrapped import AnyWrapped, TransitWrapped, UnwrapError
from leeward.keystore.providers.port import Binding, ProviderError, ProviderKind
from leeward.keystore.providers.transit import faults
from leeward.keystore.providers.transit.config import TransitConfig
from leeward.keystore.providers.transit.faults import KEY_TYPE, Answer
from leeward.keystore.providers.transit.http import TransitHttp
from leeward.keystore.providers.transit.key import TransitKey
from leeward.keystore.providers.transit.login import TokenKeeper
from leeward.keystore.providers.transit.surroundings import Limits, Pace, Sources

_FRESH: Final = 60.0
_PROBE: Final = bytes(32)
_PROBE_PLACE: Final = b"leeward.dev/probe"
_OTHER_PLACE: Final = b"leeward.dev/another-probe"


class TransitProvider:
    """Wraps by a Transit key (``port.KeyProvider``)."""

    def __init__(
        self,
        config: TransitConfig,
        sources: Sources,
        pace: Pace | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Make a provider; it connects to nothing yet.

        Args:
            config: Which key.
            sources: Where credentials come from.
            pace: Time and chance.
            limits: How long, how often, how much.
        """
        self._config = config
        self._sources = sources
        self._pace = pace or Pace()
        limits = limits or Limits()
        self._http = TransitHttp(config, self._pace, limits)
        self._tokens = TokenKeeper(config, self._http, sources, self._pace, limits)
        self._key: TransitKey | None = None
        self._looked_at = -math.inf
        self._proving = asyncio.Lock()
        self._proven = False

    @property
    def kind(self) -> ProviderKind:
        """``transit``."""
        return "transit"

    async def check(self) -> tuple[str, ...]:
        """Log in, read the key, and show that it wraps; what ought to be different."""
        key = await self._usable_key(fresh=True)
        await self._prove()
        warning = self._tokens.warning
        return (*key.warnings(self._config), *([warning] if warning else []))

    async def key_id(self) -> str:
        """A digest of namespace, mount and name of the Transit key."""
        return self._config.key_id

    async def wrap(self, material: bytes, binding: Binding) -> TransitWrapped:
        """Wrap a key by the newest version of the Transit key."""
        self._require(binding.key_id)
        await self._usable_key()
        await self._prove()
        return await self._encrypt(material, binding.aad)

    async def unwrap(self, wrapped: AnyWrapped, binding: Binding, size: int) -> bytes:
        """Open a wrapped key of so many bytes."""
        self._require(binding.key_id)
        if not isinstance(wrapped, TransitWrapped):
            raise UnwrapError("a stored key is wrapped by the root key, not by a Transit key")
        material = await self._decrypt(wrapped, binding.aad)
        if len(material) != size:
            raise UnwrapError(f"a stored key has {len(material)} bytes, not {size}")
        return material

    async def is_current(self, wrapped: AnyWrapped, key_id: str) -> bool:
        """Whether it is wrapped by this key, and by its newest version (known for a minute)."""
        if key_id != self._config.key_id or not isinstance(wrapped, TransitWrapped):
            return False
        return wrapped.key_version >= (await self._usable_key()).latest

    async def rewrap(
        self, wrapped: AnyWrapped, old: Binding, new: Binding, size: int
    ) -> TransitWrapped:
        """Wrap the same key anew, by the newest version."""
        return await self.wrap(await self.unwrap(wrapped, old, size), new)

    async def tend(self) -> None:
        """Renew the token, if that is due."""
        await self._tokens.tend()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    def _require(self, key_id: str) -> None:
        if key_id != self._config.key_id:
            raise faults.other_key(self._config)

    async def _usable_key(self, *, fresh: bool = False) -> TransitKey:
        """The key, if it may wrap.

        Raises:
            ProviderError: It is not there, or may not.
        """
        now = self._pace.monotonic()
        if fresh or self._key is None or now - self._looked_at > _FRESH:
            self._key = await self._read_or_make()
            self._looked_at = now
        obstacle = self._key.obstacle(self._config)
        if obstacle is not None:
            raise obstacle
        return self._key

    async def _read_or_make(self) -> TransitKey:
        found = await self._read()
        if isinstance(found, TransitKey):
            return found
        # A key that was lost is not made anew under its name: what it wrapped stays shut, and
        # would look damaged.
        if found.says("no handler for route") or not (
            await self._sources.is_unused(self._config.key_id)
        ):
            raise faults.key_missing(self._config, found)
        made = await self._ask("POST", self._config.key_path, {"type": KEY_TYPE})
        if made.status == 403:
            raise faults.key_missing(self._config, found)
        if not made.is_ok:
            raise self._unexpected(made)
        again = await self._read()
        if isinstance(again, TransitKey):
            return again
        raise faults.key_missing(self._config, again)

    async def _read(self) -> TransitKey | Answer:
        """The key, or the answer that says that it is not there."""
        answer = await self._ask("GET", self._config.key_path)
        if answer.is_ok:
            return TransitKey.read(self._config, answer)
        if answer.status == 403:
            raise faults.forbidden(self._config, self._config.key_path, "read")
        if answer.status == 404:
            return answer
        raise self._unexpected(answer)

    async def _prove(self) -> None:
        """Show that what is wrapped can be opened, in its place and in no other."""
        async with self._proving:
            if self._proven:
                return
            wrapped = await self._encrypt(_PROBE, _PROBE_PLACE)
            if await self._decrypt(wrapped, _PROBE_PLACE) != _PROBE:
                raise faults.not_transit(self._config, "it decrypts to something else")
            try:
                await self._decrypt(wrapped, _OTHER_PLACE)
            except UnwrapError:
                self._proven = True
                return
            raise faults.too_old(self._config)

    async def _encrypt(self, material: bytes, aad: bytes) -> TransitWrapped:
        path = self._config.encrypt_path
        answer = await self._ask("POST", path, {"plaintext": _text(material)} | _bound(aad))
        if answer.status == 403:
            raise faults.forbidden(self._config, path, "update")
        if not answer.is_ok:
            # Whatever it is, the key says it better than the status.
            await self._usable_key(fresh=True)
            raise self._unexpected(answer)
        try:
            return TransitWrapped.model_validate(
                {"ciphertext": answer.member("data").get("ciphertext")}
            )
        except ValidationError:
            raise faults.not_transit(self._config, "an answer without a ciphertext") from None

    async def _decrypt(self, wrapped: TransitWrapped, aad: bytes) -> bytes:
        path = self._config.decrypt_path
        answer = await self._ask("POST", path, {"ciphertext": wrapped.ciphertext} | _bound(aad))
        if answer.status == 403:
            raise faults.forbidden(self._config, path, "update")
        if not answer.is_ok:
            raise await self._why_shut(wrapped, answer)
        try:
            return base64.b64decode(answer.member("data")["plaintext"], validate=True)
        except (KeyError, TypeError, binascii.Error, ValueError):
            raise faults.not_transit(self._config, "an answer without a plaintext") from None

    async def _why_shut(self, wrapped: TransitWrapped, answer: Answer) -> Exception:
        """By the state of the key: the texts of servers and versions differ."""
        key = await self._read()
        if isinstance(key, Answer):
            return faults.key_missing(self._config, key)
        obstacle = key.obstacle_to(self._config, wrapped.key_version)
        if obstacle is not None:
            return obstacle
        if answer.status == 400:
            return UnwrapError("a wrapped key does not open")
        return self._unexpected(answer)

    async def _ask(self, method: str, path: str, body: Mapping[str, str] | None = None) -> Answer:
        """Ask with a token; where that ran out or was revoked, with another one, once."""
        token = await self._tokens.token()
        answer = await self._http.exchange(method, path, token=token.value, body=body)
        if answer.status != 403:
            return answer
        other = await self._tokens.after_refusal(token)
        if other is None:
            return answer
        return await self._http.exchange(method, path, token=other.value, body=body)

    def _unexpected(self, answer: Answer) -> ProviderError:
        return faults.not_transit(self._config, f"HTTP status {answer.status} at a Transit path")


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bound(aad: bytes) -> dict[str, str]:
    return {"associated_data": _text(aad)}
