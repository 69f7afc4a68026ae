"""Datasets and outputs in a bucket: what their pods are told, mount and may reach."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from leeward.api.dataset import Location
from leeward.api.meta import API_VERSION
from leeward.api.s3 import S3
from leeward.plans.shared.clean import plan_orphan
from leeward.plans.shared.model import ArtefactKeyInfo, Manifest, ObjectRef, Observed
from unit.plans.clinic import (
    JOB,
    OUTPUT,
    SOURCE,
    answer,
    clinic,
    dataset_spec,
    inspected,
    job_spec,
    resource,
)
from unit.plans.datasets import DATA, config, dataset, fails, found
from unit.plans.simulator import Engine, ready
from unit.plans.world import World

STORE: Manifest = {
    "endpoint": "https://s3.example:9000/",
    "bucket": "clinic",
    "path": "raw/people.csv",
    "credentialsRef": {"name": "s3-reader"},
    "caRef": {"name": "authorities", "key": "s3.pem"},
    "cidrs": ["203.0.113.0/24", "2001:db8::/64"],
}
DNS = {
    "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
    "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
}


def bucket(**changes: Any) -> Manifest:
    return {"s3": STORE | changes}


def to(*cidrs: str, port: int) -> Manifest:
    return {
        "to": [{"ipBlock": {"cidr": cidr}} for cidr in cidrs],
        "ports": [{"protocol": "TCP", "port": port}],
    }


def pod_of(job: Manifest) -> tuple[dict[str, Manifest], dict[str, Manifest]]:
    """Volumes and mounts of a Job's pod, by name."""
    spec = job["spec"]["template"]["spec"]
    mounts = {mount["name"]: mount for mount in spec["containers"][0]["volumeMounts"]}
    return {volume["name"]: volume for volume in spec["volumes"]}, mounts


def test_a_dataset_in_a_bucket_is_inspected() -> None:
    world, engine = dataset(location=bucket())
    engine.settle(DATA)
    told = config(world).source
    assert told.path == "raw/people.csv"
    assert told.store is not None
    assert (told.store.endpoint, told.store.bucket) == ("https://s3.example:9000", "clinic")
    volumes, mounts = pod_of(world.only("Job"))
    secret = volumes["source-s3"]["secret"]
    assert (secret["secretName"], secret["optional"]) == ("s3-reader", True)
    assert [item["key"] for item in secret["items"]] == [
        "accessKeyId",
        "secretAccessKey",
        "sessionToken",
    ]
    assert volumes["source-ca"]["configMap"]["items"] == [{"key": "s3.pem", "path": "ca.crt"}]
    assert mounts["source-s3"] == {
        "name": "source-s3",
        "mountPath": told.store.credentials,
        "readOnly": True,
    }
    assert told.store.ca == f"{mounts['source-ca']['mountPath']}/ca.crt"
    assert not [volume for volume in volumes.values() if "persistentVolumeClaim" in volume]
    environment = world.only("Job")["spec"]["template"]["spec"]["containers"][0]["env"]
    assert [entry["name"] for entry in environment] == ["LEEWARD_CONFIG_DIGEST"]
    world.succeed(found(path="raw/people.csv"))
    assert ready(engine.settle(DATA))[:2] == ("True", "Inspected")


def test_its_pods_reach_the_store_and_name_servers_alone() -> None:
    world, engine = dataset(location=bucket())
    engine.settle(DATA)
    wanted = [to("203.0.113.0/24", "2001:db8::/64", port=9000), DNS]
    assert world.only("NetworkPolicy")["spec"]["egress"] == wanted
    policy = world.only("NetworkPolicy")
    policy["spec"]["egress"] = [{}]
    engine.settle(DATA)
    assert world.only("NetworkPolicy")["spec"]["egress"] == wanted


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [
        ("https://s3.example", 443),
        ("https://s3.example:9000/", 9000),
        ("https://s3.example:65535", 65535),
        ("https://[2001:db8::7]", 443),
        ("https://[2001:db8::7]:9000", 9000),
    ],
)
def test_the_port_of_an_endpoint(endpoint: str, port: int) -> None:
    assert S3.model_validate(STORE | {"endpoint": endpoint}).port == port


def test_a_port_that_none_has_is_refused() -> None:
    with pytest.raises(ValidationError, match="up to 65535"):
        S3.model_validate(STORE | {"endpoint": "https://s3.example:65536"})


def test_an_output_in_the_folder_of_its_source_is_refused() -> None:
    world, engine = clinic()
    world.change(SOURCE, spec=dataset_spec(location=bucket(path="raw/")))
    inside = bucket(path="raw/masked/", endpoint="https://s3.example:9000")
    world.change(JOB, spec=job_spec(output=job_spec()["output"] | {"location": inside}))
    assert ready(engine.settle(JOB))[1] == "OutputPathIsSource"


def test_a_file_that_is_not_there_yet_is_named_with_its_bucket() -> None:
    world, engine = dataset(location=bucket())
    engine.settle(DATA)
    fails(world, "FileMissing")
    status, reason, message = ready(engine.settle(DATA))
    assert (status, reason) == ("False", "AwaitingData")
    assert "raw/people.csv in bucket clinic of https://s3.example:9000/" in message


