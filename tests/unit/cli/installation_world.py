"""An installation with root key and vault, and somebody at a terminal."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from typer.testing import Result

from leeward.formats.rootkey import RootKey, RootKeyring
from leeward.keystore.records import root_secret
from leeward.plans.shared.model import KeysetInfo, KeysetOf
from unit.cli.api_cluster import ApiCluster, Terminal
from unit.keystore.keystore_world import CLINIC, OPERATOR
from unit.keystore.rotating_world import ROOT, Rotating

EXPORT = ("root-key", "export", "--shares", 5, "--threshold", 3)
NAMESPACE = {"name": OPERATOR}


class Installation:
    """An operator with a vault, and somebody at a terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.world = Rotating()
        self.store, self.rotation = self.world.process()
        self.world.api.add({"apiVersion": "v1", "kind": "Namespace", "metadata": NAMESPACE})
        asyncio.run(self.world.vaults(self.store, "records"))

    @property
    def key(self) -> RootKey:
        return self.world.keyring.current_key

    def leeward(self, *args: Any, **terminal: Any) -> Result:
        return Terminal(**terminal).run(ApiCluster(self.world.api), *args)

    def pages(self, *args: Any, **terminal: Any) -> list[Path]:
        """Export to files."""
        out = self.folder / "shares"
        result = self.leeward(*EXPORT, "--out", out, *args, **terminal)
        assert result.exit_code == 0, result.stderr
        return sorted(out.iterdir())

    def give(self, command: str, pages: list[Path], *args: Any, **terminal: Any) -> Result:
        """Verify or restore with these pages."""
        options = [part for page in pages for part in ("--share", page)]
        return self.leeward("root-key", command, *options, *args, **terminal)

    def lose_root_key(self) -> None:
        """The Secret goes, and with it every process that remembers the key."""
        self.world.api.remove("Secret", OPERATOR, ROOT)
        self.store, self.rotation = self.world.process()

    def put_stranger(self) -> RootKey:
        """Another root key takes the place of ours."""
        stranger = RootKey.of(b"s" * 32)
        made = root_secret(OPERATOR, RootKeyring.of(stranger))
        self.world.overwrite(self.world.secret(ROOT), made["data"])
        return stranger

    def readable(self) -> bool:
        fresh = self.world.store()
        info = asyncio.run(fresh.look(KeysetOf(CLINIC, "records")))
        return isinstance(info, KeysetInfo) and info.readable
