"""``leeward keys usage``: what depends on the keys of a vault, and on which version of them.

How many artefact keys each version wraps stands in the status of the KeyVault, which who may read
the vault may read; wrapped keys themselves are in the operator's namespace, where only
administrators look. Datasets name the artefact key of their file. So both are put side by side, and
what is counted and not seen is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from leeward.api.dataset import DATASET
from leeward.api.keyvault import KEYVAULT
from leeward.cli.errors import FORBIDDEN, ApiError, CliError
from leeward.cli.kinds import resource_of
from leeward.cli.listing import missing
from leeward.cli.options import RowsFormat
from leeward.cli.output import counted, print_json, print_raw, print_table
from leeward.cli.port import Cluster, Manifest
from leeward.cli.session import Session


@dataclass(frozen=True, slots=True)
class SealedDataset:
    """A Dataset whose file is sealed under a key of the vault.

    Attributes:
        namespace, name: The Dataset.
        key: Name of the vault key.
        key_id: Id of the artefact key of its file; None: it has none yet.
        version: Version of the vault key that wraps it; None: the status does not tell.
    """

    namespace: str
    name: str
    key: str
    key_id: str | None
    version: int | None

    def manifest(self) -> Manifest:
        """As JSON."""
        return {
            "namespace": self.namespace,
            "name": self.name,
            "key": self.key,
            "keyId": self.key_id,
            "version": self.version,
        }


@dataclass(frozen=True, slots=True)
class Usage:
    """What depends on a vault.

    Attributes:
        vault: The KeyVault.
        keys: Its keys as their status tells of them.
        datasets: Those that could be seen.
        everywhere: Whether the Datasets of all namespaces were looked at.
    """

    vault: Manifest
    keys: list[dict[str, Any]]
    datasets: list[SealedDataset]
    everywhere: bool

    @property
    def artefact_keys(self) -> int:
        """How many artefact keys there are."""
        return sum(version["artefactKeys"] for key in self.keys for version in key["versions"])

    @property
    def others(self) -> int:
        """How many of them are of none of the Datasets."""
        seen = sum(dataset.key_id is not None for dataset in self.datasets)
        return max(0, self.artefact_keys - seen)


def find_usage(
    cluster: Cluster,
    namespace: str,
    vault: str,
    key: str | None = None,
    version: int | None = None,
) -> Usage:
    """What depends on a vault, one of its keys, or one version of that.

    Raises:
        CliError: There is no such vault, key or version.
    """
    found = cluster.find(resource_of(KEYVAULT), namespace, vault)
    if found is None:
        raise missing(KEYVAULT, namespace, vault)
    states: list[dict[str, Any]] = (found.get("status") or {}).get("keys") or []
    names = [state["name"] for state in states]
    if key is not None and key not in names:
        known = f"use one of {', '.join(names)}" if names else f"leeward wait keyvault/{vault}"
        raise CliError(f"KeyVault {vault} has no key {key}", known)
    keys = [_only(state, version) for state in states if key in (None, state["name"])]
    if version is not None and not any(state["versions"] for state in keys):
        raise CliError(
            f"no key of that name in KeyVault {vault} has a version {version}",
            f"see its versions: leeward keys usage {vault} -n {namespace}",
        )
    manifests, everywhere = _datasets(cluster, namespace)
    sealed = [_sealed(dataset, namespace, vault, states) for dataset in manifests]
    shown = {state["name"] for state in keys}
    datasets = [
        dataset
        for dataset in sealed
        if dataset is not None and dataset.key in shown and version in (None, dataset.version)
    ]
    return Usage(found, keys, datasets, everywhere)


def show_usage(session: Session, usage: Usage, output: RowsFormat) -> None:
    """Print it."""
    if output is RowsFormat.JSON:
        print_json(session.out, _document(usage))
        return
    rows = [
        (
            key["name"],
            str(version["version"]),
            version["state"],
            str(version["artefactKeys"]),
            _named(version),
        )
        for key in usage.keys
        for version in key["versions"]
    ]
    print_table(session.out, ("key", "version", "state", "artefact keys", "of"), rows)
    if usage.datasets:
        print_raw(session.out, "")
        print_table(
            session.out,
            ("dataset", "key", "version", "artefact key"),
            [
                (f"{d.namespace}/{d.name}", d.key, str(d.version or "?"), d.key_id or "none yet")
                for d in usage.datasets
            ],
        )
    session.err.print(_unseen(usage))


def _document(usage: Usage) -> Manifest:
    return {
        "keys": [
            {"name": key["name"], "algorithm": key["algorithm"], "versions": key["versions"]}
            for key in usage.keys
        ],
        "datasets": [dataset.manifest() for dataset in usage.datasets],
        "otherArtefactKeys": usage.others,
        "allNamespaces": usage.everywhere,
    }


def _unseen(usage: Usage) -> str:
    told = (
        f"{counted(usage.others, 'artefact key')} beside those of the Datasets above: of token"
        " scopes, of outputs that are not published, of Datasets that are gone"
    )
    if not usage.everywhere:
        told += ", or of Datasets in namespaces that you may not list"
    return told


def _named(version: dict[str, Any]) -> str:
    named = [f"{d['kind']} {d['namespace']}/{d['name']}" for d in version.get("dependents", ())]
    more = version.get("resources", 0) - len(named)
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def _only(state: dict[str, Any], version: int | None) -> dict[str, Any]:
    versions = [
        {"artefactKeys": 0, **found}
        for found in state.get("versions", ())
        if version in (None, found["version"])
    ]
    return {**state, "versions": versions}


def _datasets(cluster: Cluster, namespace: str) -> tuple[list[Manifest], bool]:
    """Datasets of all namespaces; where that is not allowed, of the vault's own."""
    try:
        return cluster.list(resource_of(DATASET)), True
    except ApiError as error:
        if error.status != FORBIDDEN:
            raise
    return cluster.list(resource_of(DATASET), namespace), False


def _sealed(
    dataset: Manifest, namespace: str, vault: str, states: list[dict[str, Any]]
) -> SealedDataset | None:
    """The Dataset, if its file is sealed under a key of the vault."""
    sealed_with = dataset["spec"].get("sealedWith")
    if sealed_with is None:
        return None
    home = dataset["metadata"]["namespace"]
    named = sealed_with["vault"]
    if (named.get("namespace") or home, named["name"]) != (namespace, vault):
        return None
    name, key = dataset["metadata"]["name"], sealed_with["key"]
    key_id = (dataset.get("status") or {}).get("keyId")
    return SealedDataset(home, name, key, key_id, _version(states, key, home, name))


def _version(states: list[dict[str, Any]], key: str, namespace: str, name: str) -> int | None:
    """The version that wraps its artefact key, where the status of the vault tells."""
    state = next((found for found in states if found["name"] == key), {"versions": ()})
    full = [found for found in state["versions"] if found.get("artefactKeys")]
    if len(full) == 1:
        return int(full[0]["version"])
    place = ("Dataset", namespace, name)
    for version in full:
        for dependent in version.get("dependents", ()):
            if (dependent["kind"], dependent["namespace"], dependent["name"]) == place:
                return int(version["version"])
    return None
