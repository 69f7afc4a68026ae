"""Ages and versions of vault keys for Prometheus, as the watch of KeyVaults shows them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from leeward.plans.shared.conditions import parse_timestamp
from leeward.plans.shared.model import Manifest


@dataclass(frozen=True, slots=True)
class _Key:
    name: str
    made_at: float
    states: tuple[str, ...]


class KeyFigures:
    """Remembers of every vault key when its primary version was made, and its versions' states."""

    def __init__(self) -> None:
        self._vaults: dict[tuple[str, str], tuple[_Key, ...]] = {}

    def saw(self, vault: Manifest) -> None:
        """A KeyVault was listed, made or changed."""
        states = (vault.get("status") or {}).get("keys") or ()
        self._vaults[_place(vault)] = tuple(_key(state) for state in states)

    def gone(self, vault: Manifest) -> None:
        """A KeyVault was deleted."""
        self._vaults.pop(_place(vault), None)

    def made_at(self) -> Iterator[tuple[tuple[str, str, str], float]]:
        """(namespace, vault, key) -> when its primary version was made, in seconds since 1970."""
        for (namespace, vault), keys in sorted(self._vaults.items()):
            for key in keys:
                yield (namespace, vault, key.name), key.made_at

    def versions(self) -> Counter[str]:
        """How many versions there are in each state."""
        return Counter(
            state for keys in self._vaults.values() for key in keys for state in key.states
        )


def _place(vault: Manifest) -> tuple[str, str]:
    return vault["metadata"]["namespace"], vault["metadata"]["name"]


def _key(state: Manifest) -> _Key:
    made = state.get("rotatedAt") or state["createdAt"]
    versions = state.get("versions") or ()
    return _Key(
        state["name"], parse_timestamp(made).timestamp(), tuple(v["state"] for v in versions)
    )
