"""What a MaskingJob may do with a column: one model per transform."""

from typing import Annotated, ClassVar, Final, Literal, TypeAlias, get_args

from pydantic import Field

from leeward.api.columnmatch import Match
from leeward.api.conditions import Otherwise, When
from leeward.api.fakes import FAKE_ALGORITHMS, Fake
from leeward.api.freetext import Entity, FindingHash, FindingToken, FreeText
from leeward.api.hierarchies import ValueHierarchy
from leeward.api.meta import DECIMAL_PATTERN, Cel, ColumnName, Decimal, KeyRef, Model, Rules
from leeward.api.plaintransforms import NoParameters, PartialMask, Replace
from leeward.api.transformbase import KEY, SCOPE, Scope, Transform
from leeward.api.valuetransforms import Noise, RandomMask, Shuffle, TimePart, TopBottomCode

NORMALIZE: Final = Field(
    description="Values get the normal form that freeText gives to findings of this kind, before"
    " anything else; under one key and scope the results in columns and in notes are then equal.",
)


class Hash(Transform):
    """HMAC-SHA-256 of the value: equal values stay equal, and nothing leads back."""

    key: Annotated[KeyRef, KEY]
    scope: Annotated[Scope, SCOPE] = "Vault"
    length: Annotated[int, Field(ge=16, le=64)] = Field(
        default=64, description="Hexadecimal digits kept, four bits each."
    )
    normalize: Annotated[Entity, NORMALIZE] | None = None


class Tokenize(Transform):
    """AES-SIV (RFC 5297) of the value: equal values stay equal; the key leads back."""

    key: Annotated[KeyRef, KEY]
    scope: Annotated[Scope, SCOPE] = "Vault"
    normalize: Annotated[Entity, NORMALIZE] | None = None


class Encrypt(Transform):
    """AES-GCM or Fernet (equal values differ), or AES-SIV (equal values stay equal).

    The algorithm is that of the key.
    """

    key: Annotated[KeyRef, KEY]
    scope: Annotated[Scope, SCOPE] = "Vault"


Alphabet = Literal[
    "Digits",
    "LowerLetters",
    "UpperLetters",
    "Letters",
    "LowerHexadecimal",
    "UpperHexadecimal",
    "LowerAlphanumeric",
    "UpperAlphanumeric",
    "Alphanumeric",
]

MAX_KEPT: Final = 32
"""Characters that formatPreserving may keep at each end."""


class FormatPreserving(Transform):
    """FF1 (NIST SP 800-38G Rev. 1) of a value: it keeps its length and its separators.

    Equal values stay equal; the key leads back. Spaces and ASCII punctuation stay where they are,
    and are not counted; all other characters are encrypted, but for those that are kept.
    """

    key: Annotated[KeyRef, KEY]
    scope: Annotated[Scope, SCOPE] = "Vault"
    alphabet: Alphabet = Field(
        description="The ASCII characters that values consist of, and that results are made of."
    )
    keep_first: Annotated[int, Field(ge=0, le=MAX_KEPT)] = Field(
        default=0, description="Letters and digits kept at the start, of any alphabet."
    )
    keep_last: Annotated[int, Field(ge=0, le=MAX_KEPT)] = Field(
        default=0, description="Letters and digits kept at the end, of any alphabet."
    )
    check_digit: Literal["None", "Luhn"] = Field(
        default="None",
        description="Luhn: the last digit is a check digit (ISO/IEC 7812-1), and is made anew, so"
        " that valid numbers stay valid.",
    )
    unsuitable: Literal["Fail", "Redact"] = Field(
        default="Fail",
        description="What becomes of a value that has other characters, or fewer than 1,000,000"
        " possible results: the job fails and names the row, or the value is removed (null).",
    )
    cel: ClassVar = (
        Cel(
            "self.checkDigit == 'None' || self.alphabet == 'Digits'",
            "a check digit needs alphabet Digits: change the alphabet, or remove checkDigit",
            field_path=".alphabet",
        ),
        Cel(
            "self.checkDigit == 'None' || self.keepLast == 0",
            "the check digit is the last digit and changes: remove keepLast, or checkDigit",
            field_path=".keepLast",
        ),
    )


class IpPrefix(Model):
    """How many bits of an IP address are kept."""

    v4: Annotated[int, Field(ge=1, le=31)] = Field(default=24, description="Of IPv4 addresses.")
    v6: Annotated[int, Field(ge=1, le=127)] = Field(default=48, description="Of IPv6 addresses.")
    unsuitable: Literal["Fail", "Redact"] = Field(
        default="Fail",
        description="What becomes of a value that is no IP address: the job fails and names the"
        " row, or the value is removed (null).",
    )


