"""One look at one KeyDelivery, and what its Secret is to hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from leeward.api.keydelivery import KeyDeliverySpec
from leeward.plans.shared.conditions import backoff
from leeward.plans.shared.keys import Granted
from leeward.plans.shared.look import Look
from leeward.plans.shared.model import ArtefactEntry, CountDelivery, Manifest, Plan
from leeward.plans.shared.names import short_hash
from leeward.plans.shared.verdict import Denied

SECRET_TYPE: Final = "leeward.dev/keys."  # noqa: S105 - the type of a Secret
"""Begins the type of the Secret; the UID of the KeyDelivery ends it."""
AT_ONCE: Final = 0.01
"""Seconds after which the next look follows at once."""


@dataclass(frozen=True, slots=True)
class Content:
    """What the Secret is to hold.

    Attributes:
        items: Name of each item -> its entries, the one to be used first.
        grants: By what.
    """

    items: Mapping[str, tuple[ArtefactEntry, ...]]
    grants: tuple[Granted, ...] = ()

    @property
    def counts(self) -> tuple[CountDelivery, ...]:
        """How uses of grants are counted, before anything is delivered."""
        counts = (grant.count for grant in self.grants)
        return tuple(dict.fromkeys(count for count in counts if count is not None))

    @property
    def entries(self) -> tuple[ArtefactEntry, ...]:
        """All of it, in order."""
        return tuple(entry for entries in self.items.values() for entry in entries)

    @property
    def wanted(self) -> frozenset[tuple[str, str]]:
        """(role, id) of everything that a pod is to have loaded."""
        return frozenset((entry.role, entry.id) for entry in self.entries)

    @property
    def digest(self) -> str:
        """Names this content."""
        return short_hash(*([e.role, e.id, e.version] for e in self.entries))


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

    @property
    def delivered(self) -> bool:
        """Whether pods may hold keys of it."""
        return self.secret is not None and "writtenAt" in self.secret

    def hold(self, denied: Denied) -> Plan:
        """Say what is in the way of the next step; what was delivered stays."""
        if not self.delivered:
            self.draft.put(secret=None)
            self.draft.set("Admitted", False, denied.reason, denied.message)
        self.draft.set("Ready", False, denied.reason, denied.message)
        return Plan(self.status, requeue_after=backoff(self.draft.seconds_since("Ready")))
