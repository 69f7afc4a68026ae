"""The key store as plans see it, in memory: no key, only what is known of one."""

from __future__ import annotations

import datetime
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, cast

from leeward.plans.shared.keyowners import is_of_other_dataset
from leeward.plans.shared.model import (
    Action,
    AdoptArtefactKey,
    ArtefactKeyInfo,
    ArtefactKeyOf,
    ArtefactKeysOf,
    BackupsInfo,
    CountDelivery,
    DeleteSecret,
    DeliverKeys,
    DestroyArtefactKey,
    EnsureArtefactKey,
    EnsureKeyset,
    ForgetArtefactKey,
    ForgetVault,
    GrantUse,
    GrantUseOf,
    KeysetInfo,
    KeysetOf,
    KeysetRecord,
    KeysetRecordOf,
    KeyUsage,
    KeyUsageOf,
    KnownBackupsOf,
    Manifest,
    Need,
    NewKey,
    ObjectRef,
    OriginRefusal,
    Outcome,
    PublishArtefactKey,
    RemoveArtefactKeys,
    RetireVersion,
    ShredArtefactKey,
    ShredVault,
    TendKeyset,
    TendResult,
    VersionInfo,
    VersionState,
)

NOW = datetime.datetime(2027, 3, 1, 12, 0, tzinfo=datetime.UTC)
PEM = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VuAyEAhSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=
-----END PUBLIC KEY-----
"""

SIGNING_PEM = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
"""
PUBLIC_HALVES = {"ED25519": SIGNING_PEM}
"""By algorithm: of the pairs that versions themselves have."""


