"""Keys and certificates of long-lived pods, on a cluster, as their users see them."""

import base64
import copy
import json
import os
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from cluster.clinic import Clinic, Kubectl, Manifest, dataset, vault
from cluster.wards import (
    acknowledged,
    consumers,
    delivery,
    operator_image,
    page,
    program,
    running,
    service,
)

pytestmark = pytest.mark.cluster

DATA = {"name": "data", "dataset": {"name": "letters"}}


def granting_vault() -> Manifest:
    """The vault of the namespace, with grants for KeyDeliveries."""
    made = vault()
    grants = [
        {"name": "wards", "kinds": ["KeyDelivery"], "operations": ["Issue", "Sign", "Verify"]}
    ]
    authority = {"trustDomain": "clinic.example"}
    made["spec"]["keys"].append(
        {"name": "mesh", "algorithm": "ECDSA_P256", "authority": authority, "grants": grants}
    )
    for key in made["spec"]["keys"]:
        if key["name"] == "intake":
            key["grants"].append(
                {"name": "wards", "kinds": ["KeyDelivery"], "operations": ["Open"]}
            )
    return made


@pytest.fixture(scope="module")
def wards(clinic: Clinic) -> Clinic:
    clinic.apply(granting_vault(), program())
    grants = [{"name": "wards", "kinds": ["KeyDelivery"], "purposes": ["research"]}]
    clinic.apply(dataset("letters", "raw/letters.csv.lwe1", sealed=True, grants=grants))
    clinic.until("its key is made", lambda: clinic.get("dataset", "letters")["status"]["keyId"])
    return clinic


@pytest.fixture(scope="module")
def letters(wards: Clinic, leeward: Callable[..., str], tmp_path_factory: object) -> Clinic:
    """The Dataset with a file that its owner has sealed."""
    folder: Path = tmp_path_factory.mktemp("owner")  # type: ignore[attr-defined]
    plain, pem, target = folder / "letters.csv", folder / "letters.pem", folder / "letters.lwe1"
    plain.write_text("id,word\n1,alpha\n")
    pem.write_text(leeward("dataset", "public-key", "letters", "-n", wards.namespace))
    leeward("seal", str(plain), "--to", str(pem), "-o", str(target))
    wards.put("raw/letters.csv.lwe1", target)
    wards.run("annotate", "dataset", "letters", "leeward.dev/inspect=1", "--overwrite")
    wards.reason("dataset", "letters", "Inspected")
    return wards


@pytest.fixture(scope="module")
def image(kubectl: Kubectl) -> str:
    return operator_image(kubectl)


def test_the_key_of_a_dataset_is_delivered_and_acknowledged(wards: Clinic, image: str) -> None:
    wards.apply(delivery("ward", DATA), consumers("ward", image, "ward-keys", replicas=2))
    status = acknowledged(wards, "ward", 2)
    key_id = wards.get("dataset", "letters")["status"]["keyId"]
    assert [k["id"] for k in status["items"][0]["keys"]] == [key_id]
    for pod in running(wards, "ward"):
        assert [(k["role"], k["id"]) for k in page(wards, pod, "/keys")["keys"]] == [
            ("data", key_id)
        ]


def test_a_secret_of_somebody_else_is_not_touched(wards: Clinic) -> None:
    theirs = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "taken-keys"}}
    wards.apply({**theirs, "stringData": {"a": "b"}}, delivery("taken", DATA))
    told = wards.reason("keydelivery", "taken", "NameTaken")
    assert "taken-keys" in told["message"]
    wards.delete("keydelivery", "taken")
    assert wards.get("secret", "taken-keys")["data"] == {"a": "Yg=="}


def test_a_consumer_that_never_acknowledges_is_named(wards: Clinic, image: str) -> None:
    wards.apply(delivery("deaf", DATA), consumers("deaf", image, "deaf-keys", "--port", "9999"))
    # A minute from when its pod has a node, which may take a while.
    told = wards.reason(
        "keydelivery", "deaf", "ConsumersNotAcknowledged", "Acknowledged", timeout=180
    )
    (pod,) = running(wards, "deaf")
    assert pod in told["message"]
    wards.delete("deployment", "deaf")
    wards.reason("keydelivery", "deaf", "NoConsumers", "Acknowledged")
    wards.delete("keydelivery", "deaf")


def test_the_key_of_a_dataset_is_replaced_when_every_pod_has_the_new_one(
    letters: Clinic, image: str, leeward: Callable[..., str]
) -> None:
    letters.apply(delivery("ward", DATA), consumers("ward", image, "ward-keys", replicas=2))
    acknowledged(letters, "ward", 2)
    held, before = running(letters, "ward"), letters.get("dataset", "letters")["status"]["keyId"]
    leeward("dataset", "rewrap", "letters", "-n", letters.namespace, "--timeout", "110s")
    after = letters.get("dataset", "letters")["status"]["keyId"]
    assert after != before
    status = acknowledged(letters, "ward", 2)
    assert [k["id"] for k in status["items"][0]["keys"]] == [after]
    assert running(letters, "ward") == held
    for pod in held:
        letters.until("it has the new key alone", partial(has_alone, letters, pod, after))


