"""spec.privacyModel: what is refused before anything starts, and what a pod must have measured."""

from __future__ import annotations

import json
from typing import Any

import pytest

from leeward.plans.shared.model import Manifest
from unit.plans.clinic import (
    COLUMNS,
    JOB,
    NAMESPACE,
    OUTPUT,
    RULES,
    SOURCE,
    answer,
    clinic,
    config_ref,
    dataset_spec,
    inspected,
    job_spec,
)
from unit.plans.simulator import ready

SUBJECT = {"subjectColumn": "patient"}


def model(**changes: Any) -> Manifest:
    anonymity = {"k": 3, "quasiIdentifiers": ["born", "ward"], "maxSuppression": "0.4"}
    return {"kAnonymity": anonymity, **changes}


def k_anonymity(**changes: Any) -> Manifest:
    return {"kAnonymity": {**model()["kAnonymity"], **changes}}


def ruled(column: str, **transform: Any) -> list[Manifest]:
    return [*(rule for rule in RULES if rule["name"] != column), {"name": column, **transform}]


DENIED: list[tuple[str, Manifest, Manifest, Manifest, str, str]] = [
    ("nobody counts", model(), {}, {}, "SubjectMissing", "kAnonymity.count to Rows"),
    ("subject missing", model(), {}, {"subjectColumn": "id"}, "SubjectMissing", "correct it there"),
    (
        "no such column",
        k_anonymity(quasiIdentifiers=["age"]),
        {},
        SUBJECT,
        "ColumnMissing",
        'no column "age", which spec.privacyModel names (it has "patient", "born",',
    ),
    (
        "written otherwise",
        k_anonymity(quasiIdentifiers=["Wards"]),
        {},
        SUBJECT,
        "ColumnMissing",
        '(it has "ward", "patient", "born", "income"): correct the name',
    ),
    (
        "more people in a group than rows",
        k_anonymity(k=50),
        {},
        SUBJECT,
        "PrivacyModelUnmet",
        "spec.privacyModel.kAnonymity.k = 50, but Dataset people has 3 rows, so no more people",
    ),
    (
        "no such sensitive column",
        model(lDiversity={"l": 2, "column": "illness"}),
        {},
        SUBJECT,
        "ColumnMissing",
        '"illness"',
    ),
    ("dropped", model(), {"columns": ruled("ward", drop={})}, SUBJECT, "ColumnDropped", "its rule"),
    (
        "dropped by default",
        model(),
        {"columns": RULES[:3], "defaultAction": "Drop"},
        SUBJECT,
        "ColumnDropped",
        '"ward", which has no rule, so that defaultAction Drop drops it',
    ),
    (
        "another value each time",
        k_anonymity(quasiIdentifiers=["income"]),
        {"columns": ruled("income", noise={"scale": "9"})},
        SUBJECT,
        "UnsuitableColumn",
        "of which noise makes something else each time",
    ),
    (
        "tagged and not named",
        model(),
        {},
        {**SUBJECT, "columns": [{"name": "income", "tags": ["QuasiIdentifier"]}]},
        "QuasiIdentifierLeftOut",
        'column "income"',
    ),
    (
        "a hierarchy of dates for text",
        model(hierarchies=[{"name": "ward", "dateUnits": ["Year"]}]),
        {},
        SUBJECT,
        "UnsuitableColumn",
        "needs dates",
    ),
    (
        "widths of intervals for intervals",
        k_anonymity(quasiIdentifiers=["income"])
        | {"hierarchies": [{"name": "income", "widths": ["10"]}]},
        {},
        SUBJECT,
        "UnsuitableColumn",
        "is of type String once it is masked",
    ),
    (
        "widths that do not fit into each other",
        model(hierarchies=[{"name": "ward", "widths": ["10", "15"]}]),
        {},
        SUBJECT,
        "PrivacyModelInvalid",
        "let each be a multiple",
    ),
    (
        "units that shrink",
        model(hierarchies=[{"name": "born", "dateUnits": ["Year", "Month"]}]),
        {},
        SUBJECT,
        "PrivacyModelInvalid",
        "order them from small to large",
    ),
    (
        "text has no order",
        k_anonymity(quasiIdentifiers=["born"])
        | {"tCloseness": {"t": "0.2", "column": "ward", "distance": "Ordered"}},
        {},
        SUBJECT,
        "UnsuitableColumn",
        "needs numbers or dates",
    ),
]


@pytest.mark.parametrize(
    ("asked", "job", "source", "reason", "words"),
    [case[1:] for case in DENIED],
    ids=[case[0] for case in DENIED],
)
def test_refused_before_anything_starts(
    asked: Manifest, job: Manifest, source: Manifest, reason: str, words: str
) -> None:
    world, engine = clinic()
    world.change(JOB, spec=job_spec(privacyModel=asked, **job))
    world.change(SOURCE, spec=dataset_spec(**source))
    status, found, message = ready(engine.settle(JOB), "Admitted")
    assert (status, found) == ("False", reason)
    assert words in message


