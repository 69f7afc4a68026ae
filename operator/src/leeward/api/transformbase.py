"""What all transforms of a MaskingJob have in common."""

from typing import ClassVar

from leeward.api.meta import Model


class Transform(Model):
    """Base of all transforms."""

    keeps_unknown: ClassVar = True

    def fault(self) -> tuple[str, str] | None:
        """What is wrong with the parameters together, and what to do; None: nothing.

        Exact, where the API server compares decimals by their nearest binary number.
        """
        return None
