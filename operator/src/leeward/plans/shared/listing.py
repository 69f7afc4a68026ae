"""Names in messages: a few of them, and how many more there are."""

from collections.abc import Sequence


def listed(names: Sequence[str], shown: int) -> str:
    """The first names, and how many more there are: ``a, b and 3 more``."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")
