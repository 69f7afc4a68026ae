"""A MaskingJob with spec.privacyModel: what is refused, what is published, and an attack on it."""

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta

import pytest

from cluster.clinic import Clinic, Manifest, dataset, masking_job

pytestmark = pytest.mark.cluster

RunKubectl = Callable[..., "subprocess.CompletedProcess[str]"]

BORN = date(1950, 1, 1)
PEOPLE = [
    {
        "who": f"p{row // 2}",
        "born": str(BORN + timedelta(days=190 * (row // 2))),
        "post": f"1{row // 2 % 4}{row // 2 % 3}15",
        "ill": ("flu", "cold", "gout")[row % 3],
        "row": str(row),
    }
    for row in range(80)
]
"""40 people with two rows each, of whom nobody else has the date of birth."""
RULES: list[Manifest] = [
    {"name": "born", "generalize": {"dateTo": "Month"}},
    {"name": "rest", "match": {"names": ["post", "ill", "row"]}, "keep": {}},
]
POSTS = "".join(f"1{a}{b}15;1{a}***;*****\n" for a in range(4) for b in range(3))
PLACE = {"configMap": {"name": "posts", "key": "posts.csv"}}
QUASI = ("born", "post")
K = 4


def model(**changes: object) -> Manifest:
    anonymity = {"k": K, "quasiIdentifiers": list(QUASI), "maxSuppression": "0.1"}
    return {
        "kAnonymity": anonymity | changes,
        "lDiversity": {"l": 2, "column": "ill"},
        "hierarchies": [{"name": "post", "table": PLACE}],
    }


def job(name: str, privacy: Manifest, **changes: object) -> Manifest:
    return masking_job(name, "people", RULES, defaultAction="Drop", privacyModel=privacy, **changes)


@pytest.fixture(scope="module")
def people(clinic: Clinic) -> Clinic:
    lines = [",".join(PEOPLE[0]), *(",".join(person.values()) for person in PEOPLE)]
    clinic.put("raw/people.csv", "\n".join(lines).encode())
    clinic.apply(
        dataset("people", "raw/people.csv", subjectColumn="who"),
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "posts"},
            "data": {"posts.csv": POSTS},
        },
    )
    clinic.reason("dataset", "people", "Inspected")
    return clinic


def attack(rows: Sequence[dict[str, str]]) -> float:
    """Share of all people whom one guess each finds, of those who are alike in the output."""
    who = {person["row"]: person["who"] for person in PEOPLE}
    seen = {((row["born"], row["post"]), who[row["row"]]) for row in rows}
    alike = Counter(combination for combination, _ in seen)
    assert min(alike.values()) >= K
    return sum(1 / alike[combination] for combination, _ in seen) / len(PEOPLE) * 2


def test_what_is_published_keeps_to_it_and_says_what_an_attack_finds(
    people: Clinic, leeward: Callable[..., str]
) -> None:
    people.apply(job("anonymous", model(), parallelism=2))
    people.reason("maskingjob", "anonymous", "Published")
    status = people.get("maskingjob", "anonymous")["status"]
    report = json.loads(people.get("configmap", status["report"])["data"]["report.json"])
    privacy = report["privacy"]
    assert privacy["before"]["smallest"] == 1
    assert privacy["after"]["smallest"] >= K
    assert "heuristic" in privacy["note"]
    assert {column["name"]: column["generalizedTo"] for column in privacy["columns"]}["post"] in (
        *("as masked", "level 1", "level 2"),
    )
    assert status["privacy"]["smallestClass"] == privacy["after"]["smallest"]
    output = people.get("dataset", "anonymous-out")["status"]
    assert output["rows"] == status["output"]["rows"] == 80 - privacy["suppressedRows"]

    arguments = ("-n", people.namespace, "--purpose", "research", "--rows", "100", "-o", "json")
    rows = json.loads(leeward("dataset", "preview", "anonymous-out", *arguments))["rows"]
    assert len(rows) == output["rows"]
    assert float(privacy["linkageRate"]) == pytest.approx(attack(rows), abs=1e-5)


def test_more_than_there_are_cannot_be_hidden(people: Clinic) -> None:
    people.apply(job("too-few", model(k=41)))
    failed = people.reason("maskingjob", "too-few", "PrivacyModelUnmet")
    assert "kAnonymity.k = 41, but the data has 40 people" in failed["message"]
    assert not people.get("dataset", "too-few-out")
    assert not any("too-few" in path for path in people.files())


def test_what_cannot_be_counted_is_not_admitted(people: Clinic) -> None:
    people.apply(job("unknown", model(quasiIdentifiers=["post", "age"])))
    refused = people.reason("maskingjob", "unknown", "ColumnMissing", "Admitted")
    assert 'no column "age", which spec.privacyModel names' in refused["message"]


BAD: dict[str, tuple[Manifest, list[str]]] = {
    "one person": (model(k=1), ["privacyModel.kAnonymity.k", "greater than or equal to 2"]),
    "a name twice": (
        model(quasiIdentifiers=["born", "born"]),
        ["kAnonymity.quasiIdentifiers", "named twice: name each column once"],
    ),
    "all rows left out": (
        model(maxSuppression="1"),
        ["kAnonymity.maxSuppression", "must be a share from 0, below 1"],
    ),
    "sensitive and known": (
        model() | {"lDiversity": {"l": 2, "column": "post"}},
        ["privacyModel.lDiversity", "is a quasi-identifier, too: remove it from one"],
    ),
    "a distance without a hierarchy": (
        model() | {"tCloseness": {"t": "0.2", "column": "ill", "distance": "Hierarchical"}},
        ["privacyModel.tCloseness", "needs an entry in hierarchies"],
    ),
    "a hierarchy of no effect": (
        model() | {"hierarchies": [{"name": "ill", "table": PLACE}]},
        ["privacyModel.hierarchies", "has no effect"],
    ),
    "a hierarchy of two kinds": (
        model() | {"hierarchies": [{"name": "post", "prefixes": [1], "widths": ["5"]}]},
        ["privacyModel.hierarchies[0]", "exactly one of prefixes, dateUnits, widths, table"],
    ),
    "a weight of no effect": (
        model() | {"weights": [{"name": "ill", "weight": "2"}]},
        ["privacyModel.weights", "has no effect"],
    ),
    "prefixes that grow": (
        model() | {"hierarchies": [{"name": "post", "prefixes": [1, 2]}]},
        ["hierarchies[0].prefixes", "prefixes must fall: write 3, 2, 1"],
    ),
}


@pytest.mark.parametrize(("privacy", "words"), BAD.values(), ids=BAD.keys())
def test_refused_at_apply(
    run_kubectl: RunKubectl, namespace: str, privacy: Manifest, words: list[str]
) -> None:
    text = json.dumps(job("bad", privacy))
    done = run_kubectl("-n", namespace, "apply", "--dry-run=server", "-f", "-", stdin=text)
    assert done.returncode != 0
    assert all(word in done.stderr for word in words), done.stderr


def test_it_cannot_be_taken_away(run_kubectl: RunKubectl, people: Clinic) -> None:
    people.apply(job("fixed", model(), suspend=True))
    bare = masking_job("fixed", "people", RULES, defaultAction="Drop", suspend=True)
    done = run_kubectl("-n", people.namespace, "replace", "-f", "-", stdin=json.dumps(bare))
    assert "privacyModel cannot be added or removed" in done.stderr
