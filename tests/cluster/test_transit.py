"""A KeyVault on the Transit engine of a real OpenBao server, as a user meets it."""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.baopod import BaoPod, on_transit, served
from cluster.clinic import KEEP_WORDS, Clinic, Kubectl, Manifest, dataset, masking_job

# The operator is started again, with the server's address in its settings.
pytestmark = [pytest.mark.cluster, pytest.mark.disruptive]

CHART = Path(__file__).resolve().parents[2] / "charts/leeward"
RELEASE = ("leeward", "-n", "leeward-system")


@pytest.fixture(scope="module")
def bao(
    kubectl: Kubectl, namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BaoPod]:
    with served(Clinic(kubectl, namespace), tmp_path_factory.mktemp("bao")) as pod:
        pod.make_transit()
        pod.trust_cluster()
        yield pod


@pytest.fixture(scope="module")
def allowed(helm: Callable[..., str], bao: BaoPod) -> Iterator[None]:
    """The operator may talk to the server; afterwards it may not any more."""
    before = json.loads(helm("history", *RELEASE, "-o", "json"))[-1]["revision"]
    setting = f"transitAddresses={{{bao.address}}}"
    how = ("--reuse-values", "--set", setting, "--wait")
    try:
        helm("upgrade", "leeward", str(CHART), *RELEASE[1:], *how)
        yield
    finally:
        helm("rollback", "leeward", str(before), *RELEASE[1:], "--wait")


@pytest.fixture(scope="module")
def clinic(
    kubectl: Kubectl, leeward: Callable[..., str], namespace: str, bao: BaoPod, allowed: None
) -> Clinic:
    """A namespace with a vault on the server, and a small Dataset."""
    leeward("namespace", "enable", namespace)
    made = Clinic(kubectl, namespace)
    made.run("create", "configmap", "bao-ca", f"--from-literal=ca.crt={bao.ca_pem}")
    made.apply(on_transit(bao))
    made.loader()
    made.reason("keyvault", "vault", "KeysReady")
    made.put("raw/words.csv", b"id,word\n" + b"".join(b"%d,w\n" % n for n in range(100)))
    made.apply(dataset("words", "raw/words.csv"))
    made.reason("dataset", "words", "Inspected")
    return made


def transit_versions(clinic: Clinic) -> set[str]:
    """Versions of the Transit key that wrap keys of the vault."""
    selector = f"leeward.dev/role=keyset,leeward.dev/vault-namespace={clinic.namespace}"
    selector += ",leeward.dev/vault-name=vault"
    found = clinic.kubectl("-n", "leeward-system", "get", "secrets", "-l", selector, "-o", "json")
    (secret,) = json.loads(found.stdout)["items"]
    text = base64.b64decode(secret["data"]["keyset.json"]).decode()
    return set(re.findall(r"vault:(v\d+):", text))


def look_again(clinic: Clinic, name: str = "vault") -> None:
    """Have the operator look at the KeyVault now, not in five minutes."""
    clinic.run("annotate", "keyvault", name, "--overwrite", f"test/look={uuid.uuid4().hex}")


def test_a_vault_logs_in_by_the_operators_service_account(clinic: Clinic) -> None:
    available = clinic.reason("keyvault", "vault", "Available", "ProviderAvailable")
    assert available["status"] == "True"
    line = clinic.run("get", "keyvault", "vault", "--no-headers").split()
    assert line[:3] == ["vault", "transit", "4"]
    assert transit_versions(clinic) == {"v1"}


def test_a_job_runs_on_it(clinic: Clinic) -> None:
    clinic.apply(masking_job("first", "words", KEEP_WORDS))
    clinic.reason("maskingjob", "first", "Published", timeout=120)
    clinic.reason("dataset", "first-out", "Published")


