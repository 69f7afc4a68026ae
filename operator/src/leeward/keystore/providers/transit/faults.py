"""What a Transit server's refusals and broken connections mean, and what to do about each.

The server's own texts decide nothing but what is named here, and none of them is passed on: they
may quote what was sent.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from leeward.keystore.providers.port import (
    ProviderCertificateError,
    ProviderError,
    ProviderForbiddenError,
    ProviderKeyMissingError,
    ProviderKeyReplacedError,
    ProviderKeyUnsuitableError,
    ProviderLoginFailedError,
    ProviderProtocolError,
    ProviderSealedError,
    ProviderThrottledError,
    ProviderUnreachableError,
)
from leeward.keystore.providers.transit.config import SecretValue, TransitConfig

KEY_TYPE: Final = "aes256-gcm96"
_NOT_READY: Final = ("sealed", "not initialized", "active cluster node not found")
_EXPIRED: Final = frozenset({9, 10})
_OTHER_NAME: Final = frozenset({62, 64})


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said.

    Attributes:
        status: HTTP status.
        document: The JSON object; empty where there was none.
    """

    status: int
    document: Mapping[str, Any] = field(repr=False)

    @property
    def is_ok(self) -> bool:
        """Whether it did what it was asked for."""
        return 200 <= self.status < 300

    def member(self, name: str) -> Mapping[str, Any]:
        """The object under that name; empty where there is none."""
        found = self.document.get(name)
        return found if isinstance(found, dict) else {}

    def says(self, *words: str) -> bool:
        """Whether its errors hold one of the words."""
        errors = self.document.get("errors")
        texts = [str(text).lower() for text in errors] if isinstance(errors, list) else []
        return any(word in text for text in texts for word in words)


def is_not_ready(answer: Answer) -> bool:
    """Whether the server is there, and cannot serve: sealed, or a standby without active node."""
    return answer.status >= 500 and answer.says(*_NOT_READY)


def not_ready(config: TransitConfig) -> ProviderError:
    """Sealed, not initialised, or a standby that finds no active node."""
    return ProviderSealedError(
        f"the server at {config.address} is sealed, not initialised, or a standby without an"
        " active node",
        "Unseal it (bao operator unseal, or vault operator unseal), or look at its automatic"
        " unsealing. Nothing is lost: keys that the operator has already unwrapped stay in use"
        " until it restarts.",
    )


def failing(config: TransitConfig, path: str, status: int) -> ProviderError:
    """The server, or what stands before it, answers with a 5xx."""
    at_login = path.startswith("auth/")
    return ProviderUnreachableError(
        f"the server at {config.address} fails with HTTP status {status} at {path}",
        "Its log says why; at a login it is mostly the configuration of the auth method, or the"
        " Kubernetes API that this asks."
        if at_login
        else "Look at its log, and at the load balancer before it.",
    )


def throttled(config: TransitConfig, retry_after: float | None) -> ProviderError:
    """429."""
    return ProviderThrottledError(
        f"the server at {config.address} answers that it is asked too often",
        "Raise its rate limit quota for the Transit mount, or wait.",
        retry_after,
    )


def not_transit(config: TransitConfig, what: str) -> ProviderError:
    """Something else answers there."""
    return ProviderProtocolError(
        f"what answers at {config.address} does not act as the Transit engine of HashiCorp Vault or"
        f" OpenBao: {what}",
        "Give the KeyVault the address of the server itself, or of a load balancer that passes"
        " everything on.",
    )


def broken(config: TransitConfig, error: Exception) -> ProviderError:
    """What a broken connection means.

    Args:
        config: Where it led.
        error: As ``aiohttp`` raised it.
    """
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _certificate(config, error.certificate_error)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return ProviderUnreachableError(
            f"there is no host of the name in {config.address}",
            "Correct the address, or the DNS that the operator's pods use.",
        )
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, ssl.SSLError) and "EOF" not in (cause.reason or ""):
        return _handshake(config, cause)
    if isinstance(error, TimeoutError):
        what = "does not answer in time"
    elif isinstance(cause, ConnectionRefusedError):
        what = "refuses the connection"
    else:
        what = f"cannot be reached, or breaks off ({type(error).__name__})"
    return ProviderUnreachableError(
        f"the server at {config.address} {what}",
        "See that it runs, and that NetworkPolicies and firewalls let the operator reach it.",
    )


def _handshake(config: TransitConfig, error: ssl.SSLError) -> ProviderError:
    reason = error.reason or ""
    if "CERTIFICATE" in reason:
        return ProviderCertificateError(
            f"the server at {config.address} ended the TLS handshake over a certificate",
            "Let it accept clients without a certificate of their own.",
        )
    return not_transit(config, f"no TLS handshake ({reason or 'no reason given'})")


def _certificate(config: TransitConfig, error: Exception) -> ProviderError:
    code = error.verify_code if isinstance(error, ssl.SSLCertVerificationError) else 0
    if code in _EXPIRED:
        what = "has expired, or is not valid yet"
        remedy = "Renew it, and compare the clocks of both sides."
    elif code in _OTHER_NAME:
        what = "is for another name"
        remedy = "Use an address of which the host is among the names in the certificate."
    else:
        what = "comes from no authority that is trusted for it"
        remedy = (
            "Put the certificate of the authority that issued it, in PEM, into the ConfigMap that"
            " caBundle names."
            if config.ca_pem is not None
            else "Name the authority that issued it by caBundle."
        )
    return ProviderCertificateError(f"the certificate of {config.address} {what}", remedy)


