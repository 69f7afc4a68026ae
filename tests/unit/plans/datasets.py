"""A Dataset to try the plan with, and what its inspection can answer."""

from __future__ import annotations

import json
from typing import Any

from leeward.api.meta import API_VERSION
from leeward.formats.jobconfig import InspectConfig, parse_job_config
from leeward.plans.shared.model import (
    ArtefactKeyInfo,
    Manifest,
    ObjectRef,
)
from unit.plans.clinic import (
    COLUMNS,
    DIGEST,
    NAMESPACE,
    VAULT,
    clinic,
    dataset_spec,
    resource,
    vault_spec,
)
from unit.plans.simulator import Engine
from unit.plans.world import PEM, World

DATA = ObjectRef(API_VERSION, "Dataset", NAMESPACE, "visits")
OTHER_KEY = "77" * 16


def dataset(sealed: str | None = None, **changes: Any) -> tuple[World, Engine]:
    world, engine = clinic()
    if sealed is not None:
        changes["sealedWith"] = {"vault": {"name": "vault"}, "key": sealed}
    world.add(resource(DATA, dataset_spec(**changes)))
    return world, engine


def shared(**changes: Any) -> tuple[World, Engine]:
    """A Dataset under a symmetric key that was imported."""
    world, engine = clinic()
    spec = vault_spec()
    for key in spec["keys"]:
        if key["name"] == "data":
            key["origin"] = {"import": {"secretRef": {"name": "partner", "key": "key"}}}
    world.change(VAULT, spec=spec)
    changes["sealedWith"] = {"vault": {"name": "vault"}, "key": "data"}
    world.add(resource(DATA, dataset_spec(**changes)))
    return world, engine


def found(**changes: Any) -> Manifest:
    return {
        "formatVersion": 1,
        "outcome": "Succeeded",
        "source": {
            "path": "/data/source/raw/people.csv",
            "digest": DIGEST,
            "bytes": 100,
            "rows": 3,
            "columns": COLUMNS,
            **changes,
        },
    }


def fails(world: World, code: str, **error: Any) -> None:
    message = {
        "formatVersion": 1,
        "outcome": "Failed",
        "error": {"code": code, "message": "what is wrong", "remedy": "what to do", **error},
    }
    world.fail(exitCode=2, message=json.dumps(message))


def record(world: World, key_id: str, **changes: Any) -> None:
    """An artefact key that is in the store already."""
    info = {
        "id": key_id,
        "vault_id": world.keysets[NAMESPACE, "vault"].vault_id,
        "key": "intake",
        "version": 1,
        "algorithm": "HPKE_X25519",
        "namespace": NAMESPACE,
        "owner": "Dataset/other/uid",
        "published": True,
        "public_key": PEM,
        **changes,
    }
    world.keys[key_id] = ArtefactKeyInfo(**info)


def config(world: World) -> InspectConfig:
    name = world.only("Job")["metadata"]["name"]
    stored = world.objects[ObjectRef("v1", "ConfigMap", NAMESPACE, name)]
    parsed = parse_job_config(stored["data"]["job.json"].encode())
    assert isinstance(parsed, InspectConfig)
    return parsed
