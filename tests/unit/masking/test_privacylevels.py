"""How the values of a quasi-identifier get coarser: by rule, type, or a hierarchy."""

from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

from leeward.api.privacymodel import ColumnHierarchy
from leeward.api.transforms import ColumnRule
from leeward_masking.errors import JobError
from leeward_masking.privacymodel.levels import Ladder, make_ladder


def rule(**transform: Any) -> ColumnRule:
    return ColumnRule.model_validate({"name": "q", **(transform or {"keep": {}})})


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
