"""The operator's token on a Transit server: got by a login, renewed in time, replaced when refused.

A token is renewed at two thirds of its life, and got anew where it cannot be renewed. Of all
callers that need one at once, one logs in. A login that was refused is not tried again for some
seconds: some servers lock whoever fails too often.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from leeward.keystore.providers.port import ProviderError, ProviderLoginFailedError
from leeward.keystore.providers.transit import faults
from leeward.keystore.providers.transit.config import (
    AppRoleAuth,
    KubernetesAuth,
    SecretValue,
    TokenAuth,
    TransitConfig,
)
from leeward.keystore.providers.transit.faults import Answer
from leeward.keystore.providers.transit.http import TransitHttp
from leeward.keystore.providers.transit.surroundings import Limits, Pace, Sources

_log = logging.getLogger(__name__)

_FRESH: Final = 60.0
_LOOKUP: Final = "auth/token/lookup-self"
_RENEW: Final = "auth/token/renew-self"
_TOKEN_LIMIT: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Token:
    """One token. Times are of the monotonic clock; infinite: never.

    Attributes:
        value: The token itself.
        life: Seconds that it was given at first.
        renew_at: When it is to be renewed.
        expires_at: When it runs out.
        renewable: Whether the server renews it.
    """

    value: str = field(repr=False)
    life: float
    renew_at: float
    expires_at: float
    renewable: bool

    @classmethod
    def made(cls, value: str, now: float, seconds: float, renewable: bool) -> "Token":
        """A token that has so many seconds left; 0: it never runs out."""
        if not seconds:
            return cls(value, math.inf, math.inf, math.inf, renewable)
        return cls(value, seconds, now + seconds * 2 / 3, now + seconds, renewable)


class TokenKeeper:
    """Has a token, for as long as it can be had."""

    def __init__(
        self, config: TransitConfig, http: TransitHttp, sources: Sources, pace: Pace, limits: Limits
    ) -> None:
        self._config = config
        self._http = http
        self._sources = sources
        self._pace = pace
        self._cool_down = limits.cool_down
        self._lock = asyncio.Lock()
        self._token: Token | None = None
        self._looked_at = -math.inf
        self._refusal: ProviderLoginFailedError | None = None
        self._refused_at = -math.inf

    @property
    def warning(self) -> str | None:
        """What ought to be different about the token."""
        token = self._token
        if token is None or token.renewable or not isinstance(self._config.auth, TokenAuth):
            return None
        if math.isinf(token.expires_at):
            return "The operator's token never runs out: give it one with a period."
        return "The operator's token cannot be renewed: replace it before it runs out."

    async def token(self) -> Token:
        """A token that has not run out.

        Raises:
            ProviderError: None can be had.
        """
        token = self._token
        if token is not None and not self._is_due(token):
            return token
        async with self._lock:
            return await self._advance()

    async def after_refusal(self, refused: Token) -> Token | None:
        """Another token in the place of one with which a request was answered by 403.

        Returns:
            None: there is nothing wrong with it, so its policy lacks something.

        Raises:
            ProviderError: None can be had.
        """
        async with self._lock:
            if self._token is not None and self._token is not refused:
                return self._token
            answer = await self._http.exchange("GET", _LOOKUP, token=refused.value)
            if answer.is_ok:
                return None
            self._token = None
            return await self._login()

    async def tend(self) -> None:
        """Renew what is due. What stands in the way is told to the next one who needs a token."""
        if self._token is not None:
            with contextlib.suppress(ProviderError):
                await self.token()

    def _is_due(self, token: Token) -> bool:
        now = self._pace.monotonic()
        return now >= token.renew_at or now >= token.expires_at or self._is_stale(now)

    def _is_stale(self, now: float) -> bool:
        """Whether the Secret of a given token is to be looked at again."""
        return isinstance(self._config.auth, TokenAuth) and now - self._looked_at > _FRESH

    async def _advance(self) -> Token:
        token = self._token
        if token is None or self._pace.monotonic() >= token.expires_at:
            return await self._login()
        if await self._was_replaced(token):
            return await self._login()
        if self._pace.monotonic() < token.renew_at:
            return token
        try:
            self._token = await self._renewed(token)
        except ProviderError as error:
            _log.warning("a token for Transit was not renewed", extra={"reason": error.reason})
            left = token.expires_at - self._pace.monotonic()
            self._token = _later(token, token.expires_at - left / 2)
        return self._token

    async def _was_replaced(self, token: Token) -> bool:
        """Whether the Secret of a given token holds another one now."""
        auth = self._config.auth
        if not isinstance(auth, TokenAuth) or not self._is_stale(self._pace.monotonic()):
            return False
        return await self._given(auth.secret) != token.value

    async def _renewed(self, token: Token) -> Token:
        can_log_in = not isinstance(self._config.auth, TokenAuth)
        if token.renewable:
            now = self._pace.monotonic()
            answer = await self._http.exchange("POST", _RENEW, token=token.value, body={})
            seconds = _number(answer.member("auth"), "lease_duration") if answer.is_ok else 0
            # Near the end of its longest life a token is renewed for less and less.
            if seconds > token.life / 3 or (seconds and not can_log_in):
                again = Token.made(token.value, now, seconds, token.renewable)
                return Token(again.value, token.life, again.renew_at, again.expires_at, True)
        return await self._login() if can_log_in else _later(token, math.inf)

    async def _login(self) -> Token:
        now = self._pace.monotonic()
        if self._refusal is not None and now - self._refused_at < self._cool_down:
            raise ProviderLoginFailedError(str(self._refusal), self._refusal.remedy)
        try:
            self._token = await self._log_in()
        except ProviderLoginFailedError as error:
            self._refusal, self._refused_at = error, now
            raise
        self._refusal = None
        return self._token

    async def _log_in(self) -> Token:
        match self._config.auth:
            case TokenAuth(secret):
                return await self._look_up(secret)
            case AppRoleAuth(role_id, secret, mount):
                proof = {"role_id": role_id, "secret_id": await self._given(secret)}
                return await self._enter(mount, proof, "role id and secret id are right")
            case KubernetesAuth(role, mount):
                jwt = await self._sources.service_account_token()
                if jwt is None or not _is_credential(jwt):
                    raise faults.no_service_account_token()
                needed = (
                    f"its role {role} is bound to the operator's service account and namespace,"
                    " and to the audience of the operator's token"
                )
                return await self._enter(mount, {"role": role, "jwt": jwt}, needed)

    async def _look_up(self, secret: SecretValue) -> Token:
        value = await self._given(secret)
        now = self._pace.monotonic()
        answer = await self._http.exchange("GET", _LOOKUP, token=value)
        if not answer.is_ok:
            raise faults.token_refused(secret)
        data = answer.member("data")
        return Token.made(value, now, _number(data, "ttl"), data.get("renewable") is True)

    async def _enter(self, mount: str, proof: Mapping[str, str], needed: str) -> Token:
        now = self._pace.monotonic()
        answer = await self._http.exchange("POST", f"auth/{mount}/login", body=proof)
        if not answer.is_ok:
            raise faults.login_refused(self._config, mount, needed)
        return self._token_in(answer, now)

    def _token_in(self, answer: Answer, now: float) -> Token:
        given = answer.member("auth")
        value = given.get("client_token")
        if not isinstance(value, str) or not _is_credential(value):
            raise faults.not_transit(self._config, "a login that gives no token")
        return Token.made(
            value, now, _number(given, "lease_duration"), given.get("renewable") is True
        )

    async def _given(self, secret: SecretValue) -> str:
        value = await self._sources.secret(secret)
        if value is None:
            raise faults.no_secret(secret)
        self._looked_at = self._pace.monotonic()
        if not _is_credential(value.strip()):
            raise faults.not_a_credential(secret)
        return value.strip()


def token_file(path: Path) -> Callable[[], Awaitable[str | None]]:
    """Reads a projected service account token, each time anew: the kubelet replaces it in time."""

    def read() -> str | None:
        try:
            with path.open("rb") as file:
                return file.read(_TOKEN_LIMIT).decode("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None

    async def reader() -> str | None:
        return await asyncio.to_thread(read)

    return reader


def _later(token: Token, renew_at: float) -> Token:
    return Token(token.value, token.life, renew_at, token.expires_at, token.renewable)


def _is_credential(text: str) -> bool:
    return (
        text.isascii() and text.isprintable() and " " not in text and 0 < len(text) <= _TOKEN_LIMIT
    )


def _number(document: Mapping[str, object], name: str) -> float:
    value = document.get(name)
    return float(value) if isinstance(value, int | float) and value > 0 else 0.0