def has_alone(wards: Clinic, pod: str, key_id: str) -> bool:
    """Whether a consumer has loaded this key and no other."""
    return [key["id"] for key in page(wards, pod, "/keys")["keys"]] == [key_id]


def mesh(wards: Clinic, name: str, image: str, peer: str) -> list[Manifest]:
    """Consumers of that name which call a peer by mutual TLS all the time."""
    namespace = wards.namespace
    certificate = {
        "vault": {"name": "vault"},
        "key": "mesh",
        "dnsNames": [f"{name}.{namespace}.svc"],
    }
    call = f"{peer}.{namespace}.svc:8443"
    return [
        service(name),
        delivery(name, {"name": "mesh", "certificate": certificate}),
        consumers(name, image, f"{name}-keys", "--tls-role", "mesh", "--call", call),
    ]


def counts(wards: Clinic, name: str) -> Manifest:
    """What the one consumer of that name has counted."""
    (pod,) = running(wards, name)
    return dict(page(wards, pod, "/tls")["counts"])


def answers(wards: Clinic, name: str) -> bool:
    """Whether its calls are answered."""
    return bool(counts(wards, name)["calls answered"] > 5)


def certificate_of(wards: Clinic, name: str) -> Manifest:
    """What the status says of its certificate."""
    (item,) = wards.get("keydelivery", name)["status"]["items"]
    return dict(item)


@pytest.fixture(scope="module")
def talking(wards: Clinic, image: str) -> Clinic:
    """Two consumers that call each other."""
    wards.apply(*mesh(wards, "lab", image, "store"), *mesh(wards, "store", image, "lab"))
    for name in ("lab", "store"):
        acknowledged(wards, name, 1)
    for name in ("lab", "store"):
        wards.until("calls are answered", partial(answers, wards, name))
    return wards


def test_two_pods_speak_by_mutual_tls(talking: Clinic) -> None:
    (pod,) = running(talking, "lab")
    shown = page(talking, pod, "/tls")
    assert shown["counts"]["handshakes done"] > 0
    secret = talking.get("secret", "lab-keys")
    assert set(secret["data"]) == {"keyset.json", "tls.crt", "tls.key", "ca.crt"}
    trust = talking.get("configmap", "kv-vault-trust")["data"]["mesh.crt"]
    assert base64.b64decode(secret["data"]["ca.crt"]).decode() == trust


def test_a_certificate_is_replaced_without_a_restart(talking: Clinic) -> None:
    (pod,) = running(talking, "lab")
    before, held = counts(talking, "lab"), page(talking, pod, "/tls")["serial"]
    change = [{"op": "replace", "path": "/spec/items/0/certificate/duration", "value": "10h"}]
    talking.run("patch", "keydelivery", "lab", "--type=json", "-p", json.dumps(change))
    talking.until(
        "another certificate is shown", lambda: page(talking, pod, "/tls")["serial"] != held
    )
    assert running(talking, "lab") == [pod]
    after = counts(talking, "lab")
    assert after.get("calls failed", 0) == before.get("calls failed", 0)
    assert after.get("handshakes failed", 0) == before.get("handshakes failed", 0)


@pytest.mark.skipif("LEEWARD_SOAK" not in os.environ, reason="it takes seven minutes")
@pytest.mark.timeout(600)
def test_a_certificate_is_renewed_at_two_thirds_of_its_life(talking: Clinic) -> None:
    change = [{"op": "replace", "path": "/spec/items/0/certificate/duration", "value": "10m"}]
    talking.run("patch", "keydelivery", "store", "--type=json", "-p", json.dumps(change))
    (pod,) = running(talking, "store")
    short = talking.until("it lives for ten minutes", partial(shortly, talking, "store"))
    begun = time.monotonic()
    acknowledged(talking, "store", 1)
    before = {name: counts(talking, name) for name in ("lab", "store")}

    def renewed() -> bool:
        return bool(certificate_of(talking, "store")["certificate"]["id"] != short["id"])

    talking.until("it is renewed", renewed, timeout=430)
    took = time.monotonic() - begun
    print(f"renewed after {took:.0f} s of 600 s")
    assert 355 < took < 415
    acknowledged(talking, "store", 1)
    assert running(talking, "store") == [pod]
    for name, counted in before.items():
        after = counts(talking, name)
        assert after["calls answered"] > counted["calls answered"] + 100
        assert after.get("calls failed", 0) == counted.get("calls failed", 0)


