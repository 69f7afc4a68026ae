"""Carries out what a plan asks for: looks at needs, does actions. Knows no kind."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from leeward.engine.echoes import Echoes
from leeward.engine.errors import TooManyRoundsError, UnknownStepError
from leeward.engine.ports import KeyStore, Objects, Pods
from leeward.plans.shared.model import (
    AckResult,
    Action,
    AdoptArtefactKey,
    Apply,
    ArtefactKeyOf,
    ArtefactKeysOf,
    CountDelivery,
    Create,
    Delete,
    DeleteSecret,
    DeliveriesOf,
    DeliverKeys,
    DestroyArtefactKey,
    DestroyRetiredKey,
    EnsureArtefactKey,
    EnsureAuthority,
    EnsureKeyset,
    ForgetArtefactKey,
    ForgetVault,
    GrantUseOf,
    IssueLeaf,
    KeysetOf,
    KeysetRecordOf,
    KeysOf,
    KeyUsageOf,
    KnownBackupsOf,
    Listing,
    Manifest,
    MarkPod,
    Need,
    ObjectRef,
    Observed,
    Outcome,
    PatchStatus,
    Plan,
    PodsHolding,
    PodsOf,
    ProgressOf,
    PublishArtefactKey,
    PutKeys,
    RemoveArtefactKeys,
    RemoveKeys,
    ResultOf,
    RetireArtefactKey,
    RetireVersion,
    RewrapArtefactKeys,
    RotateVaultKey,
    SetFinalizer,
    ShredArtefactKey,
    ShredVault,
    TendKeyset,
    WriteStatus,
)

MAX_ROUNDS: Final = 20

_HARMLESS: Final = (AckResult, MarkPod, PublishArtefactKey, RetireArtefactKey)
"""Written over what was read, or of no consequence, and taken back as easily as done."""

_DONE: Final = Outcome("Done")


class Steps:
    """The ports, behind the vocabulary of plans."""

    def __init__(
        self,
        objects: Objects,
        keys: KeyStore,
        pods: Pods,
        echoes: Echoes,
        own_kinds: frozenset[str],
    ) -> None:
        self._objects = objects
        self._keys = keys
        self._pods = pods
        self._echoes = echoes
        self._own_kinds = own_kinds

    async def settle(
        self,
        ask: Callable[[], Plan],
        observed: Observed,
        manager: str,
        write_status: Callable[[Manifest], Awaitable[None]],
        confirm: Callable[[], Awaitable[None]],
    ) -> Plan:
        """Ask a plan again and again, and do what it asks for, until it asks for nothing.

        Args:
            ask: Yields the plan, as it is with what has been observed so far.
            observed: Takes what is seen and done.
            manager: Field manager of what is written.
            write_status: Stores the status of a plan that asks for it.
            confirm: Raises where the resource is not what the plan saw any more; asked before
                anything is done for it: it may have been remembered.

        Returns:
            The last plan; its status is still to be written.

        Raises:
            TooManyRoundsError: It does not come to an end.
        """
        for _ in range(MAX_ROUNDS):
            plan = ask()
            needs = tuple(need for need in plan.needs if not observed.has(need))
            if needs:
                await self._look(needs, observed)
            elif plan.actions:
                await self._act(plan, observed, manager, write_status, confirm)
            else:
                return plan
        raise TooManyRoundsError(f"a plan did not settle within {MAX_ROUNDS} rounds")

    async def _act(
        self,
        plan: Plan,
        observed: Observed,
        manager: str,
        write_status: Callable[[Manifest], Awaitable[None]],
        confirm: Callable[[], Awaitable[None]],
    ) -> None:
        """Do a batch, up to the first action that does not end well."""
        for action in plan.actions:
            if isinstance(action, WriteStatus):
                await write_status(plan.status)
                outcome = _DONE
            else:
                if not isinstance(action, _HARMLESS):
                    await confirm()
                outcome = await self._perform(action, manager)
            observed.outcomes[action] = outcome
            if outcome.code != "Done":
                return

    async def _look(self, needs: tuple[Need, ...], observed: Observed) -> None:
        """Look at all of them at once, and put what is seen into ``observed``."""
        if len(needs) == 1:
            observed.seen[needs[0]] = await self._see(needs[0])
            return
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._see(need)) for need in needs]
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        for need, task in zip(needs, tasks, strict=True):
            observed.seen[need] = task.result()

    async def _see(self, need: Need) -> Any:
        match need:
            case ObjectRef():
                return await self._objects.get(need)
            case Listing():
                return await self._objects.listing(need)
            case PodsOf() | PodsHolding():
                return await self._objects.pods_of(need)
            case DeliveriesOf():
                return await self._objects.deliveries_of(need)
            case ProgressOf():
                return await self._pods.progress(need)
            case KeysOf():
                return await self._pods.keys(need)
            case ResultOf():
                return await self._pods.result(need)
            case (
                KeysetOf()
                | ArtefactKeyOf()
                | KeyUsageOf()
                | GrantUseOf()
                | KnownBackupsOf()
                | KeysetRecordOf()
                | ArtefactKeysOf()
            ):
                return await self._keys.look(need)
        raise UnknownStepError(f"nobody looks at {type(need).__name__}")

    async def _perform(self, action: Action, manager: str) -> Outcome:
        """Do one action, of any kind but WriteStatus."""
        match action:
            case Apply(manifest):
                return self._note(await self._objects.apply(manifest, manager))
            case Create(manifest):
                return self._note(await self._objects.create(manifest, manager))
            case Delete(ref, uid, grace):
                return await self._objects.delete(ref, uid, grace)
            case MarkPod():
                return await self._objects.mark(action, manager)
            case PatchStatus(ref, status):
                return await self._objects.patch_status(ref, status, manager)
            case SetFinalizer():
                return await self._objects.set_finalizers(action, manager)
            case AckResult():
                return await self._pods.ack(action)
            case (
                EnsureKeyset()
                | TendKeyset()
                | RotateVaultKey()
                | RewrapArtefactKeys()
                | RetireVersion()
                | EnsureArtefactKey()
                | PublishArtefactKey()
                | AdoptArtefactKey()
                | ShredArtefactKey()
                | RetireArtefactKey()
                | DestroyRetiredKey()
                | ForgetArtefactKey()
                | CountDelivery()
                | ShredVault()
                | RemoveArtefactKeys()
                | ForgetVault()
                | DestroyArtefactKey()
                | DeliverKeys()
                | DeleteSecret()
                | EnsureAuthority()
                | IssueLeaf()
                | PutKeys()
                | RemoveKeys()
            ):
                return await self._keys.perform(action)
        raise UnknownStepError(f"nobody does {type(action).__name__}")

    def _note(self, outcome: Outcome) -> Outcome:
        """Remember a child that was written, but not a resource that has a plan of its own."""
        written = outcome.result
        if outcome.code == "Done" and written and written["kind"] not in self._own_kinds:
            self._echoes.wrote(written["kind"], written["metadata"]["resourceVersion"])
        return outcome
