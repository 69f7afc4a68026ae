"""Whether the rules of a MaskingJob suit the types and tags of the columns."""

from typing import Any

import pytest

from unit.plans.clinic import JOB, RULES, SOURCE, clinic, dataset_spec, job_spec
from unit.plans.simulator import ready

NUMBERS = {"lower": "0", "upper": "9"}


def denied(column: str, transform: dict[str, Any], **source: Any) -> tuple[str, str]:
    world, engine = clinic()
    kept = [rule for rule in RULES if rule["name"] != column]
    world.change(JOB, spec=job_spec(columns=[*kept, {"name": column, **transform}]))
    world.change(SOURCE, spec=dataset_spec(**source))
    _, reason, message = ready(engine.settle(JOB), "Admitted")
    return reason, message


@pytest.mark.parametrize(
    ("column", "transform", "words"),
    [
        ("ward", {"timePart": {"part": "Year"}}, "type String, and timePart Year needs a date"),
        ("born", {"timePart": {"part": "Hour"}}, "type Date, and timePart Hour needs a time"),
        ("ward", {"topBottomCode": {"top": "9"}}, "with numbers needs a number"),
        ("born", {"topBottomCode": {"top": "9"}}, "with numbers needs a number"),
        ("ward", {"topBottomCode": {"bottom": "2000-01-01"}}, "with dates needs a date"),
        ("born", {"generalize": {"ipPrefix": {}}}, "generalize.ipPrefix needs text"),
        ("born", {"generalize": {"quantiles": 4}}, "generalize.quantiles needs a number"),
        ("born", {"noise": {"scale": "9"}}, "noise needs a number"),
        ("ward", {"randomMask": {"range": NUMBERS}}, "needs a number, or a list of numbers"),
    ],
)
def test_other_types_are_refused(column: str, transform: dict[str, Any], words: str) -> None:
    reason, message = denied(column, transform)
    assert reason == "UnsuitableColumn"
    assert words in message


def test_values_in_lists_are_not_shuffled() -> None:
    world, engine = clinic()
    columns = [{"name": "a[].b", "type": "Integer"}, {"name": "weight[kg]", "type": "Float"}]
    world.change(SOURCE, spec=dataset_spec(format="Parquet"))
    world.objects[SOURCE]["status"]["columns"] = columns
    rules = [{"name": "weight[kg]", "shuffle": {}}, {"name": "a[].b", "shuffle": {}}]
    world.change(JOB, spec=job_spec(columns=rules))
    _, reason, message = ready(engine.settle(JOB), "Admitted")
    assert reason == "UnsuitableColumn"
    assert 'column "a[].b" of Dataset people lies in a list' in message


@pytest.mark.parametrize(
    ("within", "expected", "words"),
    [
        ("nowhere", "ColumnMissing", 'no column "nowhere", which rule "born" names in shuffle'),
        ("born", "UnsuitableColumn", 'groups of column "born", which is the one that is shuffled'),
    ],
)
def test_groups_of_a_shuffle(within: str, expected: str, words: str) -> None:
    reason, message = denied("born", {"shuffle": {"within": ["ward", within]}})
    assert reason == expected
    assert words in message


@pytest.mark.parametrize(
    ("transform", "why"),
    [
        ({"keep": {}}, "keep leaves every value"),
        ({"topBottomCode": {"top": "2000-01-01"}}, "the values between its borders"),
        ({"randomMask": {"suppress": "0.9"}}, "the values that chance spares"),
        ({"randomMask": {"distribution": {}}}, "values that people in the data have"),
        ({"shuffle": {}}, "puts the values into other rows, and removes none"),
        ({"generalize": {"dateTo": "Day"}}, "leaves dates as they are"),
        ({"freeText": {"languages": ["en"]}}, "no detection is complete"),
        ({"timePart": {"part": "Year"}}, None),
        ({"generalize": {"dateTo": "Week"}}, None),
    ],
)
def test_identifiers_of_which_some_would_stay_are_refused(
    transform: dict[str, Any], why: str | None
) -> None:
    tagged = [{"name": "born", "tags": ["DirectIdentifier"]}]
    reason, message = denied("born", transform, columns=tagged)
    assert (reason == "IdentifierKept") == (why is not None)
    if why is not None:
        assert why in message
        assert "give it a rule with tokenize, hash, encrypt, fake, replace, redact or dr" in message


FAKE = {"kind": "Name", "key": {"vault": {"name": "vault"}, "key": "tokens"}}


@pytest.mark.parametrize(
    ("subject", "source", "reason"),
    [
        ({}, {}, "SubjectMissing"),
        ({"subject": "nobody"}, {}, "ColumnMissing"),
        ({"subject": "ward"}, {}, "Admitted"),
        ({}, {"subjectColumn": "patient"}, "Admitted"),
    ],
)
def test_fakes_are_made_for_a_subject(
    subject: dict[str, Any], source: dict[str, Any], reason: str
) -> None:
    found, message = denied("ward", {"fake": FAKE | subject}, **source)
    assert found == reason
    assert reason == "Admitted" or "fake.subject" in message


@pytest.mark.parametrize(
    ("when", "reason", "told"),
    [
        ({"column": "nobody", "isNull": True}, "ColumnMissing", "correct when.column"),
        ({"column": "ward", "atLeast": "18"}, "UnsuitableColumn", "compares it with a number"),
        ({"column": "income", "atLeast": "2000-01-01"}, "UnsuitableColumn", "with a date"),
        ({"column": "born", "atLeast": "2000-01-01"}, "Admitted", ""),
        ({"column": "income", "equals": "7"}, "Admitted", ""),
    ],
)
def test_conditions_look_at_what_can_be_compared(
    when: dict[str, Any], reason: str, told: str
) -> None:
    found, message = denied("ward", {"redact": {}, "when": when, "otherwise": {"keep": {}}})
    assert found == reason
    assert told in message


@pytest.mark.parametrize(("otherwise", "kept"), [({"keep": {}}, True), ({"redact": {}}, False)])
def test_identifiers_that_are_kept_in_other_rows_are_refused(
    otherwise: dict[str, Any], kept: bool
) -> None:
    tagged = [{"name": "ward", "tags": ["DirectIdentifier"]}]
    rule = {"redact": {}, "when": {"column": "born", "isNull": True}, "otherwise": otherwise}
    reason, _ = denied("ward", rule, columns=tagged)
    assert (reason == "IdentifierKept") == kept
