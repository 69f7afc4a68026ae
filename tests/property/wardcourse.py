"""Long-lived pods while everything around them changes: simulated, with the operator's own code.

Several processes work on one API server; at each call any other may go first, and a process may be
killed. Pods come and go; their kubelets exchange files when they like, and the programs in them
read files when they like. Time is virtual.
"""

from __future__ import annotations

import asyncio
import base64
import datetime
import functools
import random
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from fakeapi.store import FakeApi, Manifest
from leeward.api.meta import API_VERSION
from leeward.app.wiring import PLANNERS, recent_objects
from leeward.engine.echoes import Echoes
from leeward.engine.inventory import Key
from leeward.engine.reconciler import Reconciler
from leeward.engine.steps import Steps
from leeward.formats.certificates import CertificatePair, trust_role
from leeward.formats.keyset import KEYSET_FILE, PodKeyset
from leeward.keystore.store import EmbeddedKeyStore
from leeward.kube.client import KubeClient
from leeward.kube.objects import ObjectStore
from leeward.plans.shared.conditions import NOT_YET
from leeward.plans.shared.model import (
    AckResult,
    Context,
    Event,
    KeysOf,
    Outcome,
    ProgressOf,
    ResultOf,
)
from unit.keystore.keystore_world import Free, Interleaved, KilledError

CLINIC = "clinic"
SYSTEM = "leeward-system"
VAULT = Key("KeyVault", CLINIC, "vault")
START = datetime.datetime(2027, 3, 1, 12, 0, tzinfo=datetime.UTC)


class Silent:
    """Takes events and forgets them."""

    def record(self, resource: Manifest, event: Event) -> None:
        """Forgotten."""


@dataclass
class Pod:
    """One long-lived pod: what its kubelet has mounted, and what its program has loaded."""

    name: str
    ward: str
    mounted: PodKeyset | None = None
    loaded: PodKeyset | None = None


def keyset_of(secret: Manifest) -> PodKeyset:
    """What stands in a Secret of pods."""
    return PodKeyset.parse(base64.b64decode(secret["data"][KEYSET_FILE]))


@functools.lru_cache(4096)
def accepts(trusted: bytes, shown: bytes) -> bool:
    """Whether a certificate is by one of the authorities of a bundle."""
    leaf = x509.load_pem_x509_certificate(
        CertificatePair.from_material(shown).certificate_pem.encode()
    )
    for authority in x509.load_pem_x509_certificates(trusted):
        try:
            leaf.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return True
    return False


