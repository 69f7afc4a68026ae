"""The Secrets in which keys stand: their names, labels, and the documents in them.

All of these are in the operator's namespace and owned by nothing: they outlive the resources that
they were made for, and ``helm uninstall``. What a pod is given is the one exception: a Secret in
the workload's namespace, owned by the workload.
"""

import base64
import hashlib
from dataclasses import dataclass
from typing import Final, TypeVar

from leeward.formats.destruction import Tombstone
from leeward.formats.document import Document
from leeward.formats.grantuse import GrantRecord
from leeward.formats.keyset import KEYSET_FILE, PodKeyset
from leeward.formats.material import fingerprint
from leeward.formats.rootkey import RootKeyring
from leeward.formats.wrapped import (
    ShreddedArtefactKey,
    ShreddedKeyset,
    WrappedArtefactKey,
    WrappedKeyset,
)
from leeward.plans.shared.model import ArtefactKeyInfo, DeliverKeys, Manifest, ObjectRef

ROOT_SECRET: Final = "leeward-root-key"  # noqa: S105 - the name of a Secret
ROLE_LABEL: Final = "leeward.dev/role"
VAULT_ID_LABEL: Final = "leeward.dev/vault-id"
VAULT_KEY_LABEL: Final = "leeward.dev/vault-key"
VERSION_LABEL: Final = "leeward.dev/vault-key-version"
PUBLISHED_LABEL: Final = "leeward.dev/published"
FINGERPRINT_LABEL: Final = "leeward.dev/fingerprint"
ROOT_ROLE: Final = "root-key"
KEYSET_ROLE: Final = "keyset"
ARTEFACT_ROLE: Final = "artefact-key"
SHREDDED_KEYSET_ROLE: Final = "shredded-keyset"
GRANT_ROLE: Final = "grant-use"
DESTROYED_ROLE: Final = "destroyed-key"
WRAPPED_LABEL: Final = "leeward.dev/wrapped"
WRAPPED_SELECTOR: Final = f"{WRAPPED_LABEL}=true"
KEYSET_SELECTOR: Final = f"{ROLE_LABEL}={KEYSET_ROLE}"
DESTROYED_SELECTOR: Final = f"{ROLE_LABEL}={DESTROYED_ROLE}"
UNPUBLISHED_SELECTOR: Final = f"{ROLE_LABEL}={ARTEFACT_ROLE},{PUBLISHED_LABEL}=false"

_KEYSET: Final = "keyset-"
_ARTEFACT: Final = "artefact-"
_DESTROYED: Final = "destroyed-"
_DATA_KEY: Final = {
    ROOT_ROLE: "root-key.json",
    KEYSET_ROLE: "keyset.json",
    ARTEFACT_ROLE: "artefact-key.json",
    GRANT_ROLE: "grant-use.json",
    DESTROYED_ROLE: "tombstone.json",
}

StoredDocument = TypeVar("StoredDocument", bound=Document)


class DamagedRecordError(Exception):
    """A Secret of ours does not hold the document that it should."""


@dataclass(frozen=True, slots=True)
class UnpublishedKeys:
    """Keys of files that were not published (yet), or never will be: those are shredded.

    Attributes:
        keys: Those of which the record can be read.
        damaged: Names of Secrets that hold no such key, and are left alone.
    """

    keys: tuple[ArtefactKeyInfo, ...]
    damaged: tuple[str, ...]


def keyset_name(namespace: str, vault: str) -> str:
    """Name of the Secret that holds a vault's keyset."""
    digest = hashlib.sha256(f"{namespace}/{vault}".encode()).hexdigest()
    return f"{_KEYSET}{digest[:20]}"


def artefact_name(key_id: str) -> str:
    """Name of the Secret that holds an artefact key."""
    return f"{_ARTEFACT}{key_id}"


def is_wrapped(ref: ObjectRef, namespace: str) -> bool:
    """Whether that is a Secret with wrapped keys, where the operator is in that namespace."""
    is_secret = (ref.api_version, ref.kind, ref.namespace) == ("v1", "Secret", namespace)
    return is_secret and ref.name.startswith((_ARTEFACT, _KEYSET))


def secret_ref(namespace: str, name: str) -> ObjectRef:
    """A Secret by name."""
    return ObjectRef("v1", "Secret", namespace, name)


def root_secret(namespace: str, keyring: RootKeyring) -> Manifest:
    """The Secret of the root key. Without labels of a Helm release, and owned by nothing."""
    return _secret(namespace, ROOT_SECRET, ROOT_ROLE, keyring)


def keyset_secret(namespace: str, keyset: WrappedKeyset) -> Manifest:
    """The Secret of a vault's keyset."""
    name = keyset_name(keyset.vault_namespace, keyset.vault)
    made = _secret(namespace, name, KEYSET_ROLE, keyset)
    made["metadata"]["labels"] |= {
        WRAPPED_LABEL: "true",
        "leeward.dev/vault-namespace": keyset.vault_namespace,
        "leeward.dev/vault-name": keyset.vault,
        VAULT_ID_LABEL: keyset.vault_id,
    }
    return made


