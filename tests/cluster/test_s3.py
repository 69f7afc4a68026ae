"""Datasets and outputs in a bucket, as a user meets them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.clinic import Clinic, Manifest, dataset, masking_job, vault
from cluster.s3pod import S3Pod, bring_credentials, served
from leeward.formats.sealed.layout import SLOT_MAGIC
from s3.server import ACCESS_KEY_ID, SECRET_ACCESS_KEY

pytestmark = pytest.mark.cluster

ROWS = "".join(f"{n},SECRET-{n % 7}\n" for n in range(5000))
DATA = f"id,word\n{ROWS}".encode()
RULES = [
    {"name": "id", "keep": {}},
    {"name": "word", "tokenize": {"key": {"vault": {"name": "vault"}, "key": "tokens"}}},
]


@pytest.fixture(scope="module")
def s3(clinic: Clinic, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Pod]:
    with served(clinic, tmp_path_factory.mktemp("s3")) as pod:
        yield pod


def test_a_dataset_in_a_bucket_is_masked_into_the_bucket_and_shown(
    clinic: Clinic, s3: S3Pod, leeward: Callable[..., str]
) -> None:
    s3.put("raw/words.csv", DATA)
    clinic.apply(dataset("words", "unused", location=s3.location("raw/words.csv")))
    clinic.reason("dataset", "words", "Inspected")
    assert clinic.get("dataset", "words")["status"]["rows"] == 5000
    job = masking_job("mask", "words", RULES)
    job["spec"]["output"]["location"] = s3.location("masked/")
    clinic.apply(job)
    clinic.reason("maskingjob", "mask", "Published", timeout=120)
    made = clinic.get("dataset", "mask-out")
    path = made["spec"]["location"]["s3"]["path"]
    assert made["status"]["rows"] == 5000
    report = made["status"]["report"]["path"]
    assert sorted(s3.names()) == sorted(["raw/words.csv", path, report])
    assert len(s3.get(path)) == made["status"]["bytes"]
    assert s3.uploads() == []
    shown = leeward("dataset", "preview", "mask-out", "-n", clinic.namespace, "--purpose",
                    "research", "-o", "json")  # fmt: skip
    rows = json.loads(shown)
    assert "SECRET" not in shown
    assert rows


def test_the_report_of_a_job_is_opened_from_the_bucket(
    clinic: Clinic, s3: S3Pod, leeward: Callable[..., str]
) -> None:
    told = leeward("report", "mask-out", "-n", clinic.namespace, "--purpose", "research")
    assert "word" in told
    assert "SECRET" not in told


def test_a_file_is_sealed_here_and_put_into_a_bucket(
    clinic: Clinic, s3: S3Pod, leeward: Callable[..., str], tmp_path: Path
) -> None:
    clinic.apply(dataset("sent", "unused", sealed=True, location=s3.location("raw/sent.csv.lwe1")))
    waiting = clinic.reason("dataset", "sent", "AwaitingData")
    assert "in bucket clinic of https://" in waiting["message"]
    file = tmp_path / "sent.csv"
    file.write_bytes(DATA)
    leeward("dataset", "put", "sent", str(file), "-n", clinic.namespace)
    assert clinic.get("dataset", "sent")["status"]["rows"] == 5000
    stored = s3.get("raw/sent.csv.lwe1")
    assert stored.startswith(SLOT_MAGIC)
    assert b"SECRET" not in stored
    shown = leeward("dataset", "preview", "sent", "-n", clinic.namespace, "--purpose", "research")
    assert "SECRET-1" in shown


def test_a_dataset_in_a_bucket_is_used_from_another_namespace(
    clinic: Clinic, s3: S3Pod, leeward: Callable[..., str]
) -> None:
    other = Clinic(clinic.kubectl, f"{clinic.namespace}-b")
    clinic.kubectl("create", "namespace", other.namespace)
    try:
        leeward("namespace", "enable", other.namespace)
        other.apply(vault())
        bring_credentials(other, s3.ca)
        s3.put("raw/shared.csv", DATA)
        shared = dataset("shared", "unused", location=s3.location("raw/shared.csv"))
        shared["spec"]["grants"][0]["namespaces"] = [other.namespace]
        clinic.apply(shared)
        clinic.reason("dataset", "shared", "Inspected")
        job = masking_job("mask", "shared", RULES)
        job["spec"]["source"]["namespace"] = clinic.namespace
        job["spec"]["output"]["location"] = s3.location("other/")
        other.apply(job)
        other.reason("maskingjob", "mask", "Published", timeout=120)
    finally:
        clinic.kubectl("delete", "namespace", other.namespace, "--wait=false")


def test_pods_reach_nothing_but_the_store(clinic: Clinic, s3: S3Pod) -> None:
    place = s3.location("raw/words.csv", cidrs=["192.0.2.0/24"])
    clinic.apply(dataset("elsewhere", "unused", location=place))
    refused = clinic.reason("dataset", "elsewhere", "StoreUnavailable", timeout=180)
    assert "cidrs" in refused["message"]
    assert "SECRET" not in refused["message"]


def test_what_is_wrong_with_a_store_is_said(clinic: Clinic, s3: S3Pod) -> None:
    wrong: dict[str, Manifest] = {
        "BucketMissing": {"bucket": "nowhere"},
        "CredentialsMissing": {"credentialsRef": {"name": "nobody"}},
        "StoreNotTrusted": {"caRef": {"name": "nobody"}},
    }
    for reason, change in wrong.items():
        place = s3.location("raw/words.csv", **change)
        clinic.apply(dataset(reason.lower(), "unused", location=place))
    for reason in wrong:
        clinic.reason("dataset", reason.lower(), reason)


def test_credentials_stand_in_their_secret_and_nowhere_else(clinic: Clinic, s3: S3Pod) -> None:
    kinds = "leeward,jobs,configmaps,networkpolicies,events"
    shown = clinic.run("get", kinds, "-o", "json")
    pods = [pod for pod in clinic.items("pods") if pod["metadata"]["name"] != "s3"]
    assert pods
    logs = "".join(clinic.run("logs", pod["metadata"]["name"]) for pod in pods)
    for secret in (ACCESS_KEY_ID, SECRET_ACCESS_KEY):
        assert secret not in shown + logs + json.dumps(pods)
