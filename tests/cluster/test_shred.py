"""Keys are destroyed for good, and not before everybody has agreed."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.clinic import Clinic, Kubectl, Manifest, dataset, key_ref, masking_job, vault

pytestmark = pytest.mark.cluster

PEOPLE = "patient,income\n1,15000\n2,55000\n"
RULES = [
    {"name": "patient", "tokenize": {"key": key_ref("tokens")}},
    {"name": "income", "generalize": {"bins": ["0", "20000", "50000"]}},
]


@pytest.fixture(scope="module")
def sealed(clinic: Clinic) -> Clinic:
    """A vault of its own, under which one file is sealed, and one under the clinic's vault."""
    clinic.apply(vault("doomed"))
    clinic.reason("keyvault", "doomed", "KeysReady")
    clinic.put("raw/few.csv", PEOPLE.encode())
    clinic.apply(dataset("few", "raw/few.csv"))
    clinic.reason("dataset", "few", "Inspected")
    for name, under in (("doomed-copy", "doomed"), ("one-copy", "vault")):
        job = masking_job(name, "few", RULES)
        job["spec"]["output"]["sealedWith"]["vault"]["name"] = under
        clinic.apply(job)
    for name in ("doomed-copy", "one-copy"):
        clinic.reason("maskingjob", name, "Published")
    return clinic


def key_secrets(kubectl: Kubectl, vault_id: str) -> list[str]:
    selector = f"leeward.dev/vault-id={vault_id}"
    done = kubectl("-n", "leeward-system", "get", "secrets", "-l", selector, "-o", "name")
    return str(done.stdout).split()


def record(clinic: Clinic, name: str) -> Manifest:
    selector = f"leeward.dev/role=destruction-record,leeward.dev/name={name}"
    (found,) = clinic.items("configmaps", selector)
    assert found["immutable"]
    return dict(json.loads(found["data"]["record.json"]))


def test_a_vault_waits_for_confirmation_and_backups_and_then_nothing_opens_its_files(
    sealed: Clinic, leeward: Callable[..., str], kubectl: Kubectl, tmp_path: Path
) -> None:
    where, backup = ("-n", sealed.namespace), tmp_path / "keys.backup"
    leeward("keys", "backup", "--vault", f"{sealed.namespace}/doomed", "--out", str(backup))
    backups = json.loads(leeward("keys", "backups", "-o", "json"))
    (backup_id,) = [b["id"] for b in backups if b["fileName"].endswith(backup.name)]
    vault_id = sealed.get("keyvault", "doomed")["status"]["vaultId"]
    file = sealed.get("dataset", "doomed-copy-out")

    sealed.run(
        *("patch", "keyvault", "doomed", "--type=merge"),
        *("-p", '{"spec": {"deletionPolicy": "Shred"}}'),
    )
    sealed.until(
        "it has its finalizer",
        lambda: sealed.get("keyvault", "doomed")["metadata"].get("finalizers"),
    )
    sealed.run("delete", "keyvault", "doomed", "--wait=false")
    sealed.reason("keyvault", "doomed", "AwaitingConfirmation", "ShredPending")
    assert key_secrets(kubectl, vault_id)
    leeward("keys", "shred", "keyvault/doomed", *where, "--confirm", "doomed")
    told = sealed.reason("keyvault", "doomed", "BackupsKnown", "ShredPending")
    assert backup_id in told["message"]
    assert key_secrets(kubectl, vault_id)

    leeward("keys", "backup", "forget", backup_id, "--yes")
    sealed.until("the vault is gone", lambda: not sealed.get("keyvault", "doomed"), timeout=90)
    assert key_secrets(kubectl, vault_id) == []
    made = record(sealed, "doomed")
    assert made["vaultId"] == vault_id
    assert made["requestedBy"]
    digests = [artefact.get("digest") for artefact in made["artefacts"]]
    assert file["status"]["digest"] in digests
    refused = preview(sealed, "doomed-copy-out")
    assert refused.returncode != 0
    assert "doomed" in refused.stderr

    restored = tried("keys", "restore", str(backup))
    assert restored.returncode == 1
    assert f"destroyed-{vault_id}" in restored.stderr
    assert key_secrets(kubectl, vault_id) == []
    assert backup_id not in leeward("keys", "backups", "-o", "json")


def preview(clinic: Clinic, name: str) -> "subprocess.CompletedProcess[str]":
    args = ("dataset", "preview", name, "-n", clinic.namespace, "--purpose", "research")
    return tried(*args, "--rows", "1", "--timeout", "60s")


def tried(*args: str) -> "subprocess.CompletedProcess[str]":
    """The ``leeward`` command, whether it succeeds or not."""
    command = Path(sys.executable).with_name("leeward")
    return subprocess.run(
        [command, *args], capture_output=True, text=True, timeout=120, check=False
    )


def test_one_dataset_is_shredded_and_the_vault_stays(
    sealed: Clinic, leeward: Callable[..., str], kubectl: Kubectl
) -> None:
    key_id = sealed.get("dataset", "one-copy-out")["status"]["keyId"]
    assert preview(sealed, "one-copy-out").returncode == 0
    where = ("-n", sealed.namespace)
    told = leeward("keys", "shred", "dataset/one-copy-out", *where, "--confirm", "one-copy-out")
    assert "destroyed" in told
    sealed.until("the Dataset is gone", lambda: not sealed.get("dataset", "one-copy-out"))
    secret = ("-n", "leeward-system", "get", "secret", f"artefact-{key_id}", "--ignore-not-found")
    assert kubectl(*secret).stdout == ""
    assert record(sealed, "one-copy-out")["artefacts"][0]["keyId"] == key_id
    assert [path for path in sealed.files() if "one-copy" in path], "the file stays"
    assert sealed.condition("keyvault", "vault")["reason"] == "KeysReady"


def test_old_versions_are_destroyed_on_request(sealed: Clinic, leeward: Callable[..., str]) -> None:
    where = ("-n", sealed.namespace)
    leeward("keys", "rotate", "vault", "data", *where)
    leeward(
        *("keys", "shred", "keyvault/vault", "--key", "data", "--below", "2"),
        *("--confirm", "vault", *where),
    )

    def states() -> dict[int, str]:
        keys = sealed.get("keyvault", "vault")["status"]["keys"]
        data = next(key for key in keys if key["name"] == "data")
        return {version["version"]: version["state"] for version in data["versions"]}

    sealed.until("version 1 is destroyed", lambda: states() == {1: "Destroyed", 2: "Primary"})
    sealed.reason("keyvault", "vault", "Shredded", "ShredPending")
    assert record(sealed, "vault")["keys"][0]["numbers"] == [1]
