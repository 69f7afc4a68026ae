"""Durations (``90d``) and quantities (``512Mi``) as manifests write them."""

import re
from decimal import Decimal
from typing import Final

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"^([1-9][0-9]{0,5})(ms|s|m|h|d)$")
_QUANTITY: Final = re.compile(r"^([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$")
_FACTOR: Final = {
    "m": Decimal("0.001"),
    "k": Decimal(1000),
    "M": Decimal(1000) ** 2,
    "G": Decimal(1000) ** 3,
    "T": Decimal(1000) ** 4,
    "P": Decimal(1000) ** 5,
    "Ki": Decimal(1024),
    "Mi": Decimal(1024) ** 2,
    "Gi": Decimal(1024) ** 3,
    "Ti": Decimal(1024) ** 4,
    "Pi": Decimal(1024) ** 5,
}


def seconds(duration: str) -> float:
    """Length of a duration.

    Raises:
        ValueError: It is not one.
    """
    match = _DURATION.match(duration)
    if match is None:
        raise ValueError("not a duration: write a number and one unit, as in 90d")
    return int(match[1]) * _SECONDS[match[2]]


def whole_seconds(duration: str) -> int:
    """Length of a duration, at least one second: what a Job can count."""
    return max(1, round(seconds(duration)))


def amount(quantity: str) -> Decimal:
    """A Kubernetes quantity as a number.

    Raises:
        ValueError: It is not one.
    """
    match = _QUANTITY.match(quantity)
    if match is None:
        raise ValueError("not a quantity: write a number and a unit, as in 512Mi")
    return Decimal(match[1]) * _FACTOR.get(match[2], Decimal(1))
