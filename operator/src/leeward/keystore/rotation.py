"""Rotation of vault keys: new versions, artefact keys moved to them, old versions retired.

No artefact key is ever left under a version that is destroyed, whoever stalls or is killed:

- An artefact key is stored first, then the keyset is read; only where its version is still primary
  or enabled is it used, else it is moved first.
- An artefact key is moved to the version that was primary after it was read, over what was read.
- A version is disabled first, then the artefact keys are listed, and it is destroyed only where all
  of them are under the primary version. One that is stored later is under a version that its maker
  finds disabled; one that is moved later was in the list.

An artefact key under a destroyed version is therefore one whose maker was killed before anybody
used it: it is no dependant, and made anew when it is asked for again.
"""

import asyncio
import datetime
import logging
from collections import Counter
from collections.abc import Callable
from typing import Final

from leeward.formats.wrapped import (
    UnwrapError,
    VersionState,
    WrappedArtefactKey,
    WrappedKeyset,
    WrappedVaultKey,
    WrappedVersion,
    unwrap,
    wrap,
)
from leeward.keystore.origins import OriginError
from leeward.keystore.records import (
    VAULT_ID_LABEL,
    VAULT_KEY_LABEL,
    VERSION_LABEL,
    WRAPPED_LABEL,
    DamagedRecordError,
    artefact_secret,
    keyset_secret,
    read_artefact_key,
    replacement,
)
from leeward.keystore.rootkey import MANAGER, SecretClient
from leeward.keystore.vaults import KeyFaultError, VaultKeys
from leeward.kube.errors import NotFoundError
from leeward.plans.shared.conditions import timestamp
from leeward.plans.shared.faults import StaleWriteError
from leeward.plans.shared.model import (
    LaterVersion,
    Manifest,
    NewKey,
    OriginRefusal,
    Outcome,
    RetireVersion,
    RewrapArtefactKeys,
    RewrapResult,
    RotateVaultKey,
)

_log = logging.getLogger(__name__)

AT_ONCE: Final = 16
"""Artefact keys that are moved at the same time."""
BATCH: Final = 2000
"""Artefact keys that are moved in one go: others are served in between."""
HISTORY: Final = 64
"""Versions that a keyset holds at most: destroyed ones beyond it are forgotten."""


