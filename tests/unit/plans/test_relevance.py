"""Of what a resource says of itself, what matters to plans of others."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.api.meta import API_VERSION
from leeward.plans.shared.model import Manifest
from leeward.plans.shared.relevance import GONE, relevance

OLD, NEW = "01" * 16, "02" * 16
OTHERS = ("KeyDelivery", "MaskingJob")


def body(kind: str, status: Manifest, **metadata: Any) -> Manifest:
    placed = {"name": "it", "namespace": "ns", "uid": "u", "generation": 1, "resourceVersion": "1"}
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": placed | metadata,
        "spec": {},
        "status": status,
    }


def replacing(phase: str, **more: Any) -> Manifest:
    record = {
        "mode": "Rewrap",
        "phase": phase,
        "keyId": NEW,
        "previousKeyId": OLD,
        "startedAt": "2027-01-01T00:00:00Z",
        **more,
    }
    return {"keyId": OLD, "replacement": record}


def condition(type_: str, reason: str) -> Manifest:
    at = "2027-01-01T00:00:00Z"
    told = {
        "type": type_,
        "status": "True",
        "reason": reason,
        "message": "",
        "lastTransitionTime": at,
    }
    return {"conditions": [told]}


def same(dependant: str, before: Manifest, after: Manifest) -> bool:
    return relevance(dependant, before) == relevance(dependant, after)


@pytest.mark.parametrize("dependant", OTHERS)
@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"uid": "another"}},
        {"metadata": {"deletionTimestamp": "2027-01-01T00:00:00Z"}},
        {"status": {"keyId": NEW}},
        {"status": condition("Ready", "Inspected")},
        {"status": replacing("Distributing")},
    ],
    ids=str,
)
def test_what_can_matter_of_a_dataset(dependant: str, change: Manifest) -> None:
    after = body("Dataset", change.get("status", {"keyId": OLD}), **change.get("metadata", {}))
    assert not same(dependant, body("Dataset", {"keyId": OLD}), after)
    assert relevance(dependant, after) != relevance(dependant, None) == GONE


@pytest.mark.parametrize("dependant", OTHERS)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"keyId": OLD}, {"keyId": OLD, "children": []}),
        (
            {"keyId": OLD, **condition("RotationComplete", "Adding")},
            {"keyId": OLD, "conditions": []},
        ),
        (replacing("Adding"), replacing("Adding", job="rw", secret="lw")),
    ],
    ids=["children", "progress", "job"],
)
def test_what_matters_to_nobody_else(dependant: str, before: Manifest, after: Manifest) -> None:
    other = body("Dataset", after, resourceVersion="2", managedFields=[{}])
    assert same(dependant, body("Dataset", before), other)


def test_another_spec_matters_but_not_to_pods_when_their_keys_are_to_be_replaced() -> None:
    before, asked, granted = (body("Dataset", {"keyId": OLD}, generation=n) for n in (1, 2, 2))
    asked["spec"] = {"rotation": {"renewedAfter": "2027-01-01T00:00:00Z"}}
    granted["spec"] = {"grants": []}
    assert [same("KeyDelivery", before, after) for after in (asked, granted)] == [True, False]
    assert [same("MaskingJob", before, after) for after in (asked, granted)] == [False, False]


def test_to_pods_only_matters_which_keys_they_are_to_have() -> None:
    draining, removing = (body("Dataset", replacing(p)) for p in ("Draining", "Removing"))
    assert same("KeyDelivery", draining, removing)
    assert not same("MaskingJob", draining, removing)


def delivered(acknowledged: bool, **status: Any) -> Manifest:
    keys = [{"id": NEW, "version": 1, "acknowledged": acknowledged}]
    held = {"secret": {"version": "1"}, "items": [{"name": "data", "keys": keys}]}
    return body("KeyDelivery", held | status)


def test_of_a_delivery_matters_to_its_dataset_what_pods_hold_and_have_loaded() -> None:
    before = delivered(False)
    assert same("Dataset", before, delivered(False, consumers=[{"pod": "one"}]))
    assert same("Dataset", before, delivered(False, **condition("Ready", "KeysDelivered")))
    assert not same("Dataset", before, delivered(True))
    assert not same("Dataset", before, delivered(False, secret={"version": "1", "pending": True}))
    assert not same("Dataset", before, delivered(False, items=[]))
    assert not same("Dataset", before, body("KeyDelivery", {}))
    assert same("KeyVault", before, delivered(True)), "it looks by itself: they are many"


def test_what_depends_on_a_key_matters_only_to_its_vault() -> None:
    def vault(**version: Any) -> Manifest:
        made = {"version": 1, "state": "Primary", **version}
        return body("KeyVault", {"keys": [{"name": "data", "versions": [made]}]})

    assert same("Dataset", vault(artefactKeys=1), vault(artefactKeys=2, resources=1))
    assert not same("Dataset", vault(), vault(state="Enabled"))


def test_a_status_that_nobody_can_read_is_compared_as_a_whole() -> None:
    odd = body("Dataset", {"keyId": "odd"})
    assert not same("KeyDelivery", odd, body("Dataset", {"keyId": "odd", "rows": 1}))
