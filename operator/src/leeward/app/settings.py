"""Settings of the operator: flags, or environment variables LEEWARD_*; flags win.

Each setting is declared once, below. ``--max-requests 50`` and ``LEEWARD_MAX_REQUESTS=50`` are the
same. A value that does not fit ends the start with a message that names the setting.
"""

import argparse
import dataclasses
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from leeward.keystore.providers.transit.config import InvalidTransitConfigError, check_address
from leeward.plans.shared.model import KUBE_SYSTEM

PREFIX: Final = "LEEWARD_"
_DNS_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class SettingsError(ValueError):
    """A setting is missing or does not fit; the message names it."""


def _text(raw: str) -> str:
    if not raw:
        raise ValueError("must not be empty")
    return raw


def _optional(raw: str) -> str | None:
    return raw or None


def _dns_label(raw: str) -> str:
    if not _DNS_LABEL.fullmatch(raw):
        raise ValueError("must be a DNS label: lower case letters, digits and '-'")
    return raw


def _words(raw: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in raw.split(",") if word.strip())


def _servers(raw: str) -> tuple[str, ...]:
    addresses = tuple(word.rstrip("/") for word in _words(raw))
    for address in addresses:
        try:
            check_address(address)
        except InvalidTransitConfigError:
            raise ValueError("must be a list of https://host or https://host:port") from None
    return addresses


def _pairs(raw: str) -> dict[str, str]:
    pairs = [word.partition("=") for word in _words(raw)]
    if any(not equals or not name for name, equals, _ in pairs):
        raise ValueError("must be a list like name=value,name=value")
    return {name: value for name, _, value in pairs}


def _peers(raw: str) -> tuple[dict[str, Any], ...]:
    found = json.loads(raw)
    if not isinstance(found, list) or not all(isinstance(peer, dict) for peer in found):
        raise ValueError("must be a JSON list of NetworkPolicy peers")
    return tuple(found)


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(raw: str) -> int:
        if not raw.isascii() or not raw.isdecimal() or not low <= int(raw) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(raw)

    return parse


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def parse(raw: str) -> float:
        try:
            value = float(raw)
        except ValueError:
            value = -1.0
        if not low <= value <= high:
            raise ValueError(f"must be a number of seconds from {low:g} to {high:g}")
        return value

    return parse


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(raw: str) -> str:
        if raw not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return raw

    return parse


