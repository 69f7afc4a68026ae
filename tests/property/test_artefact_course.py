"""Artefact keys are replaced while consumers come and go: no file ever becomes unreadable.

The file's header names the keys that open it. Who replaces a key goes by what KeyDeliveries say, as
``plans.dataset.rotation`` does; LEEWARD_SOAK=1 replaces it ten thousand times.
"""

from __future__ import annotations

import copy
import os

import pytest

from fakeapi.store import Manifest
from leeward.api.meta import API_VERSION
from leeward.engine.inventory import Key
from leeward.plans.shared.acknowledgements import not_acknowledged, still_holding
from leeward.plans.shared.model import (
    DestroyArtefactKey,
    EnsureArtefactKey,
    ObjectRef,
    PublishArtefactKey,
    RetireArtefactKey,
)
from property.wardcourse import CLINIC, VAULT, Course, keyset_of

ROTATIONS = 3400 if os.environ.get("LEEWARD_SOAK") else 4
DATASET = ObjectRef(API_VERSION, "Dataset", CLINIC, "letters")


class Letters(Course):
    """A sealed Dataset, and KeyDeliveries whose pods read it over and over."""

    async def begin(self) -> None:
        """A vault, a Dataset with a key, and KeyDeliveries that deliver it."""
        await super().begin()
        grants = [{"name": "all", "kinds": ["KeyDelivery"], "operations": ["Open", "Issue"]}]
        vault = self.vault()
        intake = {"name": "intake", "algorithm": "AES256_GCM", "grants": grants}
        vault["spec"]["keys"].append(intake)
        self.api.edit(vault)
        for ward in self.wards:
            found = self.api.one("KeyDelivery", CLINIC, ward)
            assert found is not None
            found["spec"]["items"] = [{"name": "data", "dataset": {"name": "letters"}}]
            self.api.edit(found)
        made = self.api.add(
            {
                "apiVersion": API_VERSION,
                "kind": "Dataset",
                "metadata": {"name": "letters", "namespace": CLINIC},
                "spec": {
                    "location": {"volume": {"claimName": "data", "path": "letters.lwe1"}},
                    "format": "CSV",
                    "sealedWith": {"vault": {"name": "vault"}, "key": "intake"},
                    "grants": [{"name": "all", "kinds": ["KeyDelivery"]}],
                },
            }
        )
        self.owner = f"Dataset/letters/{made['metadata']['uid']}"
        self.operator, self.keys_store = self.process(0.0)
        await self.operator.reconcile(VAULT)
        self.number = 1
        self.destroyed: set[str] = set()
        await self.make(self.id(1))
        self.header = {self.id(1)}
        self.put(keyId=self.id(1))

    def id(self, number: int) -> str:
        """Of the key with this number."""
        return f"{number:032x}"

    async def make(self, key_id: str) -> None:
        """Make a key, and make it the Dataset's."""
        place = (CLINIC, "vault", "intake", CLINIC, self.owner)
        for action in (EnsureArtefactKey(key_id, *place), PublishArtefactKey(key_id, self.owner)):
            outcome = await self.keys_store.perform(action)
            assert outcome.code == "Done", outcome

    def put(self, **status: object) -> None:
        """Write the status of the Dataset."""
        found = self.api.one("Dataset", CLINIC, "letters")
        assert found is not None
        before = {k: v for k, v in (found.get("status") or {}).items() if k != "replacement"}
        self.api.edit({**found, "status": {**before, **copy.deepcopy(status)}})

    def phase(self, phase: str) -> None:
        """Enter a phase of the replacement."""
        new, old = self.id(self.number + 1), self.id(self.number)
        now = new if phase in ("Draining", "Removing", "Destroying") else old
        record: Manifest = {"mode": "Rewrap", "phase": phase, "keyId": new, "previousKeyId": old}
        self.put(keyId=now, replacement={**record, "startedAt": f"{self.now:%Y-%m-%dT%H:%M:%SZ}"})

    async def replace(self) -> None:
        """The next step of a replacement, if nobody is in its way."""
        found = self.api.one("Dataset", CLINIC, "letters")
        assert found is not None
        deliveries = self.api.find("KeyDelivery")
        new, old = self.id(self.number + 1), self.id(self.number)
        match (found["status"].get("replacement") or {}).get("phase"):
            case None:
                self.phase("Adding")
            case "Adding":
                await self.make(new)
                self.header |= {new}
                self.phase("Distributing")
            case "Distributing" if not not_acknowledged(deliveries, DATASET, new):
                self.phase("Draining")
            case "Draining":
                await self.keys_store.perform(RetireArtefactKey(old, self.owner))
                if not still_holding(deliveries, DATASET, old):
                    self.header -= {old}
                    self.phase("Destroying")
            case "Destroying":
                assert old not in self.delivered(), "a Secret holds a key that is destroyed"
                outcome = await self.keys_store.perform(DestroyArtefactKey(old, self.owner))
                assert outcome.code == "Done"
                self.destroyed.add(old)
                self.number += 1
                self.rotations += 1
                self.put(keyId=new)

    async def run(self, rotations: int) -> None:
        """Let things happen until the key was replaced so often."""
        while self.rotations < rotations:
            await self.turn()
            for _ in range(3):
                await self.replace()
                self.check()

    def delivered(self) -> set[str]:
        """Ids of all keys in Secrets of pods."""
        secrets = [self.api.one("Secret", CLINIC, f"{ward}-keys") for ward in self.wards]
        sets = [keyset_of(secret) for secret in secrets if secret is not None]
        return {key.id for keyset in sets for key in keyset.keys}

    def check(self) -> None:
        """Every pod that has keys opens the file, and no key that was destroyed seals it."""
        assert not self.header & self.destroyed
        for pod in self.pods.values():
            if pod.loaded is not None:
                self.checks += 1
                held = {key.id for key in pod.loaded.keys}
                assert held & self.header, f"{pod.name} has {held}, the file {self.header}"

    def _rotate(self) -> None:
        """Replacements are steps of their own here."""


@pytest.mark.timeout(10_800 if "LEEWARD_SOAK" in os.environ else 300)
@pytest.mark.parametrize("seed", range(3))
async def test_no_file_ever_becomes_unreadable(seed: int) -> None:
    course = Letters(seed)
    await course.begin()
    await course.run(ROTATIONS)
    assert course.checks > ROTATIONS * 20
    assert len(course.destroyed) == ROTATIONS
    await course.operator.reconcile(Key("KeyDelivery", CLINIC, "ward"))
