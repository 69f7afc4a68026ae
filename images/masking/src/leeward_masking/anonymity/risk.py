"""Class sizes, and how likely people are found again in them.

The risks of El Emam and Dankar (2008) and Dankar and El Emam (2010), of whoever knows the
quasi-identifiers of people, and nothing else of them:

- *prosecutor*: knows that one person is in the table; 1 / size of the class.
- *journalist*: knows a register of the population. What is known of it here is the table itself,
  so the risk is the prosecutor's, which is an upper bound.
- *marketer*: wants as many as possible; the share of people whom a guess in each class hits.
"""

from dataclasses import dataclass

import numpy as np

from leeward_masking.anonymity.counts import CountTable
from leeward_masking.anonymity.grouping import BoolArray


@dataclass(frozen=True, slots=True)
class ClassStatistics:
    """The classes that stay. Sizes are in subjects (rows, where there is no subject column).

    Attributes:
        classes, rows: How many stay.
        suppressed_classes, suppressed_rows: How many do not.
        smallest, mean, largest: Sizes; 0 where no class stays.
        unique: Classes of one subject or none.
        prosecutor_highest, journalist_highest: Risk in the smallest class.
        prosecutor_mean, journalist_mean: Risk of a subject, on average.
        marketer: Share of subjects that are found.
        at_risk: Share of subjects in classes with a risk above the threshold.
        discernibility: Sum over rows of the rows that each is like; a suppressed one is like all
            (Bayardo and Agrawal 2005).
    """

    classes: int
    rows: int
    suppressed_classes: int
    suppressed_rows: int
    smallest: int
    mean: float
    largest: int
    unique: int
    prosecutor_highest: float
    prosecutor_mean: float
    journalist_highest: float
    journalist_mean: float
    marketer: float
    at_risk: float
    discernibility: int


def class_statistics(
    table: CountTable, suppressed: BoolArray, threshold: float = 0.05
) -> ClassStatistics:
    """Describe the classes of a table.

    A class without any known subject counts as one subject: its rows may all be of one person.

    Args:
        table: The classes.
        suppressed: Which of them are left out; shape (classes,).
        threshold: Risk above which a subject counts as at risk.
    """
    sizes = np.maximum(table.subjects()[~suppressed], 1)
    subjects = int(sizes.sum())
    classes = len(sizes)
    # The mean over subjects of 1 / size of their class: each class adds one.
    mean_risk = classes / subjects if classes else 0.0
    highest = 1 / int(sizes.min()) if classes else 0.0
    left_out = int(table.rows[suppressed].sum())
    rows = table.rows[~suppressed].tolist()
    return ClassStatistics(
        classes=classes,
        rows=table.total - left_out,
        suppressed_classes=int(np.count_nonzero(suppressed)),
        suppressed_rows=left_out,
        smallest=int(sizes.min()) if classes else 0,
        mean=subjects / classes if classes else 0.0,
        largest=int(sizes.max()) if classes else 0,
        unique=int(np.count_nonzero(sizes == 1)),
        prosecutor_highest=highest,
        prosecutor_mean=mean_risk,
        journalist_highest=highest,
        journalist_mean=mean_risk,
        marketer=mean_risk,
        at_risk=int(sizes[1 / sizes > threshold].sum()) / subjects if classes else 0.0,
        discernibility=sum(n * n for n in rows) + left_out * table.total,
    )
