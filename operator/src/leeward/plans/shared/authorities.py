"""Which version of a signing key may issue, and which are trusted, while it is replaced.

    made ─▶ trusted by every consumer beside the old one ─▶ issues ─▶ no pod shows a certificate of
    the old one any more ─▶ the old one leaves the trust bundles ─▶ it may be disabled

The consumers are the pods of all KeyDeliveries that name the key, whatever their namespaces: two
that speak to each other need not be of one. What their statuses say is all that is looked at.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from leeward.plans.shared.acknowledgements import is_pending, label_of
from leeward.plans.shared.model import Manifest, ObjectRef

_ANY = 0
"""A version below all: of a certificate that is about to be issued by nobody knows which."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """What the status of a KeyDelivery says of one item under the key.

    Attributes:
        label: ``namespace/name`` of the KeyDelivery.
        trusts: Versions that all of its pods trust; None: the item trusts nobody.
        shows: Versions whose certificates its pods may show.
        verifies_tls: Whether what it trusts are its peers.
    """

    label: str
    trusts: frozenset[int] | None
    shows: frozenset[int]
    verifies_tls: bool


def consumers(deliveries: Iterable[Manifest], vault: ObjectRef, key: str) -> list[Consumer]:
    """All items under a signing key that pods may have anything of."""
    return [
        _consumer(delivery, member, _stored(delivery, name))
        for delivery in deliveries
        if "secret" in (delivery.get("status") or {})
        for name, member in _items(delivery, vault, key)
    ]


def issuing_version(found: Sequence[Consumer], live: Sequence[int], own: int | None) -> int:
    """The newest version that everybody trusts.

    Args:
        found: Everybody.
        live: Versions that could issue, in order.
        own: The version that issued what is replaced, which is not gone back behind; None: this
            is the first.
    """
    trusted = [
        version for version in live if all(c.trusts is None or version in c.trusts for c in found)
    ]
    # A new one takes what the others show, or where nobody shows any yet, the newest.
    shown = [version for c in found for version in c.shows if version in live]
    floor = min(shown, default=live[-1])
    if own is not None and own in live:
        floor = own
    return max([floor, *trusted])


def trusted_versions(
    found: Sequence[Consumer], live: Sequence[int], issuing: int
) -> tuple[int, ...]:
    """The versions that peers may show, or will."""
    shown = [version for c in found if c.verifies_tls for version in c.shows]
    lowest = min([issuing, *shown])
    return tuple(version for version in live if version >= lowest)


def users_of(found: Iterable[Consumer], version: int) -> tuple[str, ...]:
    """KeyDeliveries with pods that may show a certificate of this version, or rely on one."""
    return tuple(
        dict.fromkeys(
            c.label
            for c in found
            if version in c.shows
            or _ANY in c.shows
            or (c.verifies_tls and c.trusts is not None and version in c.trusts)
        )
    )


def _consumer(delivery: Manifest, member: str, stored: Manifest) -> Consumer:
    pending = is_pending(delivery)
    trust = stored.get("trust") or {}
    trusts = frozenset(trust.get("versions") or ())
    if pending or not trust.get("acknowledged"):
        trusts = frozenset()
    shows: frozenset[int] = frozenset()
    if member != "verification":
        certificate = stored.get("certificate") or {}
        shows = frozenset(certificate.get("versions") or (_ANY,))
    return Consumer(
        label=label_of(delivery),
        trusts=None if member == "signing" else trusts,
        shows=shows,
        verifies_tls=member == "certificate",
    )


def _items(delivery: Manifest, vault: ObjectRef, key: str) -> Iterator[tuple[str, str]]:
    home = delivery["metadata"]["namespace"]
    for item in (delivery.get("spec") or {}).get("items") or ():
        for member in ("certificate", "signing", "verification"):
            named = item.get(member) or {}
            place = named.get("vault") or {}
            at = (place.get("namespace") or home, place.get("name"), named.get("key"))
            if at == (vault.namespace, vault.name, key):
                yield item["name"], member


def _stored(delivery: Manifest, name: str) -> Manifest:
    items = (delivery.get("status") or {}).get("items") or ()
    return next((item for item in items if item["name"] == name), {})
