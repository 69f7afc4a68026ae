"""A key store on the fake API server, without a socket and without waiting."""

from __future__ import annotations

import asyncio
import base64
import datetime
import itertools
import json
import random
from collections.abc import Mapping

from fakeapi.store import FakeApi
from leeward.api.dataset import Location, Volume
from leeward.app.wiring import recent_objects
from leeward.formats.keyset import PodKeyset
from leeward.keystore.providers.directory import Surroundings
from leeward.keystore.store import EmbeddedKeyStore
from leeward.kube.client import KubeClient
from leeward.plans.shared.model import (
    DeliverKeys,
    EnsureArtefactKey,
    EnsureKeyset,
    Manifest,
    NewKey,
)

OPERATOR = "leeward-system"
CLINIC = "clinic"
KEYS = (
    NewKey("data", "AES256_GCM"),
    NewKey("tokens", "AES256_SIV"),
    NewKey("pseudonyms", "HMAC_SHA256"),
    NewKey("intake", "HPKE_X25519"),
)
KEY_ID = "bb" * 16
OWNER = {"apiVersion": "leeward.dev/v1alpha1", "kind": "MaskingJob", "name": "v", "uid": "uid-2"}
DELIVER = DeliverKeys(CLINIC, "lw-abc", OWNER, (("output", KEY_ID),), {"a": "b"})
ENSURE = EnsureKeyset(CLINIC, "vault", "uid-1", "aa" * 16, KEYS)


class Immediate:
    """A transport that answers at once."""

    def __init__(self, api: FakeApi) -> None:
        self._api = api

    async def exchange(
        self, method: str, path: str, body: Manifest | None, content_type: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        answer = self._api.handle(method, path, body, content_type)
        return answer.status, answer.headers, json.dumps(answer.body).encode()


class KilledError(BaseException):
    """The process was killed at a call: nothing of it goes on, whatever it would catch."""


class Interleaved(Immediate):
    """Lets others go first before each call, and kills the process at some of them."""

    def __init__(
        self, api: FakeApi, chance: random.Random, kills: float, *, turns: int = 4
    ) -> None:
        """Make it.

        Args:
            api: Answers.
            chance: Decides.
            kills: How likely it is that the process ends before a call, and after it.
            turns: Others go first fewer times than this.
        """
        super().__init__(api)
        self._chance = chance
        self._kills = kills
        self._turns = turns

    async def exchange(
        self, method: str, path: str, body: Manifest | None, content_type: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        for _ in range(self._chance.randrange(self._turns)):
            await asyncio.sleep(0)
        if self._chance.random() < self._kills:
            raise KilledError
        answer = await super().exchange(method, path, body, content_type)
        if self._chance.random() < self._kills:
            raise KilledError
        return answer


class Free:
    """No limit, no figures."""

    async def acquire(self) -> None:
        """At once."""

    def pause(self, seconds: float) -> None:
        """Never."""

    def called(self, verb: str, code: str) -> None:
        """Uncounted."""


class KeyWorld:
    """An API server, and operators' key stores on it."""

    def __init__(self) -> None:
        self.api = FakeApi()
        self.now = datetime.datetime(2027, 3, 1, 12, 0, tzinfo=datetime.UTC)
        self._draws = itertools.count(1)

    def client(self) -> KubeClient:
        """Of an operator."""
        return KubeClient(Immediate(self.api), Free(), Free())

    def store(self, client: KubeClient | None = None) -> EmbeddedKeyStore:
        """The key store of a process that has just started."""
        return EmbeddedKeyStore(
            client or self.client(), OPERATOR, self.random, lambda: self.now, self.surroundings()
        )

    def remembering(self) -> EmbeddedKeyStore:
        """One of a leader, to which no watch and nobody tells what others do."""
        recent = recent_objects(OPERATOR, lambda: True, lambda: 0.0)
        return self.store(KubeClient(Immediate(self.api), Free(), Free(), recent))

    def surroundings(self) -> Surroundings | None:
        """Of providers besides the root key: there is none."""
        return None

    async def ready(self) -> EmbeddedKeyStore:
        """A key store with a root key and a vault."""
        store = self.store()
        await store.ensure_root_key()
        await store.perform(ENSURE)
        return store

    def random(self, size: int) -> bytes:
        """Never the same twice."""
        return next(self._draws).to_bytes(max(size, 4), "little")[:size]

    def secret(self, name: str) -> Manifest:
        """A Secret of the operator's namespace."""
        found = self.api.one("Secret", OPERATOR, name)
        assert found is not None
        return found

    def names(self, prefix: str) -> list[str]:
        """Names of the operator's Secrets that begin so."""
        names = [s["metadata"]["name"] for s in self.api.find("Secret", OPERATOR)]
        return [name for name in names if name.startswith(prefix)]

    def overwrite(self, secret: Manifest, data: Manifest) -> None:
        """Somebody with too many rights edits a Secret."""
        self.api.edit({**secret, "data": data})


def ensure(key: str, key_id: str = KEY_ID, **changes: object) -> EnsureArtefactKey:
    fields: dict[str, object] = {
        "id": key_id,
        "vault_namespace": CLINIC,
        "vault": "vault",
        "key": key,
        "namespace": CLINIC,
        "owner": "MaskingJob/visits/uid-2",
        **changes,
    }
    return EnsureArtefactKey(**fields)  # type: ignore[arg-type]


def on_volume(claim: str, path: str) -> Location:
    """A file on a volume."""
    return Location(volume=Volume(claim_name=claim, path=path))


def delivered(world: KeyWorld, name: str = "lw-abc") -> PodKeyset:
    """The keys that a pod is given."""
    secret = world.api.one("Secret", CLINIC, name)
    assert secret is not None
    return PodKeyset.parse(base64.b64decode(secret["data"]["keyset.json"]))


def document(secret: Manifest, key: str) -> Manifest:
    """The JSON document in a Secret."""
    parsed: Manifest = json.loads(base64.b64decode(secret["data"][key]))
    return parsed


def encoded(value: Manifest) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()
