"""get, describe, logs, wait."""

import json

import pytest
import yaml

from leeward.api.dataset import DATASET
from leeward.api.keydelivery import KEYDELIVERY
from leeward.api.maskingjob import MASKINGJOB
from leeward.cli.errors import ApiError
from leeward.cli.kinds import resource_of
from leeward.cli.port import EVENTS, JOBS, PODS, Manifest
from unit.cli.fake_cluster import FakeCluster, condition, leeward, resource

JOB_SPEC: Manifest = {
    "purpose": "research",
    "source": {"name": "admissions"},
    "output": {
        "dataset": "admissions-masked",
        "sealedWith": {"vault": {"name": "clinic"}, "key": "data"},
    },
}
RUNNING = resource(
    "MaskingJob",
    "visits",
    condition("Ready", "False", "Running"),
    spec=JOB_SPEC,
    progress={"done": 40, "total": 100, "unit": "rows", "percent": "40%", "etaSeconds": 3},
)
DONE = resource(
    "MaskingJob",
    "visits",
    condition("Complete", "True", "Published"),
    condition("Ready", "True", "Published"),
    spec=JOB_SPEC,
)
FAILED = resource(
    "MaskingJob",
    "visits",
    condition("Failed", "True", "MalformedData", "row 7, column 3: quote it"),
    condition("Ready", "False", "MalformedData", "row 7, column 3: quote it"),
    spec=JOB_SPEC,
)


def cluster_with(*states: Manifest) -> FakeCluster:
    cluster = FakeCluster()
    cluster.put(resource_of(MASKINGJOB), *states)
    return cluster


def test_get_prints_the_servers_columns() -> None:
    result = leeward("get", "mj", cluster=cluster_with(DONE))
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["NAME", "READY"],
        ["visits", "True"],
    ]


def test_get_wide_adds_columns_and_all_namespaces_the_namespace() -> None:
    result = leeward("get", "mj", "-A", "-o", "wide", cluster=cluster_with(DONE))
    assert result.stdout.splitlines()[1].split() == ["clinic", "visits", "True", "admissions"]


def test_get_without_kind_names_kinds() -> None:
    assert "maskingjob/visits" in leeward("get", cluster=cluster_with(DONE)).stdout


def test_get_as_json_and_yaml_is_the_manifest_without_managed_fields() -> None:
    as_json = json.loads(
        leeward("get", "mj/visits", "-o", "json", cluster=cluster_with(DONE)).stdout
    )
    as_yaml = yaml.safe_load(
        leeward("get", "mj", "visits", "-o", "yaml", cluster=cluster_with(DONE)).stdout
    )
    assert as_json == as_yaml
    assert as_json["spec"] == JOB_SPEC
    assert "managedFields" not in as_json["metadata"]


def test_get_says_that_there_is_nothing() -> None:
    result = leeward("get", cluster=FakeCluster())
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no resources of Leeward in namespace clinic" in result.stderr


def test_get_of_a_missing_name_fails_with_a_remedy() -> None:
    result = leeward("get", "lds", "nothing", cluster=FakeCluster())
    assert result.exit_code == 1
    assert "there is no Dataset nothing in namespace clinic" in result.stderr
    assert "leeward get datasets" in result.stderr


def test_an_unknown_kind_is_a_usage_error() -> None:
    assert leeward("get", "pods", cluster=FakeCluster()).exit_code == 2


def test_an_answer_of_the_server_becomes_one_sentence() -> None:
    cluster = FakeCluster()
    path = resource_of(DATASET).path("clinic")
    cluster.refused[path] = ApiError(403, "datasets is forbidden:\nno", "ask an administrator")
    result = leeward("get", "lds", cluster=cluster)
    assert result.exit_code == 1
    assert result.stderr == "leeward: datasets is forbidden: no\n  ask an administrator\n"


