"""What a MaskingJob asks of its output as a whole: k-anonymity, l-diversity, t-closeness.

All are heuristics: they bound what this one table tells, to somebody who knows the
quasi-identifiers of people and nothing else of them (ADR 0017).
"""

from decimal import Decimal as Number
from itertools import pairwise
from typing import Annotated, ClassVar, Final, Literal, get_args

from pydantic import Field

from leeward.api.hierarchies import HierarchyFile
from leeward.api.meta import Cel, ColumnName, ListMap, Model, Rules, Text
from leeward.api.valuetransforms import PositiveDecimal

MAX_QUASI_IDENTIFIERS: Final = 32
DateUnit = Literal["Day", "Month", "Quarter", "Year", "Decade"]
DATE_UNITS: Final[tuple[DateUnit, ...]] = get_args(DateUnit)
"""From small to large."""

Share = Annotated[
    str,
    Field(max_length=20, description="A decimal number from 0, below 1, written as a string."),
    Text(
        r"^0([.][0-9]{1,18})?$",
        'must be a share from 0, below 1, as "0.02" (at most 18 digits after the point)',
    ),
]
Distance = Annotated[
    str,
    Field(max_length=20, description="A decimal number above 0, below 1, written as a string."),
    Text(
        r"^0[.][0-9]{1,18}$",
        'must be a distance above 0 and below 1, as "0.2" (at most 18 digits after the point)',
        also="self.matches('[1-9]')",
    ),
]


class KAnonymity(Model):
    """At least k people share every combination of the quasi-identifiers (Sweeney 2002)."""

    k: Annotated[int, Field(ge=2, le=1_000_000)] = Field(
        description="How many people share each combination, at least."
    )
    quasi_identifiers: Annotated[
        list[ColumnName],
        Field(min_length=1, max_length=MAX_QUASI_IDENTIFIERS),
        Rules(
            (
                Cel(
                    "self.all(q, self.exists_one(other, other == q))",
                    "a quasi-identifier is named twice: name each column once",
                ),
            )
        ),
    ] = Field(description="Columns that somebody may know of a person from elsewhere.")
    max_suppression: Share = Field(
        default="0",
        description="Share of rows that may be left out so that the others keep more: from 0, below"
        ' 1, in quotes: "0.02".',
    )
    count: Literal["Subjects", "Rows"] = Field(
        default="Subjects",
        description="Subjects: k counts different values of the Dataset's subjectColumn. Rows: k"
        " counts rows; right only where every row is of another person.",
    )


class LDiversity(Model):
    """Each combination has at least l values of a sensitive column (Machanavajjhala et al. 2007).

    Values are counted in rows.
    """

    l: Annotated[int, Field(ge=2, le=1_000_000)] = Field(  # noqa: E741 - its name in the literature
        description="Distinct: how many values, at least. Entropy: the entropy is that of l equally"
        " frequent values, at least."
    )
    column: ColumnName = Field(description="The sensitive column.")
    measure: Literal["Distinct", "Entropy"] = Field(
        default="Distinct", description="How diversity is measured."
    )


class TCloseness(Model):
    """Each combination's distribution of a sensitive column is like the table's (Li et al. 2007).

    It is at most t away, by the earth mover's distance of rows.
    """

    t: Distance = Field(description='The largest distance: above 0, below 1, in quotes: "0.2".')
    column: ColumnName = Field(description="The sensitive column.")
    distance: Literal["Equal", "Ordered", "Hierarchical"] = Field(
        default="Equal",
        description="Between two values. Equal: always 1. Ordered: by rank, of numbers and dates."
        " Hierarchical: by the level at which the column's entry in hierarchies joins them.",
    )


class ColumnHierarchy(Model):
    """How the values of one column get coarser. A last level, the same for all, is added."""

    name: ColumnName = Field(description="The column.")
    prefixes: (
        Annotated[
            list[Annotated[int, Field(ge=1, le=64)]],
            Field(min_length=1, max_length=16),
            Rules(
                (
                    Cel(
                        "self.all(i, n, i == 0 || self[i - 1] > n)",
                        "prefixes must fall: write 3, 2, 1, say",
                    ),
                )
            ),
        ]
        | None
    ) = Field(default=None, description="Characters kept of a text per level, fewer each time.")
    date_units: Annotated[list[DateUnit], Field(min_length=1, max_length=5)] | None = Field(
        default=None, description="Units that a date is cut to per level, larger each time."
    )
    widths: Annotated[list[PositiveDecimal], Field(min_length=1, max_length=16)] | None = Field(
        default=None,
        description="Widths of a number's intervals per level, each a multiple of the one before,"
        ' in quotes: ["5", "10"].',
    )
    table: HierarchyFile | None = Field(
        default=None, description="What each value is at each level, in a ConfigMap."
    )
    cel: ClassVar = (
        Cel(
            "[has(self.prefixes), has(self.dateUnits), has(self.widths), has(self.table)]"
            ".filter(x, x).size() == 1",
            "a hierarchy needs exactly one of prefixes, dateUnits, widths, table",
        ),
    )


class ColumnWeight(Model):
    """How much the loss of one quasi-identifier counts."""

    name: ColumnName = Field(description="The quasi-identifier.")
    weight: PositiveDecimal = Field(description='Above 0, in quotes: "2". Others have 1.')


