"""Grants and what depends on keys, as a user meets them."""

import json
from collections.abc import Callable

import pytest

from cluster.clinic import Clinic, Manifest, dataset, key_ref, masking_job, resource, vault

pytestmark = pytest.mark.cluster

PEOPLE = "patient,income\n1,15000\n2,55000\n"
RULES = [
    {"name": "patient", "tokenize": {"key": key_ref("tokens")}},
    {"name": "income", "generalize": {"bins": ["0", "20000", "50000"]}},
]


@pytest.fixture(scope="module")
def once(clinic: Clinic) -> Clinic:
    """A vault of which the key for outputs is given to one workload."""
    made = vault("limited")
    for key in made["spec"]["keys"]:
        if key["name"] == "data":
            key["grants"] = [{**key["grants"][0], "name": "once", "maxDeliveries": 1}]
    clinic.apply(made)
    clinic.reason("keyvault", "limited", "KeysReady")
    clinic.put("raw/few.csv", PEOPLE.encode())
    clinic.apply(dataset("few", "raw/few.csv"))
    clinic.reason("dataset", "few", "Inspected")
    return clinic


def job(name: str) -> Manifest:
    made = masking_job(name, "few", RULES)
    made["spec"]["output"]["sealedWith"]["vault"]["name"] = "limited"
    return made


def events(clinic: Clinic, name: str) -> set[str]:
    found = json.loads(clinic.run("get", "events", "-o", "json"))["items"]
    return {e["reason"] for e in found if e["involvedObject"]["name"] == name}


def test_a_grant_for_one_workload_is_given_to_one(once: Clinic) -> None:
    once.apply(job("first-use"))
    once.reason("maskingjob", "first-use", "Published")
    told = once.condition("maskingjob", "first-use", "KeysDelivered")
    assert told["reason"] == "KeysRemoved"
    once.apply(job("second-use"))
    denied = once.reason("maskingjob", "second-use", "KeyNotGranted", "Admitted")
    assert "grant once 1" in denied["message"]
    assert once.items("jobs", "leeward.dev/name=second-use") == []
    once.until("the delivery is an event", lambda: "KeysDelivered" in events(once, "first-use"))
    once.until("the denial is an event", lambda: "KeyNotGranted" in events(once, "second-use"))


def test_what_depends_on_a_key_is_told_and_moves_with_a_rotation(
    once: Clinic, leeward: Callable[..., str]
) -> None:
    once.reason("maskingjob", "first-use", "Published")
    where = ("-n", once.namespace)

    def usage() -> dict[int, int]:
        found = json.loads(leeward("keys", "usage", "limited", "data", *where, "-o", "json"))
        assert [d["name"] for d in found["datasets"]] == ["first-use-out"]
        return {v["version"]: v["artefactKeys"] for v in found["keys"][0]["versions"]}

    once.until("the key of the output is counted", lambda: usage() == {1: 1})
    leeward("keys", "rotate", "limited", "data", *where)
    once.until("it is under the new version", lambda: usage() == {1: 0, 2: 1})
    named = once.get("keyvault", "limited")["status"]["keys"][0]["versions"][0]["dependents"]
    assert named == [
        {
            "kind": "Dataset",
            "namespace": once.namespace,
            "name": "first-use-out",
            "artefactKeys": 1,
        }
    ]


def test_who_may_seal_and_not_open_is_given_the_public_half_only(
    once: Clinic, leeward: Callable[..., str]
) -> None:
    made = vault("drop")
    key = next(key for key in made["spec"]["keys"] if key["name"] == "intake")
    key["grants"] = [
        {"name": "write", "kinds": ["MaskingJob"], "operations": ["Seal"]},
        {"name": "read", "kinds": ["DatasetPreview"], "operations": ["Open"]},
    ]
    once.apply(made)
    once.reason("keyvault", "drop", "KeysReady")
    sealing = job("into-the-drop")
    sealing["spec"]["output"]["sealedWith"] = {"vault": {"name": "drop"}, "key": "intake"}
    once.apply(sealing)
    once.reason("maskingjob", "into-the-drop", "Published")
    where = ("-n", once.namespace, "--purpose", "research", "-o", "json")
    shown = json.loads(leeward("dataset", "preview", "into-the-drop-out", *where))
    assert [row["income"] for row in shown["rows"]] == ["[0, 20000)", ">=50000"]


def test_five_thousand_grants_are_enforced(once: Clinic) -> None:
    """Only the last of 5,120 is for this job; nothing is given by any other."""

    def key(vault_: int, number: int) -> Manifest:
        grants = [
            {
                "name": f"grant-{each}",
                "kinds": ["MaskingJob"],
                "names": [f"job-{vault_}-{number}-{each}"],
                "operations": ["Seal", "Open"],
            }
            for each in range(32)
        ]
        return {"name": f"k{number}", "algorithm": "AES256_GCM", "grants": grants}

    for each in range(5):
        keys = [key(each, number) for number in range(32)]
        once.apply(resource("KeyVault", f"crowd-{each}", {"keys": keys}))
    for each in range(5):
        once.reason("keyvault", f"crowd-{each}", "KeysReady")
        assert len(once.get("keyvault", f"crowd-{each}")["status"]["keys"]) == 32
    for name in ("job-4-31-31", "job-4-31-32"):
        made = masking_job(name, "few", [{"name": "patient", "redact": {}}, RULES[1]])
        made["spec"]["output"]["sealedWith"] = {"vault": {"name": "crowd-4"}, "key": "k31"}
        once.apply(made)
    once.reason("maskingjob", "job-4-31-31", "Published")
    denied = once.reason("maskingjob", "job-4-31-32", "KeyNotGranted", "Admitted")
    assert "k31" in denied["message"]
