"""A key world with an operator that rotates its root key."""

from __future__ import annotations

import dataclasses

from leeward.formats.rootkey import RootKeyring
from leeward.keystore.records import read_document
from leeward.keystore.rootkey import ROTATE_ANNOTATION
from leeward.keystore.rootrotation import UNUSED, RootKeyRotation
from leeward.keystore.store import EmbeddedKeyStore
from leeward.kube.client import KubeClient
from leeward.plans.shared.model import KeysetInfo, KeysetOf
from unit.keystore.keystore_world import (
    CLINIC,
    ENSURE,
    OPERATOR,
    Free,
    Immediate,
    KeyWorld,
    document,
)

REQUEST = "2027-03-01T12:00:00Z"
ROOT = "leeward-root-key"


class Rotating(KeyWorld):
    """A key world with an operator that rotates, and a clock of that process."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def process(self) -> tuple[EmbeddedKeyStore, RootKeyRotation]:
        """A process that has just started."""
        store = self.store()
        client = KubeClient(Immediate(self.api), Free(), Free())
        rotation = RootKeyRotation(
            client,
            OPERATOR,
            store.root_keys,
            random=self.random,
            monotonic=lambda: self.seconds,
            created_at=lambda: "2027-03-01T12:00:00Z",
        )
        return store, rotation

    async def vaults(self, store: EmbeddedKeyStore, *names: str) -> None:
        await store.ensure_root_key()
        for number, name in enumerate(names):
            await store.perform(
                dataclasses.replace(ENSURE, vault=name, uid=name, vault_id=f"{number + 1:032x}")
            )

    def request(self, value: str = REQUEST) -> None:
        secret = self.secret(ROOT)
        secret["metadata"]["annotations"] = {ROTATE_ANNOTATION: value}
        self.api.edit(secret)

    @property
    def keyring(self) -> RootKeyring:
        return read_document(self.secret(ROOT), RootKeyring, "root-key")

    def wrapped_by(self) -> set[str]:
        secrets = [self.secret(name) for name in self.names("keyset-")]
        return {document(secret, "keyset.json")["rootKeyId"] for secret in secrets}

    async def unreadable(self, store: EmbeddedKeyStore, *names: str) -> list[str]:
        infos = {name: await store.look(KeysetOf(CLINIC, name)) for name in names}
        return [n for n, i in infos.items() if not isinstance(i, KeysetInfo) or not i.readable]

    async def finish(self, rotation: RootKeyRotation) -> None:
        await rotation.step()
        await rotation.step()
        self.seconds += UNUSED
        await rotation.step()
