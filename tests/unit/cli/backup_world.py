"""A cluster with an operator, whose keys are backed up and restored by the commands for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from typer.testing import Result

from fakeapi.store import Manifest
from leeward.formats.backup import BackupRecord, KeyBackup
from leeward.keystore.backups import read_record
from unit.cli.api_cluster import ApiCluster, Terminal
from unit.keystore.keystore_world import OPERATOR, ensure
from unit.keystore.rotating_world import Rotating

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPERATOR}}
KEY_ID = "bb" * 16


class Cluster:
    """A cluster with an operator in it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "keys.json"
        self.folder = folder
        self.world = Rotating()
        self.world.api.add(dict(NAMESPACE))
        self.store = self.world.store()

    def run(self, *args: Any, **terminal: Any) -> Result:
        return Terminal(**terminal).run(ApiCluster(self.world.api), *args)

    def ok(self, *args: Any, **terminal: Any) -> Result:
        result = self.run(*args, **terminal)
        assert result.exit_code == 0, result.stderr
        return result

    def backup(self, *args: Any) -> Result:
        return self.run("keys", "backup", *(args or ("--all",)), "--out", self.file, "--force")

    @property
    def written(self) -> KeyBackup:
        return KeyBackup.from_bytes(self.file.read_bytes())

    @property
    def records(self) -> list[BackupRecord]:
        return [read_record(found) for found in self.world.api.find("ConfigMap", OPERATOR)]

    def keys(self) -> dict[str, Manifest]:
        """Data of all Secrets that hold wrapped keys."""
        names = self.world.names("keyset-") + self.world.names("artefact-")
        return {name: self.world.secret(name)["data"] for name in names}


async def populate(cluster: Cluster) -> None:
    """Two vaults, and an artefact key of each."""
    await cluster.world.vaults(cluster.store, "vault", "other")
    await cluster.store.perform(ensure("data"))
    await cluster.store.perform(ensure("data", vault="other", key_id="cc" * 16))
