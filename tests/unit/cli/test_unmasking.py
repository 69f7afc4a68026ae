"""unmask: the job that it makes, and what it says where it may not."""

import base64
import io
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from leeward.api.dataset import DATASET
from leeward.api.datasetpreview import DatasetPreviewSpec
from leeward.api.maskingjob import MASKINGJOB, MaskingJobSpec
from leeward.cli.errors import ApiError
from leeward.cli.kinds import resource_of
from leeward.cli.port import Manifest
from leeward.formats.sealed import HpkePublicKey, seal_stream
from unit.cli.fake_cluster import FakeCluster, condition, leeward, resource

KEY = {"vault": {"name": "clinic"}, "key": "tokens"}
RULES: list[dict[str, Any]] = [
    {"name": "patient", "tokenize": {"key": KEY, "scope": "Dataset"}},
    {"name": "mails", "match": {"detected": "Mail"}, "encrypt": {"key": KEY}},
    {"name": "name", "redact": {}},
    {
        "name": "note",
        "freeText": {
            "languages": ["en"],
            "replacement": {"tokenize": {"key": KEY, "scope": "Job"}},
        },
    },
    {"name": "remark", "freeText": {"languages": ["en"]}},
]
OUTPUT = {
    "dataset": "masked",
    "location": {"volume": {"claimName": "data", "path": "masked/"}},
    "sealedWith": {"vault": {"name": "clinic"}, "key": "data"},
}
ASKED = ("--purpose", "audit", "--reason", "audit request 2027-114")
ROWS = {"columns": ["token", "value"], "rows": [["T1", "4711"], ["T2", "4712"]]}


def served(manifest: Manifest, cluster: FakeCluster) -> list[Manifest]:
    key = DatasetPreviewSpec.model_validate(manifest["spec"]).recipient_key
    public = X25519PublicKey.from_public_bytes(base64.b64decode(key))
    sealed = io.BytesIO()
    document = json.dumps(ROWS | {"receipt": "read it"}).encode()
    seal_stream(io.BytesIO(document), sealed, [HpkePublicKey(public)])
    cluster.pod_answers["GET", "/result"] = [sealed.getvalue()]
    cluster.pod_answers["DELETE", "/result"] = [b""]
    ready = condition("Ready", "True", "Serving")
    return [resource("DatasetPreview", manifest["metadata"]["name"], ready, pod="dp-x")]


def clinic(*ends: dict[str, Any], **producer: Any) -> tuple[FakeCluster, list[Manifest]]:
    """A masked Dataset, the job that made it, and an operator; and what is created."""
    cluster = FakeCluster()
    made = {"kind": "MaskingJob", "name": "mask", "uid": "u-1"} | producer
    cluster.put(resource_of(DATASET), resource("Dataset", "masked", producedBy=made))
    admission = {"selected": [{"rule": "mails", "columns": ["mail"]}]}
    job = resource(
        "MaskingJob", "mask", spec={"columns": RULES, "output": OUTPUT}, admission=admission
    )
    job["metadata"]["uid"] = "u-1"
    cluster.put(resource_of(MASKINGJOB), job)
    created: list[Manifest] = []

    def create(manifest: Manifest) -> list[Manifest]:
        if manifest["kind"] == "SelfSubjectReview":
            return [manifest | {"status": {"userInfo": {"username": "ada"}}}]
        created.append(manifest)
        if manifest["kind"] == "DatasetPreview":
            return served(manifest, cluster)
        name = manifest["metadata"]["name"]
        return [resource("MaskingJob", name, end) for end in ends]

    cluster.on_create = create
    return cluster, created


DONE = condition("Complete", "True", "Published")


def test_tokens_are_led_back_and_shown() -> None:
    cluster, created = clinic(condition("Admitted", "False", "AwaitingSource"), DONE)
    result = leeward("unmask", "masked", "patient", "T1", "T2", "T1", *ASKED, cluster=cluster)
    assert result.exit_code == 0, result.stderr
    assert "4711" in result.stdout
    job, preview = created
    spec = MaskingJobSpec.model_validate(job["spec"])
    assert (spec.direction, spec.reason, spec.tokens) == ("Unmask", ASKED[3], ["T1", "T2"])
    assert job["spec"]["columns"] == [RULES[0]]
    assert spec.source.name == "masked"
    assert job["metadata"]["annotations"] == {"leeward.dev/unmask-requested-by": "ada"}
    assert preview["spec"]["dataset"]["name"] == spec.output.dataset == job["metadata"]["name"]
    assert spec.output.grants[0].kinds == ["DatasetPreview"]
    assert "stay as a record" in result.stderr


def test_as_json() -> None:
    cluster, _ = clinic(DONE)
    result = leeward("unmask", "masked", "patient", "T1", *ASKED, "-o", "json", cluster=cluster)
    assert json.loads(result.stdout)[0] == {"token": "T1", "value": "4711"}


