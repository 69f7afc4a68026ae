"""generalize.hierarchy: what each value becomes, from a table."""

import polars as pl

from leeward.api.hierarchies import HierarchyFile, ValueHierarchy
from leeward.formats.hierarchytable import HierarchyError, read_hierarchy
from leeward_masking.errors import JobError
from leeward_masking.values.canonical import canonical_text


def hierarchy_columns(file: HierarchyFile, text: str | None) -> list[pl.Series]:
    """The columns of a table: the values, then what they are at each level.

    Args:
        file: What the rule says of it.
        text: The table; None: the pod was given none.

    Raises:
        JobError: ``InvalidConfig``.
    """
    where = f"{file.config_map.key} of ConfigMap {file.config_map.name}"
    if text is None:
        raise JobError("InvalidConfig", f"{where} is not there", "put it beside the job")
    try:
        columns = read_hierarchy(text, file.delimiter)
    except HierarchyError as error:
        raise JobError("InvalidConfig", f"{where}: {error}", "correct it there") from None
    return [pl.Series(column, dtype=pl.String) for column in columns]


class HierarchyMask:
    """The text that the table has for each value at one level; null stays null.

    Values are looked for by their canonical text.

    Args:
        rule: The parameters.
        text: The table.

    Raises:
        JobError: ``InvalidConfig``: the table is none, or lacks the level.
    """

    def __init__(self, rule: ValueHierarchy, text: str | None) -> None:
        columns = hierarchy_columns(rule, text)
        if rule.level >= len(columns):
            raise JobError(
                "InvalidConfig",
                f"the hierarchy in ConfigMap {rule.config_map.name} has {len(columns) - 1} levels,"
                f" and level {rule.level} is asked for",
                "add the level there, or ask for another one",
            )
        self._values, self._masked = columns[0], columns[rule.level]
        self._fails = rule.unsuitable == "Fail"

    def __call__(self, values: pl.Series) -> pl.Series:
        """A column of text.

        Raises:
            JobError: ``UnsuitableColumn``: the table lacks a value, which is not to be removed; its
                row is counted from the first one of the block.
        """
        texts = canonical_text(values)
        masked = texts.replace_strict(
            self._values, self._masked, default=None, return_dtype=pl.String
        )
        lacking = (masked.is_null() & texts.is_not_null()).arg_true()
        if len(lacking) and self._fails:
            raise JobError(
                "UnsuitableColumn",
                f'the hierarchy lacks the value in column "{values.name}"',
                "add it to the table, or set hierarchy.unsuitable to Redact",
                row=int(lacking[0]) + 1,
                column=values.name,
            )
        return masked.alias(values.name)
