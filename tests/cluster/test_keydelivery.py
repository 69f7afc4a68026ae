"""Keys and certificates of long-lived pods, on a cluster, as their users see them."""

import copy
import json
import time

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
)

pytestmark = pytest.mark.cluster

DATA = {"name": "data", "dataset": {"name": "letters"}}


def granting_vault() -> Manifest:
    """The vault of the namespace, with grants for KeyDeliveries."""
    made = vault()
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
    told = wards.reason("keydelivery", "deaf", "ConsumersNotAcknowledged", "Acknowledged")
    (pod,) = running(wards, "deaf")
    assert pod in told["message"]
    wards.delete("deployment", "deaf")
    wards.reason("keydelivery", "deaf", "NoConsumers", "Acknowledged")
    wards.delete("keydelivery", "deaf")


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
