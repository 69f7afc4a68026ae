"""``leeward keys shred``: show what becomes unreadable, have its name typed, and ask for it.

The request is fields and an annotation of the resource, which may also be set by hand. Nothing is
destroyed here: the operator does it when nothing is left to wait for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from leeward.api import Kind
from leeward.api.dataset import DATASET
from leeward.api.keyvault import (
    CONFIRM_SHRED_ANNOTATION,
    KEYVAULT,
    SHRED_REQUESTER_ANNOTATION,
)
from leeward.api.meta import GROUP
from leeward.cli.backuprecords import user
from leeward.cli.changing import change
from leeward.cli.conditions import condition_of, in_words
from leeward.cli.errors import CliError, UsageError
from leeward.cli.kinds import resource_of
from leeward.cli.listing import missing
from leeward.cli.options import RowsFormat
from leeward.cli.output import counted
from leeward.cli.port import Cluster, Manifest
from leeward.cli.session import Session
from leeward.cli.usage import Usage, find_usage, show_usage

_INTERVAL: Final = 1.0
_FINALIZER: Final = f"{GROUP}/shred"
_PENDING: Final = "ShredPending"


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be destroyed.

    Attributes:
        kind: KeyVault or Dataset.
        namespace, name: The resource.
        key, below: For old versions of one key only: its name, and the first number that stays.
        confirm: The name, typed beforehand; None: it is asked for.
        timeout: Seconds to wait for the operator.
    """

    kind: Kind
    namespace: str
    name: str
    key: str | None
    below: int | None
    confirm: str | None
    timeout: float

    @property
    def label(self) -> str:
        """The resource, in words."""
        return f"{self.kind.kind} {self.name}"


def shred(session: Session, cluster: Cluster, request: Request) -> None:
    """Ask for it, and say how far it is.

    Raises:
        CliError: There is no such thing, it was not confirmed, or the API server refuses.
    """
    if request.kind not in (KEYVAULT, DATASET):
        raise UsageError(
            f"a {request.kind.kind} has no keys of its own",
            "name keyvault/NAME or dataset/NAME",
        )
    if (request.key is None) != (request.below is None) or (
        request.key is not None and request.kind is not KEYVAULT
    ):
        raise UsageError(
            "old versions are those of one key of a KeyVault",
            "give keyvault/NAME with --key KEY and --below NUMBER",
        )
    found = _found(cluster, request)
    session.err.print(_warning(session, cluster, request, found))
    _have_confirmed(session, request)
    asked = _ask_for(cluster, request)
    if request.below is not None:
        _follow(session, cluster, request, lambda now: _versions_gone(now, request))
        return
    if "deletionTimestamp" not in asked["metadata"]:
        _delete(session, cluster, request)
    _follow(session, cluster, request, lambda now: False)


def _found(cluster: Cluster, request: Request) -> Manifest:
    found = cluster.find(resource_of(request.kind), request.namespace, request.name)
    if found is None:
        raise missing(request.kind, request.namespace, request.name)
    return found


def _warning(session: Session, cluster: Cluster, request: Request, found: Manifest) -> str:
    """What will be unreadable, in words."""
    if request.kind is DATASET:
        if "sealedWith" not in found["spec"]:
            raise CliError(
                f"the file of Dataset {request.name} is plain, so there is no key to destroy",
                "delete the file itself",
            )
        return (
            f"this destroys the key of the file of {request.label}, and deletes the Dataset: nobody"
            " reads that file again, nor any copy of it"
        )
    usage = find_usage(cluster, request.namespace, request.name, request.key)
    show_usage(session, usage, RowsFormat.TABLE)
    if request.below is not None:
        return (
            f"this destroys the versions below {request.below} of key {request.key}: artefact keys"
            " are moved to the primary version first, so nothing in this cluster becomes unreadable"
        )
    return (
        f"this destroys every key of {request.label}, and deletes it:"
        f" {_told(usage)}, and nobody reads again what they sealed"
    )


def _told(usage: Usage) -> str:
    keys = counted(usage.artefact_keys, "artefact key")
    return f"{keys}, those of {counted(len(usage.datasets), 'Dataset')} among them"


def _have_confirmed(session: Session, request: Request) -> None:
    given = request.confirm
    if given is None:
        given = session.ask(f"Type the name of the {request.kind.kind} to destroy its keys: ")
    if given is None:
        raise CliError("there is no terminal to ask at", f"confirm with --confirm {request.name}")
    if given.strip() != request.name:
        raise CliError("that is not its name, so nothing is destroyed", "try again")


def _ask_for(cluster: Cluster, request: Request) -> Manifest:
    """Set the fields and the annotation; the resource as it is then."""
    who = user(cluster)

    def edit(changed: Manifest) -> None:
        metadata = changed["metadata"]
        wanted = metadata["uid"]
        if request.below is None:
            changed["spec"]["deletionPolicy"] = "Shred"
        else:
            wanted = f"{wanted}/{request.key}/{request.below}"
            for key in changed["spec"]["keys"]:
                if key["name"] == request.key:
                    key["shredBelow"] = request.below
        annotations = metadata.get("annotations") or {}
        before = [v for v in annotations.get(CONFIRM_SHRED_ANNOTATION, "").split(",") if v.strip()]
        confirmed = ",".join(dict.fromkeys([*before, wanted]))
        metadata["annotations"] = {
            **annotations,
            CONFIRM_SHRED_ANNOTATION: confirmed,
            SHRED_REQUESTER_ANNOTATION: who,
        }

    resource = resource_of(request.kind)
    return change(cluster, resource, request.label, lambda: _found(cluster, request), edit)


def _delete(session: Session, cluster: Cluster, request: Request) -> None:
    """Delete it, but not before the operator has seen that its keys are to be destroyed."""
    end = session.clock.monotonic() + request.timeout
    while _FINALIZER not in (_found(cluster, request)["metadata"].get("finalizers") or ()):
        if session.clock.monotonic() >= end:
            raise CliError(
                f"the operator has not taken up the request within {request.timeout:g} s, so"
                f" {request.label} is not deleted, and nothing is destroyed",
                "see that it runs: leeward doctor; then run the same command again",
            )
        session.clock.sleep(_INTERVAL)
    cluster.delete(resource_of(request.kind), request.namespace, request.name)


def _follow(
    session: Session, cluster: Cluster, request: Request, is_done: Callable[[Manifest], bool]
) -> None:
    """Wait until it is done, or waits for something that takes longer; say which."""
    end = session.clock.monotonic() + request.timeout
    resource = resource_of(request.kind)
    while True:
        now = cluster.find(resource, request.namespace, request.name)
        if now is None or is_done(now):
            session.out.print(
                f"destroyed; the record: kubectl get configmaps -n {request.namespace} -l"
                f" leeward.dev/role=destruction-record,leeward.dev/name={request.name}"
            )
            return
        waits = condition_of(now, _PENDING)
        if waits is not None and waits.holds and waits.reason != "AwaitingConfirmation":
            session.err.print(f"asked for, and pending: {in_words(waits)}")
            return
        if session.clock.monotonic() >= end:
            session.err.print(
                f"asked for; it goes on by itself: leeward describe {request.kind.kind.lower()}"
                f" {request.name} -n {request.namespace}"
            )
            return
        session.clock.sleep(_INTERVAL)


def _versions_gone(now: Manifest, request: Request) -> bool:
    keys = (now.get("status") or {}).get("keys") or []
    return any(
        key["name"] == request.key and key.get("shreddedBelow") == request.below for key in keys
    )