def shredded_keyset_secret(namespace: str, keyset: ShreddedKeyset) -> Manifest:
    """The Secret with what is left of a vault's keyset. Who looks for keysets does not find it."""
    name = keyset_name(keyset.vault_namespace, keyset.vault)
    made = _secret(namespace, name, KEYSET_ROLE, keyset)
    made["metadata"]["labels"] |= {
        ROLE_LABEL: SHREDDED_KEYSET_ROLE,
        VAULT_ID_LABEL: keyset.vault_id,
    }
    return made


def artefact_secret(namespace: str, key: WrappedArtefactKey | ShreddedArtefactKey) -> Manifest:
    """The Secret of an artefact key, or of what is left of one."""
    made = _secret(namespace, artefact_name(key.id), ARTEFACT_ROLE, key)
    labels = made["metadata"]["labels"]
    labels |= {"leeward.dev/namespace": key.namespace, VAULT_ID_LABEL: key.vault_id}
    if isinstance(key, WrappedArtefactKey):
        labels[WRAPPED_LABEL] = "true"
        labels |= {VAULT_KEY_LABEL: key.key, VERSION_LABEL: str(key.version)}
    if key.artefact is not None:
        labels[PUBLISHED_LABEL] = "true" if _published(key) else "false"
    if key.public_key is not None:
        labels[FINGERPRINT_LABEL] = fingerprint(key.public_key).hex()
    made["metadata"]["annotations"] = {"leeward.dev/owner": key.owner}
    return made


def grant_secret(namespace: str, name: str, record: GrantRecord) -> Manifest:
    """The Secret that counts to whom a grant gave its key."""
    made = _secret(namespace, name, GRANT_ROLE, record)
    made["metadata"]["labels"] |= {VAULT_ID_LABEL: record.vault_id, VAULT_KEY_LABEL: record.key}
    return made


def tombstone_secret(namespace: str, tombstone: Tombstone) -> Manifest:
    """The Secret that says that a key was destroyed. Who looks for keys does not find it."""
    return _secret(namespace, f"{_DESTROYED}{tombstone.id}", DESTROYED_ROLE, tombstone)


def delivered_secret(action: DeliverKeys, keyset: PodKeyset) -> Manifest:
    """The Secret that a pod mounts."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {
            "name": action.name,
            "namespace": action.namespace,
            "labels": dict(action.labels),
            "ownerReferences": [dict(action.owner)],
        },
        "immutable": True,
        "data": {KEYSET_FILE: _encoded(keyset)},
    }


def read_document(secret: Manifest, model: type[StoredDocument], role: str) -> StoredDocument:
    """The document in one of our Secrets.

    Raises:
        DamagedRecordError: It is not there, or not one that this release reads.
    """
    try:
        text = base64.b64decode(secret["data"][_DATA_KEY[role]], validate=True)
        return model.parse(text)
    except (KeyError, TypeError, ValueError):
        # Whatever is wrong with it: not Base64, not JSON, another document.
        name = secret["metadata"]["name"]
        # Without its cause: the text of a validation error may quote what was stored.
        raise DamagedRecordError(f"Secret {name} does not hold what it should") from None


def read_artefact_key(secret: Manifest) -> WrappedArtefactKey | ShreddedArtefactKey:
    """The artefact key in its Secret, or what is left of it.

    Raises:
        DamagedRecordError: It is neither.
    """
    try:
        return read_document(secret, WrappedArtefactKey, ARTEFACT_ROLE)
    except DamagedRecordError:
        return read_document(secret, ShreddedArtefactKey, ARTEFACT_ROLE)


def read_tombstone(secret: Manifest) -> Tombstone:
    """The tombstone in its Secret.

    Raises:
        DamagedRecordError: It is none that this release reads, or another one than its name says.
    """
    tombstone = read_document(secret, Tombstone, DESTROYED_ROLE)
    name = secret["metadata"]["name"]
    if name != f"{_DESTROYED}{tombstone.id}":
        raise DamagedRecordError(f"Secret {name} holds another tombstone than its name says")
    return tombstone


def replacement(found: Manifest, made: Manifest) -> Manifest:
    """The new manifest in place of the one that was read, if nobody else was quicker."""
    version = found["metadata"]["resourceVersion"]
    return {**made, "metadata": {**made["metadata"], "resourceVersion": version}}


def artefact_info(key: WrappedArtefactKey | ShreddedArtefactKey) -> ArtefactKeyInfo:
    """What plans may know of an artefact key, or of one that was shredded."""
    return ArtefactKeyInfo(
        id=key.id,
        vault_id=key.vault_id,
        key=key.key,
        version=key.version,
        algorithm=key.algorithm,
        namespace=key.namespace,
        owner=key.owner,
        public_key=key.public_key,
        published=_published(key),
        artefact=key.artefact.location if key.artefact else None,
        dataset=key.dataset,
        created_at=key.created_at,
        retired=isinstance(key, WrappedArtefactKey) and bool(key.retired),
    )


def _published(key: WrappedArtefactKey | ShreddedArtefactKey) -> bool:
    return isinstance(key, WrappedArtefactKey) and key.published


def _secret(namespace: str, name: str, role: str, document: Document) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": f"leeward.dev/{role}",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {
                "app.kubernetes.io/name": "leeward",
                "app.kubernetes.io/managed-by": "leeward-operator",
                ROLE_LABEL: role,
            },
        },
        "data": {_DATA_KEY[role]: _encoded(document)},
    }


def _encoded(document: Document) -> str:
    return base64.b64encode(document.canonical()).decode()
