"""Tables of hierarchies: CSV without a header."""

import pytest

from leeward.formats.hierarchytable import HierarchyError, read_hierarchy


def test_columns_of_a_table() -> None:
    text = '\ufeffJ45.0;J45;"Asthma; all"\r\n\r\n"J18 ""x""";J18;\n;missing;"two\nlines"'
    assert read_hierarchy(text, ";") == [
        ("J45.0", 'J18 "x"', ""),
        ("J45", "J18", "missing"),
        ("Asthma; all", "", "two\nlines"),
    ]
    assert read_hierarchy("a\tb", "\t") == [("a",), ("b",)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ("\n\r\n", "it is empty"),
        ("SECRET,a", "line 1 has one column (the delimiter may be another"),
        ("a;b;c\nSECRET;b", "line 2 has 2 columns, and the lines before have 3"),
        ("SECRET;b\nx;b\nSECRET;c", "lines 1 and 3 are for the same value"),
        ('a;b\n"SECRET"x;b', "line 2 has a quote where none may be"),
        ('a;b\n"SECRET;b', "line 2 has a quote where none may be"),
    ],
)
def test_what_is_no_table(text: str, message: str) -> None:
    with pytest.raises(HierarchyError) as caught:
        read_hierarchy(text, ";")
    assert str(caught.value).startswith(message)
    assert "SECRET" not in str(caught.value)
