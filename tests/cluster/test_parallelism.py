"""spec.parallelism: several pods on one MaskingJob, and what reads what they wrote."""

import json
from collections.abc import Callable

import pytest

from cluster.clinic import Clinic, Manifest, dataset, key_ref, masking_job

pytestmark = pytest.mark.cluster

ROWS = 440_000
"""About 20 MB: three shards."""
RULES: list[Manifest] = [
    {"name": "patient", "tokenize": {"key": key_ref("tokens")}},
    {"name": "note", "hash": {"key": key_ref("pseudonyms"), "length": 32}},
    {"name": "age", "keep": {}},
]


def people() -> str:
    rows = (
        f'{number % 5000},"note ""{number}"",\nsecond line of SECRET",{number % 97}'
        for number in range(ROWS)
    )
    return "\n".join(("patient,note,age", *rows)) + "\n"


def pods_of(clinic: Clinic, job: str) -> dict[str, bool]:
    """Names of the pods of a job, and whether each one runs."""
    return {
        pod["metadata"]["name"]: "running"
        in pod["status"].get("containerStatuses", [{}])[0].get("state", {})
        for pod in clinic.items("pods", f"leeward.dev/name={job},leeward.dev/role=masking")
    }


@pytest.fixture(scope="module")
def many(clinic: Clinic) -> Clinic:
    clinic.put("raw/many.csv", people().encode())
    clinic.apply(dataset("many", "raw/many.csv"))
    clinic.reason("dataset", "many", "Inspected")
    return clinic


def test_two_pods_write_parts_that_are_one_dataset(
    many: Clinic, leeward: Callable[..., str]
) -> None:
    many.apply(masking_job("shared", "many", RULES, parallelism=2))
    many.reason("maskingjob", "shared", "Published", timeout=180)
    job = many.get("maskingjob", "shared")["status"]
    made = many.get("job", job["admission"]["jobName"])
    assert made["spec"]["completions"] == 2
    output = many.get("dataset", "shared-out")
    assert output["status"]["rows"] == ROWS
    parts = [path for path in many.files() if "/masked/shared-" in path and ".parts/" in path]
    assert len(parts) >= 2
    assert not [path for path in many.files() if ".work/" in path]
    arguments = ("-n", many.namespace, "--purpose", "research", "--rows", "3", "-o", "json")
    shown = json.loads(leeward("dataset", "preview", "shared-out", *arguments))["rows"]
    assert [row["age"] for row in shown] == ["0", "1", "2"]
    assert "SECRET" not in json.dumps(shown)


def test_a_further_job_of_two_pods_reads_it(many: Clinic, leeward: Callable[..., str]) -> None:
    many.reason("maskingjob", "shared", "Published", timeout=180)
    rules: list[Manifest] = [{"name": "age", "keep": {}}]
    again = masking_job("again", "shared-out", rules, defaultAction="Drop", parallelism=2)
    many.apply(again)
    many.reason("maskingjob", "again", "Published", timeout=180)
    report = many.get("maskingjob", "again")["status"]["report"]
    columns = json.loads(many.get("configmap", report)["data"]["report.json"])["columns"]
    (age,) = [column for column in columns if column["name"] == "age"]
    assert age["distinctBefore"] == 97
    assert many.get("dataset", "again-out")["status"]["rows"] == ROWS


def test_a_worker_that_is_killed_is_replaced(many: Clinic) -> None:
    many.apply(masking_job("killed", "many", RULES, parallelism=2))

    def running() -> list[str]:
        return [pod for pod, runs in pods_of(many, "killed").items() if runs]

    (pod, *_) = many.until("a worker runs", running)
    many.run("delete", "pod", pod, "--grace-period=0", "--force", "--wait=false")
    many.reason("maskingjob", "killed", "Published", timeout=180)
    assert many.get("dataset", "killed-out")["status"]["rows"] == ROWS
    assert not [path for path in many.files() if ".work/" in path]


def test_keys_that_are_rotated_meanwhile_change_nothing(
    many: Clinic, leeward: Callable[..., str]
) -> None:
    here = ("-n", many.namespace)
    release = many.hold_shard("rotated", 1)
    many.apply(masking_job("rotated", "many", RULES, parallelism=2))
    many.until(
        "another one is masked",
        lambda: [path for path in many.files() if ".parts/part-00000" in path],
    )
    many.until("both pods run", lambda: list(pods_of(many, "rotated").values()) == [True, True])
    pinned = many.get("maskingjob", "rotated")["status"]["admission"]
    assert {key["version"] for key in pinned["keys"]} == {1}
    for key in ("data", "tokens", "pseudonyms"):
        leeward("keys", "rotate", "vault", key, *here, "--timeout", "60s")
    states = many.get("keyvault", "vault")["status"]["keys"]
    assert [state["primaryVersion"] for state in states] == [2, 2, 2, 1]

    # Who takes the place of a pod now is given the same keys.
    (gone, *_) = before = set(pods_of(many, "rotated"))
    many.run("delete", "pod", gone, "--grace-period=0", "--force", "--wait=false")
    many.until(
        "another pod runs in its place",
        lambda: any(runs for pod, runs in pods_of(many, "rotated").items() if pod not in before),
    )
    assert many.get("dataset", "rotated-out") == {}
    release()
    many.reason("maskingjob", "rotated", "Published", timeout=180)
    assert many.get("maskingjob", "rotated")["status"]["admission"] == pinned
    assert many.get("dataset", "rotated-out")["status"]["rows"] == ROWS
    arguments = (*here, "--purpose", "research", "--rows", "3", "-o", "json")
    shown = json.loads(leeward("dataset", "preview", "rotated-out", *arguments))["rows"]
    assert [row["age"] for row in shown] == ["0", "1", "2"]
    assert not [path for path in many.files() if ".work/" in path]


def test_its_key_is_replaced_and_its_parts_are_encrypted_anew(
    many: Clinic, leeward: Callable[..., str]
) -> None:
    many.reason("maskingjob", "shared", "Published", timeout=180)
    many.until(
        "nobody holds its key any more",
        lambda: not [s for s in many.items("secrets") if s["metadata"]["name"].startswith("lw-")],
    )

    def parts() -> set[str]:
        return {path for path in many.files() if "/masked/shared-" in path and ".parts/" in path}

    first, status = parts(), many.get("dataset", "shared-out")["status"]
    options = ("-n", many.namespace, "--timeout", "150s")
    leeward("dataset", "rewrap", "shared-out", *options)
    assert parts() == first
    leeward("dataset", "rewrap", "shared-out", "--reencrypt", *options)
    anew = many.get("dataset", "shared-out")["status"]
    assert anew["sourceId"] == status["sourceId"]
    assert anew["digest"] != status["digest"]
    assert len(parts()) == len(first)
    assert not parts() & first
    arguments = ("-n", many.namespace, "--purpose", "research", "--rows", "3", "-o", "json")
    shown = json.loads(leeward("dataset", "preview", "shared-out", *arguments))["rows"]
    assert [row["age"] for row in shown] == ["0", "1", "2"]
