"""Server-side apply, as far as the operator uses it: who owns which field, and what it changes.

Maps are merged field by field; lists are taken as a whole, which is enough for one manager per
object. See "Server-Side Apply" in the Kubernetes documentation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fakeapi.documents import clone

Path = tuple[str, ...]
_IDENTITY = {("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace")}


def leaves(document: dict[str, Any], base: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every field that is no map, with its path; an empty map counts as one."""
    for name, value in document.items():
        path = (*base, name)
        if isinstance(value, dict) and value:
            yield from leaves(value, path)
        else:
            yield path, value


def at(document: dict[str, Any], path: Path) -> Any:
    for name in path:
        if not isinstance(document, dict) or name not in document:
            return None
        document = document[name]
    return document


def _set(document: dict[str, Any], path: Path, value: Any) -> None:
    for name in path[:-1]:
        document = document.setdefault(name, {})
    document[path[-1]] = value


def _remove(document: dict[str, Any], path: Path) -> None:
    parent = at(document, path[:-1])
    if isinstance(parent, dict):
        parent.pop(path[-1], None)
        if not parent and len(path) > 1:
            _remove(document, path[:-1])


class Ownership:
    """Managers of the fields of one object."""

    def __init__(self) -> None:
        self._owners: dict[Path, set[str]] = {}

    def made(self, manifest: dict[str, Any], manager: str) -> None:
        """The first apply."""
        self.apply({}, manifest, manager)

    def wrote(self, before: dict[str, Any], after: dict[str, Any], manager: str) -> None:
        """An update by other means than apply: what changed belongs to that manager.

        As on the real server the same name counts as another manager when it applies.
        """
        for path, value in leaves(after):
            if path not in _IDENTITY and at(before, path) != value:
                self._owners[path] = {f"{manager} (update)"}

    def conflicts(
        self, current: dict[str, Any], applied: dict[str, Any], manager: str
    ) -> list[str]:
        """Fields that others own with another value."""
        return [
            ".".join(path)
            for path, value in leaves(applied)
            if self._owners.get(path, set()) - {manager} and at(current, path) != value
        ]

    def apply(
        self, current: dict[str, Any], applied: dict[str, Any], manager: str
    ) -> dict[str, Any]:
        """The object after a forced apply; fields that this manager dropped are removed."""
        result = clone(current)
        wanted = {path: value for path, value in leaves(applied) if path not in _IDENTITY}
        for path, owners in list(self._owners.items()):
            if manager in owners and path not in wanted:
                owners.discard(manager)
                if not owners:
                    del self._owners[path]
                    _remove(result, path)
        for path, value in wanted.items():
            if at(result, path) != value:
                self._owners[path] = {manager}
            else:
                self._owners.setdefault(path, set()).add(manager)
            _set(result, path, clone(value))
        return result
