"""One look at a keyset, after everything that was done to it in this reconcile."""

import datetime
from dataclasses import dataclass

from leeward.plans.shared.model import KeysetInfo, Observed


@dataclass(frozen=True, slots=True)
class Round:
    """What a keyset is like by now.

    Attributes:
        info: After everything that was done in this reconcile.
        observed: What was done.
        now: Time now.
        ensured: After keys were added in this reconcile, or as it was read.
    """

    info: KeysetInfo
    observed: Observed
    now: datetime.datetime
    ensured: KeysetInfo