class Generalize(Transform):
    """A coarser value. Exactly one member."""

    bins: (
        Annotated[
            list[Decimal],
            Field(min_length=1, max_length=64),
            Rules(
                (
                    Cel(
                        "self.all(b, !b.startsWith('-'))",
                        "a bin cannot be negative: start at 0; what lies below the first bin"
                        " falls in the bin '<first'",
                    ),
                    Cel(
                        f"self.exists(b, !b.matches(r'{DECIMAL_PATTERN}'))"
                        " || self.all(i, b, i == 0 || double(self[i - 1]) < double(b))",
                        "bins must rise: write each border once, from small to large, and none that"
                        " differs from the next after the 15th digit only",
                    ),
                )
            ),
        ]
        | None
    ) = Field(
        default=None,
        description="Borders of half-open intervals [a, b): decimal numbers, each in quotes.",
    )
    quantiles: Annotated[int, Field(ge=2, le=64)] | None = Field(
        default=None,
        description="So many half-open intervals with about as many rows in each: the source is"
        " read twice.",
    )
    date_to: Literal["Day", "Week", "Month", "Quarter", "Year", "Decade"] | None = Field(
        default=None, description="The unit that a date is cut to."
    )
    prefix: Annotated[int, Field(ge=1, le=64)] | None = Field(
        default=None,
        description="Characters kept from the start; the rest becomes '*'. A value that is not"
        " longer is masked entirely.",
    )
    ip_prefix: IpPrefix | None = Field(
        default=None, description="IP addresses become the network that they are in."
    )
    hierarchy: ValueHierarchy | None = Field(
        default=None, description="Values become what a table says, which stands in a ConfigMap."
    )
    cel: ClassVar = (
        Cel(
            "[has(self.bins), has(self.quantiles), has(self.dateTo), has(self.prefix),"
            " has(self.ipPrefix), has(self.hierarchy)].filter(x, x).size() == 1",
            "generalize needs exactly one of bins, quantiles, dateTo, prefix, ipPrefix, hierarchy",
        ),
    )


class DateShift(Transform):
    """Every date of one subject moved by the same random number of days."""

    subject: ColumnName | None = Field(
        default=None, description="The column that says whose row it is. Left out: subjectColumn."
    )
    max_days: Annotated[int, Field(ge=1, le=3650)] = Field(
        description="Dates move by -maxDays to +maxDays, and not by 0."
    )
    key: Annotated[KeyRef, KEY]
    scope: Annotated[Scope, SCOPE] = "Vault"


TRANSFORMS: Final = (
    "keep",
    "drop",
    "redact",
    "replace",
    "partialMask",
    "hash",
    "tokenize",
    "encrypt",
    "formatPreserving",
    "generalize",
    "dateShift",
    "fake",
    "timePart",
    "topBottomCode",
    "noise",
    "randomMask",
    "shuffle",
    "freeText",
)
RULE_MEMBERS: Final = ("name", "match", "when", "otherwise")
"""Members of a rule that are no transforms."""
KEYED_TRANSFORMS: Final[dict[str, frozenset[str]]] = {
    "hash": frozenset({"HMAC_SHA256"}),
    "tokenize": frozenset({"AES256_SIV"}),
    "encrypt": frozenset({"AES256_GCM", "AES256_SIV", "FERNET"}),
    "formatPreserving": frozenset({"FF1_AES256"}),
    "dateShift": frozenset({"HMAC_SHA256", "AES256_SIV"}),
    "fake": FAKE_ALGORITHMS,
}
"""Transforms that need a key, and the algorithms that key may have."""

Keyed: TypeAlias = (
    Hash | Tokenize | Encrypt | FormatPreserving | DateShift | Fake | FindingHash | FindingToken
)

_CHOICE: Final = (
    f"{', '.join(TRANSFORMS)} (those without parameters are written with braces: keep: {{}})"
)
_COUNT: Final = "[" + ", ".join(f"has(self.{t})" for t in TRANSFORMS) + "].filter(x, x).size()"
_NAMED: Final = "(" + " + ".join(f"(has(self.{t}) ? ' and {t}' : '')" for t in TRANSFORMS) + ")"


_HALF: Final = (
    "when and otherwise go together",
    "say what becomes of the value in all other rows (otherwise: {redact: {}}), or remove both",
)
_WHOLE: Final = (
    "keep, drop and shuffle have no when",
    "drop and shuffle are of the whole column, and in place of keep give the other transform, and"
    " keep in otherwise",
)


_WHY_KEPT: Final = {
    "keep": "keep leaves every value as it is",
    "topBottomCode": "topBottomCode leaves the values between its borders as they are",
    "noise": "noise that is rounded away leaves a value as it is",
    "shuffle": "shuffle puts the values into other rows, and removes none",
    "freeText": "freeText leaves all that it does not find, and no detection is complete",
}
"""Transforms after which a value may be what it was."""
REMOVING: Final = ("tokenize", "hash", "encrypt", "fake", "replace", "redact", "drop")
"""Transforms after which no value that names somebody is left."""


