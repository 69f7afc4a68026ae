"""Plots as inline SVG (SVG 1.1): no script, no font and no colour of their own."""

from collections.abc import Sequence
from html import escape
from typing import Final

from leeward.formats.report import Distribution

WIDTH: Final = 640
_LABELS: Final = 190
_FIGURES: Final = 70
_BAR: Final = 11
_GAP: Final = 8
_SIDES: Final = ("before", "after")


def bars(title: str, sides: Sequence[Distribution | None]) -> str:
    """Horizontal bars, one group per label, before above after.

    Args:
        title: What is shown, in words.
        sides: The distributions before and after, or one alone.
    """
    shown = [(_SIDES[place], side) for place, side in enumerate(sides) if side is not None]
    labels = list(dict.fromkeys(bar.label for _, side in shown for bar in side.bars))
    if not labels:
        return ""
    rows = {name: {bar.label: bar.rows for bar in side.bars} for name, side in shown}
    longest = max((count or 0 for side in rows.values() for count in side.values()), default=0)
    scale = (WIDTH - _LABELS - _FIGURES) / max(1, longest)
    height = _BAR * len(shown) + _GAP
    parts: list[str] = []
    for place, label in enumerate(labels):
        top = place * height
        middle = top + _BAR * len(shown) / 2 + 4
        parts.append(
            f'<text class="label" x="{_LABELS - 8}" y="{middle:.0f}">{escape(_cut(label))}</text>'
        )
        for offset, (name, _) in enumerate(shown):
            parts.append(_bar(name, rows[name], label, top + offset * _BAR, scale))
    described = escape(_described(labels, rows))
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH} {len(labels) * height}"'
        f' aria-label="{escape(title)}: {described}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def share_bar(share: float) -> str:
    """A small bar for a number from 0 to 1."""
    return (
        '<svg class="share" aria-hidden="true" viewBox="0 0 100 8">'
        '<rect class="track" width="100" height="8" rx="2"/>'
        f'<rect class="after" width="{100 * share:.1f}" height="8" rx="2"/></svg>'
    )


def _bar(name: str, rows: dict[str, int | None], label: str, top: int, scale: float) -> str:
    if label not in rows:
        return ""
    count = rows[label]
    long = 0.0 if count is None else count * scale
    told = "few" if count is None else f"{count:,}"
    return (
        f'<rect class="{name}" x="{_LABELS}" y="{top + 1}" width="{long:.1f}" height="{_BAR - 2}"/>'
        f'<text class="figure" x="{_LABELS + long + 5:.1f}" y="{top + _BAR - 2}">{told}</text>'
    )


def _described(labels: Sequence[str], rows: dict[str, dict[str, int | None]]) -> str:
    def told(label: str) -> str:
        counts = [
            f"{name} {'few' if side[label] is None else side[label]}"
            for name, side in rows.items()
            if label in side
        ]
        return f"{label}: {', '.join(counts)}"

    return "; ".join(map(told, labels))


def _cut(label: str) -> str:
    return label if len(label) <= 28 else label[:27] + "…"
