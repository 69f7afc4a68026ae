"""Hierarchies of values that stand in a ConfigMap beside the job."""

from typing import Annotated, Final, Literal

from pydantic import Field

from leeward.api.meta import Model, ObjectName, Text

MAX_LEVELS: Final = 32


class ConfigMapKey(Model):
    """One text of a ConfigMap in the namespace of the job."""

    name: ObjectName = Field(description="Name of the ConfigMap.")
    key: Annotated[
        str,
        Field(min_length=1, max_length=253, description="Which of its texts (data), as icd.csv."),
        Text(r"^[-._a-zA-Z0-9]+$", "must be letters, digits, '-', '_' and '.', as icd.csv"),
    ]


class HierarchyFile(Model):
    """A table of values and what they become, in CSV without a header, as ARX writes it.

    A line per value: the value, what it is at level 1, at level 2, and so on.
    """

    config_map: ConfigMapKey = Field(
        description="Where the table stands; it is copied when the job is admitted."
    )
    delimiter: Literal[";", ",", "\t"] = Field(
        default=";", description="What stands between two columns of the table."
    )


class ValueHierarchy(HierarchyFile):
    """What each value becomes, from a table."""

    level: Annotated[int, Field(ge=1, le=MAX_LEVELS)] = Field(
        description="Which column of the table values become; the first one holds the values, and"
        " level 1 is the one after it."
    )
    unsuitable: Literal["Fail", "Redact"] = Field(
        default="Fail",
        description="What becomes of a value that the table lacks: the job fails and names the row,"
        " or the value is removed (null).",
    )
