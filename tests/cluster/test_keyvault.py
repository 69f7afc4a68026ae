"""KeyVault as a user meets it."""

import json

import pytest

from cluster.clinic import Clinic, Kubectl, vault

pytestmark = pytest.mark.cluster


def operator_secrets(kubectl: Kubectl, selector: str) -> list[str]:
    done = kubectl("-n", "leeward-system", "get", "secrets", "-l", selector, "-o", "json")
    return [item["metadata"]["name"] for item in json.loads(done.stdout)["items"]]


def test_vault_is_ready_and_its_keys_stay_with_the_operator(
    clinic: Clinic, kubectl: Kubectl
) -> None:
    ready = clinic.reason("keyvault", "vault", "KeysReady")
    assert ready["status"] == "True"
    status = clinic.get("keyvault", "vault")["status"]
    assert {key["name"]: key["algorithm"] for key in status["keys"]} == {
        "data": "AES256_GCM",
        "tokens": "AES256_SIV",
        "pseudonyms": "HMAC_SHA256",
        "intake": "HPKE_X25519",
    }
    line = clinic.run("get", "keyvault", "vault", "--no-headers").split()
    assert line[:4] == ["vault", "embedded", "4", line[3]]
    assert line[4] == "True"
    keysets = operator_secrets(kubectl, f"leeward.dev/vault-namespace={clinic.namespace}")
    assert len([name for name in keysets if name.startswith("keyset-")]) >= 1


def test_vault_made_again_waits_until_its_keyset_is_adopted(clinic: Clinic) -> None:
    clinic.apply(vault("again"))
    clinic.reason("keyvault", "again", "KeysReady")
    vault_id = clinic.get("keyvault", "again")["status"]["vaultId"]
    clinic.delete("keyvault", "again")
    clinic.apply(vault("again"))
    retained = clinic.reason("keyvault", "again", "KeysetRetained")
    assert retained["status"] == "False"
    assert f"leeward.dev/adopt={vault_id}" in retained["message"].replace(": ", "=")
    clinic.run("annotate", "keyvault", "again", f"leeward.dev/adopt={vault_id}")
    clinic.reason("keyvault", "again", "KeysReady")
    assert clinic.get("keyvault", "again")["status"]["vaultId"] == vault_id
