"""spec.privacyModel on rows: what is counted, and what is written."""

from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

import polars as pl
import pytest

from leeward.api.privacymodel import PrivacyModel
from leeward.api.transforms import ColumnRule
from leeward_masking.errors import JobError
from leeward_masking.privacymodel.classes import Counted, Counter, count_rows, merge_counts
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


@pytest.mark.parametrize(
    ("people", "sensitive", "words"),
    [
        (range(5), [], "more than 3 people"),
        (None, [pl.Series(range(5))], "with values of the sensitive column"),
    ],
)
def test_what_does_not_fit_is_named(
    people: Sequence[int] | None, sensitive: list[pl.Series], words: str
) -> None:
    """There is one combination."""
    subjects = None if people is None else pl.Series(people)
    part = count_rows([pl.Series(["x"] * 5)], sensitive, subjects)
    with pytest.raises(JobError, match=words):
        merge_counts([part, part], limit=3)


FILE = {"configMap": {"name": "levels", "key": "icd.csv"}}
TABLE = "J10;flu;airways;*\nJ45;asthma;airways;*\nK29;gastritis;stomach;*\nK30;;stomach;*\n"


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


@pytest.mark.parametrize("values", [[nan] * 4, [nan, nan, 1.0, 1.0], [nan, nan, None, None]])
def test_not_a_number_is_a_value_like_others(values: list[float | None]) -> None:
    frame = pl.DataFrame({"q": values}, schema={"q": pl.Float64})
    asked = model(["q"])
    counter = Counter(count(frame.clear(), asked))
    for row in range(4):
        counter.add(count(frame.slice(row, 1), asked))
    written = decide(counter.counted(), asked, {"q": rule()}, {}).apply(frame)[0]
    assert written.equals(frame)


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
    people = "1 person" if rows == 1 else f"{rows} people"
    assert refused.value.message == f"privacyModel.kAnonymity.k = 4, but the data has {people}"
    assert refused.value.remedy == "choose a smaller k, or mask a source with more people"


def test_fewer_values_than_l_cannot_be_mixed() -> None:
    frame = pl.DataFrame({"q": [1, 1, 2, 2], "s": ["flu"] * 4, "who": [1, 2, 3, 1]})
    with pytest.raises(JobError) as refused:
        released(frame, model(["q"], lDiversity={"l": 2, "column": "s"}), "who")
    told = 'privacyModel.lDiversity.l = 2, but column "s" has 1 different value'
    assert refused.value.message == told


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