def bad_bundle() -> ProviderError:
    """The CA bundle cannot be used."""
    return ProviderCertificateError(
        "the CA bundle holds no certificate",
        "Put one or more certificates in PEM (-----BEGIN CERTIFICATE-----) into the value of the"
        " ConfigMap that caBundle names.",
    )


def forbidden(config: TransitConfig, path: str, capability: str) -> ProviderError:
    """The token is in order, and its policy lacks something."""
    return ProviderForbiddenError(
        f"the policy of the operator's token lacks the capability {capability} on {path}",
        f"Give the operator's role{_in_namespace(config)} a policy with:\n{config.policy()}",
    )


def no_secret(secret: SecretValue) -> ProviderError:
    """The Secret, or the value in it, is not there."""
    return ProviderLoginFailedError(
        f"the operator's namespace has no Secret {secret.name} with a value {secret.key} that"
        f" KeyVault {secret.vault} may read",
        f"Make the Secret {secret.name}, with the annotation leeward.dev/for: {secret.vault}.",
    )


def not_a_credential(secret: SecretValue) -> ProviderError:
    """The value cannot be what it should be."""
    return ProviderLoginFailedError(
        f"value {secret.key} of Secret {secret.name} is no token or secret id",
        "Store it alone: one line of printable ASCII without spaces.",
    )


def no_service_account_token() -> ProviderError:
    """The projected token is not there."""
    return ProviderLoginFailedError(
        "the operator has no service account token for the Transit server",
        "Let the chart project one into its pods.",
    )


def token_refused(secret: SecretValue) -> ProviderError:
    """A given token does not work (any more)."""
    return ProviderLoginFailedError(
        f"the token in Secret {secret.name} is wrong, expired or revoked, or may not look itself"
        " up",
        f"Put a new token, with the policy default or read on auth/token/lookup-self, into value"
        f" {secret.key}. Better, use Kubernetes auth: it needs no Secret, and never runs out.",
    )


def login_refused(config: TransitConfig, mount: str, what: str) -> ProviderError:
    """A login was refused."""
    return ProviderLoginFailedError(
        f"the login at auth/{mount}{_in_namespace(config)} was refused",
        f"See that this auth method is mounted there, and that {what}.",
    )


def no_namespace(config: TransitConfig) -> ProviderError:
    """There is no such namespace."""
    return ProviderKeyMissingError(
        f"the server at {config.address} has no namespace {config.namespace}",
        "Correct transit.namespace, or make it: bao namespace create.",
    )


def key_missing(config: TransitConfig, answer: Answer) -> ProviderError:
    """There is no such key or mount."""
    place = f"{config.address}{_in_namespace(config)}"
    if answer.says("no handler for route"):
        return ProviderKeyMissingError(
            f"nothing is mounted at {config.mount} of {place}",
            f"Mount the engine: bao secrets enable -path={config.mount} transit. If keys were"
            " wrapped by a key there, restore the server from its backup instead.",
        )
    return ProviderKeyMissingError(
        f"there is no key {config.key} at {config.mount} of {place}",
        f"Make it: bao write -f {config.key_path} type={KEY_TYPE}. If keys were wrapped by it"
        " before, restore it from a backup instead: a new key of the same name does not open"
        " them.",
    )


def key_deleted(config: TransitConfig) -> ProviderError:
    """The key is marked as deleted."""
    return ProviderKeyMissingError(
        f"the key {config.key_path} is marked as deleted",
        f"Restore it: bao write -f {config.key_path}/soft-delete-restore.",
    )


def version_missing(config: TransitConfig, version: int, available: int) -> ProviderError:
    """A version of the key is not to be used any more, or is gone."""
    message = f"version {version} of the key {config.key_path}, which wraps a vault key, "
    if version < available:
        return ProviderKeyMissingError(
            message + "was trimmed away", "Restore the Transit key from a backup."
        )
    return ProviderKeyMissingError(
        message + "may not decrypt any more",
        f"Allow it again: bao write {config.key_path}/config min_decryption_version={version}."
        " Raise it only when the KeyVault says that it is wrapped by the newest version.",
    )


def version_unknown(config: TransitConfig, version: int, latest: int) -> ProviderError:
    """A version that the key has not reached."""
    return ProviderKeyMissingError(
        f"a vault key is wrapped by version {version} of the key {config.key_path}, which has"
        f" {latest}",
        "The key was made again, or restored from an old backup: restore it from a newer one.",
    )


def other_key(config: TransitConfig) -> ProviderError:
    """What is to be opened was wrapped by another key."""
    return ProviderKeyReplacedError(
        f"the vault's keys are wrapped by another key than {config.key_path}"
        f"{_in_namespace(config)}",
        "Give the KeyVault the provider back that it had: embedded, or the same namespace, mount"
        " and key.",
    )


def unsuitable(config: TransitConfig, what: str) -> ProviderError:
    """The key would not protect what it wraps."""
    return ProviderKeyUnsuitableError(
        f"the key {config.key_path} {what}",
        f"Make another, and name it in the KeyVault: bao write -f {config.mount}/keys/NAME"
        f" type={KEY_TYPE}.",
    )


def too_old(config: TransitConfig) -> ProviderError:
    """The server takes associated data, and does not look at it."""
    return ProviderKeyUnsuitableError(
        f"the server at {config.address} does not bind a wrapped key to its place: it ignores"
        " associated_data",
        "Use OpenBao, or HashiCorp Vault of version 1.13 or later.",
    )


def _in_namespace(config: TransitConfig) -> str:
    return f" (namespace {config.namespace})" if config.namespace else ""