@dataclass
class SimulatedKeys:
    """Keys of a world; the rest of it makes and removes objects."""

    now: datetime.datetime = NOW
    objects: dict[ObjectRef, Manifest] = field(default_factory=dict)
    keysets: dict[tuple[str, str], KeysetInfo] = field(default_factory=dict)
    keys: dict[str, ArtefactKeyInfo] = field(default_factory=dict)
    refused_keys: dict[str, OriginRefusal] = field(default_factory=dict)
    usage: dict[str, KeyUsage] = field(default_factory=dict)
    given: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    created: Counter[ObjectRef] = field(default_factory=Counter)
    published: Counter[str] = field(default_factory=Counter)
    warnings: tuple[str, ...] = ()
    shredded: set[str] = field(default_factory=set)
    forgotten: set[str] = field(default_factory=set)
    backups: dict[str, list[str]] = field(default_factory=dict)
    destroyed: dict[str, ArtefactKeyInfo] = field(default_factory=dict)
    shredded_vaults: dict[tuple[str, str], KeysetRecord] = field(default_factory=dict)

    def add(self, manifest: Manifest) -> Manifest:
        """Put an object there."""
        raise NotImplementedError

    def remove(self, ref: ObjectRef) -> None:
        """Delete an object and what it owns."""
        raise NotImplementedError

    def look_at_keys(self, need: Need) -> Any:
        """What is known."""
        match need:
            case KeysetOf(namespace, vault):
                return self.keysets.get((namespace, vault))
            case ArtefactKeyOf(key_id):
                return self.keys.get(key_id)
            case KeyUsageOf(vault_id=vault_id):
                return self.usage.get(vault_id)
            case GrantUseOf(_, key, grant, uid):
                given = self.given.get((key, grant), [])
                return GrantUse(len(given), counted=uid in given)
            case KnownBackupsOf(vault_id):
                return BackupsInfo(tuple(self.backups.get(vault_id, ())))
            case KeysetRecordOf(namespace, vault):
                return self.shredded_vaults.get((namespace, vault)) or self._record(
                    namespace, vault
                )
            case ArtefactKeysOf(vault_id):
                there = {**self.keys, **self.destroyed}.values()
                return tuple(key for key in there if key.vault_id == vault_id)
        raise AssertionError(f"the simulator does not know {type(need).__name__}")

    def _record(self, namespace: str, vault: str) -> KeysetRecord | None:
        info = self.keysets.get((namespace, vault))
        if info is None:
            return None
        keys = tuple(
            (name, algorithm, tuple(v.version for v in info.history[name]))
            for name, (algorithm, _, _) in info.versions.items()
        )
        return KeysetRecord(info.vault_id, info.owner_uid, keys)

    def _shred(
        self, action: ShredVault | RemoveArtefactKeys | ForgetVault | DestroyArtefactKey
    ) -> Outcome:
        if isinstance(action, DestroyArtefactKey):
            key = self.keys.pop(action.id, None) or self.destroyed.get(action.id)
            if key is None or key.owner != action.owner:
                return Outcome("Conflict")
            self.destroyed[action.id] = key
            self.shredded.add(action.id)
            return Outcome("Done", result=key)
        place = (action.namespace, action.vault)
        left = self.shredded_vaults.get(place)
        if isinstance(action, ShredVault):
            record = left or self._record(*place)
            if record is None or (record.vault_id, record.owner_uid) != (
                action.vault_id,
                action.uid,
            ):
                return Outcome("Conflict")
            self.keysets.pop(place, None)
            self.shredded_vaults[place] = replace(record, shredded_at=stamp(self.now))
            return Outcome("Done", result=self.shredded_vaults[place])
        if left is None:
            return Outcome("Done" if isinstance(action, ForgetVault) else "Conflict")
        if isinstance(action, ForgetVault):
            del self.shredded_vaults[place]
            return Outcome("Done")
        self.keys = {id_: key for id_, key in self.keys.items() if key.vault_id != action.vault_id}
        return Outcome("Done", result=0)

    def _retire(self, action: RetireVersion) -> Outcome:
        info = self.keysets[action.namespace, action.vault]
        state = cast(VersionState, action.state)
        history = tuple(
            replace(version, state=state) if version.version == action.version else version
            for version in info.history[action.key]
        )
        info = replace(info, history={**info.history, action.key: history})
        self.keysets[action.namespace, action.vault] = info
        return Outcome("Done", result=info)

    def _count(self, action: CountDelivery) -> Outcome:
        given = self.given.setdefault((action.key, action.grant), [])
        if action.uid not in given and len(given) >= action.limit:
            return Outcome("Conflict")
        given += [] if action.uid in given else [action.uid]
        return Outcome("Done")

    def keep_keys(self, action: Action) -> Outcome:  # noqa: C901 - one case for each action
        match action:
            case EnsureKeyset():
                return self._ensure_keyset(action)
            case TendKeyset(namespace, vault):
                info = self.keysets[namespace, vault]
                return Outcome("Done", result=TendResult(info, 0, self.warnings))
            case EnsureArtefactKey():
                return self._ensure_artefact_key(action)
            case DeliverKeys():
                return self._deliver(action)
            case CountDelivery():
                return self._count(action)
            case ShredVault() | RemoveArtefactKeys() | ForgetVault() | DestroyArtefactKey():
                return self._shred(action)
            case RetireVersion():
                return self._retire(action)
            case DeleteSecret(namespace, name):
                self.remove(ObjectRef("v1", "Secret", namespace, name))
            case PublishArtefactKey() | AdoptArtefactKey():
                return self._hand_over(action)
            case ShredArtefactKey(key_id):
                if key_id in self.keys and self.keys[key_id].published:
                    return Outcome("Conflict")
                self.keys.pop(key_id, None)
                self.shredded.add(key_id)
            case ForgetArtefactKey(key_id):
                if key_id not in self.shredded:
                    return Outcome("Conflict")
                self.forgotten.add(key_id)
                self.destroyed.pop(key_id, None)
            case _:
                raise AssertionError(f"the simulator does not know {type(action).__name__}")
        return Outcome("Done")

    def _ensure_keyset(self, action: EnsureKeyset) -> Outcome:
        place = (action.namespace, action.vault)
        info = self.keysets.get(place)
        if info is None:
            info = KeysetInfo(action.vault_id, action.uid, {})
        elif info.owner_uid != action.uid and info.vault_id != action.adopt:
            return Outcome("Retained", result=info)
        elif not info.readable:
            return Outcome("Unreadable", result=info.fault)
        able = [key for key in action.keys if key.name not in self.refused_keys]
        made = {key.name: (key.algorithm, 1, stamp(self.now)) for key in able}
        first = {key.name: (self._first_version(key),) for key in able}
        names = tuple(name for name in made if name not in info.versions)
        info = replace(
            info,
            owner_uid=action.uid,
            transit=action.transit,
            versions={**made, **info.versions},
            history={**first, **info.history},
        )
        self.keysets[place] = info
        return Outcome("Done", result=replace(info, made=names, refused=dict(self.refused_keys)))

    def _first_version(self, key: NewKey) -> VersionInfo:
        drawn = key.origin.generate is not None
        return VersionInfo(
            1,
            "Primary",
            stamp(self.now),
            fixed=not drawn or key.algorithm in PUBLIC_HALVES,
            public_key=PUBLIC_HALVES.get(key.algorithm),
            derivation='{"kdf":"ARGON2ID"}' if key.origin.passphrase else None,
        )

    def _ensure_artefact_key(self, action: EnsureArtefactKey) -> Outcome:
        keyset = self.keysets.get((action.vault_namespace, action.vault))
        if keyset is None or action.key not in keyset.versions:
            return Outcome("Missing")
        if action.id not in self.keys:
            algorithm, version, _ = keyset.versions[action.key]
            self.keys[action.id] = ArtefactKeyInfo(
                id=action.id,
                vault_id=keyset.vault_id,
                key=action.key,
                version=version,
                algorithm=action.algorithm or algorithm,
                namespace=action.namespace,
                owner=action.owner,
                public_key=PEM if algorithm == "HPKE_X25519" else None,
                artefact=action.artefact,
                dataset=action.dataset,
            )
        return Outcome("Done", result=self.keys[action.id])

    def _hand_over(self, action: PublishArtefactKey | AdoptArtefactKey) -> Outcome:
        key = self.keys.get(action.id)
        if key is None:
            return Outcome("Missing")
        if isinstance(action, AdoptArtefactKey):
            if key.owner not in (action.owner, action.previous):
                return Outcome("Conflict")
            self.keys[action.id] = replace(key, owner=action.owner)
            return Outcome("Done")
        if is_of_other_dataset(key.owner, action.owner):
            return Outcome("Conflict")
        self.keys[action.id] = replace(key, owner=action.owner, published=True)
        self.published[action.id] += 1
        return Outcome("Done")

    def _deliver(self, action: DeliverKeys) -> Outcome:
        if any(key_id not in self.keys for _, key_id in action.keys):
            return Outcome("Missing")
        ref = ObjectRef("v1", "Secret", action.namespace, action.name)
        if ref in self.objects:
            return Outcome("Done")
        self.created[ref] += 1
        self.add(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {
                    "name": action.name,
                    "namespace": action.namespace,
                    "ownerReferences": [action.owner],
                },
                "keys": list(action.keys),
            }
        )
        return Outcome("Done")


def stamp(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
