"""freeText from manifest to masked notes; planted values are in none of what anybody can read."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.clinic import (
    Clinic,
    Kubectl,
    Manifest,
    dataset,
    key_ref,
    masking_job,
    operator_settings,
)
from cluster.test_nothing_leaks import everything_told

pytestmark = pytest.mark.cluster

PERSON, MAIL, PHONE = "Ermintrude Quackenbush", "ermin.q@clinic.example", "+44 7700 900777"
HAN, HAN_PHONE = "欧阳晓岚", "13812340098"
NOTES = (
    "id,name,note\n"
    f'1,{PERSON},"Patient {PERSON} ({MAIL}) rang from {PHONE}."\n'
    f'2,zz wood,"zz wood，患者{HAN}来电，电话{HAN_PHONE}。"\n'
    "3,y,No change since Monday.\n"
)
PLANTED = ("Ermintrude", "Quackenbush", MAIL, "900777", HAN, HAN_PHONE)
TOKENS: Manifest = {"key": key_ref("tokens")}
FREE_TEXT: Manifest = {
    "languages": ["en", "zh"],
    "entities": ["Person", "Phone", "Mail"],
    "known": [{"column": "name", "entity": "Person"}],
    "replacement": {"tokenize": TOKENS},
}


def rules(**free_text: object) -> list[Manifest]:
    return [
        {"name": "id", "keep": {}},
        {"name": "name", "tokenize": TOKENS | {"normalize": "Person"}},
        {"name": "note", "freeText": FREE_TEXT | free_text},
    ]


@pytest.fixture(scope="module")
def notes(clinic: Clinic) -> Clinic:
    clinic.put("raw/notes.csv", NOTES.encode())
    clinic.apply(dataset("notes", "raw/notes.csv"))
    clinic.reason("dataset", "notes", "Inspected")
    return clinic


def shown(notes: Clinic, leeward: Callable[..., str], name: str) -> list[Manifest]:
    arguments = ("-n", notes.namespace, "--purpose", "research", "--rows", "9", "-o", "json")
    return list(json.loads(leeward("dataset", "preview", name, *arguments))["rows"])


def test_notes_are_masked_joined_and_told_nowhere(
    notes: Clinic, leeward: Callable[..., str], kubectl: Kubectl, run_kubectl: Kubectl
) -> None:
    notes.apply(masking_job("notes", "notes", rules(minRecall="0.2")))
    notes.reason("maskingjob", "notes", "Published")
    english, chinese, plain = shown(notes, leeward, "notes-out")
    assert english["note"].startswith(f"Patient [PERSON:{english['name']}] ([MAIL:")
    assert chinese["note"].startswith(f"[PERSON:{chinese['name']}]，患者[PERSON:")
    assert plain["note"] == "No change since Monday."
    assert [value for value in PLANTED if value in json.dumps([english, chinese])] == []
    status = notes.get("maskingjob", "notes")["status"]
    assert status["freeText"]["findings"] == 6
    assert 0.2 <= float(status["freeText"]["lowestRecall"]) <= 1
    stored = status["report"]
    (told,) = json.loads(notes.get("configmap", stored)["data"]["report.json"])["freeText"]
    assert told["found"] == {"Mail": 1, "Phone": 2, "Person": 3}
    assert {(one["entity"], one["language"]) for one in told["recall"]} == {
        (entity, language) for entity in told["found"] for language in ("en", "zh")
    }
    everything = everything_told(notes, kubectl, run_kubectl)
    assert "name: notes" in everything
    assert [value for value in PLANTED if value in everything] == []


def test_recall_below_what_is_wanted_publishes_nothing(notes: Clinic) -> None:
    notes.apply(masking_job("strict", "notes", rules(minRecall="1")))
    failed = notes.reason("maskingjob", "strict", "RecallTooLow")
    assert 'column "note" is below minRecall 1' in failed["message"]
    assert "Person (en)" in failed["message"]
    assert not [path for path in notes.files() if "/masked/strict" in path]
    assert notes.get("dataset", "strict-out") == {}


def test_every_string_of_a_document_is_searched(notes: Clinic, leeward: Callable[..., str]) -> None:
    row = {"id": 7, "case": {"title": f"Call from {PHONE}", "log": [{"by": f"Mr {PERSON}"}]}}
    notes.put("raw/documents.jsonl", json.dumps(row).encode() + b"\n")
    notes.apply(dataset("documents", "raw/documents.jsonl", format="JSONL"))
    notes.reason("dataset", "documents", "Inspected")
    given: list[Manifest] = [
        {"name": "texts", "match": {"type": "String"}, "freeText": {"languages": ["en"]}},
        {"name": "id", "keep": {}},
    ]
    job = masking_job("documents", "documents", given)
    job["spec"]["output"]["format"] = "JSONL"
    notes.apply(job)
    notes.reason("maskingjob", "documents", "Published")
    (found,) = shown(notes, leeward, "documents-out")
    assert found["case.title"] == "Call from [PHONE]"
    assert json.loads(found["case.log[].by"]) == ["Mr [PERSON]"]


def test_labelled_notes_of_the_users_own_are_sealed_and_decide(
    notes: Clinic, leeward: Callable[..., str], tmp_path: Path
) -> None:
    plain, pem, sealed = tmp_path / "l.csv", tmp_path / "key.pem", tmp_path / "l.csv.lwe1"
    lines = [f"{{Mail|{PERSON.split()[0]}{n}@clinic.example}} wrote" for n in range(10)]
    plain.write_text("\n".join(["note", *lines]) + "\n")
    notes.apply(dataset("labelled", "raw/labelled.csv.lwe1", sealed=True))
    notes.reason("dataset", "labelled", "AwaitingData")
    pem.write_text(leeward("dataset", "public-key", "labelled", "-n", notes.namespace))
    leeward("seal", str(plain), "--to", str(pem), "-o", str(sealed))
    notes.put("raw/labelled.csv.lwe1", sealed)
    notes.run("annotate", "dataset", "labelled", "leeward.dev/inspect=now", "--overwrite")
    notes.reason("dataset", "labelled", "Inspected")
    sample = {"dataset": {"name": "labelled"}, "column": "note"}
    given = rules(entities=["Mail"], minRecall="1", sample=sample)
    notes.apply(masking_job("own", "notes", given))
    notes.reason("maskingjob", "own", "Published")
    stored = notes.get("maskingjob", "own")["status"]["report"]
    report = notes.get("configmap", stored)["data"]["report.json"]
    (told,) = json.loads(report)["freeText"]
    assert told["recall"] == [
        {"entity": "Mail", "labelled": 10, "recall": "1.000", "precision": "1.000"}
    ]
    assert "Ermintrude" not in report
    notes.apply(
        masking_job("few", "notes", rules(entities=["Phone"], minRecall="1", sample=sample))
    )
    failed = notes.reason("maskingjob", "few", "RecallTooLow")
    assert "fewer than 10 values of some kind (Phone 0)" in failed["message"]


def test_language_models_are_those_of_the_image_that_the_installation_names(
    notes: Clinic, leeward: Callable[..., str], kubectl: Kubectl
) -> None:
    notes.apply(masking_job("by-model", "notes", rules(languages=["en"], engine="Model")))
    image = operator_settings(kubectl).get("LEEWARD_MASKING_MODELS_IMAGE")
    if image is None:
        denied = notes.reason("maskingjob", "by-model", "ModelsMissing")
        assert "build images/masking-models" in denied["message"]
        return
    notes.reason("maskingjob", "by-model", "Published")
    assert notes.get("maskingjob", "by-model")["status"]["admission"]["image"] == image
    english, *_ = shown(notes, leeward, "by-model-out")
    assert [value for value in PLANTED if value in json.dumps(english)] == []


BAD: dict[str, tuple[Manifest, list[str]]] = {
    "language": ({"languages": ["xx"]}, ["freeText.languages[0]", 'supported values: "en"']),
    "kind": ({"entities": ["Iris"]}, ["freeText.entities[0]", "supported values"]),
    "engine": (
        {"engine": "Model", "entities": ["Mail"]},
        ["freeText.engine", "engine Model finds persons only", "add Person to entities"],
    ),
    "recall": ({"minRecall": "1.5"}, ["freeText.minRecall", "at most 1"]),
    "replacement": (
        {"replacement": {"label": {}, "replace": {"value": "x"}}},
        ["freeText.replacement", "needs exactly one of label, replace, tokenize, hash"],
    ),
    "name of a kind": (
        {"patterns": [{"name": "a", "entity": "staff", "pattern": "a"}]},
        ["freeText.patterns[0].entity", "begin with a capital, as StaffNumber"],
    ),
    "member": ({"minrecall": "0.9"}, ["freeText has no parameter", "minrecall"]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_parameters_are_refused(
    run_kubectl: Callable[..., "subprocess.CompletedProcess[str]"], namespace: str, name: str
) -> None:
    given, messages = BAD[name]
    manifest = masking_job("job", "notes", rules(**given))
    done = run_kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(manifest))
    assert done.returncode != 0
    assert [message for message in messages if message not in done.stderr] == [], done.stderr
