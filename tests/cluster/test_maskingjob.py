"""MaskingJob from manifest to masked, sealed Dataset, and what can come between."""

import base64
import json
from collections.abc import Callable

import pytest

from cluster.clinic import Clinic, Kubectl, Manifest, dataset, key_ref, masking_job

pytestmark = pytest.mark.cluster

PEOPLE = (
    "patient,name,mail,phone,born,seen,income,ward\n"
    "1,Zebulon Quackenbush,zq@clinic.example,5550001111,1950-02-03,2024-05-06,15000,A\n"
    "2,Ottoline Featherstone,of@clinic.example,5550002222,1961-04-05,2024-05-07,55000,B\n"
    "1,Zebulon Quackenbush,zq@clinic.example,5550001111,1950-02-03,2024-06-06,15000,A\n"
)
PLANTED_NAME = "Zebulon Quackenbush"
PLANTED = ("Zebulon", "Featherstone", "zq@clinic.example", "5550001111")
RULES: list[Manifest] = [
    {"name": "patient", "tokenize": {"key": key_ref("tokens")}},
    {"name": "name", "redact": {}},
    {"name": "mail", "hash": {"key": key_ref("pseudonyms"), "length": 32}},
    {"name": "phone", "partialMask": {"keepLast": 4}},
    {"name": "born", "generalize": {"dateTo": "Year"}},
    {"name": "seen", "dateShift": {"subject": "patient", "maxDays": 30, "key": key_ref("tokens")}},
    {"name": "income", "generalize": {"bins": ["0", "20000", "50000"]}},
    {"name": "rest", "match": {"names": ["ward"]}, "keep": {}},
]


@pytest.fixture(scope="module")
def people(clinic: Clinic) -> Clinic:
    clinic.put("raw/people.csv", PEOPLE.encode())
    clinic.apply(dataset("people", "raw/people.csv"))
    clinic.reason("dataset", "people", "Inspected")
    return clinic


def artefact_keys(kubectl: Kubectl, job_uid: str) -> list[str]:
    secrets = kubectl("-n", "leeward-system", "get", "secrets", "-o", "json").stdout
    return [
        item["metadata"]["name"]
        for item in json.loads(secrets)["items"]
        if item["metadata"]["name"].startswith("artefact-") and job_uid in json.dumps(item)
    ]


def test_masked_copy_appears_sealed_and_complete(
    people: Clinic, leeward: Callable[..., str]
) -> None:
    people.apply(masking_job("whole", "people", RULES))
    done = people.reason("maskingjob", "whole", "Published")
    assert done["status"] == "True"
    job = people.get("maskingjob", "whole")["status"]
    assert job["progress"]["percent"] == "100%"
    assert {t["transform"]: t["columns"] for t in job["transforms"]}["generalize"] == 2
    output = people.get("dataset", "whole-out")
    assert output["status"]["rows"] == 3
    assert output["status"]["sealed"] is True
    assert output["status"]["producedBy"]["name"] == "whole"
    report = json.loads(people.get("configmap", job["report"])["data"]["report.json"])
    assert {c["name"] for c in report["columns"]} == set(PEOPLE.splitlines()[0].split(","))

    shown = json.loads(
        leeward(
            *("dataset", "preview", "whole-out", "-n", people.namespace),
            *("--purpose", "research", "--rows", "3", "-o", "json"),
        )
    )
    rows = shown["rows"]
    assert rows[0]["patient"] == rows[2]["patient"] != rows[1]["patient"]
    assert rows[0]["name"] is None
    assert rows[0]["phone"] == "******1111"
    assert rows[0]["born"].startswith("1950")
    assert rows[0]["income"] == "[0, 20000)"
    assert rows[0]["ward"] == "A"
    assert not any(value in json.dumps(rows) for value in PLANTED[:3])


