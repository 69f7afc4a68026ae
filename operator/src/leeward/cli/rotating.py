"""``leeward keys rotate``: ask for a new version of a vault key, and wait until it is in use.

The request is a field of the KeyVault (``rotation.renewedAfter``), so that what was asked for can
be read there, and asking twice for the same moment rotates once.
"""

from __future__ import annotations

import datetime
from typing import Any, Final

from leeward.api.keyvault import KEYVAULT
from leeward.cli.changing import change
from leeward.cli.conditions import condition_of, in_words
from leeward.cli.errors import CliError
from leeward.cli.kinds import resource_of
from leeward.cli.listing import missing
from leeward.cli.port import Cluster, Manifest
from leeward.cli.session import Session
from leeward.cli.waiting import watch
from leeward.plans.shared.needs import ORIGIN_REASONS

_CONDITION: Final = "RotationComplete"
_UNDER_WAY: Final = frozenset({"Rewrapping", "AwaitingConsumers"})
"""Reasons of RotationComplete that pass by themselves."""


def rotate_key(
    session: Session, cluster: Cluster, namespace: str, vault: str, key: str, timeout: float
) -> None:
    """Have a new primary version made, and wait until every artefact key is wrapped by it.

    Raises:
        CliError: There is no such key, its Secret does not hold a new one, or it did not come to
            it in ``timeout`` seconds.
    """
    before = _request(cluster, namespace, vault, key)

    def reached(resource: Manifest) -> bool:
        state = _state(resource, key)
        moved = condition_of(resource, _CONDITION)
        if state is None or state["versions"][0]["version"] <= before:
            if moved is not None and moved.current and moved.reason in ORIGIN_REASONS:
                raise CliError(f"key {key} was not rotated (yet): {in_words(moved)}")
            return False
        if moved is not None and not moved.holds and moved.reason not in _UNDER_WAY:
            raise CliError(f"key {key} was rotated, but: {in_words(moved)}")
        return moved is None or moved.holds

    goal = f"a version {before + 1} of key {key}"
    resource = watch(
        session, cluster, KEYVAULT, namespace, vault, timeout, goal, reached, told_by=_CONDITION
    )
    state = _state(resource, key) or {}
    session.err.print(
        f"key {key} of keyvault/{vault} is at version {state.get('primaryVersion')};"
        " no file and no pod was touched"
    )


def _request(cluster: Cluster, namespace: str, vault: str, key: str) -> int:
    """Ask for a new version; the newest one that is there now."""
    now = cluster.server_time().strftime("%Y-%m-%dT%H:%M:%SZ")

    def find() -> Manifest:
        found = cluster.find(resource_of(KEYVAULT), namespace, vault)
        if found is None:
            raise missing(KEYVAULT, namespace, vault)
        return found

    def edit(changed: Manifest) -> None:
        state = _state(changed, key)
        if state is None:
            raise _no_such_key(changed, vault, key)
        asked = _next_second(state["rotatedAt"]) if state["rotatedAt"] >= now else now
        for spec in changed["spec"]["keys"]:
            if spec["name"] == key:
                spec.setdefault("rotation", {})["renewedAfter"] = asked

    stored = change(cluster, resource_of(KEYVAULT), f"KeyVault {vault}", find, edit)
    state = _state(stored, key) or {}
    return int(state["versions"][0]["version"])


def _next_second(moment: str) -> str:
    later = datetime.datetime.fromisoformat(moment) + datetime.timedelta(seconds=1)
    return later.strftime("%Y-%m-%dT%H:%M:%SZ")


def _state(resource: Manifest, key: str) -> dict[str, Any] | None:
    keys: list[dict[str, Any]] = (resource.get("status") or {}).get("keys") or []
    return next((state for state in keys if state["name"] == key), None)


def _no_such_key(resource: Manifest, vault: str, key: str) -> CliError:
    names = [spec["name"] for spec in resource["spec"]["keys"]]
    if key in names:
        ready = in_words(condition_of(resource, "Ready"))
        return CliError(
            f"key {key} of KeyVault {vault} is not made yet: {ready}",
            f"wait for it: leeward wait keyvault/{vault}",
        )
    return CliError(f"KeyVault {vault} has no key {key}", f"use one of {', '.join(names)}")
