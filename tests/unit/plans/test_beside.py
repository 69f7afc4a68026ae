"""What a rule looks at beside its own column: one value for each that it masks, with a text."""

from __future__ import annotations

from typing import Any

import pytest

from unit.plans.clinic import JOB, SOURCE, clinic, dataset_spec, inspected, job_spec
from unit.plans.simulator import ready

KEY = {"vault": {"name": "vault"}, "key": "tokens"}
COLUMNS = [
    {"name": "patient", "type": "String"},
    {"name": "scan", "type": "Other"},
    {"name": "seen[kg]", "type": "Date"},
    {"name": "visits[].id", "type": "String"},
    {"name": "visits[].date", "type": "Date"},
    {"name": "stays[].id", "type": "String"},
]
KEEP: dict[str, Any] = {"keep": {}}
SHIFT = {"maxDays": 9, "key": KEY}
IN_LIST = 'has a rule that looks at "visits[].id", which lies in a list: in rule "rule", name a'


def admitted(column: str, rule: dict[str, Any], **source: Any) -> tuple[str, str]:
    world, engine = clinic()
    spec = dataset_spec(format="Parquet", **source)
    world.change(SOURCE, spec=spec, status=inspected(world, columns=COLUMNS))
    columns = [{"name": "rule", "match": {"names": [column]}, **rule}]
    world.change(JOB, spec=job_spec(columns=columns, defaultAction="Drop"))
    _, reason, message = ready(engine.settle(JOB), "Admitted")
    return reason, message


def when(column: str, **test: Any) -> dict[str, Any]:
    test = test or {"isNull": True}
    return {"redact": {}, "when": {"column": column, **test}, "otherwise": KEEP}


def known(column: str) -> dict[str, Any]:
    return {"freeText": {"languages": ["en"], "known": [{"column": column, "entity": "Person"}]}}


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "condition on a list": ("patient", when("visits[].id"), "when.column"),
    "condition on the same list": ("visits[].date", when("visits[].id"), "when.column"),
    "condition on itself": ("visits[].id", when("visits[].id"), "when.column"),
    "subject in a list": (
        "seen[kg]",
        {"dateShift": SHIFT | {"subject": "visits[].id"}},
        "dateShift.subject, or in spec.subjectColumn",
    ),
    "subject in another list": (
        "stays[].id",
        {"fake": {"kind": "Name", "key": KEY, "subject": "visits[].id"}},
        "fake.subject, or in spec.subjectColumn",
    ),
    "names in a list": ("patient", known("visits[].id"), "freeText.known"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_several_values_a_row_is_refused(name: str) -> None:
    column, rule, field = REFUSED[name]
    reason, message = admitted(column, rule)
    assert reason == "UnsuitableColumn"
    assert message.startswith(f'column "{column}" of Dataset people {IN_LIST}')
    assert f"one value a row in {field}" in message


def test_the_subject_column_of_the_dataset_is_none_where_it_lies_in_a_list() -> None:
    rule = {"dateShift": SHIFT}
    assert "lies in a list" in admitted("seen[kg]", rule, subjectColumn="visits[].id")[1]
    assert admitted("visits[].date", rule, subjectColumn="visits[].id")[0] == "Admitted"
    assert admitted("visits[].date", rule, subjectColumn="patient")[0] == "Admitted"


@pytest.mark.parametrize(
    ("column", "rule"),
    [
        ("visits[].date", {"dateShift": SHIFT | {"subject": "scan"}}),
        ("patient", known("scan")),
    ],
)
def test_what_has_no_text_is_neither_subject_nor_searched_for(
    column: str, rule: dict[str, Any]
) -> None:
    reason, message = admitted(column, rule)
    assert reason == "UnsuitableColumn"
    assert 'looks at "scan", which has no text form (a list, struct or binary column)' in message


WHOLE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "subject": ({"name": "born", "dateShift": SHIFT | {"subject": "person.id"}}, {}),
    "condition": ({"name": "born", **when("person.id")}, {}),
    "group": ({"name": "born", "shuffle": {"within": ["person.id"]}}, {}),
    "known": ({"name": "note", **known("person.id")}, {}),
    "people": ({"name": "born", "generalize": {"dateTo": "Year"}}, {"count": "Subjects"}),
    "classes": (
        {"name": "born", "generalize": {"dateTo": "Year"}},
        {"count": "Rows", "quasiIdentifiers": ["born", "person.id"]},
    ),
}
PERSON = [
    {"name": "person.id", "type": "String"},
    {"name": "person.name", "type": "String"},
    {"name": "born", "type": "Date"},
    {"name": "note", "type": "String"},
]


@pytest.mark.parametrize("form", ["JSONL", "CSV"])
@pytest.mark.parametrize("name", WHOLE)
def test_nothing_looks_into_what_is_taken_away_as_a_whole(name: str, form: str) -> None:
    rule, counted = WHOLE[name]
    model = {"k": 2, "maxSuppression": "0.5", "quasiIdentifiers": ["born"], **counted}
    world, engine = clinic()
    source = dataset_spec(format=form, subjectColumn="person.id")
    world.change(SOURCE, spec=source, status=inspected(world, columns=PERSON))
    taken = {"name": "person", "redact": {}}
    own = {"name": "person.id", "redact": {}}
    asked = {"privacyModel": {"kAnonymity": model}} if counted else {}
    reasons = []
    for rules in ([taken, rule], [taken, own, rule]):
        spec = job_spec(columns=rules, defaultAction="Drop", **asked)
        world.change(JOB, spec=spec)
        _, reason, message = ready(engine.settle(JOB), "Admitted")
        reasons.append(reason)
        if reason != "Admitted":
            assert 'looks at "person.id" of Dataset people, and rule "person" takes' in message
    assert reasons == ["Admitted" if form == "CSV" else "UnsuitableColumn", "Admitted"]


@pytest.mark.parametrize(
    ("column", "rule"),
    [
        ("patient", when("seen[kg]", atLeast="2020-01-01")),
        ("visits[].date", when("patient", equals="P1")),
        ("patient", when("scan")),
        ("visits[].id", known("patient")),
        ("visits[].id", known("visits[].id")),
    ],
)
def test_what_has_one_value_for_each_is_looked_at(column: str, rule: dict[str, Any]) -> None:
    assert admitted(column, rule)[0] == "Admitted"