def shortly(talking: Clinic, name: str) -> Manifest | None:
    """The certificate, if it ends within ten minutes."""
    found = dict(certificate_of(talking, name)["certificate"])
    limit = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 601))
    return found if found["notAfter"] <= limit else None


def test_an_authority_is_replaced_without_a_failed_handshake(talking: Clinic) -> None:
    before = {name: counts(talking, name) for name in ("lab", "store")}
    pods = {name: running(talking, name) for name in before}
    rotated = granting_vault()
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    rotated["spec"]["keys"][-1]["rotation"] = {"renewedAfter": now}
    begun = time.monotonic()
    talking.apply(rotated)

    waiting = talking.reason("keyvault", "vault", "AwaitingConsumers", "RotationComplete")
    assert f"{talking.namespace}/" in waiting["message"]
    state = talking.get("keyvault", "vault")["status"]["keys"][-1]
    assert (state["name"], state["primaryVersion"]) == (rotated["spec"]["keys"][-1]["name"], 1)
    assert [version["state"] for version in state["versions"]] == ["Pending", "Primary"]

    def replaced(name: str) -> bool:
        item = certificate_of(talking, name)
        return bool(item["certificate"]["versions"] == [2] and item["trust"]["versions"] == [2])

    for name in before:
        talking.until(f"{name} is under the new authority", partial(replaced, name), 120)
    for name in before:
        acknowledged(talking, name, 1)
    print(f"authority replaced within {time.monotonic() - begun:.1f} s")
    talking.reason("keyvault", "vault", "Complete", "RotationComplete")
    for name, counted in before.items():
        assert running(talking, name) == pods[name]
        after = counts(talking, name)
        assert after["calls answered"] > counted["calls answered"]
        assert after.get("calls failed", 0) == counted.get("calls failed", 0)
        assert after.get("handshakes failed", 0) == counted.get("handshakes failed", 0)


def test_a_name_of_another_namespace_is_refused(wards: Clinic) -> None:
    certificate = {
        "vault": {"name": "vault"},
        "key": "mesh",
        "dnsNames": ["kubernetes.default.svc"],
    }
    wards.apply(delivery("thief", {"name": "mesh", "certificate": certificate}))
    told = wards.reason("keydelivery", "thief", "NameNotAllowed", "Admitted")
    assert "kubernetes.default.svc" in told["message"]
    wards.delete("keydelivery", "thief")


KEY = {"vault": {"name": "vault"}, "key": "mesh"}


@pytest.mark.parametrize(
    ("items", "told"),
    [
        ([{"name": "a"}], "exactly one of dataset"),
        ([{**DATA, "signing": KEY}], "exactly one of dataset"),
        ([{"name": "a-trust", "signing": KEY}], "-trust"),
        ([{"name": "a", "certificate": KEY}, {"name": "b", "certificate": KEY}], "at most one"),
        ([{"name": "a", "certificate": {**KEY, "duration": "5m"}}], "10m to 90d"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(
    wards: Clinic,
    run_kubectl: Callable[..., "subprocess.CompletedProcess[str]"],
    items: list[Manifest],
    told: str,
) -> None:
    wrong = json.dumps(delivery("wrong", *items))
    done = run_kubectl("-n", wards.namespace, "apply", "-f", "-", stdin=wrong)
    assert done.returncode != 0
    assert told in done.stderr


def test_what_is_granted_no_more_is_gone_within_ten_seconds_and_comes_back(
    wards: Clinic, image: str
) -> None:
    wards.apply(delivery("ward", DATA), consumers("ward", image, "ward-keys", replicas=2))
    acknowledged(wards, "ward", 2)
    held = running(wards, "ward")
    revoked = copy.deepcopy(granting_vault())
    for key in revoked["spec"]["keys"]:
        key["grants"] = [g for g in key["grants"] if g["name"] != "wards"]
    begun = time.monotonic()
    wards.apply(revoked)

    def gone() -> bool:
        left = {pod["metadata"]["name"] for pod in wards.items("pods", "app=ward")}
        return not left & set(held) and not wards.get("secret", "ward-keys")

    wards.until("the Secret and the pods that held it are gone", gone, timeout=30)
    took = time.monotonic() - begun
    print(f"revoked within {took:.1f} s")
    assert took < 10
    told = wards.reason("keydelivery", "ward", "KeyNotGranted", "Admitted")
    assert "adds a grant with kinds [KeyDelivery]" in told["message"]
    events = json.loads(wards.run("get", "events", "-o", "json"))["items"]
    assert {"KeyNotGranted", "PodsDeleted"} <= {event["reason"] for event in events}
    wards.apply(granting_vault())
    acknowledged(wards, "ward", 2)
