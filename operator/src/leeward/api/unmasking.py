"""direction Unmask: what of a MaskingJob is only for leading values back."""

from typing import Annotated, Final, Literal

from pydantic import Field

from leeward.api.meta import IMMUTABLE, Cel, Rules

Direction = Literal["Mask", "Unmask"]
REVERSIBLE: Final = ("tokenize", "encrypt", "formatPreserving")
"""Transforms that their key leads back."""
BESIDE: Final = ("keep", "drop")
"""What rules may do with all other columns."""
TOKEN_COLUMN: Final = "token"  # noqa: S105 (a name, and no secret)
VALUE_COLUMN: Final = "value"
"""Columns of the output where a list of tokens is led back."""
REQUESTER_ANNOTATION: Final = "leeward.dev/unmask-requested-by"
"""Who asked for it, as they say; condition and event repeat it."""
MAX_TOKENS: Final = 500

MIN_REASON: Final = 8
MAX_REASON: Final = 512
"""Characters."""
Reason = Annotated[str, Field(min_length=MIN_REASON, max_length=MAX_REASON), IMMUTABLE]
Tokens = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=1024)]],
    Field(max_length=MAX_TOKENS),
    Rules(
        (
            # Taken for a list that is left out, it would lead the whole source back.
            Cel("self.size() > 0", "tokens is an empty list: name tokens in it, or remove it"),
            *IMMUTABLE.rules,
        )
    ),
]


def _any(rule: str, names: tuple[str, ...]) -> str:
    return " || ".join(f"has({rule}.{name})" for name in names)


_ALLOWED: Final = f"({_any('r', (*REVERSIBLE, *BESIDE))}) && !has(r.when)"
_SOME: Final = _any("r", REVERSIBLE)
UNMASKING_RULES: Final = (
    Cel(
        "self.direction != 'Unmask' || has(self.reason)",
        "direction Unmask leads back to people: say why in reason (8 characters at least)",
        field_path=".reason",
    ),
    Cel(
        "self.direction == 'Unmask' || !(has(self.reason) || has(self.tokens))",
        "reason and tokens are for direction Unmask: remove them, or set direction",
        field_path=".direction",
    ),
    Cel(
        "self.direction != 'Unmask' || (has(self.columns)"
        f" && self.columns.all(r, {_ALLOWED}) && self.columns.exists(r, {_SOME}))",
        f"direction Unmask needs a rule with {', '.join(REVERSIBLE)}, as it was when the data was"
        f" masked, and beside such only {' and '.join(BESIDE)}, all without when: correct columns",
        field_path=".columns",
    ),
    Cel(
        "!has(self.tokens) || (has(self.columns) && self.columns.size() == 1"
        f" && self.columns.all(r, ({_SOME}) && !has(r.match)))",
        f"tokens are led back by one rule with {', '.join(REVERSIBLE)}, without match: remove the"
        " other rules",
        field_path=".columns",
    ),
    Cel(
        "self.direction != 'Unmask' || !has(self.privacyModel)",
        "privacyModel is for direction Mask: remove it",
        field_path=".privacyModel",
    ),
    Cel(
        "!has(self.tokens) || self.defaultAction == 'Fail'",
        "tokens are led back, and no column of the source: remove defaultAction",
        field_path=".defaultAction",
    ),
    Cel(
        "!has(self.tokens) || self.parallelism == 1",
        "tokens are led back by one pod: remove parallelism",
        field_path=".parallelism",
    ),
    Cel(
        "has(self.reason) == has(oldSelf.reason) && has(self.tokens) == has(oldSelf.tokens)",
        "reason and tokens cannot be added or removed: delete the resource and create it again",
        field_path=".direction",
    ),
)