def test_a_rule_that_matched_the_column_is_found() -> None:
    cluster, created = clinic(DONE)
    leeward("unmask", "masked", "mail", "T1", *ASKED, cluster=cluster)
    assert created[0]["spec"]["columns"] == [{"name": "mail", "encrypt": {"key": KEY}}]


def test_a_token_of_a_note_is_led_back_as_it_stands_there() -> None:
    cluster, created = clinic(DONE)
    tokens = ("[PERSON:T-1_x]", "T-1_x", "[T2]")
    result = leeward("unmask", "masked", "note", *tokens, *ASKED, cluster=cluster)
    assert result.exit_code == 0, result.stderr
    spec = created[0]["spec"]
    assert spec["columns"] == [{"name": "note", "tokenize": {"key": KEY, "scope": "Job"}}]
    assert spec["tokens"] == ["T-1_x", "[T2]"]
    assert "1 of 3 tokens are given again" in result.stderr


@pytest.mark.parametrize(
    ("column", "producer", "told"),
    [
        ("name", {}, 'redact masked column "name", and nothing leads back from it'),
        ("remark", {}, 'freeText masked column "remark", and nothing leads back from it'),
        ("ward", {}, 'no rule of MaskingJob mask masked a column "ward"'),
        ("patient", {"kind": "TrainingJob"}, "was not made by a MaskingJob"),
        ("patient", {"uid": "u-2"}, "is gone, and with it the rules"),
    ],
)
def test_what_cannot_be_led_back_is_told_before_anything_is_made(
    column: str, producer: dict[str, Any], told: str
) -> None:
    cluster, created = clinic(DONE, **producer)
    result = leeward("unmask", "masked", column, "T1", *ASKED, cluster=cluster)
    assert result.exit_code == 1
    assert told in result.stderr.replace("\n", " ")
    assert created == []


REFUSED = condition("Admitted", "False", "KeyNotGranted", "ask its steward")
WAITING = condition("Admitted", "False", "AwaitingSource")


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ((REFUSED,), "is refused"),
        ((WAITING,), "did not come to Complete within 3 seconds"),
    ],
)
def test_a_job_that_did_not_run_is_deleted(ends: tuple[dict[str, Any], ...], told: str) -> None:
    cluster, created = clinic(*ends)
    asked = ("unmask", "masked", "patient", "T1", *ASKED, "--timeout", "3s")
    result = leeward(*asked, cluster=cluster)
    name = created[0]["metadata"]["name"]
    assert result.exit_code == 1
    said = " ".join(result.stderr.split())
    assert told in said
    assert f"MaskingJob {name} was deleted: it will not run later" in said
    assert cluster.names("delete") == [name]


def test_a_job_that_is_interrupted_is_deleted() -> None:
    cluster, created = clinic(WAITING)
    looks = iter([KeyboardInterrupt])

    def interrupt(verb: str, path: str) -> None:
        if verb == "get" and "/masked-unmask-" in path and (error := next(looks, None)):
            raise error

    cluster.on_call = interrupt
    leeward("unmask", "masked", "patient", "T1", *ASKED, cluster=cluster)
    assert cluster.names("delete") == [created[0]["metadata"]["name"]]


def test_a_job_that_failed_stays_as_a_record() -> None:
    cluster, _ = clinic(condition("Failed", "True", "UnsuitableColumn", "token 1 of 1"))
    result = leeward("unmask", "masked", "patient", "T1", *ASKED, cluster=cluster)
    assert result.exit_code == 1
    assert "were not led back" in result.stderr
    assert "stays as a record" in result.stderr
    assert cluster.names("delete") == []


def test_a_job_that_cannot_be_deleted_is_named() -> None:
    cluster, _ = clinic(REFUSED)

    def refuse(verb: str, path: str) -> None:
        if verb == "delete":
            raise ApiError(403, "you may not delete it")

    cluster.on_call = refuse
    result = leeward("unmask", "masked", "patient", "T1", *ASKED, cluster=cluster)
    assert "kubectl delete maskingjob masked-unmask-" in " ".join(result.stderr.split())


def test_a_reason_of_one_word_is_refused_before_anything_is_made() -> None:
    cluster, created = clinic(DONE)
    asked = ("unmask", "masked", "patient", "T1", "--purpose", "audit", "--reason", "audit")
    result = leeward(*asked, cluster=cluster)
    assert result.exit_code == 2
    assert "say in 8 to 512 characters why" in result.stderr
    assert created == []


def test_too_many_tokens_are_refused() -> None:
    cluster, created = clinic(DONE)
    tokens = [f"T{number}" for number in range(101)]
    result = leeward("unmask", "masked", "patient", *tokens, *ASKED, cluster=cluster)
    assert result.exit_code == 1
    assert "give 1 to 100 at once" in result.stderr
    assert created == []
