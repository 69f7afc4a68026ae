"""The keys of a sealed Dataset are replaced while it is used, and nobody is locked out."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.clinic import KEEP_WORDS, Clinic, Kubectl, dataset, masking_job
from leeward.formats.sealed import inspect_file

pytestmark = pytest.mark.cluster

ROWS = "id,word\n" + "".join(f"{n},word{n % 997}\n" for n in range(400_000))


@pytest.fixture(scope="module")
def sealed(clinic: Clinic, leeward: Callable[..., str], tmp_path_factory: object) -> Clinic:
    """A Dataset of 400,000 rows that its owner has sealed to its public half."""
    folder: Path = tmp_path_factory.mktemp("owner")  # type: ignore[attr-defined]
    clinic.apply(dataset("intake", "raw/intake.csv.lwe1", sealed=True))
    clinic.reason("dataset", "intake", "AwaitingData")
    bring(clinic, leeward, folder)
    clinic.reason("dataset", "intake", "Inspected")
    return clinic


def bring(clinic: Clinic, leeward: Callable[..., str], folder: Path) -> None:
    plain, pem, target = folder / "words.csv", folder / "intake.pem", folder / "words.lwe1"
    plain.write_text(ROWS)
    pem.write_text(leeward("dataset", "public-key", "intake", "-n", clinic.namespace))
    leeward("seal", str(plain), "--to", str(pem), "-o", str(target), "--force")
    clinic.put("raw/intake.csv.lwe1", target)
    token = f"leeward.dev/inspect={inspect_file(target).file_id.hex()}"
    clinic.run("annotate", "dataset", "intake", token, "--overwrite")


def core(clinic: Clinic) -> str:
    """A checksum of the file on the volume without its header."""
    command = "tail -c +16385 /data/raw/intake.csv.lwe1 | sha256sum"
    return clinic.run("exec", "loader", "--", "sh", "-c", command).split()[0]


def record(kubectl: Kubectl, key_id: str) -> str:
    name = f"secret/artefact-{key_id}"
    return str(kubectl("-n", "leeward-system", "get", name, "--ignore-not-found").stdout)


def test_a_job_that_runs_keeps_the_old_key_until_it_ends(
    sealed: Clinic, leeward: Callable[..., str], kubectl: Kubectl
) -> None:
    before = sealed.get("dataset", "intake")["status"]
    bytes_before = core(sealed)
    sealed.apply(masking_job("during", "intake", KEEP_WORDS))
    sealed.until(
        "the job was given the key",
        lambda: sealed.get("maskingjob", "during")["status"]["sourceKeyId"] == before["keyId"],
    )
    told = leeward("dataset", "rewrap", "intake", "-n", sealed.namespace, "--dry-run")
    assert "16 KiB" in told
    assert before["keyId"] in told
    leeward("dataset", "rewrap", "intake", "-n", sealed.namespace, "--timeout", "110s")

    assert sealed.reason("maskingjob", "during", "Published")["status"] == "True"
    after = sealed.get("dataset", "intake")["status"]
    assert after["keyId"] != before["keyId"] == after["replacedKeyId"]
    assert after["publicKey"] != before["publicKey"]
    published = sealed.get("configmap", "lds-intake-public-key")["data"]["public.pem"]
    assert published == after["publicKey"]
    assert not record(kubectl, before["keyId"])
    assert record(kubectl, after["keyId"])
    assert (after["digest"], after["sourceId"]) == (before["digest"], before["sourceId"])
    assert core(sealed) == bytes_before
    assert not [s for s in sealed.items("secrets") if s["metadata"]["name"].startswith("lw-")]

    sealed.apply(masking_job("after", "intake", KEEP_WORDS))
    sealed.reason("maskingjob", "after", "Published")
    assert sealed.get("dataset", "after-out")["status"]["rows"] == 400_000


def test_a_file_is_encrypted_anew_as_the_same_source(
    sealed: Clinic, leeward: Callable[..., str], kubectl: Kubectl
) -> None:
    before = sealed.get("dataset", "intake")["status"]
    bytes_before = core(sealed)
    leeward(
        *("dataset", "rewrap", "intake", "--reencrypt", "-n", sealed.namespace),
        *("--timeout", "110s"),
    )
    after = sealed.get("dataset", "intake")["status"]
    assert after["sourceId"] == before["sourceId"]
    assert after["digest"] != before["digest"]
    assert core(sealed) != bytes_before
    assert not record(kubectl, before["keyId"])
    assert [path for path in sealed.files() if "intake" in path] == ["/data/raw/intake.csv.lwe1"]
    sealed.reason("dataset", "intake", "Inspected")
    sealed.apply(masking_job("anew", "intake", KEEP_WORDS))
    sealed.reason("maskingjob", "anew", "Published")

    # An owner who seals to the new public half goes on as before.
    events = json.loads(sealed.run("get", "events", "-o", "json"))["items"]
    assert all("word1" not in event["message"] for event in events)