def test_a_newer_version_of_the_transit_key_is_used(clinic: Clinic, bao: BaoPod) -> None:
    bao.call("POST", "transit/keys/leeward/rotate", {})

    def moved() -> bool:
        look_again(clinic)
        return transit_versions(clinic) == {"v2"}

    clinic.until("the vault's keys are wrapped by version 2", moved, timeout=120)


def test_a_vault_key_is_rotated(clinic: Clinic, leeward: Callable[..., str]) -> None:
    leeward("keys", "rotate", "vault", "data", "-n", clinic.namespace)
    clinic.reason("keyvault", "vault", "Complete", "RotationComplete")
    keys = clinic.get("keyvault", "vault")["status"]["keys"]
    assert next(key["primaryVersion"] for key in keys if key["name"] == "data") == 2


def test_a_sealed_server_holds_up_what_is_new_and_nothing_else(clinic: Clinic, bao: BaoPod) -> None:
    bao.seal()
    look_again(clinic)
    sealed = clinic.reason("keyvault", "vault", "ProviderSealed", "ProviderAvailable")
    assert "Unseal it" in sealed["message"]
    assert clinic.condition("keyvault", "vault")["status"] == "True"
    clinic.apply(masking_job("second", "words", KEEP_WORDS))
    clinic.reason("maskingjob", "second", "Published", timeout=120)
    clinic.apply(on_transit(bao, "later"))
    waiting = clinic.reason("keyvault", "later", "ProviderSealed")
    assert "Unseal it" in waiting["message"]
    job = masking_job("third", "words", KEEP_WORDS)
    job["spec"]["output"]["sealedWith"]["vault"]["name"] = "later"
    clinic.apply(job)
    held = clinic.reason("maskingjob", "third", "VaultNotReady", "Admitted")
    assert "Unseal it" in held["message"]
    bao.unseal()
    clinic.reason("keyvault", "later", "KeysReady", timeout=120)
    clinic.reason("maskingjob", "third", "Published", timeout=120)
    look_again(clinic)
    clinic.reason("keyvault", "vault", "Available", "ProviderAvailable", timeout=120)


def test_a_policy_that_lacks_something_is_named(clinic: Clinic, bao: BaoPod) -> None:
    bao.allow("read", "deny", "deny")
    try:
        clinic.apply(on_transit(bao, "forbidden"))
        refused = clinic.reason("keyvault", "forbidden", "ProviderForbidden")
        assert 'path "transit/encrypt/leeward" { capabilities = ["update"] }' in refused["message"]
    finally:
        bao.allow("read", "update", "update")
    clinic.reason("keyvault", "forbidden", "KeysReady", timeout=120)


def test_a_token_is_used_for_the_vault_only_that_its_secret_names(
    clinic: Clinic, bao: BaoPod, kubectl: Kubectl
) -> None:
    token = bao.call("POST", "auth/token/create", {"policies": ["leeward"], "period": "1h"})
    name = f"bao-{clinic.namespace}"
    value = f"--from-literal=token={token['auth']['client_token']}"
    kubectl("-n", "leeward-system", "create", "secret", "generic", name, value)
    try:
        auth: Manifest = {"token": {"secretRef": {"name": name, "key": "token"}}}
        clinic.apply(on_transit(bao, "by-token", auth=auth))
        refused = clinic.reason("keyvault", "by-token", "ProviderLoginFailed")
        allow = f"leeward.dev/for={clinic.namespace}/by-token"
        assert allow.replace("=", ": ") in refused["message"]
        kubectl("-n", "leeward-system", "annotate", "secret", name, allow)
        clinic.reason("keyvault", "by-token", "KeysReady", timeout=120)
    finally:
        kubectl("-n", "leeward-system", "delete", "secret", name)


def test_a_server_that_nobody_allowed_is_refused(clinic: Clinic, bao: BaoPod) -> None:
    clinic.apply(on_transit(bao, "elsewhere", address="https://evil.example:8200"))
    refused = clinic.reason("keyvault", "elsewhere", "ProviderNotAllowed")
    assert "transitAddresses" in refused["message"]
