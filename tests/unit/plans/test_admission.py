"""Admission of workloads: every check, its reason and its remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from leeward.plans.shared.model import Manifest, ObjectRef
from unit.plans.clinic import (
    COLUMNS,
    JOB,
    NAMESPACE,
    OUTPUT,
    PREVIEW,
    RULES,
    SOURCE,
    VAULT,
    clinic,
    dataset_spec,
    inspected,
    job_spec,
    preview_spec,
    resource,
    sealed_source,
    vault_spec,
)
from unit.plans.simulator import ready
from unit.plans.world import World

Setting = Callable[[World], None]


def spec(**changes: Any) -> Setting:
    return lambda world: world.change(JOB, spec=job_spec(**changes))


def output(**changes: Any) -> Setting:
    return spec(output={**job_spec()["output"], **changes})


def source(**changes: Any) -> Setting:
    return lambda world: world.change(SOURCE, spec=dataset_spec(**changes))


def rules(*added: Manifest) -> Setting:
    return spec(columns=[*RULES, *added])


def key(name: str, vault: str = "vault") -> Manifest:
    return {"vault": {"name": vault}, "key": name}


def instead(column: str, **transform: Any) -> Setting:
    kept = [rule for rule in RULES if rule["name"] != column]
    return spec(columns=[*kept, {"name": column, **transform}])


def data_grant(**changes: Any) -> Setting:
    grant = {"name": "g", "kinds": ["MaskingJob"], "purposes": ["research"], **changes}
    return source(grants=[{k: v for k, v in grant.items() if v is not None}])


def key_grant(name: str, **changes: Any) -> Setting:
    def change(world: World) -> None:
        changed = vault_spec()
        for entry in changed["keys"]:
            if entry["name"] == name:
                entry["grants"] = [{**grant, **changes} for grant in entry["grants"]]
        world.change(VAULT, spec=changed)

    return change


def source_elsewhere(world: World) -> None:
    elsewhere = ObjectRef(SOURCE.api_version, "Dataset", "other", "people")
    grants = [{"name": "g", "kinds": ["MaskingJob"], "namespaces": [NAMESPACE]}]
    world.add(resource(elsewhere, dataset_spec(grants=grants), inspected(world)))
    spec(source={"name": "people", "namespace": "other"})(world)


def both(*settings: Setting) -> Setting:
    def change(world: World) -> None:
        for setting in settings:
            setting(world)

    return change


def not_ready(world: World) -> None:
    world.change(SOURCE, status={})


def source_says(reason: str) -> Setting:
    def change(world: World) -> None:
        (condition,) = inspected(world)["conditions"]
        world.change(
            SOURCE, status={"conditions": [{**condition, "status": "False", "reason": reason}]}
        )

    return change


def vault_not_ready(world: World) -> None:
    world.change(VAULT, status={})


def name_taken(world: World) -> None:
    world.add(resource(OUTPUT, dataset_spec()))


def lost_source_key(world: World) -> None:
    world.keys.pop(sealed_source(world))


def sealed_without_grant(world: World) -> None:
    sealed_source(world)
    key_grant("intake", kinds=["DatasetPreview"])(world)


DENIED: list[tuple[str, Setting, str, str]] = [
    ("source missing", spec(source={"name": "nobody"}), "SourceMissing", "Dataset nobody"),
    ("source misnamed", spec(source={"name": "nobody"}), "SourceMissing", "MaskingJob and create"),
    ("source elsewhere", source_elsewhere, "VolumeInOtherNamespace", "create this MaskingJob in"),
    ("source not seen yet", not_ready, "AwaitingSource", "not seen it yet"),
    ("source inspected now", source_says("Inspecting"), "AwaitingSource", "Inspecting"),
    ("source at fault", source_says("MalformedData"), "SourceNotReady", "MalformedData"),
    ("no grant", source(grants=[]), "NotGranted", "it has no grants"),
    ("grant for another kind", data_grant(kinds=["DatasetPreview"]), "NotGranted", "kind"),
    ("grant for another namespace", data_grant(namespaces=["lab"]), "NotGranted", "namespace"),
    ("grant for another purpose", data_grant(purposes=["care"]), "NotGranted", "purpose research"),
    (
        "grant has ended",
        data_grant(notAfter="2027-01-01T00:00:00Z"),
        "NotGranted",
        "ended at 2027-01-01",
    ),
    ("no grant to open the source", sealed_without_grant, "KeyNotGranted", "operation Open"),
    ("source key lost", lost_source_key, "KeyLost", "backup"),
    ("vault missing", output(sealedWith=key("data", "nope")), "VaultMissing", "clinic/nope"),
    (
        "vault misnamed",
        output(sealedWith=key("data", "nope")),
        "VaultMissing",
        "spec.output cannot",
    ),
    ("vault not ready", vault_not_ready, "VaultNotReady", "not come to it yet"),
    ("key missing", output(sealedWith=key("nope")), "KeyMissing", "it has data, tokens"),
    ("output key unsuitable", output(sealedWith=key("tokens")), "KeyAlgorithmUnsuitable", "GCM"),
    ("output key a pair", output(sealedWith=key("intake")), "KeyNotGranted", "operation Seal"),
    (
        "rule key unsuitable",
        instead("patient", hash={"key": key("tokens")}),
        "KeyAlgorithmUnsuitable",
        "HMAC_SHA256; spec.columns cannot be changed",
    ),
    ("seal not granted", key_grant("data", operations=["Open"]), "KeyNotGranted", "Seal"),
    ("mask not granted", key_grant("tokens", names=["other"]), "KeyNotGranted", "the name mask"),
    (
        "key granted elsewhere",
        key_grant("data", namespaces=["lab"]),
        "KeyNotGranted",
        "namespace clinic",
    ),
    (
        "key grant has ended",
        key_grant("data", notAfter="2026-12-31T00:00:00Z"),
        "KeyNotGranted",
        "ended",
    ),
    ("column missing", rules({"name": "note", "drop": {}}), "ColumnMissing", 'column "note"'),
    ("column without rule", spec(columns=RULES[:3]), "ColumnWithoutRule", 'column "ward"'),
    (
        "several without rule",
        spec(columns=RULES[:2]),
        "ColumnWithoutRule",
        'columns "income", "ward"',
    ),
    (
        "identifier kept",
        source(columns=[{"name": "ward", "tags": ["DirectIdentifier"]}]),
        "IdentifierKept",
        'column "ward"',
    ),
    (
        "identifier cut to what it is",
        both(
            source(columns=[{"name": "born", "tags": ["DirectIdentifier"]}]),
            instead("born", generalize={"dateTo": "Day"}),
        ),
        "IdentifierKept",
        'column "born"',
    ),
    (
        "dates of no date",
        instead("ward", generalize={"dateTo": "Year"}),
        "UnsuitableColumn",
        "date",
    ),
    (
        "bins of no number",
        instead("ward", generalize={"bins": ["0"]}),
        "UnsuitableColumn",
        "number",
    ),
    (
        "shift of no date",
        instead("ward", dateShift={"subject": "patient", "maxDays": 3, "key": key("pseudonyms")}),
        "UnsuitableColumn",
        "String",
    ),
    (
        "no subject",
        instead("born", dateShift={"maxDays": 3, "key": key("pseudonyms")}),
        "SubjectMissing",
        "spec.subjectColumn",
    ),
    (
        "subject not in the file",
        instead("born", dateShift={"subject": "who", "maxDays": 3, "key": key("pseudonyms")}),
        "ColumnMissing",
        'no column "who"',
    ),
    (
        "neither granted nor ready",
        both(data_grant(purposes=["marketing"]), source_says("ColumnMissing")),
        "NotGranted",
        "research",
    ),
    ("nothing left", spec(columns=[], defaultAction="Drop"), "NoColumnsLeft", "at least one"),
    ("output name taken", name_taken, "OutputNameTaken", "people-masked"),
    (
        "output in the source file",
        output(location={"volume": {"claimName": "data", "path": "raw/people.csv"}}),
        "OutputPathIsSource",
        "another folder",
    ),
    (
        "claim missing",
        output(location={"volume": {"claimName": "nope", "path": "masked/"}}),
        "VolumeClaimMissing",
        "PersistentVolumeClaim nope does not exist in namespace clinic: create it; spec.output"
        " cannot be changed: to name another one, delete the MaskingJob and create it again",
    ),
    (
        "label of ours",
        spec(podTemplate={"labels": {"leeward.dev/name": "x"}}),
        "LabelReserved",
        "leeward.dev/name",
    ),
]


@pytest.mark.parametrize(
    ("setting", "reason", "told"), [case[1:] for case in DENIED], ids=[case[0] for case in DENIED]
)
def test_masking_job_is_not_admitted(setting: Setting, reason: str, told: str) -> None:
    world, engine = clinic()
    setting(world)
    status = engine.settle(JOB)
    assert ready(status, "Admitted")[:2] == ("False", reason)
    assert ready(status)[:2] == ("False", reason)
    assert told in ready(status)[2]
    assert "admission" not in status
    assert world.done == []


def test_kept_by_default_is_kept_too() -> None:
    world, engine = clinic(columns=RULES[:3], defaultAction="Keep")
    world.change(
        SOURCE, spec=dataset_spec(columns=[{"name": "ward", "tags": ["DirectIdentifier"]}])
    )
    assert ready(engine.settle(JOB))[1] == "IdentifierKept"


def test_waiting_grows_longer() -> None:
    world, engine = clinic(source={"name": "nobody"})
    delays = []
    for _ in range(6):
        plan = engine.reconcile(JOB)
        assert plan is not None
        assert plan.requeue_after is not None
        delays.append(plan.requeue_after)
        world.pass_time(plan.requeue_after)
    assert delays == [15, 15, 30, 60, 120, 240]


def test_it_goes_on_when_what_was_missing_is_there() -> None:
    world, engine = clinic()
    held = world.objects.pop(SOURCE)
    assert ready(engine.settle(JOB))[1] == "SourceMissing"
    world.add(held)
    assert ready(engine.settle(JOB), "Admitted")[0] == "True"


def test_too_many_keys() -> None:
    world, engine = clinic()
    grants = [{"name": "g", "kinds": ["MaskingJob"], "operations": ["Mask"]}]
    many = [{"name": f"k{n}", "algorithm": "HMAC_SHA256", "grants": grants} for n in range(22)]
    world.change(VAULT, spec=vault_spec(keys=[*vault_spec()["keys"], *many]))
    engine.settle(VAULT)
    scopes = ("Vault", "Dataset", "Job")
    columns = [
        {"name": f"r{n}", "hash": {"key": key(f"k{n // 3}"), "scope": scopes[n % 3]}}
        for n in range(63)
    ]
    world.change(JOB, spec=job_spec(columns=columns))
    assert ready(engine.settle(JOB))[1] == "TooManyKeys"


def test_columns_are_named_at_most_ten() -> None:
    world, engine = clinic(columns=RULES)
    status = inspected(world)
    status["columns"] = [*COLUMNS, *({"name": f"c{n}", "type": "String"} for n in range(15))]
    world.change(SOURCE, status=status)
    assert "and 5 more" in ready(engine.settle(JOB))[2]


def test_grant_of_another_namespace_must_be_named() -> None:
    """A grant without namespaces means the vault's own, wherever the job is."""
    world, engine = clinic()
    elsewhere = ObjectRef(VAULT.api_version, "KeyVault", "lab", "vault")
    world.add(resource(elsewhere, vault_spec()))
    engine.settle(elsewhere)
    sealed_with = {"vault": {"name": "vault", "namespace": "lab"}, "key": "data"}
    world.change(JOB, spec=job_spec(output={**job_spec()["output"], "sealedWith": sealed_with}))
    reason, message = ready(engine.settle(JOB))[1:]
    assert reason == "KeyNotGranted"
    assert f"namespaces [{NAMESPACE}]" in message
    shared = vault_spec()
    for entry in shared["keys"]:
        entry["grants"] = [{**grant, "namespaces": [NAMESPACE]} for grant in entry["grants"]]
    world.change(elsewhere, spec=shared)
    assert ready(engine.settle(JOB), "Admitted")[0] == "True"


