"""Key stores on the fake API server whose vaults a real OpenBao wraps."""

from __future__ import annotations

import base64
from dataclasses import replace

from leeward.formats.provider import CaReference, TransitLogin, TransitSettings
from leeward.keystore.given import FOR_ANNOTATION
from leeward.keystore.providers.cluster import CaBundles, ClusterSources
from leeward.keystore.providers.directory import PooledTransitKeys, Surroundings
from leeward.keystore.providers.pool import TransitPool
from leeward.keystore.providers.transit.config import TransitConfig
from leeward.keystore.providers.transit.provider import TransitProvider
from leeward.keystore.providers.transit.surroundings import Limits
from leeward.keystore.store import EmbeddedKeyStore
from leeward.plans.shared.model import (
    EnsureKeyset,
    KeysetInfo,
    KeysetOf,
    Manifest,
    ProviderFault,
    TendKeyset,
)
from unit.keystore.keystore_world import CLINIC, ENSURE, OPERATOR, KeyWorld
from unit.keystore.providers.bao_world import QUICK, BaoWorld
from unit.keystore.providers.provider_world import Figures, World

TEND = TendKeyset(CLINIC, "vault")


class TransitKeyWorld(KeyWorld):
    """An API server with a token, authorities and vaults; an OpenBao beside it."""

    def __init__(self, bao: BaoWorld, address: str = "", limits: Limits = QUICK) -> None:
        super().__init__()
        self.bao = bao
        self.address = address or bao.server.address
        self.limits = limits
        self.more_addresses: list[str] = []
        self.figures = Figures()
        self.time = World()
        self._pools: list[TransitPool] = []
        self.put_token(bao.token())
        self.put_authority(bao.server.ca_pem)

    @property
    def settings(self) -> TransitSettings:
        """What the KeyVault says."""
        return TransitSettings(
            address=self.address,
            mount=self.bao.mount,
            key="leeward",
            login=TransitLogin(method="token", secret="bao-token", secret_key="token"),
            ca=CaReference(config_map="bao-ca", key="ca.crt"),
        )

    @property
    def ensure(self) -> EnsureKeyset:
        """What the KeyVault asks for."""
        return replace(ENSURE, transit=self.settings)

    def put_token(self, token: str, vault: str = f"{CLINIC}/vault") -> None:
        """Somebody stores a token for a KeyVault."""
        metadata = {
            "name": "bao-token",
            "namespace": OPERATOR,
            "annotations": {FOR_ANNOTATION: vault},
        }
        data = {"token": base64.b64encode(token.encode()).decode()}
        self._put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})

    def put_authority(self, pem: str) -> None:
        """Somebody stores the authorities that the server's certificate may come from."""
        metadata = {"name": "bao-ca", "namespace": CLINIC}
        data = {"ca.crt": pem}
        self._put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})

    def _put(self, manifest: Manifest) -> None:
        metadata = manifest["metadata"]
        found = self.api.one(manifest["kind"], metadata["namespace"], metadata["name"])
        if found is None:
            self.api.add(manifest)
        else:
            self.api.edit({**found, **manifest, "metadata": {**found["metadata"], **metadata}})

    def surroundings(self) -> Surroundings:
        """Of a process that has just started."""

        async def no_token() -> str | None:
            return None

        sources = ClusterSources(self.client(), OPERATOR, no_token).sources

        def make(config: TransitConfig) -> TransitProvider:
            return TransitProvider(config, sources, self.time.pace, self.limits)

        def now() -> float:
            return self.time.now

        pool = TransitPool(make, [self.address, *self.more_addresses], self.figures, now, idle=3600)
        self._pools.append(pool)
        bundles = CaBundles(self.client(), now)
        return Surroundings(PooledTransitKeys(pool, bundles), self.figures, now)

    async def ready(self) -> EmbeddedKeyStore:
        """A key store with a vault, and no root key."""
        store = self.store()
        outcome = await store.perform(self.ensure)
        assert outcome.code == "Done", outcome
        assert outcome.result.readable, outcome
        return store

    def asked(self, operation: str) -> int:
        """How often Transit was asked for that."""
        return sum(found == operation for _, found, _ in self.figures.asked)

    async def close(self) -> None:
        for pool in self._pools:
            await pool.close()


async def fault_of(store: EmbeddedKeyStore, action: EnsureKeyset | TendKeyset) -> ProviderFault:
    """Why the provider did not do it."""
    outcome = await store.perform(action)
    assert outcome.code == "Unreadable", outcome
    assert isinstance(outcome.result, ProviderFault), outcome
    return outcome.result


async def look(store: EmbeddedKeyStore) -> KeysetInfo:
    """What is known of the vault's keyset."""
    info = await store.look(KeysetOf(CLINIC, "vault"))
    assert isinstance(info, KeysetInfo)
    return info
