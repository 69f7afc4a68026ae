"""A namespace to try plans in: a vault, a volume, an inspected Dataset, a job that masks it."""

from __future__ import annotations

import json
from typing import Any

from fakeapi.documents import clone
from leeward.api.meta import API_VERSION
from leeward.plans.shared.model import ArtefactKeyInfo, Manifest, ObjectRef
from unit.plans.simulator import Engine
from unit.plans.world import World, stamp

NAMESPACE = "clinic"
WORK = ["MaskingJob", "DatasetPreview"]
DIGEST = "sha256:" + "11" * 32
OUTPUT_DIGEST = "sha256:" + "22" * 32
REPORT_DIGEST = "sha256:" + "23" * 32
FILE_ID = "33" * 16
COLUMNS = [
    {"name": "patient", "type": "String", "nullable": False},
    {"name": "born", "type": "Date", "nullable": True},
    {"name": "income", "type": "Integer", "nullable": True},
    {"name": "ward", "type": "String", "nullable": True},
]
ALGORITHMS = {
    "data": "AES256_GCM",
    "tokens": "AES256_SIV",
    "pseudonyms": "HMAC_SHA256",
    "intake": "HPKE_X25519",
}
OPERATIONS = {
    "data": ["Seal", "Open"],
    "tokens": ["Mask"],
    "pseudonyms": ["Mask"],
    "intake": ["Open"],
}
RULES: list[Manifest] = [
    {"name": "patient", "tokenize": {"key": {"vault": {"name": "vault"}, "key": "tokens"}}},
    {"name": "born", "generalize": {"dateTo": "Year"}},
    {"name": "income", "generalize": {"bins": ["0", "20000"]}},
    {"name": "ward", "keep": {}},
]
JOB = ObjectRef(API_VERSION, "MaskingJob", NAMESPACE, "mask")
SOURCE = ObjectRef(API_VERSION, "Dataset", NAMESPACE, "people")
VAULT = ObjectRef(API_VERSION, "KeyVault", NAMESPACE, "vault")
PREVIEW = ObjectRef(API_VERSION, "DatasetPreview", NAMESPACE, "look")
OUTPUT = ObjectRef(API_VERSION, "Dataset", NAMESPACE, "people-masked")


def resource(ref: ObjectRef, spec: Manifest, status: Manifest | None = None) -> Manifest:
    made: Manifest = {
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "metadata": {"name": ref.name, "namespace": ref.namespace},
        "spec": spec,
    }
    if status is not None:
        made["status"] = status
    return made


def vault_spec(**changes: Any) -> Manifest:
    keys = [
        {
            "name": name,
            "algorithm": algorithm,
            "grants": [{"name": "work", "kinds": WORK, "operations": OPERATIONS[name]}],
        }
        for name, algorithm in ALGORITHMS.items()
    ]
    return {"keys": keys, **changes}


def dataset_spec(**changes: Any) -> Manifest:
    return {
        "location": {"volume": {"claimName": "data", "path": "raw/people.csv"}},
        "format": "CSV",
        "grants": [{"name": "research", "kinds": WORK, "purposes": ["research"]}],
        **changes,
    }


def job_spec(**changes: Any) -> Manifest:
    return {
        "purpose": "research",
        "source": {"name": "people"},
        "columns": clone(RULES),
        "output": {
            "dataset": "people-masked",
            "location": {"volume": {"claimName": "data", "path": "masked/"}},
            "sealedWith": {"vault": {"name": "vault"}, "key": "data"},
            "grants": [{"name": "research", "kinds": WORK, "purposes": ["research"]}],
        },
        **changes,
    }


def preview_spec(**changes: Any) -> Manifest:
    return {
        "purpose": "research",
        "dataset": {"name": "people"},
        "recipientKey": "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=",
        **changes,
    }


def inspected(world: World, **changes: Any) -> Manifest:
    """Status of a Dataset that an inspection has found to be in order."""
    return {
        "observedGeneration": 1,
        "digest": DIGEST,
        "rows": 3,
        "bytes": 100,
        "columns": COLUMNS,
        "sealed": False,
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Inspected",
                "message": "",
                "lastTransitionTime": stamp(world.now),
            }
        ],
        **changes,
    }


def clinic(**job: Any) -> tuple[World, Engine]:
    """Everything in order, and a MaskingJob that nobody has looked at yet."""
    world = World()
    engine = Engine(world)
    world.add(resource(VAULT, vault_spec()))
    engine.settle(VAULT)
    world.add(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "namespace": NAMESPACE},
        }
    )
    world.add(resource(SOURCE, dataset_spec(), inspected(world)))
    world.add(resource(JOB, job_spec(**job)))
    world.done.clear()
    return world, engine


def sealed_source(world: World, key: str = "intake") -> str:
    """Make the source a sealed one; the id of its key."""
    key_id = "44" * 16
    info = world.keysets[NAMESPACE, "vault"]
    world.keys[key_id] = ArtefactKeyInfo(
        id=key_id,
        vault_id=info.vault_id,
        key=key,
        version=1,
        algorithm=ALGORITHMS[key],
        namespace=NAMESPACE,
        owner=f"Dataset/people/{world.objects[SOURCE]['metadata']['uid']}",
        published=True,
    )
    spec = dataset_spec(sealedWith={"vault": {"name": "vault"}, "key": key})
    status = inspected(world, sealed=True, keyId=key_id, sourceId=FILE_ID)
    world.change(SOURCE, spec=spec, status=status)
    return key_id


def answer(world: World, ref: ObjectRef = JOB, **changes: Any) -> Manifest:
    """What the masking program answers when all went well."""
    owner = world.objects[ref]
    admission = owner["status"]["admission"]
    uid, name = owner["metadata"]["uid"], ref.name
    key_id = next(key["id"] for key in admission["keys"] if key["role"] == "output")
    report = [
        {
            "name": column["name"],
            "transform": transform,
            "rule": column["name"],
            "typeBefore": column["type"],
            "typeAfter": "String",
            "changed": 3,
            "nullsBefore": 0,
            "nullsAfter": 0,
        }
        for column, transform in zip(
            COLUMNS, ("tokenize", "generalize", "generalize", "keep"), strict=True
        )
    ]
    return {
        "formatVersion": 1,
        "outcome": "Succeeded",
        "source": {"path": "/data/source/raw/people.csv", "digest": DIGEST, "bytes": 100},
        "output": {
            "path": f"/data/output/masked/{name}-{uid}.parquet.lwe1",
            "digest": OUTPUT_DIGEST,
            "bytes": 900,
            "rows": 3,
            "fileId": FILE_ID,
            "keyIds": [key_id],
            "columns": COLUMNS,
        },
        "reportFile": {
            "path": f"/data/output/masked/{name}-{uid}.parquet.report.lwe1",
            "digest": REPORT_DIGEST,
            "bytes": 700,
            "fileId": "4d" * 16,
            "keyIds": [key_id],
        },
        "report": {"rows": 3, "columns": report, "seconds": "0.1"},
        **changes,
    }


def started(**job: Any) -> tuple[World, Engine]:
    world, engine = clinic(**job)
    engine.settle(JOB)
    assert "jobUid" in world.objects[JOB]["status"]
    return world, engine


def config_ref(name: str) -> ObjectRef:
    return ObjectRef("v1", "ConfigMap", NAMESPACE, name)


def error(code: str, **place: Any) -> str:
    return json.dumps(
        {
            "formatVersion": 1,
            "outcome": "Failed",
            "error": {"code": code, "message": "what is wrong", "remedy": "what to do", **place},
        }
    )
