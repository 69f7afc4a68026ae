"""Names, labels and owner references of everything that plans make."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from leeward.api.meta import API_VERSION, GROUP
from leeward.formats.document import canonical_json
from leeward.plans.shared.model import Manifest, ObjectRef

PREFIX: Final[Mapping[str, str]] = {
    "KeyVault": "kv",
    "Dataset": "lds",
    "DatasetPreview": "dp",
    "MaskingJob": "mj",
    "KeyDelivery": "kd",
}
KIND_LABEL: Final = f"{GROUP}/kind"
NAME_LABEL: Final = f"{GROUP}/name"
ROLE_LABEL: Final = f"{GROUP}/role"
FINALIZER: Final = f"{GROUP}/shred"
"""On resources whose keys are to be destroyed before they go, and on no other."""
UID_ANNOTATION: Final = f"{GROUP}/uid"
PRODUCED_BY_ANNOTATION: Final = f"{GROUP}/produced-by"
"""On a Dataset that a workload makes: ``Kind/name/uid`` of that workload."""

RESERVED_LABEL_PREFIXES: Final = (f"{GROUP}/", "app.kubernetes.io/", "batch.kubernetes.io/")
MAX_LABEL: Final = 63
_SECRET_ALPHABET_BYTES: Final = 10


@dataclass(frozen=True, slots=True)
class Owner:
    """The resource that a plan is for, as far as its children need to know it."""

    kind: str
    namespace: str
    name: str
    uid: str
    generation: int
    annotations: Mapping[str, str]
    deleting: bool

    @classmethod
    def of(cls, resource: Manifest) -> Self:
        """Read it from a manifest."""
        metadata = resource["metadata"]
        return cls(
            kind=resource["kind"],
            namespace=metadata["namespace"],
            name=metadata["name"],
            uid=metadata["uid"],
            generation=metadata.get("generation", 0),
            annotations=metadata.get("annotations") or {},
            deleting="deletionTimestamp" in metadata,
        )

    @property
    def id(self) -> str:
        """``Kind/name/uid``, as in records of artefact keys."""
        return f"{self.kind}/{self.name}/{self.uid}"

    @property
    def ref(self) -> ObjectRef:
        """This resource."""
        return ObjectRef(API_VERSION, self.kind, self.namespace, self.name)

    @property
    def reference(self) -> Manifest:
        """An ownerReference to this resource, for children in its own namespace."""
        return {
            "apiVersion": API_VERSION,
            "kind": self.kind,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
        }


def labels(owner: Owner, role: str) -> dict[str, str]:
    """Labels of a child with this role."""
    return {
        "app.kubernetes.io/name": "leeward",
        "app.kubernetes.io/managed-by": "leeward-operator",
        "app.kubernetes.io/component": role,
        KIND_LABEL: owner.kind,
        NAME_LABEL: owner.name,
        ROLE_LABEL: role,
    }


def metadata(owner: Owner, name: str, role: str, *, owned: bool = True) -> Manifest:
    """Metadata of a child; ``owned`` children go when the owner goes."""
    made: Manifest = {
        "name": name,
        "namespace": owner.namespace,
        "labels": labels(owner, role),
        "annotations": {UID_ANNOTATION: owner.uid},
    }
    if owned:
        made["ownerReferences"] = [owner.reference]
    return made


def child_name(owner: Owner, suffix: str = "") -> str:
    """Name of a child: kind, name, suffix; the name is cut so that it still fits in a label."""
    prefix = f"{PREFIX[owner.kind]}-"
    ending = f"-{suffix}" if suffix else ""
    room = MAX_LABEL - len(prefix) - len(ending)
    return f"{prefix}{owner.name[:room].rstrip('-')}{ending}"


def short_hash(*parts: object) -> str:
    """Eight hexadecimal digits that stand for these values (JSON), in this order."""
    return hashlib.sha256(canonical_json(list(parts))).hexdigest()[:8]


def digest128(*parts: object) -> str:
    """32 hexadecimal digits that stand for these values (JSON), in this order."""
    return hashlib.sha256(canonical_json(list(parts))).hexdigest()[:32]


def secret_name(random: Callable[[int], bytes]) -> str:
    """A name that nobody guesses, for a Secret in a workload's namespace."""
    drawn = base64.b32encode(random(_SECRET_ALPHABET_BYTES)).decode().lower()
    return f"lw-{drawn[:_SECRET_ALPHABET_BYTES]}"


def random_id(random: Callable[[int], bytes]) -> str:
    """128 random bits as 32 hexadecimal digits."""
    return random(16).hex()


def ref_of(manifest: Manifest) -> ObjectRef:
    """Where this manifest stands."""
    placed = manifest["metadata"]
    return ObjectRef(
        manifest["apiVersion"], manifest["kind"], placed.get("namespace", ""), placed["name"]
    )