def _setting(help_: str, parse: Callable[[str], Any], default: str | None = None) -> Any:
    return dataclasses.field(metadata={"help": help_, "parse": parse, "default": default})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings. The help text of each is its documentation."""

    namespace: str = _setting(
        "Namespace of the operator, where it keeps wrapped keys and its Lease.", _dns_label
    )
    pod_name: str = _setting("Name of this process, unique among the replicas.", _text)
    masking_image: str = _setting("Image of the masking program: a full reference.", _text)
    masking_models_image: str | None = _setting(
        "Image of the masking program with language models, for freeText with engine Model. Empty:"
        " such jobs are refused.",
        _optional,
        "",
    )
    image_pull_policy: str = _setting(
        "Pull policy of workload pods.", _one_of("Always", "IfNotPresent", "Never"), "IfNotPresent"
    )
    image_pull_secrets: tuple[str, ...] = _setting(
        "Names of pull Secrets in workload namespaces, separated by commas.", _words, ""
    )
    operator_pod_labels: Mapping[str, str] = _setting(
        "Labels of the operator's pods, by which NetworkPolicies let it in: name=value,...",
        _pairs,
        "app.kubernetes.io/name=leeward,app.kubernetes.io/component=operator",
    )
    name_servers: tuple[dict[str, Any], ...] = _setting(
        "Where name servers are, which pods ask for the addresses of S3 endpoints: a JSON list of"
        " NetworkPolicy peers.",
        _peers,
        json.dumps([KUBE_SYSTEM]),
    )
    watch_namespaces: tuple[str, ...] = _setting(
        "Namespaces whose resources this operator acts on, separated by commas. Empty: all. Two"
        " operators in one cluster must not share a namespace.",
        _words,
        "",
    )
    transit_addresses: tuple[str, ...] = _setting(
        "Servers with a Transit engine that the operator may talk to, separated by commas: https://"
        " host and port, as KeyVaults name them. It sends its credentials there.",
        _servers,
        "",
    )
    transit_token: str = _setting(
        "Path of the service account token with which the operator logs in to these servers.",
        _text,
        "/var/run/secrets/leeward/transit/token",
    )
    workers: int = _setting("Reconciles at once.", _whole(1, 256), "24")
    max_requests: int = _setting(
        "Requests to the API server per second, on average.", _whole(1, 10_000), "800"
    )
    burst: int = _setting("Requests to the API server at once.", _whole(1, 10_000), "1600")
    resync: float = _setting(
        "Seconds after which every resource is looked at again.", _seconds(60, 86_400), "3600"
    )
    sweep: float = _setting(
        "Seconds between two searches for what deleted jobs left behind.",
        _seconds(10, 86_400),
        "300",
    )
    lease_name: str = _setting("Name of the Lease.", _dns_label, "leeward-operator")
    lease_duration: float = _setting(
        "Seconds after which another replica takes over from a dead one.", _seconds(2, 300), "15"
    )
    lease_renew_deadline: float = _setting(
        "Seconds without renewal after which the leader gives up.", _seconds(1, 300), "10"
    )
    lease_retry: float = _setting("Seconds between renewals.", _seconds(0.1, 60), "2")
    stop_grace: float = _setting(
        "Seconds that running reconciles are given to end when the operator stops.",
        _seconds(0, 300),
        "20",
    )
    bind_address: str = _setting(
        "Address on which metrics and probes are served. Empty: all addresses.", _optional, ""
    )
    metrics_port: int = _setting("Port of /metrics.", _whole(0, 65_535), "9090")
    probe_port: int = _setting("Port of /healthz and /readyz.", _whole(0, 65_535), "8081")
    log_level: str = _setting(
        "Least severity that is logged.", _one_of("debug", "info", "warning", "error"), "info"
    )
    kubeconfig: str | None = _setting(
        "Path of a kubeconfig. Empty: the pod's service account, or the user's own.", _optional, ""
    )
    context: str | None = _setting("Context in the kubeconfig.", _optional, "")


def parse_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Read the settings.

    Args:
        arguments: Command line, without the program.
        environment: Environment variables.

    Raises:
        SettingsError: One is missing or does not fit.
    """
    fields = dataclasses.fields(Settings)
    parser = argparse.ArgumentParser(prog="leeward-operator", description="The Leeward operator.")
    for field in fields:
        variable = _variable(field.name)
        default = field.metadata["default"]
        told = "required" if default is None else f"default: {default or 'empty'}"
        text = f"{field.metadata['help']} [{variable}; {told}]"
        parser.add_argument(_flag(field.name), dest=field.name, help=text, metavar="VALUE")
    given = vars(parser.parse_args(arguments))
    values: dict[str, Any] = {}
    for field in fields:
        raw = given[field.name]
        if raw is None:
            raw = environment.get(_variable(field.name), field.metadata["default"])
        if raw is None:
            raise SettingsError(f"{_flag(field.name)} ({_variable(field.name)}) is required")
        try:
            values[field.name] = field.metadata["parse"](raw)
        except ValueError as error:
            raise SettingsError(f"{_flag(field.name)} ({_variable(field.name)}) {error}") from None
    settings = Settings(**values)
    _check_lease(settings)
    return settings


def _check_lease(settings: Settings) -> None:
    if not settings.lease_retry < settings.lease_renew_deadline < settings.lease_duration:
        raise SettingsError(
            "--lease-retry must be below --lease-renew-deadline, and that below --lease-duration"
        )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"
