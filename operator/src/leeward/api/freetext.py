"""Masking of free text: what is searched for in notes, and what is put in its place."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from leeward.api.meta import Cel, ColumnName, KeyRef, ListMap, Model, Name, Ref, Text
from leeward.api.transformbase import KEY, SCOPE, Scope, Transform
from leeward.api.valuetransforms import Probability

Language = Literal["en", "zh"]
Entity = Literal[
    "Mail",
    "Url",
    "Ip",
    "Card",
    "Iban",
    "NationalId",
    "Phone",
    "MedicalRecordNumber",
    "DateOfBirth",
    "Address",
    "Person",
]
EntityName = Annotated[
    str,
    Field(max_length=32, description="What its findings are called."),
    Text(
        "^[A-Z][A-Za-z0-9]*$",
        "must be letters and digits that begin with a capital, as StaffNumber",
    ),
]
DetectionEngine = Literal["Patterns", "Model"]
MAX_PATTERNS: Final = 16
MAX_DICTIONARIES: Final = 8
MAX_TERMS: Final = 1000
MAX_KNOWN: Final = 8


class TextPattern(Model):
    """A pattern of one's own."""

    name: Name = Field(description="Named in errors.")
    entity: EntityName
    pattern: Annotated[str, Field(min_length=1, max_length=1024)] = Field(
        description="A regular expression in the syntax of Rust's regex crate, without look-around"
        " and back-references. It must not match the empty text.",
    )


class TextDictionary(Model):
    """Words of one's own; where letters or digits stand around a term, it is not found."""

    name: Name = Field(description="Named in errors.")
    entity: EntityName
    terms: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=128)]],
        Field(min_length=1, max_length=MAX_TERMS),
    ] = Field(
        description="The words. They stand in this manifest and in a ConfigMap: no names of"
        " persons whose data is masked.",
    )
    ignore_case: bool = Field(default=True, description="Of ASCII letters.")


class KnownColumn(Model):
    """Another column of the same row, whose value is searched in the note."""

    column: ColumnName = Field(description="The column, as the one with the patient's name.")
    entity: EntityName


class FindingLabel(Model):
    """The kind alone: a label has no parameters."""


class FindingConstant(Model):
    """A constant."""

    value: Annotated[str, Field(max_length=256)] = Field(description="The constant.")


class FindingToken(Model):
    """AES-SIV (RFC 5297) of the finding's normal form: the key leads back to that."""

    key: Annotated[KeyRef, KEY]
    scope: Annotated[Scope, SCOPE] = "Vault"


class FindingHash(Model):
    """HMAC-SHA-256 of the finding's normal form: nothing leads back."""

    key: Annotated[KeyRef, KEY]
    scope: Annotated[Scope, SCOPE] = "Vault"
    length: Annotated[int, Field(ge=16, le=64)] = Field(
        default=64, description="Hexadecimal digits kept, four bits each."
    )


class TextReplacement(Model):
    """What stands in place of a finding. Exactly one member."""

    label: FindingLabel | None = Field(default=None, description="Its kind, as [PERSON].")
    replace: FindingConstant | None = Field(default=None, description="A constant.")
    tokenize: FindingToken | None = Field(
        default=None,
        description="Kind and token, as [PERSON:TOKEN]. The token is that of tokenize with"
        " normalize, under the same key and scope.",
    )
    hash: FindingHash | None = Field(
        default=None,
        description="Kind and pseudonym, as [PERSON:DIGITS]. The digits are those of hash with"
        " normalize, under the same key and scope.",
    )
    cel: ClassVar = (
        Cel(
            "[has(self.label), has(self.replace), has(self.tokenize), has(self.hash)]"
            ".filter(x, x).size() == 1",
            "replacement needs exactly one of label, replace, tokenize, hash",
        ),
    )

    @property
    def keyed(self) -> FindingHash | FindingToken | None:
        """What needs a key; None: nothing does."""
        return self.tokenize or self.hash


class LabelledSample(Model):
    """Notes in which persons have marked what is personal, to measure detection on."""

    dataset: Ref = Field(
        description="The Dataset that holds them. It is personal data, so it needs a grant, and"
        " belongs sealed, like any source.",
    )
    column: ColumnName = Field(
        description="Its column of notes, with {Person|Jane Roe} around what is personal."
    )


_IDLE_MODEL: Final = (
    "engine Model finds persons only, and entities does not name Person",
    "add Person to entities, or remove engine",
)


class FreeText(Transform):
    """Personal data in notes is found and replaced. No detection is complete."""

    languages: Annotated[list[Language], Field(min_length=1, max_length=2)] = Field(
        description="Languages of the notes: English (and other names in Latin letters), Chinese.",
    )
    entities: Annotated[list[Entity], Field(min_length=1, max_length=16)] | None = Field(
        default=None, description="What is searched for. Left out: all of them."
    )
    engine: DetectionEngine = Field(
        default="Patterns",
        description="How persons are found: by patterns and lists of names; or Model: besides by a"
        " language model, in an image of its own, which the installation must name.",
    )
    patterns: Annotated[list[TextPattern], Field(max_length=MAX_PATTERNS), ListMap()] = Field(
        default=[], description="Patterns besides."
    )
    dictionaries: Annotated[list[TextDictionary], Field(max_length=MAX_DICTIONARIES), ListMap()] = (
        Field(default=[], description="Words besides.")
    )
    known: Annotated[list[KnownColumn], Field(max_length=MAX_KNOWN), ListMap(keys=("column",))] = (
        Field(
            default=[],
            description="Columns of which the note is searched for what its row holds there: who"
            " the note is about is known. For entity Person each word of it counts, too.",
        )
    )
    replacement: TextReplacement = Field(
        default=TextReplacement(label=FindingLabel()),
        description="What stands in place of a finding.",
    )
    min_recall: Probability | None = Field(
        default=None,
        description="Share of the values of every kind, marked in the labelled notes, of which"
        ' nothing may be left: above 0, at most 1, in quotes: "0.95". Where detection does worse,'
        " the job fails before anything is written.",
    )
    sample: LabelledSample | None = Field(
        default=None,
        description="Labelled notes of your own; all rules of a job name the same Dataset. Left"
        " out: those that come with the image.",
    )
    cel: ClassVar = (
        Cel(
            "self.engine != 'Model' || !has(self.entities) || 'Person' in self.entities",
            ": ".join(_IDLE_MODEL),
            field_path=".engine",
        ),
    )

    def fault(self) -> tuple[str, str] | None:
        """See the base."""
        for name, given in (("languages", self.languages), ("entities", self.entities or [])):
            if len(set(given)) < len(given):
                return f"freeText names one of its {name} twice", f"remove it from {name}"
        blank = [one.name for one in self.dictionaries if not all(map(str.strip, one.terms))]
        if blank:
            return f'dictionary "{blank[0]}" has a term of spaces only', "remove that term"
        if self.engine == "Model" and self.entities is not None and "Person" not in self.entities:
            return _IDLE_MODEL
        if len(self.replacement.manifest()) != 1:
            return (
                "replacement has not exactly one member",
                "give it one of label, replace, tokenize, hash",
            )
        return None
