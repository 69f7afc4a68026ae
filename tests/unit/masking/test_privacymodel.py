"""spec.privacyModel on rows: what is counted, how values get coarser, what is written."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

from leeward.api.privacymodel import ColumnHierarchy, PrivacyModel
from leeward.api.transforms import ColumnRule
from leeward_masking.errors import JobError
from leeward_masking.privacymodel.classes import Counted, Counter, count_rows, merge_counts
from leeward_masking.privacymodel.levels import Ladder, make_ladder
from leeward_masking.privacymodel.release import Release, decide


def rule(**transform: Any) -> ColumnRule:
    return ColumnRule.model_validate({"name": "q", **(transform or {"keep": {}})})


def model(names: Sequence[str], k: int = 2, **changes: Any) -> PrivacyModel:
    suppression = changes.pop("maxSuppression", "0")
    anonymity = {"k": k, "quasiIdentifiers": names, "maxSuppression": suppression}
    return PrivacyModel.model_validate({"kAnonymity": anonymity, **changes})


def count(frame: pl.DataFrame, asked: PrivacyModel, subject: str | None = None) -> Counted:
    return count_rows(
        [frame[name] for name in asked.quasi_identifiers],
        [frame[name] for name in asked.sensitive],
        None if subject is None else frame[subject],
    )


def released(
    frame: pl.DataFrame,
    asked: PrivacyModel,
    subject: str | None = None,
    tables: Mapping[str, str] | None = None,
) -> tuple[Release, pl.DataFrame]:
    rules = {name: rule() for name in asked.quasi_identifiers}
    release = decide(count(frame, asked, subject), asked, rules, tables or {})
    return release, release.apply(frame)[0]


# --- counting ------------------------------------------------------------------------------------

FRAME = pl.DataFrame(
    {
        "q": ["a", "b", None, "a", "b", "c", "a"],
        "n": [1, 2, 2, 1, None, 3, 2],
        "who": ["x", "x", "y", "y", None, "z", "x"],
        "s": ["flu", "flu", "cold", None, "cold", "flu", "flu"],
    }
)
ASKED = model(["q", "n"], lDiversity={"l": 2, "column": "s"})


def classes(counted: Counted) -> set[tuple[Any, ...]]:
    """Values, rows, subjects and sensitive values of every combination, whatever their order."""
    table = counted.table.settle()
    subjects = table.subjects()
    found = []
    for entry in range(len(table)):
        codes = table.codes[:, entry]
        values = tuple(known[int(code)] for known, code in zip(counted.values, codes, strict=True))
        kinds = frozenset(
            (counted.sensitive[0][int(value)], int(rows))
            for at, value, rows in zip(
                table.sensitive[0].entry,
                table.sensitive[0].value,
                table.sensitive[0].rows,
                strict=True,
            )
            if at == entry
        )
        found.append((*values, int(table.rows[entry]), int(subjects[entry]), kinds))
    return set(found)


def test_rows_people_and_sensitive_values_are_counted_per_combination() -> None:
    assert classes(count(FRAME, ASKED, "who")) == {
        ("a", 1, 2, 2, frozenset({("flu", 1), (None, 1)})),
        ("b", 2, 1, 1, frozenset({("flu", 1)})),
        (None, 2, 1, 1, frozenset({("cold", 1)})),
        ("b", None, 1, 0, frozenset({("cold", 1)})),
        ("c", 3, 1, 1, frozenset({("flu", 1)})),
        ("a", 2, 1, 1, frozenset({("flu", 1)})),
    }


@pytest.mark.parametrize("subject", ["who", None])
def test_parts_that_are_stored_and_merged_give_the_counts_of_all_rows(subject: str | None) -> None:
    parts = [count(FRAME.slice(start, 2), ASKED, subject) for start in (4, 0, 6, 2)]
    stored = [Counted.of(part.tables()) for part in parts]
    assert classes(merge_counts(stored)) == classes(count(FRAME, ASKED, subject))


def test_blocks_are_merged_as_they_come() -> None:
    counter = Counter(count(FRAME.clear(), ASKED, "who"))
    for start in range(FRAME.height):
        counter.add(count(FRAME.slice(start, 1), ASKED, "who"))
    assert classes(counter.counted()) == classes(count(FRAME, ASKED, "who"))


def test_more_combinations_than_fit_are_refused() -> None:
    counter = Counter(count(FRAME.clear(), ASKED), limit=3)
    with pytest.raises(JobError) as refused:
        counter.add(count(FRAME, ASKED))
    assert refused.value.code == "TooLarge"


# --- levels --------------------------------------------------------------------------------------


def texts(ladder: Ladder) -> dict[str, list[Any]]:
    """The values of each level, as they would be written."""
    levels = enumerate(ladder.names[1:], 1)
    return {
        name: ladder.labels[level].gather(ladder.hierarchy.levels[level]).to_list()
        for level, name in levels
    }


def test_dates_go_up_from_the_unit_of_the_rule() -> None:
    days = pl.Series(
        "q", [date(2001, 1, 1), date(2001, 4, 1), date(2004, 1, 1), date(2019, 7, 1), None]
    )
    ladder = texts(make_ladder(days, rule(generalize={"dateTo": "Month"}), None))
    assert list(ladder) == ["Year", "Decade", "*"]
    assert ladder["Year"] == [date(2001, 1, 1)] * 2 + [date(2004, 1, 1), date(2019, 1, 1), None]
    assert ladder["Decade"] == [date(2000, 1, 1)] * 3 + [date(2010, 1, 1), None]
    assert ladder["*"] == ["*"] * 5


def test_times_that_are_kept_begin_with_the_day() -> None:
    moments = pl.Series(
        "q", [datetime(2001, 1, 1, 8), datetime(2001, 1, 1, 9), datetime(2001, 1, 2)]
    )
    ladder = texts(make_ladder(moments, rule(), None))
    assert ladder["Day"] == [date(2001, 1, 1)] * 2 + [date(2001, 1, 2)]


def test_weeks_go_up_by_their_monday() -> None:
    mondays = pl.Series("q", [date(2024, 1, 29), date(2024, 2, 5), date(2024, 2, 12)])
    ladder = texts(make_ladder(mondays, rule(generalize={"dateTo": "Week"}), None))
    assert ladder["Month"] == [date(2024, 1, 1), date(2024, 2, 1), date(2024, 2, 1)]


def test_whole_numbers_fall_into_intervals_of_round_widths() -> None:
    ages = pl.Series("q", [0, 4, 5, 37, 99, None])
    ladder = texts(make_ladder(ages, rule(), None))
    assert list(ladder) == ["width 5", "width 10", "width 50", "*"]
    assert ladder["width 5"] == ["[0, 5)", "[0, 5)", "[5, 10)", "[35, 40)", "[95, 100)", None]
    assert ladder["width 50"] == ["[0, 50)"] * 4 + ["[50, 100)", None]


def test_negative_numbers_and_fractions_fall_into_intervals_too() -> None:
    rates = pl.Series("q", [-0.62, -0.6, 0.0, 0.41, 0.42, float("nan"), float("inf"), None])
    ladder = texts(make_ladder(rates, rule(), None))
    assert ladder["width 0.05"][2:5] == ["[0, 0.05)", "[0.4, 0.45)", "[0.4, 0.45)"]
    assert ladder["width 0.05"][:2] == ["[-0.65, -0.6)", "[-0.6, -0.55)"]
    assert ladder["width 0.5"] == ["[-1, -0.5)"] * 2 + ["[0, 0.5)"] * 3 + [None, ">=1", None]


def test_bins_of_the_rule_are_joined() -> None:
    borders = ["0", "10", "20", "30"]
    labels = pl.Series("q", ["<0", "[0, 10)", "[10, 20)", "[20, 30)", ">=30", None])
    ladder = texts(make_ladder(labels, rule(generalize={"bins": borders}), None))
    assert ladder["2 bins joined"] == ["<10", "<10", "[10, 30)", "[10, 30)", ">=30", None]
    assert ladder["4 bins joined"] == ["<30"] * 4 + [">=30", None]


def test_quantiles_are_joined_like_bins() -> None:
    labels = pl.Series("q", [">=7.5", "<-20", "[3, 7.5)", "[-20, 3)", None])
    ladder = texts(make_ladder(labels, rule(generalize={"quantiles": 4}), None))
    assert ladder["2 bins joined"] == [">=3", "<3", ">=3", "<3", None]
    assert make_ladder(pl.Series("q", ["*"]), rule(generalize={"quantiles": 4}), None).names == (
        "as masked",
    )


def test_prefixes_of_the_rule_get_shorter() -> None:
    codes = pl.Series("q", ["101**", "102**", "201**", "***"])
    ladder = texts(make_ladder(codes, rule(generalize={"prefix": 3}), None))
    assert ladder["2 characters"] == ["10***", "10***", "20***", "***"]
    assert list(ladder) == ["2 characters", "*"], "one character joins no more than two"


def test_networks_of_the_rule_get_larger() -> None:
    nets = pl.Series("q", ["192.0.2.0/24", "192.0.3.0/24", "192.1.2.0/24", "2001:db8::/48"])
    ladder = texts(make_ladder(nets, rule(generalize={"ipPrefix": {}}), None))
    assert ladder["/16 and /32"] == ["192.0.0.0/16"] * 2 + ["192.1.0.0/16", "2001:db8::/32"]
    assert ladder["/8 and /16"] == ["192.0.0.0/8"] * 3 + ["2001::/16"]


def test_values_of_rows_that_a_rule_is_not_for_stay_beside_its_own() -> None:
    mixed = pl.Series("q", ["<0", "[0, 5)", ">=5", "unknown", "12", "10.0.0.0/24"])
    bins = texts(make_ladder(mixed, rule(generalize={"bins": ["0", "5"]}), None))
    assert bins["2 bins joined"] == ["<5", "<5", ">=5", "unknown", "12", "10.0.0.0/24"]
    assert texts(make_ladder(mixed, rule(generalize={"quantiles": 3}), None)) == bins
    networks = pl.Series("q", ["10.0.1.0/24", "10.0.2.0/24", "unknown"])
    ladder = texts(make_ladder(networks, rule(generalize={"ipPrefix": {}}), None))
    assert ladder["/16 and /32"] == ["10.0.0.0/16", "10.0.0.0/16", "unknown"]


@pytest.mark.parametrize(
    ("values", "given"),
    [
        (["x", "y"], {"keep": {}}),
        (["h1", "h2"], {"hash": {"key": {"vault": {"name": "v"}, "key": "k"}}}),
        ([1, 12], {"timePart": {"part": "Month"}}),
        ([True, False], {"keep": {}}),
    ],
)
def test_others_are_as_they_are_or_hidden(values: list[Any], given: dict[str, Any]) -> None:
    assert list(texts(make_ladder(pl.Series("q", values), rule(**given), None))) == ["*"]


def test_one_value_for_all_needs_no_level() -> None:
    ladder = make_ladder(pl.Series("q", ["x"]), rule(), None)
    assert ladder.names == ("as masked",)


@pytest.mark.parametrize(
    ("values", "given", "names"),
    [
        (["E119", "E120", "J45"], {"prefixes": [2, 1]}, ["2 characters", "*"]),
        (
            [date(2001, 1, 1), date(2001, 2, 1), date(2012, 1, 1)],
            {"dateUnits": ["Year"]},
            ["Year", "*"],
        ),
        ([3, 14, 40], {"widths": ["20", "40"]}, ["width 20", "*"]),
    ],
)
def test_a_hierarchy_of_the_manifest_comes_first(
    values: list[Any], given: dict[str, Any], names: list[str]
) -> None:
    hierarchy = ColumnHierarchy.model_validate({"name": "q", **given})
    assert list(texts(make_ladder(pl.Series("q", values), rule(), hierarchy))) == names


def test_widths_that_cut_a_column_into_too_many_intervals_are_refused() -> None:
    hierarchy = ColumnHierarchy(name="q", widths=["0.001"])
    with pytest.raises(JobError) as refused:
        make_ladder(pl.Series("q", [0, 10**9]), rule(), hierarchy)
    assert refused.value.code == "UnsuitableColumn"


FILE = {"configMap": {"name": "levels", "key": "icd.csv"}}
TABLE = "J10;flu;airways;*\nJ45;asthma;airways;*\nK29;gastritis;stomach;*\nK30;;stomach;*\n"


def test_a_table_of_the_manifest_has_the_levels() -> None:
    values = pl.Series("q", ["J45", "K29", None, "J10", "K30"])
    given = ColumnHierarchy.model_validate({"name": "q", "table": FILE})
    ladder = texts(make_ladder(values, rule(), given, TABLE))
    assert ladder == {
        "level 2": ["airways", "stomach", None, "airways", "stomach"],
        "level 3": ["*", "*", None, "*", "*"],
        "*": ["*"] * 5,
    }


def test_a_table_that_lacks_values_is_refused() -> None:
    given = ColumnHierarchy.model_validate({"name": "q", "table": FILE})
    with pytest.raises(JobError) as refused:
        make_ladder(pl.Series("q", ["J45", "SECRET", None]), rule(), given, TABLE)
    assert refused.value.code == "UnsuitableColumn"
    assert "lacks 1 of its 3 values" in refused.value.message


def test_levels_go_on_above_that_of_a_rule_with_a_table() -> None:
    values = pl.Series("q", ["flu", "asthma", "gastritis", "", "unknown"])
    own = rule(generalize={"hierarchy": {**FILE, "level": 1}})
    ladder = texts(make_ladder(values, own, None, TABLE))
    assert ladder["level 2"] == ["airways", "airways", "stomach", "stomach", "unknown"]
    assert list(ladder) == ["level 2", "level 3", "*"]


def test_a_table_that_parts_what_a_rule_has_joined_is_refused() -> None:
    own = rule(generalize={"hierarchy": {**FILE, "level": 1}})
    parted = "J10;lung;airways\nJ45;lung;allergies\n"
    with pytest.raises(JobError) as refused:
        make_ladder(pl.Series("q", ["lung"]), own, None, parted)
    assert refused.value.code == "InvalidConfig"
    assert "joins values at level 1 that are apart" in refused.value.message


# --- what is written -----------------------------------------------------------------------------


def test_the_least_is_made_coarser_so_that_two_people_share_each_combination() -> None:
    frame = pl.DataFrame({"age": [30, 31, 60, 64], "sex": ["f", "f", "m", "m"]})
    release, written = released(frame, model(["age", "sex"]))
    assert release.answer.levels() == {"age": 1, "sex": 0}
    assert written["age"].to_list() == ["[30, 35)", "[30, 35)", "[60, 65)", "[60, 65)"]
    assert written["sex"].to_list() == ["f", "f", "m", "m"]


def test_a_person_with_many_rows_is_one_person() -> None:
    frame = pl.DataFrame({"q": ["a", "a", "b", "b"], "who": [1, 1, 2, 3]})
    assert released(frame, model(["q"]))[0].answer.node == (0,)
    release, written = released(frame, model(["q"]), "who")
    assert release.answer.node == (1,)
    assert written["q"].to_list() == ["*"] * 4


def test_rows_are_left_out_where_that_loses_less() -> None:
    frame = pl.DataFrame({"q": ["a"] * 50 + ["b"] * 49 + ["c"], "row": range(100)})
    release, written = released(frame, model(["q"], maxSuppression="0.01"))
    assert written["q"].to_list() == ["a"] * 50 + ["b"] * 49
    assert int(release.answer.table.rows[release.answer.suppressed].sum()) == 1
    assert released(frame, model(["q"], maxSuppression="0.009"))[1]["q"].unique().to_list() == ["*"]


def test_missing_values_are_a_combination_like_others() -> None:
    frame = pl.DataFrame({"q": ["a", "a", None, None]})
    assert released(frame, model(["q"]))[1]["q"].to_list() == ["a", "a", None, None]


def test_categories_are_counted_as_text() -> None:
    blocks = [
        pl.DataFrame({"q": pl.Series(list(part), dtype=pl.Categorical)}) for part in ("ba", "ab")
    ]
    asked = model(["q"])
    counted = merge_counts([count(block, asked) for block in blocks])
    release = decide(counted, asked, {"q": rule()}, {})
    assert [release.apply(block)[0]["q"].to_list() for block in blocks] == [["b", "a"], ["a", "b"]]


def test_who_has_no_name_counts_for_nobody() -> None:
    frame = pl.DataFrame({"q": ["a", "a", "b", "b"], "who": [1, 2, 3, None]})
    assert released(frame, model(["q"]), "who")[0].answer.node == (1,)


@pytest.mark.parametrize("values", [["a", "b", "c", "d"], [1, 2, 3, 4]])
def test_a_column_that_is_all_unique_is_hidden(values: list[Any]) -> None:
    written = released(pl.DataFrame({"q": values}), model(["q"], k=4))[1]
    assert written["q"].to_list() == ["*"] * 4


def test_a_column_that_is_all_equal_stays() -> None:
    written = released(pl.DataFrame({"q": [7] * 4}), model(["q"], k=4))[1]
    assert written["q"].to_list() == [7] * 4


@pytest.mark.parametrize("rows", [1, 3])
def test_fewer_people_than_k_cannot_be_hidden(rows: int) -> None:
    with pytest.raises(JobError) as refused:
        released(pl.DataFrame({"q": [1] * rows}), model(["q"], k=4, maxSuppression="0.5"))
    assert refused.value.code == "PrivacyModelUnmet"
    assert "maxSuppression" in refused.value.remedy


def test_no_rows_give_no_rows() -> None:
    frame = pl.DataFrame({"q": pl.Series([], dtype=pl.Int64)})
    assert released(frame, model(["q"]))[1].schema == frame.schema


def test_the_weight_of_a_column_says_which_one_gets_coarser() -> None:
    frame = pl.DataFrame({"a": ["x", "y", "x", "y"], "b": ["x", "y", "y", "x"]})
    for heavy, node in (("a", (0, 1)), ("b", (1, 0))):
        asked = model(["a", "b"], weights=[{"name": heavy, "weight": "3"}])
        assert released(frame, asked)[0].answer.node == node


DIVERSE = pl.DataFrame({"q": ["a"] * 4 + ["b"] * 4, "s": [1, 1, 1, 2, 3, 3, 3, 3]})


@pytest.mark.parametrize(
    ("changes", "coarser"),
    [
        ({}, False),
        ({"lDiversity": {"l": 2, "column": "s"}}, True),
        ({"tCloseness": {"t": "0.7", "column": "s"}}, False),
        ({"tCloseness": {"t": "0.49", "column": "s"}}, True),
        ({"tCloseness": {"t": "0.44", "column": "s", "distance": "Ordered"}}, False),
        ({"tCloseness": {"t": "0.43", "column": "s", "distance": "Ordered"}}, True),
    ],
)
def test_sensitive_values_of_a_combination(changes: dict[str, Any], coarser: bool) -> None:
    release, _ = released(DIVERSE, model(["q"], k=4, **changes))
    assert release.answer.node == (int(coarser),)


def test_entropy_wants_more_than_two_values() -> None:
    frame = pl.DataFrame({"q": ["a"] * 8 + ["b"] * 8, "s": [1] * 7 + [2] + [1, 2] * 4})
    for measure, coarser in (("Distinct", False), ("Entropy", True)):
        asked = {"l": 2, "column": "s", "measure": measure}
        suppressed = model(["q"], k=4, lDiversity=asked, maxSuppression="0.5")
        release, _ = released(frame, suppressed)
        assert release.answer.suppressed.any() == coarser


def test_hierarchical_distance_takes_like_for_like() -> None:
    frame = pl.DataFrame({"q": ["a", "a", "b", "b"], "s": ["J10", "K12", "J11", "K13"]})
    near = {"t": "0.3", "column": "s", "distance": "Hierarchical"}
    tree = [{"name": "s", "prefixes": [1]}]
    equal = near | {"distance": "Equal"}
    assert released(frame, model(["q"], tCloseness=equal))[0].answer.node == (1,)
    release, _ = released(frame, model(["q"], tCloseness=near, hierarchies=tree))
    assert release.answer.node == (0,)


def test_distance_by_a_table() -> None:
    frame = pl.DataFrame({"q": ["a", "a", "b", "b"], "s": ["J10", "K29", "J45", "K30"]})
    close = {"t": "0.3", "column": "s", "distance": "Hierarchical"}
    tree = [{"name": "s", "table": FILE}]
    asked = model(["q"], tCloseness=close, hierarchies=tree)
    assert released(frame, asked, tables={"s": TABLE})[0].answer.node == (0,)


def test_other_values_than_were_counted_are_refused() -> None:
    release, _ = released(pl.DataFrame({"q": ["a", "a"]}), model(["q"]))
    with pytest.raises(JobError) as refused:
        release.apply(pl.DataFrame({"q": ["b"]}))
    assert refused.value.code == "SourceChanged"
    assert '"q"' in refused.value.message
