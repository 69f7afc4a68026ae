"""Whether a CSV file is read with its delimiter."""

from collections.abc import Sequence
from typing import Final

from leeward.api.csvoptions import CsvOptions
from leeward_masking.errors import JobError

_DELIMITERS: Final = {",": '","', ";": '";"', "\t": r'"\t"', "|": '"|"'}
"""Usual delimiters, and how they are written in a manifest."""


class DelimiterError(JobError):
    """``MalformedData``: the header looks as if the delimiter were another one.

    Attributes:
        likely: The other one, as it is written in a manifest.
    """

    def __init__(self, said: str, likely: str) -> None:
        super().__init__(
            "MalformedData",
            f"the file has one column when it is read with the delimiter"
            f" {_DELIMITERS.get(said, repr(said))}, and its header holds {likely}, which is likely"
            " the delimiter",
            f"set spec.csv.delimiter of the Dataset to {likely}; if it is one column indeed, give"
            " it a name without that character",
        )
        self.likely: Final = likely


def check_delimiter(names: Sequence[str], options: CsvOptions) -> None:
    """A file read with a delimiter that it does not have is one wide column; only its header tells.

    Raises:
        DelimiterError: It looks so.
    """
    if len(names) != 1 or not options.header:
        return
    # The one that it is read with can stand in a quoted name.
    others = [delimiter for delimiter in _DELIMITERS if delimiter != options.delimiter]
    suspect = max(others, key=names[0].count)
    if suspect in names[0]:
        raise DelimiterError(options.delimiter, _DELIMITERS[suspect])
