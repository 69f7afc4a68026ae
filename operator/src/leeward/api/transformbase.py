"""What all transforms of a MaskingJob have in common."""

from typing import ClassVar, Final, Literal

from pydantic import Field

from leeward.api.meta import Model

Scope = Literal["Vault", "Dataset", "Job"]

SCOPE: Final = Field(
    description="Where equal values get equal results: Vault (every job with this key), Dataset"
    " (every job on this data), Job (this job only).",
)
KEY: Final = Field(description="The vault key; a key of its own is made under it per scope.")


class Transform(Model):
    """Base of all transforms."""

    keeps_unknown: ClassVar = True

    def fault(self) -> tuple[str, str] | None:
        """What is wrong with the parameters together, and what to do; None: nothing.

        Exact, where the API server compares decimals by their nearest binary number.
        """
        return None