def test_describe_shows_children_pods_and_events_and_reads_no_secret() -> None:
    namespaced = {"namespace": "clinic"}
    children = [
        {"apiVersion": "batch/v1", "kind": "Job", "name": "mj-visits-1", **namespaced},
        {"apiVersion": "v1", "kind": "Secret", "name": "lw-abc", **namespaced},
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "mj-visits-1", **namespaced},
    ]
    made = {"jobUid": "u", "admission": {"jobName": "mj-visits-1"}, "children": children}
    cluster = cluster_with({**FAILED, "status": FAILED["status"] | made})
    cluster.put(JOBS, {"metadata": {"name": "mj-visits-1", **namespaced}, "status": {"failed": 1}})
    pod: Manifest = {
        "metadata": {
            "name": "mj-visits-1-x",
            "labels": {"leeward.dev/kind": "MaskingJob", "leeward.dev/name": "visits"},
            "ownerReferences": [{"kind": "Job", "name": "mj-visits-1"}],
            **namespaced,
        },
        "status": {
            "phase": "Failed",
            "containerStatuses": [{"state": {"terminated": {"reason": "Error", "exitCode": 2}}}],
        },
    }
    cluster.put(PODS, pod)
    event = {"metadata": {"name": "e", **namespaced}, "type": "Warning", "reason": "MalformedData"}
    cluster.put(EVENTS, event | {"message": "row 7", "eventTime": "2027-03-01T11:58:00.000000Z"})
    lines = leeward("describe", "mj", "visits", cluster=cluster).stdout.splitlines()
    text = "\n".join(lines)
    assert "Failed True MalformedData (5m)  row 7, column 3: quote it" in text
    job = next(i for i, line in enumerate(lines) if "Job/mj-visits-1  1 failed" in line)
    assert "Pod/mj-visits-1-x  Failed  Error, exit code 2" in lines[job + 1]
    assert "ConfigMap/mj-visits-1  gone" in text
    assert "2m  MalformedData  row 7" in text
    assert not [path for _, path in cluster.calls if "secrets" in path]


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ([condition("Ready", "False", "PodRefused")], "not made yet"),
        ([condition("Failed", "True", "NameTaken")], "never made"),
    ],
)
def test_describe_does_not_call_gone_what_was_never_made(
    conditions: list[Manifest], words: str
) -> None:
    child = {"apiVersion": "batch/v1", "kind": "Job", "name": "mj-visits-1", "namespace": "clinic"}
    held = resource("MaskingJob", "visits", *conditions, spec=JOB_SPEC, children=[child])
    cluster = cluster_with(held)
    assert f"Job/mj-visits-1  {words}" in leeward("describe", "mj/visits", cluster=cluster).stdout


def test_describe_of_a_job_says_what_became_of_its_privacy_model() -> None:
    privacy = {
        "classes": 12,
        "smallestClass": 5,
        "suppressedRows": 3,
        "loss": "0.3",
        "linkageRate": "0.061",
    }
    cluster = cluster_with({**DONE, "status": DONE["status"] | {"privacy": privacy}})
    told = leeward("describe", "mj", "visits", cluster=cluster).stdout
    assert "12 combinations, shared by 5 at least; 3 rows left out" in told
    assert "0.061 of the people found by a join with the source" in told


def test_describe_of_a_dataset_whose_inspection_is_over() -> None:
    child = {"apiVersion": "batch/v1", "kind": "Job", "name": "lds-x-1", "namespace": "clinic"}
    over: Manifest = {"inspection": {"name": "lds-x-1", "result": "Inspected"}, "children": [child]}
    cluster = FakeCluster()
    cluster.put(resource_of(DATASET), resource("Dataset", "x", **over))
    assert "Job/lds-x-1  gone" in leeward("describe", "lds", "x", cluster=cluster).stdout


def test_describe_of_a_keydelivery_says_what_pods_have() -> None:
    spec: Manifest = {"secretName": "ward-keys", "items": [{"name": "data"}, {"name": "mesh"}]}
    key = {"id": "ab" * 16, "version": 1, "acknowledged": True}
    certificate = {
        "version": 2,
        "notAfter": "2027-03-02T12:00:00Z",
        "renewAt": "2027-03-02T04:00:00Z",
    }
    items = [
        {"name": "data", "keys": [key]},
        {"name": "mesh", "keys": [], "certificate": certificate, "trust": {"versions": [1, 2]}},
    ]
    counts = {"consumerCount": 3, "acknowledgedCount": 2}
    cluster = FakeCluster()
    held = resource("KeyDelivery", "ward", spec=spec, items=items, **counts)
    cluster.put(resource_of(KEYDELIVERY), held)
    told = leeward("describe", "kdel", "ward", cluster=cluster).stdout
    assert f"key {'ab' * 16}, loaded by all" in told
    assert "by version 2, until 2027-03-02T12:00:00Z" in told
    assert "trusts versions 1, 2, not loaded by all" in told
    assert "3, of which 2 have loaded every key" in told


