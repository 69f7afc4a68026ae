"""The inventory in status.children: every object that is there for a resource.

An object is entered before it is made, so none can be forgotten. The engine deletes what is struck
out before it writes the status without it.
"""

from collections.abc import Callable, Iterable

from leeward.plans.shared.conditions import StatusDraft
from leeward.plans.shared.model import Manifest, ObjectRef


def children(status: Manifest) -> tuple[ObjectRef, ...]:
    """Everything in the inventory."""
    return tuple(
        ObjectRef(child["apiVersion"], child["kind"], child["namespace"], child["name"])
        for child in status.get("children") or ()
    )


def enter(draft: StatusDraft, refs: Iterable[ObjectRef]) -> None:
    """Enter objects that are about to be made."""
    known = children(draft.status)
    _store(draft, (*known, *(ref for ref in dict.fromkeys(refs) if ref not in known)))


def strike(draft: StatusDraft, which: Callable[[ObjectRef], bool]) -> None:
    """Strike out objects: they are deleted."""
    _store(draft, [ref for ref in children(draft.status) if not which(ref)])


def secret_ref(namespace: str, name: str) -> ObjectRef:
    """A Secret by name."""
    return ObjectRef("v1", "Secret", namespace, name)


def _store(draft: StatusDraft, refs: Iterable[ObjectRef]) -> None:
    draft.status["children"] = [
        {
            "apiVersion": ref.api_version,
            "kind": ref.kind,
            "name": ref.name,
            "namespace": ref.namespace,
        }
        for ref in refs
    ]
