"""How a CSV file is written."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from leeward.api.meta import Cel, Model, Text

TextEncoding = Literal["UTF-8", "Latin-1", "Windows-1252", "UTF-16", "GB18030"]

AsciiCharacter = Annotated[
    str,
    Field(max_length=8),
    Text(
        r"^[\t\x20-\x7e]$",
        "must be one ASCII character that can be printed, or a tab, as ',' or ';' or '|' or \"\\t\""
        " (a tab needs the double quotes)",
    ),
]


class CsvOptions(Model):
    """How to read a CSV file (RFC 4180 with these changes)."""

    delimiter: AsciiCharacter = Field(default=",", description="The character between fields.")
    quote: AsciiCharacter = Field(default='"', description="The character around fields.")
    encoding: TextEncoding = Field(
        default="UTF-8",
        description="Encoding of the file. UTF-16 needs a byte order mark. Western text of Windows"
        " programs is Windows-1252, most often also where it is called Latin-1.",
    )
    escape: AsciiCharacter | None = Field(
        default=None,
        description="The character that stands before a quote or delimiter which is part of a"
        ' value, as "\\". Left out: a quote in a value is doubled.',
    )
    comment: AsciiCharacter | None = Field(
        default=None,
        description="Lines that begin with it are left out. Left out: no line is.",
    )
    header: bool = Field(default=True, description="Whether the first row names the columns.")
    null_values: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=16)] = (
        Field(default=[""], description="Texts that stand for a missing value.")
    )
    cel: ClassVar = (
        Cel(
            "self.delimiter != self.quote",
            "delimiter and quote are the same character: change one",
            field_path=".quote",
        ),
        Cel(
            "!has(self.escape) || !(self.escape in [self.delimiter, self.quote])",
            "escape is the delimiter or the quote: change it, or leave it out where quotes are"
            " doubled",
            field_path=".escape",
        ),
        Cel(
            "!has(self.comment) || !has(self.escape)",
            "lines of comment cannot be told in a file with escapes: remove comment, and take those"
            " lines out of the file",
            field_path=".comment",
        ),
        Cel(
            "!has(self.comment) || !(self.comment in [self.delimiter, self.quote])",
            "comment is the delimiter or the quote: change one",
            field_path=".comment",
        ),
    )