def test_numbers_and_dates_and_what_the_report_says_of_noise(
    people: Clinic, leeward: Callable[..., str]
) -> None:
    rules: list[Manifest] = [
        {"name": "patient", "randomMask": {"range": {"lower": "100", "upper": "999"}}},
        {"name": "name", "randomMask": {"suppress": "1"}},
        {"name": "born", "topBottomCode": {"bottom": "1955-01-01"}},
        {"name": "seen", "timePart": {"part": "Month"}},
        {"name": "income", "noise": {"scale": "500", "roundTo": "100", "lower": "0"}},
    ]
    people.apply(masking_job("values", "people", rules, defaultAction="Drop"))
    people.reason("maskingjob", "values", "Published")
    stored = people.get("maskingjob", "values")["status"]["report"]
    report = json.loads(people.get("configmap", stored)["data"]["report.json"])
    (noted,) = [column for column in report["columns"] if "note" in column]
    assert noted["name"] == "income"
    assert "no differential privacy" in noted["note"]
    arguments = ("-n", people.namespace, "--purpose", "research", "--rows", "3", "-o", "json")
    shown = json.loads(leeward("dataset", "preview", "values-out", *arguments))
    assert all(100 <= int(row["patient"]) <= 999 for row in shown["rows"])
    assert [row["name"] for row in shown["rows"]] == [None] * 3
    assert [row["born"] for row in shown["rows"]] == ["1955-01-01", "1961-04-05", "1955-01-01"]
    assert [row["seen"] for row in shown["rows"]] == ["5", "5", "6"]
    assert {int(row["income"]) % 100 for row in shown["rows"]} == {0}


def test_what_needs_all_rows_is_found_by_a_reading_of_its_own(
    people: Clinic, leeward: Callable[..., str]
) -> None:
    rules: list[Manifest] = [
        {"name": "phone", "generalize": {"quantiles": 3}},
        {"name": "income", "shuffle": {}},
        {"name": "mail", "randomMask": {"distribution": {"minRows": 2}}},
        {"name": "name", "shuffle": {"within": ["ward"], "unsuitable": "Redact"}},
    ]
    people.apply(masking_job("gathered", "people", rules, defaultAction="Drop"))
    people.reason("maskingjob", "gathered", "Published")
    assert people.get("maskingjob", "gathered")["status"]["progress"]["percent"] == "100%"
    arguments = ("-n", people.namespace, "--purpose", "research", "--rows", "3", "-o", "json")
    shown = json.loads(leeward("dataset", "preview", "gathered-out", *arguments))
    assert [row["phone"] for row in shown["rows"]] == [
        "<5550002222",
        ">=5550002222",
        "<5550002222",
    ]
    assert sorted(row["income"] for row in shown["rows"]) == ["15000", "15000", "55000"]
    assert [row["mail"] for row in shown["rows"]] == ["zq@clinic.example"] * 3
    assert [row["name"] for row in shown["rows"]] == [PLANTED_NAME, None, PLANTED_NAME]


def test_a_hierarchy_is_awaited_and_applied(people: Clinic, leeward: Callable[..., str]) -> None:
    place = {"configMap": {"name": "wards", "key": "wards.csv"}, "level": 1}
    rules: list[Manifest] = [{"name": "ward", "generalize": {"hierarchy": place}}]
    people.apply(masking_job("grouped", "people", rules, defaultAction="Drop"))
    missing = people.reason("maskingjob", "grouped", "HierarchyMissing", "Admitted")
    assert "create configmap wards --from-file=wards.csv" in missing["message"]
    metadata = {"name": "wards"}
    table = {"wards.csv": "A;Surgery\nB;Medicine\n"}
    people.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": table})
    people.reason("maskingjob", "grouped", "Published")
    arguments = ("-n", people.namespace, "--purpose", "research", "--rows", "3", "-o", "json")
    shown = json.loads(leeward("dataset", "preview", "grouped-out", *arguments))
    assert [row["ward"] for row in shown["rows"]] == ["Surgery", "Medicine", "Surgery"]


def test_nothing_readable_is_on_the_volume(people: Clinic) -> None:
    people.reason("maskingjob", "whole", "Published")
    output, report = [path for path in people.files() if path.startswith("/data/masked/whole")]
    assert report == output.replace(".lwe1", ".report.lwe1")
    for path in (output, report):
        text = base64.b64decode(people.run("exec", "loader", "--", "base64", path))
        assert text[:8] == b"LWE1SLOT"
        assert not any(word in text for word in (b"Zebulon", b"patient", b"PAR1", b"1111"))