class ColumnRule(Model):
    """What happens to one column, or to the columns of ``match``. Exactly one transform."""

    name: ColumnName = Field(description="The column; with match, a name for this rule.")
    match: Match | None = Field(default=None, description="Several columns under one rule.")
    when: When | None = Field(
        default=None, description="The rows that the transform is for. Left out: all."
    )
    otherwise: Otherwise | None = Field(
        default=None, description="What becomes of the value in all other rows."
    )
    keep: NoParameters | None = Field(default=None, description="Leave the values as they are.")
    drop: NoParameters | None = Field(default=None, description="Leave the column out.")
    redact: NoParameters | None = Field(default=None, description="Remove every value: all null.")
    replace: Replace | None = None
    partial_mask: PartialMask | None = None
    hash: Hash | None = None
    tokenize: Tokenize | None = None
    encrypt: Encrypt | None = None
    format_preserving: FormatPreserving | None = None
    generalize: Generalize | None = None
    date_shift: DateShift | None = None
    fake: Fake | None = None
    time_part: TimePart | None = None
    top_bottom_code: TopBottomCode | None = None
    noise: Noise | None = None
    random_mask: RandomMask | None = None
    shuffle: Shuffle | None = None
    free_text: FreeText | None = None
    keeps_unknown: ClassVar = True
    cel: ClassVar = (
        Cel(
            f"{_COUNT} > 0",
            f"a rule has no known transform: give it one of {_CHOICE}",
            message_expression="'\"' + self.name + '\" has no known transform: give it one of "
            f"{_CHOICE}'",
        ),
        Cel(
            "has(self.when) == has(self.otherwise)",
            _HALF[0] + ": " + _HALF[1],
            field_path=".when",
        ),
        Cel(
            "!has(self.when) || !(has(self.keep) || has(self.drop) || has(self.shuffle))",
            _WHOLE[0] + ": " + _WHOLE[1],
            field_path=".when",
        ),
        Cel(
            f"{_COUNT} < 2",
            "exactly one transform per column: keep one of them",
            message_expression="'exactly one transform per column; \"' + self.name + '\" has ' + "
            f"{_NAMED}.substring(5) + ': keep one of them'",
        ),
    )

    @classmethod
    def parameters(cls) -> dict[str, tuple[str, ...]]:
        """The names of each transform's parameters, as in a manifest."""
        return {
            str(field.alias): tuple(str(f.alias) for f in model.model_fields.values())
            for field in cls.model_fields.values()
            for model in get_args(field.annotation)
            if isinstance(model, type) and issubclass(model, Transform)
        }

    @property
    def transform(self) -> str:
        """Name of the transform, as in a manifest."""
        given = self.model_dump(by_alias=True, exclude_none=True)
        return next(name for name in TRANSFORMS if name in given)

    def fault(self) -> tuple[str, str] | None:
        """What is wrong with match or parameters, and what to do; None: nothing."""
        if (self.when is None) != (self.otherwise is None):
            return _HALF
        if self.when is not None and (self.keep or self.drop or self.shuffle):
            return _WHOLE
        given = (
            *(self.match, self.when, self.otherwise),
            *(self.top_bottom_code, self.noise, self.random_mask, self.free_text),
        )
        return next((found for one in given if one and (found := one.fault())), None)

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns that this rule names; where it matches by anything else: none."""
        return (self.name,) if self.match is None else tuple(self.match.names or ())

    @property
    def why_kept(self) -> str | None:
        """Why values may come out as they are; None: none does.

        All transforms that are not told of change every value that is there: partialMask and prefix
        mask one entirely that is not longer than what they keep.
        """
        if self.otherwise is not None and self.otherwise.keep is not None:
            return "otherwise keeps the values of all other rows"
        if self.generalize is not None and self.generalize.date_to == "Day":
            return "generalize with dateTo Day leaves dates as they are"
        if self.random_mask is not None and self.random_mask.suppress is not None:
            return "randomMask with suppress leaves the values that chance spares"
        if self.random_mask is not None and self.random_mask.distribution is not None:
            return "randomMask with distribution draws values that people in the data have"
        return _WHY_KEPT.get(self.transform)

    @property
    def keeps_values(self) -> bool:
        """Whether values may come out as they are."""
        return self.why_kept is not None

    @property
    def takes_whole(self) -> bool:
        """Whether nothing of a list or struct is left after it, not even its length."""
        suppresses = self.random_mask is not None and self.random_mask.suppress is not None
        return self.redact is not None or self.replace is not None or suppresses

    @property
    def by_subject(self) -> DateShift | Fake | None:
        """The transform, where its result depends on whose row it is."""
        return self.date_shift or self.fake

    @property
    def key_use(self) -> tuple[KeyRef, Scope] | None:
        """The key that the transform needs, and its scope."""
        use = self._keyed
        return None if use is None else (use.key, use.scope)

    @property
    def key_transform(self) -> str:
        """The transform that uses the key, as in a manifest; of freeText that of its findings."""
        if self.free_text is None:
            return self.transform
        return "hash" if self.free_text.replacement.hash else "tokenize"

    @property
    def _keyed(self) -> Keyed | None:
        keyed = (
            self.hash,
            self.tokenize,
            self.encrypt,
            self.format_preserving,
            self.date_shift,
            self.free_text.replacement.keyed if self.free_text else None,
            self.fake,
        )
        return next((use for use in keyed if use is not None), None)
