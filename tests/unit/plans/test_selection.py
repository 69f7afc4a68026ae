"""Rules that match columns by what is known of them: which they get, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.formats.jobconfig import MaskingConfig, parse_job_config
from leeward.plans.shared.model import Manifest
from unit.plans.clinic import (
    COLUMNS,
    JOB,
    SOURCE,
    answer,
    clinic,
    config_ref,
    dataset_spec,
    inspected,
    started,
)
from unit.plans.simulator import Engine, ready
from unit.plans.world import World

TAGS = [
    {"name": "patient", "tags": ["DirectIdentifier"]},
    {"name": "born", "tags": ["QuasiIdentifier"]},
    {"name": "ward", "tags": ["QuasiIdentifier", "Sensitive"]},
]
KEEP = {"name": "income", "keep": {}}


def matched(name: str, transform: str = "redact", **match: Any) -> Manifest:
    return {"name": name, "match": match, transform: {}}


def setting(*rules: Manifest, **spec: Any) -> tuple[World, Engine]:
    world, engine = clinic(columns=list(rules), **spec)
    seen = [
        column | ({"detected": "Person"} if column["name"] == "patient" else {})
        for column in COLUMNS
    ]
    world.change(SOURCE, spec=dataset_spec(columns=TAGS), status=inspected(world, columns=seen))
    return world, engine


def told(*rules: Manifest, **spec: Any) -> dict[str, list[str]]:
    """The columns of each rule, as the pod is told."""
    world, engine = setting(*rules, **spec)
    admission = engine.settle(JOB)["admission"]
    stored = world.objects[config_ref(admission["jobName"])]
    config = parse_job_config(stored["data"]["job.json"].encode())
    assert isinstance(config, MaskingConfig)
    return {rule.rule.name: rule.columns for rule in config.rules}


@pytest.mark.parametrize(
    ("match", "columns"),
    [
        ({"tag": "QuasiIdentifier"}, ["born", "ward"]),
        ({"tag": "QuasiIdentifier", "type": "Date"}, ["born"]),
        ({"type": "String"}, ["patient", "ward"]),
        ({"pattern": "(?i)WA.*|b[a-z]{3}"}, ["born", "ward"]),
        ({"detected": "Person"}, ["patient"]),
        ({"detected": "Person", "pattern": ".*"}, ["patient"]),
    ],
)
def test_columns_are_found_by_what_is_known_of_them(
    match: dict[str, str], columns: list[str]
) -> None:
    assert told(matched("found", **match), defaultAction="Drop")["found"] == columns


def test_a_pattern_is_of_the_whole_name() -> None:
    _, engine = setting(matched("found", pattern="war"), defaultAction="Drop")
    assert ready(engine.settle(JOB), "Admitted")[1] == "MatchesNothing"


def test_a_rule_that_names_a_column_comes_first() -> None:
    rules = [
        matched("texts", type="String"),
        {"name": "ward", "keep": {}},
        {"name": "rest", "match": {"names": ["income", "born"]}, "keep": {}},
    ]
    assert told(*rules) == {
        "texts": ["patient"],
        "ward": ["ward"],
        "rest": ["income", "born"],
    }


def denied(*rules: Manifest, **spec: Any) -> tuple[str, str]:
    _, engine = setting(*rules, **spec)
    _, reason, message = ready(engine.settle(JOB), "Admitted")
    return reason, message


def test_two_rules_that_fit_one_column_clash() -> None:
    rules = [matched("texts", type="String"), matched("quasi", tag="QuasiIdentifier")]
    reason, message = denied(*rules, KEEP)
    assert reason == "RulesClash"
    assert 'column "ward" of Dataset people fits 2 rules' in message
    assert '"texts" (type String), "quasi" (tag QuasiIdentifier)' in message
    assert "give it a rule of its own, which comes before those, or narrow one" in message


def test_a_rule_that_fits_nothing_is_refused() -> None:
    reason, message = denied(matched("mail", detected="Mail"), defaultAction="Drop")
    assert reason == "MatchesNothing"
    assert 'rule "mail" fits no column of Dataset people (detected Mail)' in message


def test_a_rule_of_which_all_columns_are_named_is_refused() -> None:
    reason, message = denied(
        matched("dates", type="Date"), {"name": "born", "redact": {}}, defaultAction="Drop"
    )
    assert reason == "MatchesNothing"
    assert 'stands for no column: all that fit it ("born") are named by other rules' in message


def test_what_is_matched_is_checked_like_what_is_named() -> None:
    reason, message = denied(
        {"name": "all", "match": {"pattern": ".*"}, "timePart": {"part": "Year"}}
    )
    assert reason == "UnsuitableColumn"
    assert 'column "patient"' in message
    reason, message = denied(matched("all", "keep", pattern=".*"))
    assert reason == "IdentifierKept"


def test_what_was_matched_is_frozen_and_the_answer_is_held_to_it() -> None:
    world, engine = setting(
        matched("texts", "drop", type="String"), KEEP, matched("dates", type="Date")
    )
    status = engine.settle(JOB)
    assert status["admission"]["selected"] == [
        {"rule": "texts", "columns": ["patient", "ward"]},
        {"rule": "dates", "columns": ["born"]},
    ]
    world.change(SOURCE, status=inspected(world, columns=[]))
    world.succeed(answer(world))
    assert ready(engine.settle(JOB))[1] == "ResultMismatch"


def test_rules_that_name_their_columns_leave_nothing_in_the_admission() -> None:
    world, _ = started()
    assert "selected" not in world.objects[JOB]["status"]["admission"]
