"""direction Unmask: from tokens back to what they stand for, and who may."""

import json
import subprocess
from collections.abc import Callable

import pytest

from cluster.clinic import Clinic, Manifest, dataset, masking_job, resource

pytestmark = pytest.mark.cluster

RunKubectl = Callable[..., "subprocess.CompletedProcess[str]"]
PEOPLE = "patient,card,ward\nP1,4111111111111111,A\nP2,5500000000000004,B\nP1,4111111111111111,A\n"
REASON = "audit request 2027-114"
OUTPUT_KEY = {"vault": {"name": "unmasking"}, "key": "data"}


def key(name: str, algorithm: str, *operations: str) -> Manifest:
    kinds = ["MaskingJob", "DatasetPreview"] if "Open" in operations else ["MaskingJob"]
    grants = [{"name": "work", "kinds": kinds, "operations": list(operations)}]
    return {"name": name, "algorithm": algorithm, "grants": grants}


def ref(name: str) -> Manifest:
    return {"vault": {"name": "unmasking"}, "key": name}


TOKENS: Manifest = {"name": "patient", "tokenize": {"key": ref("tokens"), "scope": "Dataset"}}
CARDS: Manifest = {
    "name": "card",
    "formatPreserving": {"key": ref("cards"), "alphabet": "Digits", "checkDigit": "Luhn"},
}


def undoing(name: str, columns: list[Manifest], **changes: object) -> Manifest:
    made = masking_job(name, "cards-out", columns, direction="Unmask", reason=REASON)
    made["spec"]["output"]["sealedWith"] = OUTPUT_KEY
    made["spec"] |= changes if "tokens" in changes else {"defaultAction": "Keep"} | changes
    return made


