"""One look at one KeyDelivery, and what its Secret is to hold."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from leeward.api.keydelivery import KeyDeliverySpec
from leeward.plans.shared.conditions import parse_timestamp
from leeward.plans.shared.keys import Granted
from leeward.plans.shared.look import Look
from leeward.plans.shared.model import (
    Action,
    ArtefactEntry,
    CountDelivery,
    LeafEntry,
    Manifest,
    Plan,
    PodEntry,
    TrustEntry,
)
from leeward.plans.shared.names import short_hash
from leeward.plans.shared.verdict import Denied

SECRET_TYPE: Final = "leeward.dev/keys."  # noqa: S105 - the type of a Secret
"""Begins the type of the Secret; the UID of the KeyDelivery ends it."""
AT_ONCE: Final = 0.01
"""Seconds after which the next look follows at once."""


@dataclass(frozen=True, slots=True)
class ItemContent:
    """What the Secret is to hold for one item.

    Attributes:
        entries: The one to be used first comes first.
        certificate: As the status says it, where the item has one.
        trust: Versions in the trust bundle, where the item has one.
        settled: Whether nothing is awaited of others before it changes again.
    """

    entries: tuple[PodEntry, ...]
    certificate: Manifest | None = None
    trust: tuple[int, ...] | None = None
    settled: bool = True

    @property
    def leaf(self) -> LeafEntry | None:
        """Its certificate."""
        return next((e for e in self.entries if isinstance(e, LeafEntry)), None)

    @property
    def authorities(self) -> TrustEntry | None:
        """Its trust bundle."""
        return next((e for e in self.entries if isinstance(e, TrustEntry)), None)

    @property
    def keys(self) -> tuple[ArtefactEntry, ...]:
        """Its artefact keys."""
        return tuple(e for e in self.entries if isinstance(e, ArtefactEntry))


@dataclass(frozen=True, slots=True)
class Todo:
    """What has to be done before it is known what the Secret is to hold."""

    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """What the Secret is to hold.

    Attributes:
        items: Name of each item -> what is of it.
        grants: By what.
    """

    items: Mapping[str, ItemContent]
    grants: tuple[Granted, ...] = ()

    @property
    def counts(self) -> tuple[CountDelivery, ...]:
        """How uses of grants are counted, before anything is delivered."""
        counts = (grant.count for grant in self.grants)
        return tuple(dict.fromkeys(count for count in counts if count is not None))

    @property
    def entries(self) -> tuple[PodEntry, ...]:
        """All of it, in order."""
        return tuple(entry for item in self.items.values() for entry in item.entries)

    @property
    def wanted(self) -> frozenset[tuple[str, str]]:
        """(role, id) of everything that a pod is to have loaded."""
        return frozenset((entry.role, entry.id) for entry in self.entries)

    @property
    def digest(self) -> str:
        """Names this content."""
        return short_hash(*([e.role, e.id, e.version] for e in self.entries))

    @property
    def settled(self) -> bool:
        """Whether nothing is awaited of others before it changes again."""
        return all(item.settled for item in self.items.values())

    @property
    def renew_at(self) -> datetime.datetime | None:
        """When the first certificate is to be renewed."""
        found = [item.certificate["renewAt"] for item in self.items.values() if item.certificate]
        return min(map(parse_timestamp, found), default=None)


@dataclass(frozen=True, slots=True)
class View(Look[KeyDeliverySpec]):
    """One look at one KeyDelivery."""

    @property
    def secret_type(self) -> str:
        """The type that tells its Secret from everybody else's."""
        return f"{SECRET_TYPE}{self.owner.uid}"

    @property
    def secret(self) -> Manifest | None:
        """The Secret as it was last written; None: nothing was ever delivered."""
        return self.status.get("secret")

    def stored_item(self, name: str) -> Manifest:
        """What the status says of an item; empty: nothing."""
        items = self.status.get("items") or ()
        return next((dict(item) for item in items if item["name"] == name), {})

    @property
    def delivered(self) -> bool:
        """Whether pods may hold keys of it."""
        return self.secret is not None and "writtenAt" in self.secret

    def hold(self, denied: Denied) -> Plan:
        """Say what is in the way of the next step; what was delivered stays."""
        if not self.delivered:
            self.draft.put(secret=None, consumerCount=0, acknowledgedCount=0)
            self.draft.set("Admitted", False, denied.reason, denied.message)
        self.draft.set("Ready", False, denied.reason, denied.message)
        return Plan(self.status, requeue_after=self.draft.next_look("Ready"))