@pytest.mark.parametrize(
    "code",
    [
        "StoreUnavailable",
        "CredentialsMissing",
        "CredentialsRefused",
        "BucketMissing",
        "VolumeUnavailable",
    ],
)
def test_what_may_come_right_by_itself_is_tried_again(code: str) -> None:
    world, engine = dataset(location=bucket())
    engine.settle(DATA)
    fails(world, code)
    plan = engine.reconcile(DATA)
    assert plan is not None
    assert (ready(plan.status)[1], plan.requeue_after) == (code, 60)


def masking(source: Manifest, output: Manifest) -> tuple[World, Engine]:
    world, engine = clinic(output=job_spec()["output"] | {"location": output})
    world.change(SOURCE, spec=dataset_spec(location=source), status=inspected(world))
    engine.settle(JOB)
    return world, engine


def test_a_job_from_one_bucket_into_another() -> None:
    other = bucket(path="masked/", bucket="open", endpoint="https://s3.other", cidrs=["::/0"])
    world, engine = masking(bucket(), other)
    status = world.objects[JOB]["status"]
    assert status["admission"]["egress"] == [
        {"cidrs": ["203.0.113.0/24", "2001:db8::/64"], "port": 9000},
        {"cidrs": ["::/0"], "port": 443},
    ]
    stores = [to("203.0.113.0/24", "2001:db8::/64", port=9000), to("::/0", port=443)]
    assert world.only("NetworkPolicy")["spec"]["egress"] == [*stores, DNS]
    volumes, _ = pod_of(world.only("Job"))
    assert {"source-s3", "source-ca", "output-s3", "output-ca"} <= volumes.keys()
    uid = world.objects[JOB]["metadata"]["uid"]
    path = f"masked/mask-{uid}.parquet.lwe1"
    ended = answer(world)
    ended["output"]["path"] = path
    ended["reportFile"]["path"] = path.replace(".lwe1", ".report.lwe1")
    world.succeed(ended)
    assert ready(engine.settle(JOB))[:2] == ("True", "Published")
    made = world.objects[OUTPUT]["spec"]["location"]["s3"]
    assert (made["bucket"], made["path"]) == ("open", path)
    assert made["credentialsRef"] == {"name": "s3-reader"}


def test_a_job_from_a_volume_into_a_bucket() -> None:
    world, _ = masking(dataset_spec()["location"], bucket(path="masked"))
    volumes, mounts = pod_of(world.only("Job"))
    assert volumes["source"]["persistentVolumeClaim"]["claimName"] == "data"
    assert mounts["source"]["readOnly"] is True
    assert mounts["output-s3"]["readOnly"] is True
    assert "output" not in volumes


def test_a_job_on_volumes_alone_reaches_nothing() -> None:
    world, engine = clinic()
    engine.settle(JOB)
    assert "egress" not in world.objects[JOB]["status"]["admission"]
    assert world.only("NetworkPolicy")["spec"]["egress"] == []


def test_what_a_failed_job_left_in_a_bucket_is_removed() -> None:
    world, engine = masking(bucket(), bucket(path="masked/"))
    world.fail(exitCode=3)
    engine.settle(JOB)
    (clean,) = [m for m in world.of_kind("Job") if "clean" in m["metadata"]["name"]]
    volumes, _ = pod_of(clean)
    assert volumes["output-s3"]["secret"]["secretName"] == "s3-reader"
    ref = ObjectRef("v1", "ConfigMap", JOB.namespace, clean["metadata"]["name"])
    told = json.loads(world.objects[ref]["data"]["job.json"])
    assert told["store"]["bucket"] == "clinic"
    assert told["path"].startswith("masked/mask-")
    assert world.only("NetworkPolicy")["spec"]["egress"]


def test_what_a_deleted_job_left_in_a_bucket_is_removed() -> None:
    world = World()
    left = Location(s3=S3.model_validate(STORE | {"path": "masked/x.parquet.lwe1"}))
    key = ArtefactKeyInfo(
        id="55" * 16,
        vault_id="66" * 16,
        key="data",
        version=1,
        algorithm="AES256_GCM",
        namespace=JOB.namespace,
        owner="MaskingJob/mask/uid-of-the-job",
        artefact=left,
        dataset=OUTPUT.name,
    )
    world.keys[key.id] = key
    observed, context = Observed(), Engine(world).context()
    for _ in range(10):
        plan = plan_orphan(key, observed, context)
        observed.seen.update({need: world.look(need) for need in plan.needs})
        for action in plan.actions:
            observed.outcomes[action] = world.perform(action)
    assert pod_of(world.only("Job"))[0]["output-s3"]["secret"]["secretName"] == "s3-reader"
    stores = to("203.0.113.0/24", "2001:db8::/64", port=9000)
    assert world.only("NetworkPolicy")["spec"]["egress"] == [stores, DNS]


def test_a_source_of_another_namespace_is_no_hindrance_in_a_bucket() -> None:
    world, engine = clinic(source={"name": "people", "namespace": "other"})
    elsewhere = ObjectRef(API_VERSION, "Dataset", "other", "people")
    spec = dataset_spec(location=bucket())
    spec["grants"][0]["namespaces"] = [JOB.namespace]
    world.add(resource(elsewhere, spec, inspected(world)))
    assert ready(engine.settle(JOB), "Admitted")[:2] == ("True", "Admitted")
    assert pod_of(world.only("Job"))[0]["source-s3"]["secret"]["secretName"] == "s3-reader"
