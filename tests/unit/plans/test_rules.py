"""Rules that nothing could carry out: refused before a pod starts, and the field is named."""

from __future__ import annotations

from typing import Any

import pytest

from unit.plans.clinic import JOB, RULES, clinic, job_spec
from unit.plans.simulator import ready

PATTERN = {"name": "staff", "entity": "Staff", "pattern": "E-[0-9]{6}"}


def refused(**transform: Any) -> tuple[str, str]:
    """Reason and message where the rule of the last column is this one."""
    world, engine = clinic()
    world.change(JOB, spec=job_spec(columns=[*RULES[:3], {"name": "ward", **transform}]))
    _, reason, message = ready(engine.settle(JOB), "Admitted")
    assert (reason == "Admitted") == bool(world.of_kind("Job"))
    return reason, message


def searching(*patterns: str) -> tuple[str, str]:
    first = PATTERN if patterns else []
    others = [{**PATTERN, "name": f"own-{n}", "pattern": p} for n, p in enumerate(patterns)]
    return refused(freeText={"languages": ["en"], "patterns": [first, *others]})


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        (
            "(ab",
            "does not compile: unclosed group: correct it; it is in the syntax of Rust's regex",
        ),
        ("a(?=b)", "look-around"),
        (r"(a)\1", "backreferences are not supported"),
        (r"(\w{100}){100}", "is too large when compiled: make counts smaller"),
        ("[0-9]*", "matches the empty text, so it would match everywhere: let it need a character"),
    ],
)
def test_pattern_that_the_pod_could_not_search_names_its_field(pattern: str, told: str) -> None:
    reason, message = searching(pattern)
    assert reason == "PatternInvalid"
    assert message.startswith('spec.columns[3].freeText.patterns[1].pattern ("own-0") ')
    assert told in message
    assert "delete it and create it again" in message


def test_patterns_in_the_syntax_of_the_pod_are_taken() -> None:
    own = (r"\bE[0-9]{12}\b", r"[\p{L}--\p{Han}]+", "(?i)ward [a-z]", r"(?-u:\b)x")
    assert searching(*own)[0] == "Admitted"


def test_patterns_that_would_hold_the_operator_up_are_refused() -> None:
    world, engine = clinic()
    notes = []
    for column in ("patient", "ward", "other"):
        own = [{**PATTERN, "name": f"p{n}", "pattern": f"{column}{n}"} for n in range(16)]
        notes.append({"name": column, "freeText": {"languages": ["en"], "patterns": own}})
    world.change(JOB, spec=job_spec(columns=[*RULES[1:3], *notes]))
    _, reason, message = ready(engine.settle(JOB), "Admitted")
    assert reason == "TooManyPatterns"
    assert "48 different patterns, and a job may have 32" in message


@pytest.mark.parametrize(
    ("transform", "told"),
    [
        ({"topBottomCode": {"top": "2026-02-30"}}, "a border is a date that does not exist"),
        (
            {"freeText": {"languages": ["en", "en"]}},
            "freeText names one of its languages twice: remove it from languages",
        ),
    ],
)
def test_parameters_that_do_not_go_together_are_refused(
    transform: dict[str, Any], told: str
) -> None:
    reason, message = refused(**transform)
    assert reason == "RuleInvalid"
    assert message.startswith(f'spec.columns[3] (rule "ward"): {told}')
