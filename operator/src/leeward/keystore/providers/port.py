"""What wraps the versions of vault keys: the embedded root key, or a Transit key elsewhere.

Only vault keys are wrapped by a provider, never artefact keys: so a provider elsewhere is asked
once for each version of a vault key and process, and at rotations, but for no pod and no file.

    ProviderError                    reason                 it may pass by itself
    ├── ProviderUnreachableError     ProviderUnreachable    yes
    ├── ProviderCertificateError     ProviderCertificate    no
    ├── ProviderSealedError          ProviderSealed         yes
    ├── ProviderForbiddenError       ProviderForbidden      no
    ├── ProviderLoginFailedError     ProviderLoginFailed    no
    ├── ProviderKeyMissingError      ProviderKeyMissing     no
    ├── ProviderKeyReplacedError     ProviderKeyReplaced    no
    ├── ProviderKeyUnsuitableError   ProviderKeyUnsuitable  no
    ├── ProviderThrottledError       ProviderThrottled      yes
    ├── ProviderProtocolError        ProviderProtocol       no
    └── ProviderNotAllowedError      ProviderNotAllowed     no

That a wrapped key does not open, although its provider answered, is an ``UnwrapError`` of
``formats.wrapped``.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from leeward.formats.wrapped import AnyWrapped

ProviderKind = Literal["embedded", "transit"]

ProviderReason = Literal[
    "ProviderUnreachable",
    "ProviderCertificate",
    "ProviderSealed",
    "ProviderForbidden",
    "ProviderLoginFailed",
    "ProviderKeyMissing",
    "ProviderKeyReplaced",
    "ProviderKeyUnsuitable",
    "ProviderThrottled",
    "ProviderProtocol",
    "ProviderNotAllowed",
]
"""Reasons of conditions; labels of ``leeward_provider_errors_total``, too."""


class ProviderError(Exception):
    """A provider did not do what it was asked for; nothing has changed.

    Neither text holds a token, a secret id, key material, or what the other side answered.

    Attributes:
        reason: That of the condition.
        passing: Whether it may pass without anybody doing something: try again with back-off.
            Whatever the reason, trying again is safe.
        remedy: What to do about it: one or more sentences, possibly with a policy or a command on
            lines of their own.
    """

    reason: ClassVar[ProviderReason]
    passing: ClassVar[bool] = False

    def __init__(self, message: str, remedy: str) -> None:
        """Say what is wrong (without a full stop) and what to do."""
        super().__init__(message)
        self.remedy = remedy


class ProviderUnreachableError(ProviderError):
    """Connection refused, no such host, time-out, or a connection cut in the middle."""

    reason = "ProviderUnreachable"
    passing = True


class ProviderCertificateError(ProviderError):
    """The certificate is of another authority, for another name, or expired."""

    reason = "ProviderCertificate"


class ProviderSealedError(ProviderError):
    """The server is sealed, not initialised, or a standby that finds no active one."""

    reason = "ProviderSealed"
    passing = True


class ProviderForbiddenError(ProviderError):
    """The policy lacks a capability: the remedy holds the policy that is needed."""

    reason = "ProviderForbidden"


class ProviderLoginFailedError(ProviderError):
    """No login: a wrong role or secret id, an expired token, or no Secret that holds one."""

    reason = "ProviderLoginFailed"


class ProviderKeyMissingError(ProviderError):
    """The key, its mount, or the version of it that is needed, is not there (any more)."""

    reason = "ProviderKeyMissing"


class ProviderKeyReplacedError(ProviderError):
    """The provider has another key now than the one that wrapped this."""

    reason = "ProviderKeyReplaced"


class ProviderKeyUnsuitableError(ProviderError):
    """The key is of a type, or has a setting, that does not protect what it wraps."""

    reason = "ProviderKeyUnsuitable"


class ProviderThrottledError(ProviderError):
    """The provider asked to be asked less often.

    Attributes:
        retry_after: Seconds that it asked to wait, where it did.
    """

    reason = "ProviderThrottled"
    passing = True

    def __init__(self, message: str, remedy: str, retry_after: float | None = None) -> None:
        """Say what is wrong, what to do, and when."""
        super().__init__(message, remedy)
        self.retry_after = retry_after


class ProviderProtocolError(ProviderError):
    """What answers there is not such a provider."""

    reason = "ProviderProtocol"


class ProviderNotAllowedError(ProviderError):
    """The operator is not set up to send its credentials to that address."""

    reason = "ProviderNotAllowed"


@dataclass(frozen=True, slots=True)
class Binding:
    """What a wrapped key is bound to.

    Attributes:
        key_id: The key of the provider that wraps it, as ``KeyProvider.key_id`` named it.
        aad: Its place (see ``formats.wrapped``).
    """

    key_id: str
    aad: bytes


class KeyProvider(Protocol):
    """Wraps and unwraps versions of vault keys. Every method raises ``ProviderError``."""

    @property
    def kind(self) -> ProviderKind:
        """Which kind it is."""

    async def check(self) -> tuple[str, ...]:
        """Whether it can wrap and unwrap now: raises what stands in the way.

        Returns:
            What works, and ought to be different, as sentences.
        """

    async def key_id(self) -> str:
        """The key that it wraps with now: 32 hexadecimal digits, to be recorded with the keyset.

        Another version of a Transit key is the same key; another root key is another.
        """

    async def wrap(self, material: bytes, binding: Binding) -> AnyWrapped:
        """Wrap a key by the newest version of the provider's key."""

    async def unwrap(self, wrapped: AnyWrapped, binding: Binding, size: int) -> bytes:
        """Open a wrapped key of so many bytes.

        Raises:
            UnwrapError: It was wrapped by another key or for another place, or is damaged.
        """

    async def is_current(self, wrapped: AnyWrapped, key_id: str) -> bool:
        """Whether it is wrapped by the key of today, and by its newest version.

        Args:
            wrapped: A wrapped key.
            key_id: As recorded with it.
        """

    async def rewrap(
        self, wrapped: AnyWrapped, old: Binding, new: Binding, size: int
    ) -> AnyWrapped:
        """Wrap the same key of so many bytes anew, by the newest version and for a new binding.

        Raises:
            UnwrapError: It was wrapped by another key or for another place, or is damaged.
        """
