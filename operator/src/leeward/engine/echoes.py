"""Own writes, remembered until the watch shows them, so that nobody reconciles his own echo."""

from typing import Final

from leeward.engine.inventory import Key

_CAPACITY: Final = 20_000


class Echoes:
    """Versions of objects that this process wrote.

    Of the writes, the oldest are dropped beyond a capacity: an echo that is not recognised costs
    one reconcile too many, nothing else.
    """

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._written: dict[tuple[str, str], None] = {}
        self._newest: dict[Key, int] = {}
        self._shown: dict[Key, int] = {}
        self._capacity = capacity

    def wrote(self, kind: str, version: str) -> None:
        """Remember a write, by kind and resourceVersion."""
        self._written[kind, version] = None
        if len(self._written) > self._capacity:
            del self._written[next(iter(self._written))]

    def wrote_own(self, key: Key, version: str) -> None:
        """Remember a write to a resource of ours."""
        self.wrote(key.kind, version)
        if version.isdecimal():
            self._newest[key] = int(version)

    def is_echo(self, kind: str, version: str) -> bool:
        """Whether that version is a write of this process."""
        return (kind, version) in self._written

    def is_news(self, key: Key, version: str) -> bool:
        """Whether that version is newer than what this process wrote.

        A watch may lag behind an own write; what it shows then must not be taken for the present.
        Versions are compared as numbers, as Kubernetes guarantees since 1.35 (KEP-5504) and does
        in practice before; a version that is no number is no news.
        """
        return version.isdecimal() and int(version) > self._newest.get(key, -1)

    def shown(self, key: Key, version: str) -> None:
        """Remember that a watch showed a version of a resource of ours."""
        if version.isdecimal():
            self._shown[key] = int(version)

    def is_unseen(self, key: Key, version: str) -> bool:
        """Whether somebody else wrote that version, and no watch has shown it yet."""
        if not version.isdecimal() or self.is_echo(key.kind, version):
            return False
        return int(version) > max(self._newest.get(key, -1), self._shown.get(key, -1))

    def forget(self, key: Key) -> None:
        """Drop a resource that is gone."""
        self._newest.pop(key, None)
        self._shown.pop(key, None)
