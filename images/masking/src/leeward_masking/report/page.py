"""The report as one HTML page: nothing is fetched, nothing runs (a policy in the page says so)."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from typing import Final

from leeward.formats.report import (
    ColumnDetail,
    Distribution,
    LargeReport,
    ReportSection,
    ReportTable,
    Summary,
)
from leeward_masking.report.plots import bars, share_bar

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE: Final = files("leeward_masking.report").joinpath("page.css").read_text(encoding="utf-8")
_HEADER: Final = ("Column", "What was done", "Changed", "Distinct", "Loss", "Alone", "Looks like")
_CAVEATS: Final = (
    "Figures of all rows: what was done, rows changed, missing and distinct values. Everything else"
    " is taken from the rows of the sample.",
    "No bar and no value stands here for fewer than {threshold} rows of the sample; where one of"
    " them could be reckoned from the others, another one is left out as well.",
    "That a column looks like nothing known does not say that it holds nothing personal: no"
    " detection is complete. Uniqueness and classes speak of what is in this table only, not of"
    " what somebody may know from elsewhere.",
)


def page(report: LargeReport) -> str:
    """The whole page."""
    title = f"Masking report: {report.about.output}"
    body = [
        f"<h1>{escape(title)}</h1>",
        _facts(report),
        _standing_out(report.columns),
        _overview(report.columns),
        _combinations(report),
        *(_section(section) for section in report.sections),
        "<h2>Column by column</h2>",
        *(_column(place, column) for place, column in enumerate(report.columns)),
        "<h2>What this report says, and what not</h2>",
        _list(note.format(threshold=report.threshold) for note in _CAVEATS),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _facts(report: LargeReport) -> str:
    about = report.about
    gone = report.rows_before - report.rows_after
    sampled = "all rows" if report.sampled == report.rows_after else "a uniform sample"
    pairs = [
        ("MaskingJob", about.job),
        ("From Dataset", about.source),
        ("To Dataset", about.output),
        ("Rows", f"{report.rows_after:,}" + (f" ({gone:,} left out)" if gone else "")),
        ("Looked at", f"{report.sampled:,} rows, {sampled}"),
    ]
    shown = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in pairs)
    return f"<dl>{shown}</dl>"


def _standing_out(columns: Sequence[ColumnDetail]) -> str:
    """What somebody should do something about, before a long table hides it."""
    found = [
        f'<li><a href="#c{place}">{escape(column.counts.name)}</a>: {escape(" ".join(told))}</li>'
        for place, column in enumerate(columns)
        if (told := list(_warnings(column)))
    ]
    return f"<h2>What stands out</h2><ul>{''.join(found)}</ul>" if found else ""


def _overview(columns: Sequence[ColumnDetail]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in _HEADER)
    rows = "".join(
        f'<tr><th scope="row"><a href="#c{place}">{escape(column.counts.name)}</a></th>'
        + "".join(f"<td>{cell}</td>" for cell in _cells(column))
        + "</tr>"
        for place, column in enumerate(columns)
    )
    return (
        "<h2>All columns</h2><div class=wide><table><caption>Loss: share of what a column told that"
        " is gone; pseudonyms keep which values are equal, and lose nothing of that. Alone: share"
        " of rows whose value no other row has.</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cells(column: ColumnDetail) -> list[str]:
    counts, utility, identifying = column.counts, column.utility, column.identifying
    distinct = _distinct(counts.distinct_before, counts.distinct_after)
    loss = "1.000" if utility is None and counts.transform in ("drop", "redact") else None
    loss = utility.loss if utility is not None else loss
    found = identifying.detected if identifying is not None else None
    return [
        escape(counts.transform),
        f"{counts.changed:,}",
        ("about " if counts.distinct_estimated else "") + distinct,
        "" if loss is None else f"{share_bar(float(loss))} {loss}",
        "" if identifying is None else identifying.unique,
        "" if found is None else f'<strong class="warn">{escape(found)}</strong>',
    ]


def _distinct(before: int | None, after: int | None) -> str:
    return " → ".join("-" if count is None else f"{count:,}" for count in (before, after))


def _combinations(report: LargeReport) -> str:
    if not report.combinations:
        return ""
    rows = [
        [", ".join(one.columns), f"{one.smallest:,}", one.unique] for one in report.combinations
    ]
    table = ReportTable(
        caption="Columns of the output that tell most rows apart when somebody knows them together,"
        " in the rows that were looked at; without columns that tell most rows apart alone.",
        header=["Columns", "Smallest class", "Rows alone"],
        rows=rows,
    )
    return f"<h2>Known together</h2>{_table(table)}"


def _section(section: ReportSection) -> str:
    tables = "".join(map(_table, section.tables))
    charts = "".join(bars(section.title, (None, chart)) for chart in section.charts)
    return f"<h2>{escape(section.title)}</h2>{_list(section.notes)}{charts}{tables}"


def _column(place: int, column: ColumnDetail) -> str:
    counts = column.counts
    told = [f"Transform {counts.transform}, rule {counts.rule or 'none (defaultAction)'}."]
    told.append(f"Type {counts.type_before} → {counts.type_after or 'left out'}.")
    told.append(f"Missing values {counts.nulls_before:,} → {counts.nulls_after:,}.")
    if counts.linkable:
        told.append("Equal values stay equal: rows of one value can be linked.")
    if counts.note:
        told.append(f"Note: {counts.note}.")
    if column.withheld:
        told.append(column.withheld)
    return (
        f'<section id="c{place}"><h3>{escape(counts.name)}</h3>'
        f"<p>{escape(' '.join(told))}</p>{_measures(column)}{_plots(column)}</section>"
    )


def _measures(column: ColumnDetail) -> str:
    notes: list[str] = []
    utility = column.utility
    if utility is not None:
        text = f"Loss {utility.loss}; bits per value {utility.entropy_before} →"
        text += f" {utility.entropy_after}"
        text += f"; distance {utility.distance}" if utility.distance is not None else ""
        text += f"; correlation {utility.correlation}" if utility.correlation is not None else ""
        notes.append(text + ".")
    notes.extend(
        f"{name}: mean {one.mean}, standard deviation {one.deviation}, one tenth below {one.low},"
        f" median {one.median}, one tenth above {one.high}."
        for name, one in _summaries(column)
    )
    return _list([*notes, *_warnings(column)])


def _warnings(column: ColumnDetail) -> Iterable[str]:
    """What somebody should do something about."""
    outliers, identifying = column.outliers, column.identifying
    if outliers is not None:
        yield (
            f"{outliers.rows:,} rows ({outliers.share}) stand far from all others in the output:"
            f" {outliers.remedy}."
        )
    if identifying is not None and identifying.detected is not None:
        yield (
            f"In the output, a share of {identifying.detected_share} of its values look like"
            f" {identifying.detected}: mask or drop the column, or say why it may stay."
        )
    if column.counts.not_searched:
        yield (
            f"Languages that occur in these notes and were not searched:"
            f" {', '.join(column.counts.not_searched)}. Names and addresses in them stay: add them"
            " to languages of the rule."
        )


def _summaries(column: ColumnDetail) -> Iterable[tuple[str, Summary]]:
    if column.summary_before is not None:
        yield "Before", column.summary_before
    if column.summary_after is not None:
        yield "After", column.summary_after


def _plots(column: ColumnDetail) -> str:
    before, after = column.before, column.after
    if before is None or after is None:
        return ""
    rest = _list(
        text
        for side, one in (("Before", before), ("After", after))
        if (text := _rest(side, one)) is not None
    )
    if not before.bars and not after.bars:
        return rest
    name = column.counts.name
    together = bool({bar.label for bar in before.bars} & {bar.label for bar in after.bars})
    if together or not before.bars or not after.bars:
        drawn = bars(name, (before, after))
    else:
        drawn = bars(f"{name}, before", (before, None)) + bars(f"{name}, after", (None, after))
    key = '<span class="key before"></span>before <span class="key after"></span>after'
    return f"<figure>{drawn}<figcaption>{key}; rows</figcaption></figure>{rest}"


def _rest(side: str, one: Distribution) -> str | None:
    told = []
    if one.other_values:
        told.append(f"{one.other_values:,} other values in {one.other_rows:,} rows")
    if one.missing:
        told.append(f"{one.missing:,} rows without a value")
    return f"{side}: {'; '.join(told)}." if told else None


def _table(table: ReportTable) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.header)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    return (
        f"<div class=wide><table><caption>{escape(table.caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _list(notes: Iterable[str]) -> str:
    shown = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f"<ul>{shown}</ul>" if shown else ""
