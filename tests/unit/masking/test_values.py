"""timePart and topBottomCode."""

import datetime as dt
import math
from collections.abc import Sequence
from decimal import Decimal
from math import inf, nan
from typing import Any

import polars as pl
import pytest

from leeward.api.transforms import Generalize, IpPrefix
from leeward.api.valuetransforms import TimePart, TopBottomCode
from leeward_masking.transforms import basic
from leeward_masking.transforms.dates import time_part
from leeward_masking.transforms.topbottom import top_bottom_code
from unit.masking.support import column, refused

SUNDAY = dt.datetime(2027, 1, 3, 23, 59)
"""Of the last week (53) of 2026."""


class TestTimePart:
    @pytest.mark.parametrize(
        ("part", "number"),
        [("Year", 2027), ("Quarter", 1), ("Month", 1), ("Week", 53), ("Weekday", 7), ("Hour", 23)],
    )
    def test_parts(self, part: Any, number: int) -> None:
        rule = TimePart(part=part)
        found = time_part(rule, column([SUNDAY, None]))
        assert found.to_list() == [number, None]
        assert found.dtype == pl.Int32
        assert found.name == "c"
        if part != "Hour":
            assert time_part(rule, column([SUNDAY.date(), None])).to_list() == [number, None]

    def test_a_time_zone_is_that_of_the_column(self) -> None:
        berlin = column([SUNDAY]).dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin")
        assert time_part(TimePart(part="Hour"), berlin).to_list() == [0]
        assert time_part(TimePart(part="Weekday"), berlin).to_list() == [1]

    def test_first_and_last_year(self) -> None:
        ends = column([dt.date(1, 1, 1), dt.date(9999, 12, 31)])
        assert time_part(TimePart(part="Year"), ends).to_list() == [1, 9999]
        assert time_part(TimePart(part="Week"), ends).to_list() == [1, 52]

    def test_hours_of_times(self) -> None:
        hours = time_part(TimePart(part="Hour"), column([dt.time(9, 30), None]))
        assert hours.to_list() == [9, None]

    @pytest.mark.parametrize(
        ("part", "values"),
        [
            ("Hour", [dt.date(2027, 1, 3)]),
            ("Year", [dt.time(9)]),
            ("Year", ["2027-01-03"]),
            ("Month", [1]),
        ],
    )
    def test_other_columns_are_refused(self, part: Any, values: list[Any]) -> None:
        error = refused(lambda c: time_part(TimePart(part=part), c), column(values))
        assert f"timePart {part} needs it" in error.message


def coded(
    values: Sequence[Any], bottom: str | None = None, top: str | None = None, dtype: Any = None
) -> list[Any]:
    before = column(values, dtype)
    after = top_bottom_code(TopBottomCode(bottom=bottom, top=top), before)
    assert (after.dtype, after.name) == (before.dtype, "c")
    return after.to_list()


