"""mask preview: what changes is coloured."""

import pytest
from rich.text import Text

from leeward.cli.changes import GONE, MADE, SAME, change


def parts(text: Text, style: str) -> list[str]:
    return [text.plain[span.start : span.end] for span in text.spans if span.style == style]


def marked(text: Text, style: str) -> str:
    return text.plain if text.style == style else "".join(parts(text, style))


@pytest.mark.parametrize(
    ("old", "new", "gone", "made"),
    [
        ("5550001111", "******1111", "555000", "******"),
        ("1971-02-15", "1971-01-01", "215", "101"),
        ("P00000", "3QRW8oC9CezAjCUZ", "P00000", "3QRW8oC9CezAjCUZ"),
        ("mail a@b.example, thanks", "mail [MAIL], thanks", "a@b.example", "[MAIL]"),
    ],
)
def test_only_what_changes_is_marked(old: str, new: str, gone: str, made: str) -> None:
    before, after = change(old, new)
    assert (before.plain, after.plain) == (old, new)
    assert marked(before, GONE) == gone
    assert marked(after, MADE) == made


def test_what_stays_is_dim_and_what_is_removed_is_told() -> None:
    assert all(
        SAME in parts_of for parts_of in ([s.style for s in t.spans] for t in change("a", "a"))
    )
    before, after = change("Ada", None)
    assert parts(before, GONE) == ["Ada"]
    assert after.plain == "null"
    assert parts(after, GONE) == ["null"]


def test_control_characters_are_shown_and_long_values_are_not_compared() -> None:
    before, after = change("a\x1b[31mb", "x" * 10_000)
    assert "\x1b" not in before.plain
    assert parts(after, MADE) == ["x" * 10_000]
