"""Which Transit key, where, and how to log in there. Holds names only, never a secret."""

import hashlib
import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from leeward.formats.document import canonical_json

_LABEL: Final = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PORT: Final = (
    r"[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
)
_ORIGIN: Final = re.compile(
    rf"https://({_LABEL}(\.{_LABEL})*|\[(?P<v6>[0-9A-Fa-f:.]+)\])(:({_PORT}))?"
)
_SEGMENT: Final = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
_PATH: Final = re.compile(f"{_SEGMENT}(/{_SEGMENT})*")
_KEY: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")


class InvalidTransitConfigError(ValueError):
    """A field does not fit; the message names it, says what it must be, and not what it is."""


@dataclass(frozen=True, slots=True)
class SecretValue:
    """One value of a Secret in the operator's namespace.

    Attributes:
        name: Of the Secret.
        key: Which of its values.
        vault: For which KeyVault it is read (``namespace/name``): the Secret must allow that one.
    """

    name: str
    key: str
    vault: str


@dataclass(frozen=True, slots=True)
class TokenAuth:
    """A token that somebody puts into a Secret. It is renewed for as long as it can be.

    Attributes:
        secret: The token. A changed one is used within a minute.
    """

    secret: SecretValue


@dataclass(frozen=True, slots=True)
class AppRoleAuth:
    """AppRole.

    Attributes:
        role_id: The role id.
        secret: The secret id.
        mount: Where the auth method is mounted.
    """

    role_id: str
    secret: SecretValue
    mount: str = "approle"


@dataclass(frozen=True, slots=True)
class KubernetesAuth:
    """The operator's own service account.

    Attributes:
        role: The role of the auth method that is bound to the service account.
        mount: Where the auth method is mounted.
    """

    role: str
    mount: str = "kubernetes"


TransitAuth = TokenAuth | AppRoleAuth | KubernetesAuth


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitConfig:
    """One Transit key, and how to reach it.

    Attributes:
        address: ``https://`` host and port, nothing else.
        mount: Where the engine is mounted.
        key: Name of the key.
        namespace: Of the server; empty: none.
        auth: How to log in.
        ca_pem: Certificates that the server's must come from. None: those that the machine trusts.
    """

    address: str
    mount: str = "transit"
    key: str
    namespace: str = ""
    auth: TransitAuth
    ca_pem: str | None = None

    def __post_init__(self) -> None:
        """Check all that becomes part of an address: a mount must not lead to another path.

        Raises:
            InvalidTransitConfigError: A field does not fit.
        """
        check_address(self.address)
        _check("mount", _PATH, self.mount, "a path of letters, digits, '_', '-' and '.'")
        _check("key", _KEY, self.key, "a name of letters, digits, '_', '-' and '.'")
        if self.namespace:
            _check(
                "namespace", _PATH, self.namespace, "a path of letters, digits and '_', '-', '.'"
            )
        if not isinstance(self.auth, TokenAuth):
            _check("auth.mount", _PATH, self.auth.mount, "a path of letters, digits, '_' and '-'")

    @property
    def key_id(self) -> str:
        """32 hexadecimal digits for this key: SHA-256 over namespace, mount and name, cut short.

        The address is no part of it, so that a server may move.
        """
        place = canonical_json(["leeward.dev/transit-key", 1, self.namespace, self.mount, self.key])
        return hashlib.sha256(place).hexdigest()[:32]

    @property
    def key_path(self) -> str:
        """Where the key is read, below ``/v1/``."""
        return f"{self.mount}/keys/{self.key}"

    @property
    def encrypt_path(self) -> str:
        """Where it encrypts."""
        return f"{self.mount}/encrypt/{self.key}"

    @property
    def decrypt_path(self) -> str:
        """Where it decrypts."""
        return f"{self.mount}/decrypt/{self.key}"

    def policy(self) -> str:
        """The policy that the operator needs, in HCL."""
        return "\n".join(
            f'path "{path}" {{ capabilities = ["{capability}"] }}'
            for path, capability in (
                (self.key_path, "read"),
                (self.encrypt_path, "update"),
                (self.decrypt_path, "update"),
            )
        )


def check_address(address: str) -> None:
    """Whether it is ``https://`` host and port, and nothing else.

    Raises:
        InvalidTransitConfigError: It is not.
    """
    found = _ORIGIN.fullmatch(address)
    try:
        if found and found["v6"]:
            ipaddress.IPv6Address(found["v6"])
    except ValueError:
        found = None
    if not found:
        raise InvalidTransitConfigError(
            "transit.address must be https://host or https://host:port, without a path"
        )


def _check(field: str, form: re.Pattern[str], value: str, wanted: str) -> None:
    if not form.fullmatch(value):
        raise InvalidTransitConfigError(f"transit.{field} must be {wanted}")