BAD: dict[str, tuple[Manifest, list[str]]] = {
    "no reason": (
        undoing("job", [TOKENS], reason=None),
        ["spec.reason", "direction Unmask leads back to people: say why in reason"],
    ),
    "reason of a masking": (
        undoing("job", [TOKENS], direction="Mask"),
        ["spec.direction", "reason and tokens are for direction Unmask: remove them"],
    ),
    "what leads nowhere": (
        undoing("job", [TOKENS, {"name": "card", "redact": {}}]),
        ["spec.columns", "direction Unmask needs a rule with tokenize, encrypt, formatPreserving"],
    ),
    "nothing that leads back": (
        undoing("job", [{"name": "card", "keep": {}}]),
        ["spec.columns", "direction Unmask needs a rule with"],
    ),
    "no tokens": (
        undoing("job", [TOKENS], tokens=[]),
        ["spec.tokens", "tokens is an empty list"],
    ),
    "tokens of two rules": (
        undoing("job", [TOKENS, CARDS], tokens=["a"]),
        ["spec.columns", "tokens are led back by one rule"],
    ),
    "default action beside tokens": (
        undoing("job", [TOKENS], tokens=["a"], defaultAction="Keep"),
        ["spec.defaultAction", "no column of the source: remove defaultAction"],
    ),
    "key that leads nowhere": (
        resource("KeyVault", "v", {"keys": [key("k", "HMAC_SHA256", "Mask", "Unmask")]}),
        ["spec.keys[0].grants", "HMAC_SHA256 can be granted for Mask only"],
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_manifests_are_refused(run_kubectl: RunKubectl, namespace: str, name: str) -> None:
    manifest, messages = BAD[name]
    done = run_kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(manifest))
    assert done.returncode != 0
    assert [message for message in messages if message not in done.stderr] == [], done.stderr


@pytest.fixture(scope="module")
def people(clinic: Clinic) -> Clinic:
    """A masked Dataset, and leave to lead its tokens back, though not its cards."""
    keys = [
        key("data", "AES256_GCM", "Seal", "Open"),
        key("tokens", "AES256_SIV", "Mask", "Unmask"),
        key("cards", "FF1_AES256", "Mask"),
    ]
    clinic.apply(resource("KeyVault", "unmasking", {"keys": keys}))
    clinic.put("raw/cards.csv", PEOPLE.encode())
    clinic.apply(dataset("cards", "raw/cards.csv"))
    job = masking_job("cards", "cards", [TOKENS, CARDS, {"name": "ward", "keep": {}}])
    job["spec"]["output"]["sealedWith"] = OUTPUT_KEY
    clinic.apply(job)
    clinic.reason("maskingjob", "cards", "Published")
    return clinic


def rows(people: Clinic, leeward: Callable[..., str], name: str) -> list[dict[str, str | None]]:
    arguments = ("-n", people.namespace, "--purpose", "research", "--rows", "3", "-o", "json")
    found: list[dict[str, str | None]] = json.loads(
        leeward("dataset", "preview", name, *arguments)
    )["rows"]
    return found


def test_a_dataset_is_led_back_and_an_event_says_so(
    people: Clinic, leeward: Callable[..., str]
) -> None:
    people.apply(undoing("back", [TOKENS]))
    people.reason("maskingjob", "back", "Published")
    led_back = rows(people, leeward, "back-out")
    assert [row["patient"] for row in led_back] == ["P1", "P2", "P1"]
    assert [row["card"] for row in led_back] == [
        row["card"] for row in rows(people, leeward, "cards-out")
    ]
    spec = people.get("dataset", "back-out")["spec"]
    assert spec["sensitivity"] == "Raw"
    assert spec["columns"] == [{"name": "patient", "tags": ["DirectIdentifier"]}]
    told = people.condition("maskingjob", "back", "Unmasking")
    assert 'column "patient" of Dataset cards-out' in told["message"]
    events = [event for event in people.items("events") if event["reason"] == "Unmasking"]
    assert [event["involvedObject"]["name"] for event in events] == ["back"]
    assert "P1" not in json.dumps(events)


def test_leave_to_mask_is_no_leave_to_unmask(people: Clinic) -> None:
    people.apply(undoing("denied", [CARDS]))
    told = people.reason("maskingjob", "denied", "KeyNotGranted", "Admitted")
    assert "for operation Unmask" in told["message"]
    assert people.items("jobs", "leeward.dev/name=denied") == []
    people.delete("maskingjob", "denied")


def test_a_key_that_was_rotated_makes_the_same_tokens_and_leads_them_back(
    people: Clinic, leeward: Callable[..., str]
) -> None:
    before = people.get("keyvault", "unmasking")["status"]["keys"]
    leeward("keys", "rotate", "unmasking", "tokens", "-n", people.namespace, "--timeout", "90s")
    after = people.get("keyvault", "unmasking")["status"]["keys"]
    versions = [
        next(state["primaryVersion"] for state in keys if state["name"] == "tokens")
        for keys in (before, after)
    ]
    assert versions[1] == versions[0] + 1
    tokens = [str(row["patient"]) for row in rows(people, leeward, "cards-out")[:2]]
    again = masking_job("again", "cards", [TOKENS], defaultAction="Drop")
    again["spec"]["output"]["sealedWith"] = OUTPUT_KEY
    people.apply(again)
    people.reason("maskingjob", "again", "Published")
    assert [row["patient"] for row in rows(people, leeward, "again-out")[:2]] == tokens
    people.apply(undoing("some", [TOKENS], tokens=tokens))
    people.reason("maskingjob", "some", "Published")
    assert rows(people, leeward, "some-out") == [
        {"token": tokens[0], "value": "P1"},
        {"token": tokens[1], "value": "P2"},
    ]


def test_a_token_that_the_key_did_not_make_fails_by_its_place(people: Clinic) -> None:
    people.apply(undoing("strange", [TOKENS], tokens=["Zebulon"]))
    told = people.reason("maskingjob", "strange", "UnsuitableColumn", "Failed")
    assert "token 1 of 1 was not made by this rule" in told["message"]
    assert "row" not in told["message"]
    assert "Zebulon" not in told["message"]
    assert people.get("dataset", "strange-out") == {}


def test_the_command_shows_what_tokens_stand_for(
    people: Clinic, leeward: Callable[..., str]
) -> None:
    token = str(rows(people, leeward, "cards-out")[1]["patient"])
    shown = leeward(
        *("unmask", "cards-out", "patient", token, "-n", people.namespace, "-o", "json"),
        *("--purpose", "research", "--reason", REASON),
    )
    assert json.loads(shown) == [{"token": token, "value": "P2"}]


def test_a_command_that_is_refused_leaves_no_job_that_could_run_later(
    people: Clinic, leeward: Callable[..., str]
) -> None:
    def jobs() -> set[str]:
        return {job["metadata"]["name"] for job in people.items("maskingjobs")}

    before = jobs()
    asked = ("unmask", "cards-out", "card", "4111111111111111", "-n", people.namespace)
    with pytest.raises(AssertionError, match="was deleted: it will not run later"):
        leeward(*asked, "--purpose", "research", "--reason", REASON)
    assert jobs() == before