class PrivacyModel(Model):
    """What must hold of all rows together. The table of least loss that keeps to it is written."""

    k_anonymity: KAnonymity = Field(description="No combination is shared by fewer than k people.")
    l_diversity: LDiversity | None = Field(
        default=None, description="No combination tells a sensitive value of its people."
    )
    t_closeness: TCloseness | None = Field(
        default=None, description="No combination tells much more of it than the whole table."
    )
    hierarchies: Annotated[list[ColumnHierarchy], Field(max_length=33), ListMap()] = Field(
        default=[],
        description="How values get coarser. Columns without an entry: as their rule and type"
        " suggest.",
    )
    weights: Annotated[list[ColumnWeight], Field(max_length=MAX_QUASI_IDENTIFIERS), ListMap()] = (
        Field(default=[], description="Quasi-identifiers of which to keep more, or less.")
    )
    cel: ClassVar = (
        Cel(
            "!has(self.lDiversity)"
            " || !(self.lDiversity.column in self.kAnonymity.quasiIdentifiers)",
            "the sensitive column is a quasi-identifier, too: remove it from one of the two",
            field_path=".lDiversity",
        ),
        Cel(
            "!has(self.tCloseness)"
            " || !(self.tCloseness.column in self.kAnonymity.quasiIdentifiers)",
            "the sensitive column is a quasi-identifier, too: remove it from one of the two",
            field_path=".tCloseness",
        ),
        Cel(
            "!has(self.tCloseness) || self.tCloseness.distance != 'Hierarchical'"
            " || (has(self.hierarchies)"
            " && self.hierarchies.exists(h, h.name == self.tCloseness.column))",
            "distance Hierarchical needs an entry in hierarchies for the sensitive column: add one,"
            " or choose Equal or Ordered",
            field_path=".tCloseness",
        ),
        Cel(
            "!has(self.hierarchies) || self.hierarchies.all(h,"
            " h.name in self.kAnonymity.quasiIdentifiers || (has(self.tCloseness)"
            " && self.tCloseness.distance == 'Hierarchical' && h.name == self.tCloseness.column))",
            "a hierarchy has no effect: name its column in quasiIdentifiers, or remove it",
            field_path=".hierarchies",
        ),
        Cel(
            "!has(self.weights) || self.weights.all(w, w.name in self.kAnonymity.quasiIdentifiers)",
            "a weight has no effect: name its column in quasiIdentifiers, or remove it",
            field_path=".weights",
        ),
    )

    @property
    def quasi_identifiers(self) -> tuple[str, ...]:
        """The columns that make the classes."""
        return tuple(self.k_anonymity.quasi_identifiers)

    @property
    def sensitive(self) -> tuple[str, ...]:
        """The columns of which values are counted per class, each once."""
        given = (self.l_diversity, self.t_closeness)
        return tuple(dict.fromkeys(model.column for model in given if model is not None))

    def fault(self) -> tuple[str, str] | None:
        """What is wrong with the parameters together, and what to do; None: nothing."""
        named = (self._fault_of_columns(hierarchy) for hierarchy in self.hierarchies)
        return self._fault_of_names() or next((fault for fault in named if fault), None)

    def _fault_of_names(self) -> tuple[str, str] | None:
        names = self.quasi_identifiers
        if len(set(names)) < len(names):
            return "a quasi-identifier is named twice", "name each column once"
        if any(column in names for column in self.sensitive):
            return (
                "the sensitive column is a quasi-identifier, too",
                "remove it from one of the two",
            )
        close = self.t_closeness
        tree = close.column if close and close.distance == "Hierarchical" else None
        known = [hierarchy.name for hierarchy in self.hierarchies]
        if tree is not None and tree not in known:
            return (
                "distance Hierarchical needs an entry in hierarchies for the sensitive column",
                "add one, or choose Equal or Ordered",
            )
        idle = [name for name in known if name not in (*names, tree)]
        idle += [entry.name for entry in self.weights if entry.name not in names]
        if idle:
            return (
                f'a hierarchy or weight of "{idle[0]}" has no effect',
                "name the column in quasiIdentifiers, or remove it",
            )
        zero = next((entry.name for entry in self.weights if not Number(entry.weight)), None)
        return None if zero is None else (f'the weight of "{zero}" is 0', "give it one above 0")

    def _fault_of_columns(self, hierarchy: ColumnHierarchy) -> tuple[str, str] | None:
        given = (hierarchy.prefixes, hierarchy.date_units, hierarchy.widths, hierarchy.table)
        if sum(levels is not None for levels in given) != 1:
            return (
                f'the hierarchy of "{hierarchy.name}" is not of one kind',
                "give exactly one of prefixes, dateUnits, widths, table",
            )
        lengths = hierarchy.prefixes or ()
        if any(short >= long for long, short in pairwise(lengths)):
            return f'prefixes of "{hierarchy.name}" do not fall', "write 3, 2, 1, say"
        places = [DATE_UNITS.index(unit) for unit in hierarchy.date_units or ()]
        if any(large <= small for small, large in pairwise(places)):
            return (
                f'dateUnits of "{hierarchy.name}" do not grow',
                "order them from small to large, as Month, Year",
            )
        widths = [Number(width) for width in hierarchy.widths or ()]
        if not all(widths):
            return f'a width of "{hierarchy.name}" is 0', "give it a number above 0"
        if any(wide <= narrow or wide % narrow for narrow, wide in pairwise(widths)):
            return (
                f'widths of "{hierarchy.name}" are not multiples of one another',
                "let each be a multiple of the one before, as 5, 10, 50",
            )
        return None
