"""Datasets and outputs in a bucket, as a user meets them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from cluster.clinic import Clinic, Manifest, dataset, masking_job
from cluster.s3pod import S3Pod, served

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