def test_keys_of_a_finished_job_are_taken_away(people: Clinic) -> None:
    people.reason("maskingjob", "whole", "Published")
    secret = people.get("maskingjob", "whole")["status"]["admission"]["secret"]
    people.until("its Secret is gone", lambda: not people.get("secret", secret), timeout=20)


def test_finished_job_never_runs_again(people: Clinic) -> None:
    people.reason("maskingjob", "whole", "Published")
    admission = people.get("maskingjob", "whole")["status"]["admission"]
    people.delete("job", admission["jobName"])
    people.run("annotate", "maskingjob", "whole", "example.org/touch=1", "--overwrite")
    people.apply(masking_job("whole-twice", "people", RULES[:1], defaultAction="Drop"))
    people.reason("maskingjob", "whole-twice", "Published")  # the operator has gone round
    assert people.get("job", admission["jobName"]) == {}
    assert people.condition("maskingjob", "whole")["reason"] == "Published"


def test_waits_for_what_is_missing_and_then_goes_on(people: Clinic) -> None:
    people.put("raw/late.csv", PEOPLE.encode())
    people.apply(masking_job("early", "late", RULES))
    missing = people.reason("maskingjob", "early", "SourceMissing", "Admitted")
    assert "late" in missing["message"]
    assert people.items("jobs", "leeward.dev/name=early") == []
    people.apply(dataset("late", "raw/late.csv"))
    people.reason("maskingjob", "early", "Published")


@pytest.mark.parametrize(
    ("name", "changes", "rules", "reason", "told"),
    [
        ("no-rule", {}, RULES[:-1], "ColumnWithoutRule", "ward"),
        ("no-column", {}, [*RULES, {"name": "nope", "drop": {}}], "ColumnMissing", "nope"),
        ("no-grant", {"purpose": "marketing"}, RULES, "NotGranted", "marketing"),
    ],
)
def test_is_not_admitted(
    people: Clinic,
    name: str,
    changes: Manifest,
    rules: list[Manifest],
    reason: str,
    told: str,
) -> None:
    people.apply(masking_job(name, "people", rules, **changes))
    condition = people.reason("maskingjob", name, reason, "Admitted")
    assert condition["status"] == "False"
    assert told in condition["message"]
    assert people.items("jobs", f"leeward.dev/name={name}") == []
    people.delete("maskingjob", name)


def test_job_deleted_while_it_runs_leaves_nothing(people: Clinic, kubectl: Kubectl) -> None:
    people.apply(masking_job("gone", "people", RULES, podTemplate={"nodeSelector": {"no": "node"}}))
    people.until("its pod waits", lambda: people.items("pods", "leeward.dev/name=gone"))
    uid = people.get("maskingjob", "gone")["metadata"]["uid"]
    assert artefact_keys(kubectl, uid)
    people.delete("maskingjob", "gone")
    people.until("its key is shredded", lambda: not artefact_keys(kubectl, uid), timeout=120)
    people.until(
        "its Job is gone",
        lambda: not people.items("jobs", "leeward.dev/name=gone,leeward.dev/role=masking"),
    )
    assert people.get("dataset", "gone-out") == {}
    assert not [path for path in people.files() if uid in path]


def test_child_edited_or_deleted_by_hand_is_put_back(people: Clinic) -> None:
    people.apply(masking_job("kept", "people", RULES, podTemplate={"nodeSelector": {"no": "node"}}))
    people.until("its pod waits", lambda: people.items("pods", "leeward.dev/name=kept"))
    policy = people.get("networkpolicy", "mj-kept")
    people.run(
        *("patch", "networkpolicy", "mj-kept", "--type=merge"),
        *("-p", json.dumps({"spec": {"ingress": [{}], "egress": [{}]}})),
    )
    people.until(
        "the policy is as it was",
        lambda: people.get("networkpolicy", "mj-kept")["spec"] == policy["spec"],
    )
    people.delete("networkpolicy", "mj-kept")
    people.until("the policy is back", lambda: people.get("networkpolicy", "mj-kept"))
    people.delete("maskingjob", "kept")
