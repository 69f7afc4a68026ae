"""The Secret of the root key and the keysets it wraps, read with the user's own rights."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from leeward.cli.errors import CONFLICT, ApiError, CliError
from leeward.cli.port import NAMESPACES, SECRETS, Cluster, Manifest
from leeward.formats.rootkey import RootKeyring
from leeward.formats.wrapped import WrappedKeyset
from leeward.keystore.records import (
    KEYSET_ROLE,
    KEYSET_SELECTOR,
    ROOT_ROLE,
    ROOT_SECRET,
    DamagedRecordError,
    read_document,
    replacement,
    root_secret,
)
from leeward.keystore.rootkey import ROTATE_ANNOTATION, FoundKeyring, root_key_id_of


def find_keyring(cluster: Cluster, namespace: str) -> FoundKeyring | None:
    """The Secret of the root key, damaged or not; None: there is none."""
    secret = cluster.find(SECRETS, namespace, ROOT_SECRET)
    if secret is None:
        return None
    try:
        return FoundKeyring(secret, read_document(secret, RootKeyring, ROOT_ROLE))
    except DamagedRecordError:
        return FoundKeyring(secret, None)


def sound_keyring(cluster: Cluster, namespace: str) -> tuple[FoundKeyring, RootKeyring]:
    """The root key that must be there.

    Raises:
        CliError: There is none, or the Secret is damaged.
    """
    found = find_keyring(cluster, namespace)
    if found is None:
        raise CliError(
            f"there is no root key in namespace {namespace}",
            "name the operator's with --operator-namespace; where the key was lost, put it back:"
            " leeward root-key restore",
        )
    if found.keyring is None:
        raise damaged(namespace)
    return found, found.keyring


def damaged(namespace: str) -> CliError:
    """The Secret is there, and no root key in it."""
    return CliError(
        f"Secret {ROOT_SECRET} in namespace {namespace} is damaged, or of a later release; it was"
        " left as it is",
        f"keep a copy (kubectl get secret {ROOT_SECRET} -n {namespace} -o yaml > damaged.yaml),"
        " then delete it: an operator that has run since before puts back within a minute what it"
        " holds in memory; if none does, run: leeward root-key restore",
    )


def create_keyring(cluster: Cluster, namespace: str, keyring: RootKeyring) -> bool:
    """Make the Secret; False: there is one by now.

    Raises:
        CliError: There is no such namespace.
    """
    if cluster.find(NAMESPACES, None, namespace) is None:
        raise CliError(
            f"there is no namespace {namespace}",
            f"make it first (kubectl create namespace {namespace}), and restore keys before you"
            " install the operator",
        )
    try:
        cluster.create(SECRETS, root_secret(namespace, keyring))
    except ApiError as error:
        if error.status != CONFLICT:
            raise
        return False
    return True


def replace_keyring(
    cluster: Cluster, namespace: str, found: FoundKeyring, keyring: RootKeyring
) -> None:
    """Put another keyring in the place of the one that was read.

    Raises:
        CliError: The Secret has changed meanwhile.
    """
    made = root_secret(namespace, keyring)
    made["metadata"]["annotations"] = dict(found.secret["metadata"].get("annotations") or {})
    try:
        cluster.replace(SECRETS, replacement(found.secret, made))
    except ApiError as error:
        if error.status != CONFLICT:
            raise
        raise CliError(
            f"Secret {ROOT_SECRET} was changed by somebody else just now; nothing was written",
            "look at it (leeward root-key status), then run the command again",
        ) from None


@dataclass
class Keysets:
    """Keysets by the root key that wraps them.

    Attributes:
        by_root_key: Root key's id -> how many.
        by_transit: How many a Transit key wraps: these have nothing to do with root keys.
        unreadable: Names of Secrets that hold no keyset.
    """

    by_root_key: Counter[str] = field(default_factory=Counter)
    by_transit: int = 0
    unreadable: list[str] = field(default_factory=list)

    @classmethod
    def look(cls, cluster: Cluster, namespace: str) -> Keysets:
        """What is in the operator's namespace."""
        found = cls()
        for secret in cluster.list(SECRETS, namespace, labels=KEYSET_SELECTOR):
            try:
                id_ = root_key_id_of(read_document(secret, WrappedKeyset, KEYSET_ROLE))
            except DamagedRecordError:
                found.unreadable.append(secret["metadata"]["name"])
                continue
            if id_ is None:
                found.by_transit += 1
            else:
                found.by_root_key[id_] += 1
        return found


@dataclass(frozen=True)
class RootKeyStatus:
    """How a root key and its rotation stand.

    Attributes:
        found: Its Secret.
        keyring: What is in there.
        keysets: What it wraps.
    """

    found: FoundKeyring
    keyring: RootKeyring
    keysets: Keysets

    @classmethod
    def look(cls, cluster: Cluster, namespace: str) -> RootKeyStatus:
        """How it stands now.

        Raises:
            CliError: There is no root key, or it is damaged.
        """
        found, keyring = sound_keyring(cluster, namespace)
        return cls(found, keyring, Keysets.look(cluster, namespace))

    @property
    def moved(self) -> int:
        """Keysets under the current key."""
        return self.keysets.by_root_key[self.keyring.current]

    @property
    def left(self) -> int:
        """Keysets under keys that are being given up."""
        return sum(self.keysets.by_root_key[key.id] for key in self.keyring.given_up)

    @property
    def strangers(self) -> dict[str, int]:
        """Root keys that are not here, and how many keysets they wrap."""
        here = {key.id for key in self.keyring.keys}
        return {id_: n for id_, n in self.keysets.by_root_key.items() if id_ not in here}

    @property
    def rotation(self) -> str:
        """``None``, ``Requested``, ``Moving`` or ``Removing`` (of the old key)."""
        if self.keyring.given_up:
            return "Moving" if self.left or self.keysets.unreadable else "Removing"
        return "Requested" if self.found.request not in (None, self.keyring.rotation) else "None"

    def as_json(self) -> dict[str, Any]:
        """For programs; no material."""
        return {
            "rootKey": self.keyring.current,
            "createdAt": created_at(self.found, self.keyring),
            "givenUp": [key.id for key in self.keyring.given_up],
            "rotation": self.rotation,
            "keysets": {
                "moved": self.moved,
                "left": self.left,
                "ofOtherRootKeys": self.strangers,
                "ofTransit": self.keysets.by_transit,
                "unreadable": self.keysets.unreadable,
            },
        }


def created_at(found: FoundKeyring, keyring: RootKeyring) -> str:
    """When the current key was made, as far as it is known; RFC 3339."""
    made: str | None = keyring.current_key.created_at
    return made or str(found.secret["metadata"].get("creationTimestamp") or "")


def rotation_request(value: str) -> dict[str, str]:
    """The annotation that asks for a rotation."""
    return {ROTATE_ANNOTATION: value}


def annotate_root(cluster: Cluster, namespace: str, annotations: Manifest) -> None:
    """Annotate the Secret of the root key."""
    cluster.annotate(SECRETS, namespace, ROOT_SECRET, annotations)