def test_what_a_row_has_several_of_is_no_quasi_identifier() -> None:
    columns = [*COLUMNS, {"name": "visits[].ward", "type": "String", "nullable": True}]
    asked = k_anonymity(quasiIdentifiers=["visits[].ward"])
    rules = [*RULES, {"name": "visits[].ward", "keep": {}}]
    world, engine = clinic(privacyModel=asked, columns=rules)
    world.change(SOURCE, spec=dataset_spec(**SUBJECT, format="JSONL"))
    world.change(SOURCE, status=inspected(world, columns=columns))
    _, reason, message = ready(engine.settle(JOB), "Admitted")
    assert reason == "UnsuitableColumn"
    assert "which is in lists" in message


def test_a_tagged_column_that_nobody_can_look_for_need_not_be_named() -> None:
    tagged = [{"name": "income", "tags": ["QuasiIdentifier"]}]
    world, engine = clinic(privacyModel=model(), columns=ruled("income", redact={}))
    world.change(SOURCE, spec=dataset_spec(**SUBJECT, columns=tagged))
    assert ready(engine.settle(JOB), "Admitted")[0] == "True"


def test_tables_of_hierarchies_are_copied_when_the_job_is_admitted() -> None:
    place = {"configMap": {"name": "wards", "key": "wards.csv"}}
    world, engine = clinic(privacyModel=model(hierarchies=[{"name": "ward", "table": place}]))
    world.change(SOURCE, spec=dataset_spec(**SUBJECT))
    _, reason, message = ready(engine.settle(JOB), "Admitted")
    assert reason == "HierarchyMissing"
    assert 'privacyModel, for column "ward", looks for a hierarchy, but ConfigMap' in message
    world.add(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "wards", "namespace": NAMESPACE},
            "data": {"wards.csv": "A;Surgery\n"},
        }
    )
    engine.settle(JOB)
    told = world.objects[config_ref(world.only("Job")["metadata"]["name"])]["data"]["job.json"]
    assert json.loads(told)["privacy"]["tables"] == {"ward": "A;Surgery\n"}


def exposure(**changes: Any) -> Manifest:
    risks = (
        "prosecutorHighest",
        "prosecutorMean",
        "journalistHighest",
        "journalistMean",
        "marketer",
        "atRisk",
        "unique",
    )
    return {
        "classes": 1,
        "smallest": 5,
        "mean": "5.00",
        "largest": 5,
        **dict.fromkeys(risks, "0.2"),
        **changes,
    }


def privacy(**changes: Any) -> Manifest:
    return {
        "k": 3,
        "counted": "Subjects",
        "suppressedRows": 1,
        "suppressedClasses": 1,
        "loss": "0.1",
        "columns": [
            {"name": name, "level": 0, "levels": 2, "generalizedTo": "as masked"}
            for name in ("born", "ward")
        ],
        "before": exposure(smallest=1),
        "after": exposure(),
        "linkageRate": "0.2",
        "note": "",
        **changes,
    }


def ended(section: Manifest | None) -> tuple[Any, tuple[str, str, str]]:
    world, engine = clinic(privacyModel=model())
    world.change(SOURCE, spec=dataset_spec(**SUBJECT))
    engine.settle(JOB)
    given = answer(world)
    if section is not None:
        given["report"]["privacy"] = section
    given["report"] |= {"rows": 3, "written": 2}
    given["output"]["rows"] = 2
    world.succeed(given)
    return world, ready(engine.settle(JOB))


def test_fewer_rows_than_the_source_has_are_published() -> None:
    world, (status, reason, _) = ended(privacy())
    assert (status, reason) == ("True", "Published")
    assert world.objects[OUTPUT]["status"]["rows"] == 2
    assert world.objects[JOB]["status"]["privacy"] == {
        "classes": 1,
        "smallestClass": 5,
        "suppressedRows": 1,
        "loss": "0.1",
        "linkageRate": "0.2",
    }
    name = world.objects[JOB]["status"]["report"]
    stored = json.loads(world.objects[config_ref(name)]["data"]["report.json"])
    assert stored["privacy"]["after"]["smallest"] == 5


@pytest.mark.parametrize(
    ("section", "words"),
    [
        (None, "does not say what became of privacyModel"),
        (privacy(k=4), "another k"),
        (privacy(columns=[]), "other columns"),
        (privacy(after=exposure(smallest=2)), "do not keep to privacyModel"),
        (privacy(suppressedRows=2), "more rows were suppressed"),
    ],
)
def test_what_was_not_asked_is_not_published(section: Manifest | None, words: str) -> None:
    world, (_, reason, message) = ended(section)
    assert reason == "ResultMismatch"
    assert words in message
    assert OUTPUT not in world.objects
