"""The life of a certificate: back-dated at its start, renewed at two thirds.

Clocks may be wrong by an hour either way, the operator's and each peer's, so that two of them are
two hours apart. A certificate that was issued by a clock that is ahead, or is looked at by one that
is behind, must be valid already: every certificate begins 125 minutes before it is issued. That
gives nothing away, for it lengthens its life into the past only. Its end cannot be moved without
making the life longer than was asked for: leaves of seven hours and more (``TOLERANT_DURATION``)
outlast wrong clocks, for a third of their life is left when they are renewed; shorter ones do not.
"""

import datetime
from typing import Final

BACKDATING: Final = datetime.timedelta(minutes=125)
"""How far before its issue a certificate begins to be valid."""

_JITTER: Final = 0.05
"""Share of its life by which a leaf is renewed earlier than two thirds, at most."""

_SERIAL_BITS: Final = 32


def renew_at(
    not_before: datetime.datetime, not_after: datetime.datetime, serial: int
) -> datetime.datetime:
    """When to replace a leaf: at two thirds of its life, up to a twentieth of it earlier.

    The life is counted from the issue, ``BACKDATING`` after ``not_before``. How much earlier is
    drawn from the random serial number, so that leaves issued together are not renewed together,
    and everybody who looks at the leaf comes to the same moment.

    Args:
        not_before: As it stands in the leaf, which ``issue_leaf`` made.
        not_after: As it stands in the leaf.
        serial: Serial number of the leaf.
    """
    issued = not_before + BACKDATING
    share = (serial % 2**_SERIAL_BITS) / 2**_SERIAL_BITS
    life = not_after - issued
    return issued + datetime.timedelta(seconds=life.total_seconds() * (2 / 3 - _JITTER * share))