@pytest.mark.parametrize(
    ("end", "reason"),
    [("2099-01-01t00:00:00z", "Starting"), ("0000-01-01T00:00:00Z", "NotGranted")],
)
def test_every_way_to_write_the_end_of_a_grant_is_understood(end: str, reason: str) -> None:
    """The API server takes small letters and the year 0."""
    world, engine = clinic()
    data_grant(notAfter=end)(world)
    engine.reconcile(JOB)
    assert ready(world.objects[JOB]["status"])[1] == reason


def test_vault_of_another_namespace_is_not_told_of() -> None:
    world, engine = clinic()
    elsewhere = ObjectRef(VAULT.api_version, "KeyVault", "lab", "vault")
    grant = {"name": "ward-nine", "kinds": ["MaskingJob"], "operations": ["Seal"]}
    spec_ = vault_spec(keys=[{**key, "grants": [grant]} for key in vault_spec()["keys"][:1]])
    world.add(resource(elsewhere, spec_))
    engine.settle(elsewhere)
    (name,) = (key["name"] for key in spec_["keys"])
    for named, reason in ((name, "KeyNotGranted"), ("nope", "KeyMissing")):
        sealed_with = {"vault": {"name": "vault", "namespace": "lab"}, "key": named}
        world.change(JOB, spec=job_spec(output={**job_spec()["output"], "sealedWith": sealed_with}))
        found, message = ready(engine.settle(JOB))[1:]
        assert found == reason
        assert "ward-nine" not in message
        assert f"has {name}" not in message


def test_faults_in_fixed_fields_say_how_to_change_them() -> None:
    world, engine = clinic(columns=RULES[:2])
    assert "delete it and create it again" in ready(engine.settle(JOB))[2]
    world.remove(SOURCE)
    assert "The rules and the output" not in ready(engine.settle(JOB))[2]


# --- DatasetPreview -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "setting", "reason"),
    [
        ({"dataset": {"name": "nobody"}}, None, "SourceMissing"),
        ({"purpose": "curiosity"}, None, "NotGranted"),
        ({}, data_grant(kinds=["MaskingJob"]), "NotGranted"),
        ({}, not_ready, "AwaitingSource"),
        ({}, lost_source_key, "KeyLost"),
        ({"dataset": {"name": "people", "namespace": "other"}}, source_elsewhere, None),
    ],
)
def test_preview_is_not_admitted(
    change: Manifest, setting: Setting | None, reason: str | None
) -> None:
    world, engine = clinic()
    if setting is not None:
        setting(world)
    world.add(resource(PREVIEW, preview_spec(**change)))
    status = engine.settle(PREVIEW)
    assert ready(status, "Admitted")[:2] == ("False", reason or "VolumeInOtherNamespace")
    assert world.of_kind("Job") == []
