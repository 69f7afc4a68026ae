"""Inventory, references, echoes and transitions: what the controller keeps in mind."""

from leeward.engine.echoes import Echoes
from leeward.engine.inventory import Inventory, Key, key_of
from leeward.engine.references import References
from leeward.engine.transitions import condition_events
from leeward.plans.shared.model import Manifest

A, B, C = (Key("Dataset", "ns", name) for name in "abc")


def _body(ready: str | None) -> Manifest:
    conditions = [] if ready is None else [{"type": "Ready", "status": ready, "reason": "X"}]
    return {
        "kind": "Dataset",
        "metadata": {"namespace": "ns", "name": "a"},
        "status": {"conditions": conditions},
    }


def test_the_inventory_counts_resources_by_condition() -> None:
    inventory = Inventory()
    inventory.put(A, _body("False"))
    inventory.put(B, _body("True"))
    inventory.put(A, _body("True"))
    inventory.put(C, _body(None))
    assert inventory.counts()["Dataset", "Ready", "True"] == 2
    assert inventory.counts()["Dataset", "Ready", "False"] == 0
    inventory.remove(A)
    inventory.remove(A)
    assert inventory.counts()["Dataset", "Ready", "True"] == 1
    assert set(inventory) == {B, C}
    assert key_of(_body(None)) == A


def test_a_resource_wakes_those_whose_last_plan_looked_at_it() -> None:
    references = References()
    references.set(A, {B: 1, C: 2, A: 3})
    references.set(B, {C: 4})
    assert set(references.dependants(C)) == {A, B}
    assert references.dependants(A) == ()
    assert (references.seen(A, C), references.seen(B, C), references.seen(A, A)) == (2, 4, None)
    references.set(A, {B: 5})
    assert (references.seen(A, B), references.seen(A, C)) == (5, None)
    assert references.dependants(C) == (B,)
    references.remove(B)
    assert references.dependants(C) == ()
    assert references.dependants(B) == (A,)


def test_an_echo_is_known_by_kind_and_version_and_the_oldest_are_dropped() -> None:
    echoes = Echoes(capacity=2)
    for version in ("1", "2", "3"):
        echoes.wrote("Job", version)
    assert [echoes.is_echo("Job", version) for version in ("1", "2", "3")] == [False, True, True]
    assert not echoes.is_echo("Pod", "3")


def test_what_is_older_than_an_own_write_is_no_news() -> None:
    echoes = Echoes()
    assert echoes.is_news(A, "5")
    echoes.wrote_own(A, "10")
    assert [echoes.is_news(A, version) for version in ("9", "10", "11", "x")] == [
        False,
        False,
        True,
        False,
    ]
    echoes.forget(A)
    assert echoes.is_news(A, "9")


def _status(**conditions: tuple[str, str]) -> Manifest:
    return {
        "conditions": [
            {"type": type_, "status": status, "reason": reason, "message": "m"}
            for type_, (status, reason) in conditions.items()
        ]
    }


def _events(before: Manifest, after: Manifest, *, workload: bool) -> list[tuple[str, str]]:
    events = condition_events(before, after, workload=workload, progress=frozenset({"Waiting"}))
    return [(event.type, event.reason) for event in events]


def test_a_vault_that_is_well_from_the_start_costs_no_event() -> None:
    assert _events({}, _status(Ready=("True", "KeysReady")), workload=False) == []


def test_a_vault_that_is_not_well_costs_a_warning_once() -> None:
    lost = _status(Ready=("False", "KeysetLost"))
    assert _events({}, lost, workload=False) == [("Warning", "KeysetLost")]
    assert _events(lost, lost, workload=False) == []
    well = _status(Ready=("True", "KeysReady"))
    assert _events(lost, well, workload=False) == [("Normal", "KeysReady")]


def test_not_yet_is_no_warning() -> None:
    waiting = _status(Ready=("False", "Waiting"))
    assert _events({}, waiting, workload=False) == []
    failed = _status(Ready=("False", "Tampered"))
    assert _events(waiting, failed, workload=False) == [("Warning", "Tampered")]


def test_a_workload_tells_of_each_step_and_not_of_what_mirrors_it() -> None:
    first = _status(Admitted=("False", "NotGranted"), Ready=("False", "NotGranted"))
    assert _events({}, first, workload=True) == [("Warning", "NotGranted")]
    admitted = _status(
        Admitted=("True", "Admitted"), Running=("False", "Starting"), Ready=("False", "Starting")
    )
    assert _events(first, admitted, workload=True) == [("Normal", "Admitted")]
    failed = _status(Admitted=("True", "Admitted"), Failed=("True", "Tampered"))
    assert _events(admitted, failed, workload=True) == [("Warning", "Tampered")]