def test_logs_are_those_of_the_newest_pod() -> None:
    cluster = cluster_with(DONE)
    cluster.log_lines = [b'{"message":"a"}\n', b'{"message":"b"}\n']
    labels = {"leeward.dev/kind": "MaskingJob", "leeward.dev/name": "visits"}
    for name, time in (("new", "2027-03-01T11:00:00Z"), ("old", "2027-03-01T10:00:00Z")):
        metadata = {"name": name, "namespace": "clinic", "labels": labels}
        cluster.put(PODS, {"metadata": metadata | {"creationTimestamp": time}})
    result = leeward("logs", "mj", "visits", cluster=cluster)
    assert result.stdout_bytes == b'{"message":"a"}\n{"message":"b"}\n'
    assert ("logs", "new") in cluster.calls


def test_logs_are_not_those_of_a_pod_that_cleans_up() -> None:
    cluster = cluster_with(FAILED)
    labels = {"leeward.dev/kind": "MaskingJob", "leeward.dev/name": "visits"}
    for name, role, time in (
        ("mask", "masking", "2027-03-01T10:00:00Z"),
        ("clean", "clean", "2027-03-01T11:00:00Z"),
    ):
        metadata = {"name": name, "namespace": "clinic", "creationTimestamp": time}
        cluster.put(PODS, {"metadata": metadata | {"labels": labels | {"leeward.dev/role": role}}})
    leeward("logs", "mj/visits", cluster=cluster)
    assert ("logs", "mask") in cluster.calls


def test_logs_of_a_resource_without_pod() -> None:
    result = leeward("logs", "mj/visits", cluster=cluster_with(DONE))
    assert result.exit_code == 1
    assert "has no pod" in result.stderr


def test_wait_shows_progress_and_ends_when_the_condition_holds() -> None:
    result = leeward(
        "wait", "mj", "visits", "--for", "complete", cluster=cluster_with(RUNNING, DONE)
    )
    assert result.exit_code == 0
    assert "maskingjob/visits: Running 40% 3 s left" in result.stderr
    assert "Complete (Published)" in result.stderr


def test_wait_ends_at_once_on_failure_with_the_remedy() -> None:
    cluster = cluster_with(RUNNING, FAILED, DONE)
    result = leeward("wait", "mj/visits", "--timeout", "1h", cluster=cluster)
    assert result.exit_code == 1
    assert "MaskingJob visits failed: MalformedData: row 7, column 3: quote it" in result.stderr
    assert len(cluster.calls) == 2


def test_wait_ends_after_its_time_with_the_last_reason() -> None:
    result = leeward("wait", "mj/visits", "--timeout", "5s", cluster=cluster_with(RUNNING))
    assert result.exit_code == 1
    assert "did not come to Ready within 5 seconds: Running" in result.stderr


def test_wait_does_not_believe_a_condition_of_an_earlier_generation() -> None:
    stale = {**DONE, "metadata": DONE["metadata"] | {"generation": 2}}
    result = leeward("wait", "mj/visits", "--timeout", "1s", cluster=cluster_with(stale))
    assert result.exit_code == 1


@pytest.mark.parametrize(
    "args",
    [
        ("lds/x", "--for", "Complete"),
        ("mj/x", "--for", "Nonsense"),
        ("mj/x", "--timeout", "5"),
        ("mj/../x",),
        ("mj", "../datasets/x"),
        ("mj", "X"),
        ("x",),
    ],
)
def test_wait_refuses_what_makes_no_sense(args: tuple[str, ...]) -> None:
    assert leeward("wait", *args, cluster=FakeCluster()).exit_code == 2


def test_wait_for_something_that_is_not_there() -> None:
    result = leeward("wait", "mj/visits", cluster=FakeCluster())
    assert result.exit_code == 1
    assert "there is no MaskingJob visits" in result.stderr
