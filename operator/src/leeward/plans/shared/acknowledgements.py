"""Which long-lived consumers have a key by now: what their KeyDeliveries' statuses say.

A rotation that must not break them asks twice: before the new key is used, that nobody is in
``not_acknowledged``; before the old one is destroyed, that nobody is in ``still_holding``. Both are
asked of the KeyDeliveries that ``DeliveriesOf`` yields.
"""

from collections.abc import Iterable, Iterator

from leeward.api.dataset import DATASET
from leeward.api.keyvault import KEYVAULT
from leeward.api.meta import API_VERSION
from leeward.plans.shared.model import Manifest, ObjectRef


def not_acknowledged(
    deliveries: Iterable[Manifest], dataset: ObjectRef, key_id: str
) -> tuple[str, ...]:
    """KeyDeliveries (``namespace/name``) of which some pod may not have this key of a Dataset.

    One that was never delivered, or from which the keys were taken away, has no pod that holds any.
    """
    return tuple(
        label_of(delivery)
        for delivery in deliveries
        for name in _items_of(delivery, dataset)
        if _delivered(delivery) and not _acknowledged(delivery, name, key_id)
    )


def still_holding(
    deliveries: Iterable[Manifest], dataset: ObjectRef, key_id: str
) -> tuple[str, ...]:
    """KeyDeliveries (``namespace/name``) of which the Secret may still hold this key."""
    return tuple(
        label_of(delivery)
        for delivery in deliveries
        if (_delivered(delivery) and any(key["id"] == key_id for key in _keys(delivery)))
        or (is_pending(delivery) and any(_items_of(delivery, dataset)))
    )


def targets(delivery: Manifest) -> frozenset[ObjectRef]:
    """The Datasets and KeyVaults that a KeyDelivery names."""
    home = delivery["metadata"]["namespace"]
    items = (delivery.get("spec") or {}).get("items") or ()
    return frozenset(
        ObjectRef(API_VERSION, kind, ref.get("namespace") or home, ref["name"])
        for item in items
        for kind, ref in _refs(item)
        if ref.get("name")
    )


def _refs(item: Manifest) -> Iterator[tuple[str, Manifest]]:
    if item.get("dataset"):
        yield DATASET.kind, item["dataset"]
    for member in ("certificate", "signing", "verification"):
        if item.get(member):
            yield KEYVAULT.kind, item[member].get("vault") or {}


def _items_of(delivery: Manifest, dataset: ObjectRef) -> list[str]:
    home = delivery["metadata"]["namespace"]
    return [
        item["name"]
        for item in (delivery.get("spec") or {}).get("items") or ()
        if item.get("dataset")
        and (item["dataset"].get("namespace") or home, item["dataset"]["name"])
        == (dataset.namespace, dataset.name)
    ]


def _status(delivery: Manifest) -> Manifest:
    status: Manifest = delivery.get("status") or {}
    return status


def _delivered(delivery: Manifest) -> bool:
    return "secret" in _status(delivery)


def is_pending(delivery: Manifest) -> bool:
    """Whether nobody knows yet what its Secret holds."""
    return bool((_status(delivery).get("secret") or {}).get("pending"))


def _keys(delivery: Manifest) -> Iterator[Manifest]:
    for item in _status(delivery).get("items") or ():
        yield from item.get("keys") or ()


def _acknowledged(delivery: Manifest, name: str, key_id: str) -> bool:
    return not is_pending(delivery) and any(
        key["id"] == key_id and key.get("acknowledged")
        for item in _status(delivery).get("items") or ()
        if item["name"] == name
        for key in item.get("keys") or ()
    )


def label_of(delivery: Manifest) -> str:
    """``namespace/name``."""
    return f"{delivery['metadata']['namespace']}/{delivery['metadata']['name']}"
