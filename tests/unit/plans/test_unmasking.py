"""direction Unmask: who may lead values back, with which keys, and what is said of it."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from leeward.api.meta import API_VERSION
from leeward.formats.jobconfig import MaskingConfig, UnmaskTokensConfig, parse_job_config
from leeward.plans.shared.conditions import condition_of
from leeward.plans.shared.model import Create, EnsureArtefactKey, Manifest, ObjectRef, Outcome
from unit.plans.clinic import (
    COLUMNS,
    JOB,
    NAMESPACE,
    OUTPUT,
    OUTPUT_DIGEST,
    RULES,
    SOURCE,
    VAULT,
    answer,
    clinic,
    config_ref,
    error,
    job_spec,
    resource,
    vault_spec,
)
from unit.plans.simulator import Engine, ready
from unit.plans.world import World

UNDO = ObjectRef(API_VERSION, "MaskingJob", NAMESPACE, "undo")
BACK = ObjectRef(API_VERSION, "Dataset", NAMESPACE, "people-back")
REASON = "audit request 2027-114"
TOKENS = ["0B6AsPyvtYxyxm61bjWf9rWRbmH6"]


def tokens_rule(scope: str = "Vault") -> Manifest:
    rule = copy.deepcopy(RULES[0])
    rule["tokenize"]["scope"] = scope
    return rule


def undoing(**changes: Any) -> Manifest:
    spec = job_spec(
        direction="Unmask",
        reason=REASON,
        source={"name": "people-masked"},
        columns=[tokens_rule()],
        defaultAction="Keep",
    )
    spec["output"]["dataset"] = "people-back"
    return {**spec, **changes}


def granted(world: World, *operations: str) -> None:
    spec = vault_spec()
    for key in spec["keys"]:
        if key["name"] in ("tokens", "data"):
            key["grants"][0]["operations"] = [*key["grants"][0]["operations"], *operations]
    world.change(VAULT, spec=spec)


def masked(scope: str = "Vault") -> tuple[World, Engine]:
    """A masked Dataset is there, and its steward grants Unmask."""
    world, engine = clinic(columns=[tokens_rule(scope), *RULES[1:]])
    engine.settle(JOB)
    world.succeed(answer(world))
    assert ready(engine.settle(JOB))[1] == "Published"
    for ref in [ref for ref in world.objects if ref.kind in ("Job", "Pod")]:
        world.remove(ref)
    granted(world, "Unmask")
    engine.settle(VAULT)
    world.done.clear()
    return world, engine


def asked(world: World, engine: Engine, **changes: Any) -> tuple[str, str]:
    world.add(resource(UNDO, undoing(**changes)))
    _, reason, message = ready(engine.settle(UNDO), "Admitted")
    return reason, message


@pytest.mark.parametrize("scope", ["Vault", "Dataset", "Job"])
def test_the_key_that_masked_leads_back_and_none_is_made(scope: str) -> None:
    world, engine = masked(scope)
    made = {key["role"]: key["id"] for key in world.objects[JOB]["status"]["admission"]["keys"]}
    reason, message = asked(world, engine, columns=[tokens_rule(scope)])
    assert (reason, message) == ("Admitted", "grants, keys and volumes are in order")
    admission = world.objects[UNDO]["status"]["admission"]
    used = {key["role"]: key["id"] for key in admission["keys"]}
    assert used[f"undo:tokens/{scope}"] == made[f"rule:tokens/{scope}"]
    ensured = [action.id for action in world.done if isinstance(action, EnsureArtefactKey)]
    assert ensured == [used["output"]]
    config = parse_job_config(
        world.objects[config_ref(admission["jobName"])]["data"]["job.json"].encode()
    )
    assert isinstance(config, MaskingConfig)
    assert [(rule.columns, rule.undo) for rule in config.rules] == [
        (["patient"], True),
        (["born", "income", "ward"], None),
    ]
    assert config.output.report is None, "it would be of values, and not of masking"


def test_what_is_led_back_is_raw_and_names_people() -> None:
    world, engine = masked()
    asked(world, engine)
    done = answer(world, UNDO)
    done["source"] = {"path": "/data/source/x", "digest": OUTPUT_DIGEST, "bytes": 9}
    for entry in done["report"]["columns"]:
        entry["transform"] = "tokenize" if entry["name"] == "patient" else "keep"
    del done["reportFile"]
    world.succeed(done)
    status = engine.settle(UNDO)
    assert ready(status)[1] == "Published"
    assert "led back and sealed" in ready(status)[2]
    back = world.objects[BACK]
    assert back["spec"]["sensitivity"] == "Raw"
    assert back["spec"]["columns"] == [{"name": "patient", "tags": ["DirectIdentifier"]}]
    assert "report" not in back["status"]
    assert "datasetScope" not in back["status"]["producedBy"]
    assert world.objects[OUTPUT]["spec"]["sensitivity"] == "Masked"


@pytest.mark.parametrize("scope", ["Vault", "Job"])
def test_a_job_that_fails_destroys_no_key_that_is_not_its_own(scope: str) -> None:
    world, engine = masked(scope)
    asked(world, engine, columns=[tokens_rule(scope)])
    admission = world.objects[UNDO]["status"]["admission"]
    used = {key["role"]: key["id"] for key in admission["keys"]}
    world.fail(exitCode=2, message=error("VolumeReadOnly"))
    engine.settle(UNDO)
    assert used[f"undo:tokens/{scope}"] in world.keys
    assert used["output"] not in world.keys


def test_condition_and_event_say_who_asked_and_no_reason() -> None:
    world, engine = masked()
    world.add(resource(UNDO, undoing()))
    world.annotate(UNDO, **{"unmask-requested-by": "ada@clinic.example"})
    status = engine.settle(UNDO)
    told = condition_of(status, "Unmasking")
    assert told is not None
    assert told["status"] == "True"
    assert 'column "patient" of Dataset people-masked' in told["message"]
    assert "ada@clinic.example asked for it, as they say" in told["message"]
    assert REASON not in told["message"]


def test_what_was_admitted_and_never_ran_is_taken_back() -> None:
    world, engine = masked()
    world.refusals.append(
        lambda action: Outcome("Forbidden") if isinstance(action, Create) else None
    )
    asked(world, engine)
    granted(world)
    world.refusals.clear()
    told = condition_of(engine.settle(UNDO), "Unmasking")
    assert told is not None
    assert (told["status"], told["reason"]) == ("False", "NotAdmitted")


def test_where_nobody_says_who_asked_the_audit_log_does() -> None:
    world, engine = masked()
    asked(world, engine)
    told = condition_of(world.objects[UNDO]["status"], "Unmasking")
    assert told is not None
    assert "audit log of the API server" in told["message"]


def test_masking_says_nothing_of_unmasking() -> None:
    world, _ = masked()
    assert condition_of(world.objects[JOB]["status"], "Unmasking") is None


def test_leave_to_mask_is_no_leave_to_unmask() -> None:
    world, engine = masked()
    granted(world)
    reason, message = asked(world, engine)
    assert reason == "KeyNotGranted"
    assert "for operation Unmask" in message


def test_only_what_was_masked_is_led_back() -> None:
    world, engine = masked()
    reason, message = asked(world, engine, source={"name": "people"})
    assert reason == "SourceNotMasked"
    assert "name the masked Dataset" in message


def test_a_scope_that_nobody_knows_any_more_is_told() -> None:
    world, engine = masked("Dataset")
    status = copy.deepcopy(world.objects[OUTPUT]["status"])
    del status["producedBy"]["datasetScope"]
    world.change(OUTPUT, status=status)
    reason, message = asked(world, engine, columns=[tokens_rule("Dataset")])
    assert reason == "ScopeUnknown"
    assert "only scope Vault" in message


def test_another_scope_than_that_of_the_masking_is_refused() -> None:
    world, engine = masked("Vault")
    reason, message = asked(world, engine, columns=[tokens_rule("Dataset")])
    assert reason == "KeyLost"
    assert "masked with another key or scope" in message


def test_a_destroyed_key_is_told() -> None:
    world, engine = masked()
    used = {key["role"]: key["id"] for key in world.objects[JOB]["status"]["admission"]["keys"]}
    del world.keys[used["rule:tokens/Vault"]]
    assert asked(world, engine)[0] == "KeyLost"


def test_a_destroyed_version_is_told() -> None:
    world, engine = masked()
    status = copy.deepcopy(world.objects[VAULT]["status"])
    for state in status["keys"]:
        state["shreddedBelow"] = 2
    world.change(VAULT, status=status)
    reason, message = asked(world, engine)
    assert reason == "KeyVersionGone"
    assert "version 1 of key tokens" in message


def test_a_key_that_another_version_wraps_by_now_still_leads_back() -> None:
    world, engine = masked()
    for key_id, info in list(world.keys.items()):
        world.keys[key_id] = replace(info, version=2)
    status = copy.deepcopy(world.objects[VAULT]["status"])
    for state in status["keys"]:
        state.update(primaryVersion=2, shreddedBelow=2)
    world.change(VAULT, status=status)
    assert asked(world, engine)[0] == "Admitted"


def test_a_list_of_tokens_needs_no_key_of_the_source() -> None:
    world, engine = masked()
    # A column of the source that is called as one of the output, and has nothing to do with it.
    tagged = [{"name": "value", "tags": ["Sensitive"]}]
    spec = {**world.objects[OUTPUT]["spec"], "columns": tagged, "subjectColumn": "value"}
    world.change(OUTPUT, spec=spec)
    assert asked(world, engine, tokens=TOKENS, defaultAction="Fail")[0] == "Admitted"
    admission = world.objects[UNDO]["status"]["admission"]
    assert {key["role"] for key in admission["keys"]} == {"undo:tokens/Vault", "output"}
    assert "sourceDigest" not in admission
    config = parse_job_config(
        world.objects[config_ref(admission["jobName"])]["data"]["job.json"].encode()
    )
    assert isinstance(config, UnmaskTokensConfig)
    assert config.tokens == TOKENS
    assert (config.rule.columns, config.rule.undo) == (["value"], True)
    told = condition_of(world.objects[UNDO]["status"], "Unmasking")
    assert told is not None
    assert "1 token of Dataset people-masked" in told["message"]
    assert TOKENS[0] not in str(world.objects[UNDO]["status"])

    done = answer(world, UNDO)
    del done["source"], done["reportFile"]
    columns = [{"name": name, "type": "String", "nullable": False} for name in ("token", "value")]
    done["output"]["columns"] = columns
    done["report"]["columns"] = [
        entry | {"name": name, "transform": transform}
        for entry, name, transform in zip(
            done["report"]["columns"], ("token", "value"), ("keep", "tokenize"), strict=False
        )
    ]
    world.succeed(done)
    assert ready(engine.settle(UNDO))[1] == "Published"
    back = world.objects[BACK]["spec"]
    assert back["sensitivity"] == "Raw"
    assert back["columns"] == [{"name": "value", "tags": ["DirectIdentifier"]}]
    assert "subjectColumn" not in back


def test_grants_of_the_masked_dataset_say_who_may() -> None:
    world, engine = masked()
    assert asked(world, engine, tokens=TOKENS, purpose="marketing")[0] == "NotGranted"


def test_the_source_of_the_masking_need_not_be_there_any_more() -> None:
    world, engine = masked("Dataset")
    world.remove(SOURCE)
    assert asked(world, engine, columns=[tokens_rule("Dataset")])[0] == "Admitted"
    assert len(COLUMNS) == 4