@dataclass
class Course:
    """Everything.

    Attributes:
        seed: Of all chance.
        steady: Whether pods answer whenever they are asked.
        wards: Names of the KeyDeliveries.
    """

    seed: int
    wards: tuple[str, ...] = ("lab", "store", "ward")
    now: datetime.datetime = START
    pods: dict[str, Pod] = field(default_factory=dict)
    rotations: int = 0
    checks: int = 0
    steady: bool = False

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.api = FakeApi(lambda: f"{self.now:%Y-%m-%dT%H:%M:%SZ}")
        self._names = 0

    # --- what stands around ---------------------------------------------------------------------

    async def begin(self) -> None:
        """A vault with an authority, and KeyDeliveries that have certificates of it."""
        await self.process(0.0)[1].ensure_root_key()
        grant = {"name": "all", "kinds": ["KeyDelivery"], "operations": ["Issue"]}
        key = {
            "name": "mesh",
            "algorithm": "ED25519",
            "authority": {"trustDomain": "clinic.example"},
            "rotation": {"retireAfter": "1s", "destroyAfter": "2s"},
            "grants": [grant],
        }
        self.add("KeyVault", "vault", {"keys": [key]})
        for ward in self.wards:
            certificate = {"vault": {"name": "vault"}, "key": "mesh"}
            self.add(
                "KeyDelivery",
                ward,
                {
                    "purpose": "care",
                    "selector": {"matchLabels": {"app": ward}},
                    "secretName": f"{ward}-keys",
                    "items": [{"name": "mesh", "certificate": {**certificate, "duration": "24h"}}],
                },
            )

    def add(self, kind: str, name: str, spec: Manifest) -> None:
        """Somebody applies a manifest."""
        metadata = {"name": name, "namespace": CLINIC}
        self.api.add({"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec})

    def process(self, kills: float, *, alone: bool = False) -> tuple[Reconciler, EmbeddedKeyStore]:
        """A process of the operator that knows nothing yet.

        Args:
            kills: How likely it is that it is killed before a call, and after it.
            alone: Whether no other one works, so that it may remember what it was answered. No
                watch tells it anything.
        """
        transport = Interleaved(self.api, self.chance, kills, turns=3)
        recent = recent_objects(SYSTEM, lambda: alone, lambda: self.now.timestamp())
        client = KubeClient(transport, Free(), Free(), recent)
        keys = EmbeddedKeyStore(client, SYSTEM, self.chance.randbytes, lambda: self.now)
        objects, echoes = ObjectStore(client), Echoes()
        reconciler = Reconciler(
            api_version=API_VERSION,
            planners=PLANNERS,
            objects=objects,
            steps=Steps(objects, keys, self, echoes, frozenset(PLANNERS)),
            recorder=Silent(),
            echoes=echoes,
            context=lambda: Context(self.now, self.chance.randbytes, SYSTEM, "masking:1"),
            progress_reasons=NOT_YET,
        )
        return reconciler, keys

    # --- engine.ports.Pods ----------------------------------------------------------------------

    async def keys(self, need: KeysOf) -> Manifest | None:
        """What a pod has loaded; now and then it does not answer."""
        pod = self.pods.get(need.pod)
        if pod is None or pod.loaded is None:
            return None
        if not self.steady and self.chance.random() < 0.1:
            return None
        keys = [{"role": k.role, "id": k.id, "version": k.version} for k in pod.loaded.keys]
        return {"formatVersion": 1, "keys": keys}

    async def progress(self, need: ProgressOf) -> Manifest | None:
        """No job runs."""

    async def result(self, need: ResultOf) -> Manifest | None:
        """No job runs."""

    async def ack(self, action: AckResult) -> Outcome:
        """No job runs."""
        return Outcome("Done")

    # --- what happens ---------------------------------------------------------------------------

    async def run(self, rotations: int) -> None:
        """Let things happen until the authority was replaced so often."""
        while self.rotations < rotations:
            await self.turn()
        reconciler, _ = self.process(0.0)
        for _ in range(50):
            self.pass_time(20)
            self.mount_all()
            for key in (VAULT, *(Key("KeyDelivery", CLINIC, ward) for ward in self.wards)):
                await reconciler.reconcile(key)
            self.check()
            if self._is_settled():
                return

    def vault(self) -> Manifest:
        """The KeyVault as it stands."""
        found = self.api.one("KeyVault", CLINIC, "vault")
        assert found is not None
        return found

    async def turn(self) -> None:
        """Two processes at work, or one at two things, while things happen around them."""
        if self.chance.random() < 0.5:
            one = self.process(0.01, alone=True)[0]
            at_work = [one, one]
        else:
            at_work = [self.process(0.01)[0] for _ in range(2)]
        await asyncio.gather(*map(self._life, at_work), self._surroundings())

    def _is_settled(self) -> bool:
        (key,) = self.vault()["status"]["keys"]
        if any(v["state"] not in ("Primary", "Destroyed") for v in key["versions"]):
            return False
        deliveries = self.api.find("KeyDelivery")  # versions of which the status has no room
        shown = [item for found in deliveries for item in found["status"]["items"]]
        newest = [key["primaryVersion"]]
        return all(
            item["certificate"]["versions"] == item["trust"]["versions"] == newest for item in shown
        )

    async def _life(self, reconciler: Reconciler) -> None:
        """Some reconciles, until the process is killed."""
        try:
            for _ in range(self.chance.randrange(1, 10)):
                ward = self.chance.choice(self.wards)
                keys = (VAULT, *[Key("KeyDelivery", CLINIC, ward)] * 4)
                await reconciler.reconcile(self.chance.choice(keys))
        except (KilledError, Exception):  # noqa: BLE001 - a fault ends a reconcile; the next repairs
            return

    async def _surroundings(self) -> None:
        for _ in range(12):
            await asyncio.sleep(0)
            match self.chance.choice(("time", "come", "go", "mount", "mount", "load", "rotate")):
                case "time":
                    self.pass_time(self.chance.choice((1, 1, 5, 20, 3600)))
                case "come" if len(self.pods) < 7:
                    self.come()
                case "go" if self.pods and self.chance.random() < 0.3:
                    self._go()
                case "mount":
                    self._mount(self.chance.choice([*self.pods.values(), None]))
                case "load" if self.pods:
                    pod = self.chance.choice(list(self.pods.values()))
                    pod.loaded = pod.mounted
                case "rotate":
                    self._rotate()
            self.check()

    def pass_time(self, seconds: float) -> None:
        """Let time go by."""
        self.now += datetime.timedelta(seconds=seconds)

    def come(self, ward: str = "") -> None:
        """A pod comes; its volume is mounted later."""
        self._names += 1
        ward = ward or self.chance.choice(self.wards)
        name = f"{ward}-{self._names}"
        mount = {"name": "keys", "secret": {"secretName": f"{ward}-keys"}}
        self.api.add(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": CLINIC, "labels": {"app": ward}},
                "spec": {"nodeName": "one", "volumes": [mount], "containers": [{"name": "c"}]},
                "status": {"phase": "Running", "podIP": "10.244.0.7"},
            }
        )
        self.pods[name] = Pod(name, ward)

    def _go(self) -> None:
        name = self.chance.choice(list(self.pods))
        del self.pods[name]
        self.api.remove("Pod", CLINIC, name)

    def _mount(self, pod: Pod | None) -> None:
        """The kubelet brings the volume of a pod up to date."""
        if pod is None:
            return
        secret = self.api.one("Secret", CLINIC, f"{pod.ward}-keys")
        if secret is None or "data" not in secret:
            return
        pod.mounted = keyset_of(secret)
        if pod.loaded is None:  # a program reads its keys before it serves anybody
            pod.loaded = pod.mounted

    def mount_all(self, but: str = "") -> None:
        """Every pod loads what its Secret holds now, but for one that hangs."""
        for pod in self.pods.values():
            if pod.name != but:
                self._mount(pod)
                pod.loaded = pod.mounted

    def _rotate(self) -> None:
        """Somebody asks for a new authority, if the last one is at work by now."""
        states = {k["name"]: k for k in self.vault().get("status", {}).get("keys", ())}
        if not states or self.chance.random() < 0.5:
            return
        asked = self.vault()["spec"]["keys"][0]["rotation"].get("renewedAfter", "")
        if states["mesh"]["rotatedAt"] >= asked:
            self.rotate()

    def rotate(self) -> None:
        """Somebody asks for a new authority."""
        self.pass_time(1)
        found = self.vault()
        rotation = found["spec"]["keys"][0]["rotation"]
        rotation["renewedAfter"] = f"{self.now:%Y-%m-%dT%H:%M:%SZ}"
        self.api.edit(found)
        self.rotations += 1

    def pair(self) -> CertificatePair:
        """What the newest pod shows."""
        loaded = self.pods[max(self.pods)].loaded
        assert loaded is not None
        return CertificatePair.from_material(loaded.by_role("mesh").raw())

    # --- what must hold -------------------------------------------------------------------------

    def check(self) -> None:
        """Every two pods that have keys accept each other."""
        ready = [(pod.name, pod.loaded) for pod in self.pods.values() if pod.loaded is not None]
        for one, shown in ready:
            for other, trusting in ready:
                self.checks += 1
                bundle = trusting.by_role(trust_role("mesh"))
                leaf = shown.by_role("mesh")
                assert accepts(bundle.raw(), leaf.raw()), (
                    f"after {self.rotations} rotations {other} does not accept {one}, which shows a"
                    f" certificate of version {leaf.version}; the newest trusted is"
                    f" {bundle.version}"
                )