class TestTopBottomCode:
    def test_integers(self) -> None:
        assert coded([-5, 18, 50, 90, 91, None], "18", "90") == [18, 18, 50, 90, 90, None]
        assert coded([-5, 91], "18") == [18, 91]
        assert coded([-5, 91], top="90.0") == [-5, 90]

    def test_large_integers_are_exact(self) -> None:
        near = [9007199254740992, 9007199254740993, 9007199254740994]
        assert coded(near, top="9007199254740993") == [near[0], near[1], near[1]]
        assert coded([2**64 - 1], bottom="0", dtype=pl.UInt64) == [2**64 - 1]

    def test_a_border_beyond_the_type_is_never_reached(self) -> None:
        assert coded([0, 255], "-1", "256", pl.UInt8) == [0, 255]
        assert coded([Decimal("-9.9")], "-10", "10", pl.Decimal(2, 1)) == [Decimal("-9.9")]

    def test_decimals_are_exact(self) -> None:
        values = [Decimal("0.1"), Decimal("99999999999999999.3"), None]
        top = [Decimal("0.2"), Decimal("99999999999999999.2"), None]
        assert coded(values, "0.2", "99999999999999999.2", pl.Decimal(38, 1)) == top

    def test_floats(self) -> None:
        found = coded([0.05, 0.1, 95.5, inf, -inf, None, nan], "0.1", "90.5")
        assert found[:6] == [0.1, 0.1, 90.5, 90.5, 0.1, None]
        assert math.isnan(found[6])
        short = top_bottom_code(TopBottomCode(top="0.1"), column([0.3], pl.Float32))
        assert short.cast(pl.String).to_list() == ["0.1"]

    def test_dates(self) -> None:
        days = [dt.date(1925, 6, 1), dt.date(1950, 6, 1), dt.date(9999, 12, 31), None]
        border, end = dt.date(1930, 1, 1), dt.date(2000, 1, 1)
        assert coded(days, "1930-01-01", "2000-01-01") == [border, days[1], end, None]

    @pytest.mark.parametrize("unit", ["ms", "us", "ns"])
    def test_moments_become_midnight(self, unit: Any) -> None:
        noon = dt.datetime(2000, 1, 1, 12)
        assert coded([noon, None], top="2000-01-01", dtype=pl.Datetime(unit)) == [
            dt.datetime(2000, 1, 1),
            None,
        ]
        assert coded([noon], bottom="2000-01-01", dtype=pl.Datetime(unit)) == [noon]

    def test_with_a_time_zone_midnight_is_that_of_utc(self) -> None:
        zoned = column([SUNDAY]).dt.replace_time_zone("Asia/Tokyo")
        found = top_bottom_code(TopBottomCode(top="2027-01-01"), zoned)
        assert found.dtype == zoned.dtype
        assert found.dt.convert_time_zone("UTC").dt.replace_time_zone(None).to_list() == [
            dt.datetime(2027, 1, 1)
        ]

    @pytest.mark.parametrize(
        ("values", "dtype", "border"),
        [
            (["SECRET"], None, "5"),
            ([1], pl.Int64, "5.5"),
            ([1], pl.Int8, "300"),
            ([Decimal("1.5")], pl.Decimal(4, 1), "5.55"),
            ([1], pl.Int64, "2000-01-01"),
            ([SUNDAY], None, "5"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, values: Any, dtype: Any, border: str) -> None:
        rule = TopBottomCode(bottom=border)
        error = refused(lambda c: top_bottom_code(rule, c), column(values, dtype))
        assert "SECRET" not in error.message


def test_weeks_begin_on_monday() -> None:
    found = basic.date_to("Week")(column([SUNDAY.date(), dt.date(2027, 1, 4), None]))
    assert found.to_list() == [dt.date(2026, 12, 28), dt.date(2027, 1, 4), None]


class TestIpPrefix:
    def test_networks(self) -> None:
        values = ["192.0.2.17", "192.0.2.200", None, "2001:DB8:1:2::3", "::ffff:192.0.2.1"]
        found = basic.generalize(Generalize(ip_prefix=IpPrefix()))(column(values))
        assert found.to_list() == [
            "192.0.2.0/24",
            "192.0.2.0/24",
            None,
            "2001:db8:1::/48",
            "192.0.2.0/24",
        ]
        assert found.name == "c"
        rule = Generalize(ip_prefix=IpPrefix(v4=9, v6=33))
        odd = basic.generalize(rule)(column(["10.255.0.1", "2001:db8:ffff::", "fe80::1%eth0"]))
        assert odd.to_list() == ["10.128.0.0/9", "2001:db8:8000::/33", "fe80::/33"]

    @pytest.mark.parametrize("values", [[], [None, None]])
    def test_nothing(self, values: list[Any]) -> None:
        masked = basic.generalize(Generalize(ip_prefix=IpPrefix()))(column(values, pl.String))
        assert masked.to_list() == values
        assert masked.dtype == pl.String

    @pytest.mark.parametrize(
        "text", ["", "SECRET", " 192.0.2.1", "192.0.2.1:80", "192.0.2.0/24", "192.0.2.01", "1"]
    )
    def test_other_values_fail_or_are_removed(self, text: str) -> None:
        values = column([None, "192.0.2.1", text])
        error = refused(basic.generalize(Generalize(ip_prefix=IpPrefix())), values)
        assert error.row == 3
        assert "SECRET" not in error.message
        rule = Generalize(ip_prefix=IpPrefix(unsuitable="Redact"))
        assert basic.generalize(rule)(values).to_list() == [None, "192.0.2.0/24", None]

    def test_other_columns_are_refused(self) -> None:
        refused(basic.generalize(Generalize(ip_prefix=IpPrefix())), column([1]))