class VaultRotation:
    """Makes, moves to, and retires versions of vault keys."""

    def __init__(
        self,
        client: SecretClient,
        namespace: str,
        random: Callable[[int], bytes],
        now: Callable[[], datetime.datetime],
        vaults: VaultKeys,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._random = random
        self._now = now
        self._vaults = vaults

    async def perform(self, action: RotateVaultKey | RewrapArtefactKeys | RetireVersion) -> Outcome:
        """Do it; doing it again changes nothing."""
        match action:
            case RotateVaultKey():
                return await self.rotate(action)
            case RewrapArtefactKeys():
                return await self.rewrap(action)
            case RetireVersion():
                return await self.retire(action)

    async def rotate(self, action: RotateVaultKey) -> Outcome:
        """Make a new primary version, if the one that was seen still is primary."""
        found = await self._find(action)
        if isinstance(found, Outcome):
            return found
        secret, keyset, key = found
        if key.primary_version != action.primary:
            return Outcome("Done", result=await self._vaults.info(keyset))
        later = await self._later_version(keyset, key)
        if later is not None:
            await self._check_current(action, keyset)
            return Outcome("Outdated", result=later)
        # A key that does not open is not hidden under a new version.
        previous = await self._vaults.fixed(keyset, key, key.primary_version)
        number = max(version.version for version in key.history) + 1
        asked = NewKey(key.name, key.algorithm, action.origin)
        try:
            made = await self._vaults.new_version(keyset, asked, number, previous)
        except OriginError as error:
            return Outcome("Refused", str(error), OriginRefusal(error.reason, str(error)))
        history = [
            self._in_state(version, "Enabled") if version.state == "Primary" else version
            for version in key.history
        ]
        changed = _changed(key, [*history, made], number)
        _log.info("a vault key was rotated", extra={"key": key.name, "version": number})
        return await self._put(secret, keyset, changed)

    async def rewrap(self, action: RewrapArtefactKeys) -> Outcome:
        """Move artefact keys to the primary version, and note where nothing is left."""
        found = await self._find(action)
        if isinstance(found, Outcome):
            return found
        secret, keyset, key = found
        listed = await self._dependents(keyset, key)
        await self._check_current(action, keyset)
        results = await self._move_all(keyset, key, listed[:BATCH])
        stuck = tuple(sorted(name for name, moved in results.items() if moved is None))
        left = len(listed) - sum(moved is True for moved in results.values()) - len(stuck)
        if left or stuck:
            info = await self._vaults.info(keyset)
        else:
            info = (await self._put(secret, keyset, _drained(key, value=True))).result
        moved = sum(moved is True for moved in results.values())
        return Outcome("Done", result=RewrapResult(info, moved, left, stuck))

    async def retire(self, action: RetireVersion) -> Outcome:
        """Disable a version, or destroy one that is disabled and that nothing depends on.

        Where something does, it is noted for ``rewrap``, and the version stays as it is.
        """
        found = await self._find(action)
        if isinstance(found, Outcome):
            return found
        secret, keyset, key = found
        version = next((v for v in key.history if v.version == action.version), None)
        if version is None or version.state in (action.state, "Destroyed"):
            return Outcome("Done", result=await self._vaults.info(keyset))
        if version.state == "Primary":
            return Outcome("Conflict", f"version {action.version} is the primary one")
        if action.state == "Destroyed" and version.state != "Disabled":
            return Outcome("Conflict", f"version {action.version} is not disabled")
        if action.state == "Destroyed":
            listed = await self._dependents(keyset, key)
            if any(_depends(found, key) for found in listed):
                return await self._put(secret, keyset, _drained(key, value=False))
        history = [
            self._in_state(v, action.state) if v.version == action.version else v
            for v in key.history
        ]
        outcome = await self._put(secret, keyset, _changed(key, history, key.primary_version))
        if action.state == "Destroyed":
            self._vaults.forget(keyset, key, version)
            _log.info(
                "a version of a vault key was destroyed",
                extra={"key": key.name, "version": action.version},
            )
        return outcome

    async def adopt(
        self,
        found: Manifest,
        stored: WrappedArtefactKey,
        material: bytes,
        keyset: WrappedKeyset,
    ) -> WrappedArtefactKey:
        """Wrap an artefact key, of which the material is at hand, by the primary version.

        Raises:
            StaleWriteError: Its Secret has changed since.
        """
        key = keyset.key(stored.key)
        if key is None:
            raise KeyFaultError("Damaged")
        wrapping_key = await self._vaults.open(keyset, key, key.primary_version)
        bound = stored.model_copy(update={"version": key.primary_version})
        wrapped = wrap(wrapping_key, material, bound.aad(), self._random)
        made = bound.model_copy(update={"wrapped": wrapped})
        put = replacement(found, artefact_secret(self._namespace, made))
        await self._client.replace(put, MANAGER)
        return made

    async def _move_all(
        self, keyset: WrappedKeyset, key: WrappedVaultKey, listed: list[Manifest]
    ) -> dict[str, bool | None]:
        """By name: whether it was moved; False: it changed meanwhile; None: it does not open."""
        results: dict[str, bool | None] = {}
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(secret: Manifest) -> None:
            async with turns:
                results[secret["metadata"]["name"]] = await self._move(keyset, key, secret)

        try:
            async with asyncio.TaskGroup() as group:
                for secret in listed:
                    group.create_task(one(secret))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return results

    async def _move(
        self, keyset: WrappedKeyset, key: WrappedVaultKey, secret: Manifest
    ) -> bool | None:
        try:
            stored = read_artefact_key(secret)
            if not isinstance(stored, WrappedArtefactKey) or stored.key != key.name:
                return True
            if stored.version > key.primary_version:
                return False
            if not any(v.version == stored.version and v.wrapped for v in key.history):
                return True  # its maker was killed before anybody used it: see above
            if stored.version != key.primary_version:
                wrapping_key = await self._vaults.open(keyset, key, stored.version)
                material = unwrap(wrapping_key, stored.wrapped, stored.aad())
                await self.adopt(secret, stored, material, keyset)
            else:  # of a release that did not label the version
                labelled = artefact_secret(self._namespace, stored)
                await self._client.replace(replacement(secret, labelled), MANAGER)
        except (StaleWriteError, NotFoundError):
            return False
        except (DamagedRecordError, UnwrapError, KeyFaultError):
            _log.error(
                "an artefact key cannot be moved to the primary version of its vault key",
                extra={"secret": secret["metadata"]["name"], "key": key.name},
            )
            return None
        return True

    async def _dependents(self, keyset: WrappedKeyset, key: WrappedVaultKey) -> list[Manifest]:
        """Secrets of artefact keys that are not known to be wrapped by the primary version."""
        of_vault = f"{WRAPPED_LABEL}=true,{VAULT_ID_LABEL}={keyset.vault_id}"
        other = f"{VERSION_LABEL}!={key.primary_version}"
        listed = await self._client.list(
            "v1",
            "Secret",
            self._namespace,
            labels=f"leeward.dev/role=artefact-key,{of_vault},{other}",
        )
        # The label of the key is younger than some Secrets: its absence means nothing.
        return [
            secret
            for secret in listed
            if secret["metadata"]["labels"].get(VAULT_KEY_LABEL, key.name) == key.name
        ]

    async def _check_current(
        self, action: RotateVaultKey | RewrapArtefactKeys, keyset: WrappedKeyset
    ) -> None:
        now = await self._vaults.read(action.namespace, action.vault)
        if now is None or now[1] != keyset:
            raise StaleWriteError("a keyset changed while its artefact keys were listed")

    async def _later_version(
        self, keyset: WrappedKeyset, key: WrappedVaultKey
    ) -> LaterVersion | None:
        """A version that artefact keys name and that there is not: the keyset is from before."""
        known = max(version.version for version in key.history)
        named = Counter(
            int(label)
            for secret in await self._dependents(keyset, key)
            if (label := secret["metadata"]["labels"].get(VERSION_LABEL, "")).isdecimal()
        )
        highest = max(named, default=0)
        return LaterVersion(key.name, highest, known, named[highest]) if highest > known else None

    def _in_state(self, version: WrappedVersion, state: str) -> WrappedVersion:
        known: VersionState = "Destroyed" if state == "Destroyed" else "Disabled"
        if state == "Enabled":
            known = "Enabled"
        update: dict[str, object] = {"state": known, "changed_at": timestamp(self._now())}
        if known == "Destroyed":
            update |= {"wrapped": None, "fixed": None, "certificate": None}
        if known == "Enabled":
            update["drained"] = False
        return version.model_copy(update=update)

    async def _find(
        self, action: RotateVaultKey | RewrapArtefactKeys | RetireVersion
    ) -> tuple[Manifest, WrappedKeyset, WrappedVaultKey] | Outcome:
        found = await self._vaults.read(action.namespace, action.vault)
        key = found[1].key(action.key) if found else None
        if found is None or key is None:
            return Outcome("Missing", f"key {action.key} is not in the keyset")
        return *found, key

    async def _put(
        self, secret: Manifest, keyset: WrappedKeyset, changed: WrappedVaultKey
    ) -> Outcome:
        keys = [changed if key.name == changed.name else key for key in keyset.keys]
        made = keyset.model_copy(update={"keys": keys})
        put = replacement(secret, keyset_secret(self._namespace, made))
        await self._client.replace(put, MANAGER)
        return Outcome("Done", result=await self._vaults.info(made))


def _changed(key: WrappedVaultKey, history: list[WrappedVersion], primary: int) -> WrappedVaultKey:
    spare = len(history) - HISTORY
    gone = [version for version in history if version.state == "Destroyed"][: max(spare, 0)]
    kept = [version for version in history if version not in gone]
    return key.model_copy(update={"history": kept, "primary_version": primary})


def _drained(key: WrappedVaultKey, *, value: bool) -> WrappedVaultKey:
    history = [
        version.model_copy(update={"drained": value})
        if version.state in ("Enabled", "Disabled")
        else version
        for version in key.history
    ]
    return key.model_copy(update={"history": history})


def _depends(secret: Manifest, key: WrappedVaultKey) -> bool:
    try:
        stored = read_artefact_key(secret)
    except DamagedRecordError:
        return True
    return isinstance(stored, WrappedArtefactKey) and any(
        version.version == stored.version and version.wrapped is not None for version in key.history
    )
