"""Rules that find their columns: what ``kubectl apply`` refuses, and a job from end to end."""

import json
import subprocess
from collections.abc import Callable

import pytest

from cluster.clinic import Clinic, Manifest, dataset, key_ref, masking_job

pytestmark = pytest.mark.cluster

RunKubectl = Callable[..., "subprocess.CompletedProcess[str]"]
PEOPLE = (
    "patient,name,mail,born,seen,ward\n"
    "1,Zebulon Quackenbush,zq@clinic.example,1950-02-03,2024-05-06,A\n"
    "2,Ottoline Featherstone,of@clinic.example,1961-04-05,2024-05-07,B\n"
    "1,Zebulon Quackenbush,zq@clinic.example,1950-02-03,2024-06-06,A\n"
)
TAGS = [{"name": "born", "tags": ["QuasiIdentifier"]}]


def matching(**match: object) -> Manifest:
    return masking_job("job", "admissions", [{"name": "some", "match": match, "redact": {}}])


def conditional(when: Manifest, **other: object) -> Manifest:
    return masking_job("job", "admissions", [{"name": "ward", "when": when, **other}])


AGE = {"column": "age", "lessThan": "18"}
BAD: dict[str, tuple[Manifest, list[str]]] = {
    "match of nothing": (matching(), ["match", "match needs names alone, or one or more of"]),
    "names and a tag": (
        matching(names=["a"], tag="Sensitive"),
        ["match needs names alone, or one or more of pattern, tag, type, detected"],
    ),
    "pattern that is none": (matching(pattern="("), ["match.pattern", "error parsing regexp"]),
    "pattern that looks ahead": (matching(pattern="(?=a)"), ["match.pattern", "invalid"]),
    "condition without the other case": (
        conditional(AGE, redact={}),
        ["spec.columns[0].when", "when and otherwise go together: say what becomes of the value"],
    ),
    "condition that says nothing": (
        conditional({"column": "age"}, redact={}, otherwise={"keep": {}}),
        ["spec.columns[0].when", "when says nothing of the column: give it one or more of equals"],
    ),
    "two other cases": (
        conditional(AGE, redact={}, otherwise={"keep": {}, "redact": {}}),
        ["spec.columns[0].otherwise", "otherwise needs exactly one of keep, redact, replace"],
    ),
    "other case that does not exist": (
        conditional(AGE, redact={}, otherwise={"hash": {}}),
        ['unknown field "spec.columns[0].otherwise.hash"'],
    ),
    "condition of what is kept": (
        conditional(AGE, keep={}, otherwise={"redact": {}}),
        ["spec.columns[0].when", "keep, drop and shuffle have no when"],
    ),
    "border that is none": (
        conditional({"column": "age", "atMost": "old"}, redact={}, otherwise={"keep": {}}),
        ["spec.columns[0].when.atMost", 'must be a decimal number, as "90"'],
    ),
    "pattern that grows beyond measure": (
        matching(pattern=r"((\w{9}){9}){9}"),
        ["match.pattern", "counts as {3} are of a single character or a [class], and at most 9"],
    ),
    "too many patterns": (
        masking_job(
            "job",
            "admissions",
            [{"name": f"r{n}", "match": {"pattern": f"a{n}"}, "drop": {}} for n in range(33)],
        ),
        ["spec.columns", "at most 32 rules can have a pattern: join some with |"],
    ),
    "tag that does not exist": (matching(tag="Secret"), ["match.tag", "Unsupported value"]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_rules_are_refused(run_kubectl: RunKubectl, namespace: str, name: str) -> None:
    manifest, messages = BAD[name]
    done = run_kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(manifest))
    assert done.returncode != 0
    assert [message for message in messages if message not in done.stderr] == [], done.stderr


@pytest.fixture(scope="module")
def people(clinic: Clinic) -> Clinic:
    clinic.put("raw/found.csv", PEOPLE.encode())
    clinic.apply(dataset("found", "raw/found.csv", columns=TAGS))
    clinic.reason("dataset", "found", "Inspected")
    return clinic


def test_columns_are_found_by_tag_type_pattern_and_content(
    people: Clinic, leeward: Callable[..., str]
) -> None:
    found = {
        c["name"]: c.get("detected") for c in people.get("dataset", "found")["status"]["columns"]
    }
    assert found["mail"] == "Mail"
    assert found["name"] == "Person"
    rules: list[Manifest] = [
        {"name": "mails", "match": {"detected": "Mail"}, "tokenize": {"key": key_ref("tokens")}},
        {"name": "quasi", "match": {"tag": "QuasiIdentifier"}, "generalize": {"dateTo": "Decade"}},
        {
            "name": "names",
            "match": {"pattern": "(?i).*NAME"},
            "fake": {
                "kind": "Name",
                "locale": "fr_FR",
                "subject": "patient",
                "key": key_ref("tokens"),
            },
        },
        {
            "name": "seen",
            "when": {"column": "ward", "noneOf": ["B"]},
            "generalize": {"dateTo": "Month"},
            "otherwise": {"redact": {}},
        },
        {"name": "rest", "match": {"type": "String", "pattern": "ward"}, "keep": {}},
        {"name": "patient", "drop": {}},
    ]
    people.apply(masking_job("found", "found", rules))
    people.reason("maskingjob", "found", "Published")
    selected = people.get("maskingjob", "found")["status"]["admission"]["selected"]
    assert {"rule": "quasi", "columns": ["born"]} in selected
    arguments = ("-n", people.namespace, "--purpose", "research", "--rows", "3", "-o", "json")
    first, second, third = json.loads(leeward("dataset", "preview", "found-out", *arguments))[
        "rows"
    ]
    assert first["mail"] == third["mail"] != second["mail"]
    assert (first["born"], first["seen"], first["ward"]) == ("1950-01-01", "2024-05-01", "A")
    assert second["seen"] is None
    assert first["name"] == third["name"] != second["name"]
    assert "Quackenbush" not in first["name"]


def test_rules_that_clash_are_told(people: Clinic) -> None:
    rules: list[Manifest] = [
        {"name": "dates", "match": {"type": "Date"}, "redact": {}},
        {"name": "quasi", "match": {"tag": "QuasiIdentifier"}, "drop": {}},
    ]
    people.apply(masking_job("clash", "found", rules, defaultAction="Drop"))
    condition = people.reason("maskingjob", "clash", "RulesClash", "Admitted")
    assert 'column "born"' in condition["message"]
    people.delete("maskingjob", "clash")
