"""dataset preview, public-key and put."""

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from leeward.api.dataset import DATASET
from leeward.api.datasetpreview import DatasetPreviewSpec
from leeward.cli.errors import ApiError
from leeward.cli.kinds import resource_of
from leeward.cli.port import DEPLOYMENTS, SUBJECT_ACCESS_REVIEWS, Manifest
from leeward.formats.sealed import (
    HpkePrivateKey,
    HpkePublicKey,
    digest_file,
    inspect_file,
    open_file,
    seal_stream,
)
from unit.cli.fake_cluster import FakeCluster, condition, leeward, resource

KEY_ID = "0f" * 16
PAIR = HpkePrivateKey.from_bytes(b"p" * 32, bytes.fromhex(KEY_ID))
SPEC: Manifest = {
    "location": {"volume": {"claimName": "clinic-data", "path": "raw/visits.csv.lwe1"}},
    "sealedWith": {"vault": {"name": "clinic"}, "key": "intake"},
}
PLAIN = b"patient_id,name\nP1,Ada Lovelace\n" * 50_000


def dataset(reason: str = "AwaitingData", **status: object) -> Manifest:
    status = {"keyId": KEY_ID, "publicKey": PAIR.public_key.to_pem().decode()} | status
    ready = condition("Ready", "True" if reason == "Inspected" else "False", reason, "what to do")
    return resource("Dataset", "visits", ready, spec=SPEC, **status)


# --- preview ------------------------------------------------------------------------------------

ROWS = {"columns": ["patient_id", "income"], "rows": [["P000001", None], ["P000002", "12\x1b[31m"]]}


def served(cluster: FakeCluster, *before: bytes | ApiError) -> Callable[[Manifest], list[Manifest]]:
    """What an operator and a pod do with a DatasetPreview."""

    def create(manifest: Manifest) -> list[Manifest]:
        spec = DatasetPreviewSpec.model_validate(manifest["spec"])
        key = X25519PublicKey.from_public_bytes(base64.b64decode(spec.recipient_key))
        sealed = io.BytesIO()
        document = json.dumps(ROWS | {"receipt": "read it"}).encode()
        seal_stream(io.BytesIO(document), sealed, [HpkePublicKey(key)])
        cluster.pod_answers["GET", "/result"] = [*before, sealed.getvalue()]
        cluster.pod_answers["DELETE", "/result"] = [b""]
        name = manifest["metadata"]["name"]
        ready = condition("Ready", "True", "Serving")
        return [
            manifest,
            resource("DatasetPreview", name, condition("Admitted", "False", "AwaitingSource")),
            resource("DatasetPreview", name, ready, pod="dp-visits-x"),
        ]

    return create


def test_preview_opens_rows_that_were_sealed_to_it_and_cleans_up() -> None:
    cluster = FakeCluster()
    cluster.on_create = served(cluster, ApiError(0, "connection refused"))
    result = leeward("dataset", "preview", "visits", "--purpose", "research", cluster=cluster)
    assert result.exit_code == 0, result.stderr
    assert "P000001" in result.stdout
    assert "null" in result.stdout
    assert "\x1b" not in result.stdout
    assert ("DELETE", "dp-visits-x:8080/result") in cluster.calls
    assert cluster.pod_headers == [{}, {}, {"Leeward-Receipt": "read it"}]
    assert cluster.names("delete") == cluster.names("create")
    assert cluster.states == {}


def test_preview_as_json() -> None:
    cluster = FakeCluster()
    cluster.on_create = served(cluster)
    args = ("dataset", "preview", "visits", "--purpose", "research", "-o", "json")
    shown = json.loads(leeward(*args, cluster=cluster).stdout)
    assert shown["columns"] == ROWS["columns"]
    assert shown["rows"][0] == {"patient_id": "P000001", "income": None}


@pytest.mark.parametrize(
    "refusal",
    [
        condition("Admitted", "False", "NotGranted", "add a grant"),
        condition("Failed", "True", "Tampered", "add a grant"),
    ],
)
def test_a_refused_preview_ends_at_once_and_is_deleted(refusal: Manifest) -> None:
    cluster = FakeCluster()
    cluster.on_create = lambda manifest: [
        resource("DatasetPreview", manifest["metadata"]["name"], refusal)
    ]
    result = leeward("dataset", "preview", "visits", "--purpose", "ads", cluster=cluster)
    assert result.exit_code == 1
    assert "add a grant" in result.stderr
    assert len(cluster.names("get")) == 1
    assert cluster.states == {}


def test_a_long_dataset_name_still_makes_a_valid_preview_name() -> None:
    cluster = FakeCluster()
    cluster.on_create = served(cluster)
    name = "n" * 52
    assert leeward("dataset", "preview", name, "--purpose", "p", cluster=cluster).exit_code == 0
    assert len(cluster.names("create")[0]) == 52


# --- public-key ---------------------------------------------------------------------------------


def test_public_key_is_pem_with_its_id_in_front() -> None:
    cluster = FakeCluster()
    cluster.put(resource_of(DATASET), dataset())
    pem = leeward("dataset", "public-key", "visits", cluster=cluster).stdout
    assert pem.startswith(f"Leeward-Key-Id: {KEY_ID}\n")
    loaded = HpkePublicKey.from_pem(pem.encode())
    assert loaded.fingerprint == PAIR.public_key.fingerprint


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"spec": {"location": SPEC["location"]}, "status": {}}, "not sealed"),
        ({"status": {"conditions": [condition("Ready", "False", "VaultMissing")]}}, "VaultMissing"),
    ],
)
def test_no_public_half_says_why(changes: Manifest, words: str) -> None:
    cluster = FakeCluster()
    cluster.put(resource_of(DATASET), dataset() | changes)
    result = leeward("dataset", "public-key", "visits", cluster=cluster)
    assert result.exit_code == 1
    assert words in result.stderr


# --- put ----------------------------------------------------------------------------------------


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "visits.csv"
    path.write_bytes(PLAIN)
    return path


Creating = Callable[[Manifest], list[Manifest]]


def reviewed(create: Creating, *, enabled: bool = True) -> Creating:
    """``create``, in a namespace where the operator may deliver keys, or not."""
    return lambda manifest: (
        [manifest | {"status": {"allowed": enabled}}]
        if manifest["kind"] == "SubjectAccessReview"
        else create(manifest)
    )


@pytest.fixture
def cluster(tmp_path: Path) -> FakeCluster:
    """A Dataset that waits for data, an operator, a volume, an inspection of what is there."""
    cluster = FakeCluster(volume=tmp_path / "volume")
    cluster.volume.mkdir()
    container = {"env": [{"name": "LEEWARD_MASKING_IMAGE", "value": "masking:1"}]}
    cluster.put(
        DEPLOYMENTS,
        {
            "metadata": {"name": "leeward-operator", "namespace": "leeward-system"},
            "spec": {"template": {"spec": {"containers": [container]}}},
        },
    )
    cluster.put(
        resource_of(DATASET), dataset(inspection={"token": "before", "result": "FileMissing"})
    )
    running = {"phase": "Running", "containerStatuses": [{"state": {"running": {}}}]}
    cluster.on_create = reviewed(lambda pod: [pod, pod | {"status": running}])

    def inspect(path: str, annotations: dict[str, str]) -> None:
        file = cluster.volume / SPEC["location"]["volume"]["path"]
        digest = f"sha256:{digest_file(file).hex()}"
        found = {"token": "now", "result": "Inspected"}
        cluster.put(
            resource_of(DATASET),
            dataset(inspection={"token": "before", "result": "FileMissing"}),
            dataset("Inspecting", inspection={"token": "now"}),
            dataset("Inspected", digest=digest, rows=50_000, inspection=found),
        )

    cluster.on_annotate = inspect
    return cluster


def on_volume(cluster: FakeCluster) -> list[Path]:
    return [path for path in cluster.volume.rglob("*") if path.is_file()]


def test_put_seals_here_and_waits_for_the_inspection(
    cluster: FakeCluster, plain: Path, tmp_path: Path
) -> None:
    result = leeward("dataset", "put", "visits", str(plain), cluster=cluster)
    assert result.exit_code == 0, result.stderr
    (sealed,) = on_volume(cluster)
    assert sealed == cluster.volume / "raw/visits.csv.lwe1"
    assert b"Lovelace" not in sealed.read_bytes()
    assert [r.key_id.hex() for r in inspect_file(sealed).recipients] == [KEY_ID]
    open_file(sealed, tmp_path / "opened", [PAIR])
    assert (tmp_path / "opened").read_bytes() == PLAIN
    assert "Ready, 50000 rows" in result.stderr
    pods = [name for name in cluster.names("create") if name.startswith("leeward-put-")]
    assert [n for n in cluster.names("delete") if n in pods] == pods


def test_put_without_leave_to_look_at_the_operator_names_the_option(
    cluster: FakeCluster, plain: Path
) -> None:
    path = DEPLOYMENTS.path("leeward-system", "leeward-operator")
    cluster.refused[path] = ApiError(403, "forbidden", "another remedy")
    result = leeward("dataset", "put", "visits", str(plain), cluster=cluster)
    assert result.exit_code == 1
    assert "--image" in result.stderr


def test_the_pod_that_writes_is_restricted_and_runs_the_installed_image(
    cluster: FakeCluster, plain: Path
) -> None:
    created: list[Manifest] = []
    usual = cluster.on_create

    def create(pod: Manifest) -> list[Manifest]:
        if pod["kind"] == "Pod":
            created.append(pod)
        return usual(pod)

    cluster.on_create = create
    leeward("dataset", "put", "visits", str(plain), cluster=cluster)
    spec = created[0]["spec"]
    assert spec["containers"][0]["image"] == "masking:1"
    assert spec["automountServiceAccountToken"] is False
    assert spec["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_a_file_that_is_sealed_already_is_sent_as_it_is(
    cluster: FakeCluster, plain: Path, tmp_path: Path
) -> None:
    sealed = tmp_path / "visits.lwe1"
    with plain.open("rb") as source, sealed.open("wb") as target:
        seal_stream(source, target, [HpkePublicKey(PAIR.public_key.key)])
    result = leeward("dataset", "put", "visits", str(sealed), cluster=cluster)
    assert result.exit_code == 0, result.stderr
    assert on_volume(cluster)[0].read_bytes() == sealed.read_bytes()


def test_a_file_that_is_sealed_to_somebody_else_is_not_sent(
    cluster: FakeCluster, plain: Path, tmp_path: Path
) -> None:
    sealed = tmp_path / "visits.lwe1"
    with plain.open("rb") as source, sealed.open("wb") as target:
        seal_stream(source, target, [HpkePrivateKey.from_bytes(b"q" * 32).public_key])
    result = leeward("dataset", "put", "visits", str(sealed), cluster=cluster)
    assert result.exit_code == 1
    assert "is not sealed to Dataset visits" in result.stderr
    assert on_volume(cluster) == []


def test_a_file_that_is_there_is_kept_unless_replaced(cluster: FakeCluster, plain: Path) -> None:
    there = cluster.volume / "raw/visits.csv.lwe1"
    there.parent.mkdir()
    there.write_bytes(b"before")
    result = leeward("dataset", "put", "visits", str(plain), cluster=cluster)
    assert result.exit_code == 1
    assert "--replace" in result.stderr
    assert there.read_bytes() == b"before"
    result = leeward("dataset", "put", "visits", str(plain), "--replace", cluster=cluster)
    assert result.exit_code == 0, result.stderr
    assert inspect_file(there).plaintext_size == len(PLAIN)


def test_a_connection_that_breaks_leaves_nothing(cluster: FakeCluster, plain: Path) -> None:
    cluster.breaks_after = 100_000
    result = leeward("dataset", "put", "visits", str(plain), cluster=cluster)
    assert result.exit_code == 1
    assert on_volume(cluster) == []
    assert len([name for name in cluster.names("delete") if name.startswith("leeward-put")]) == 1


def test_data_that_is_not_usable_ends_the_wait(cluster: FakeCluster, plain: Path) -> None:
    def inspect(path: str, annotations: dict[str, str]) -> None:
        found = {"token": "now", "result": "MalformedData"}
        cluster.put(resource_of(DATASET), dataset("MalformedData", inspection=found))

    cluster.on_annotate = inspect
    result = leeward("dataset", "put", "visits", str(plain), cluster=cluster)
    assert result.exit_code == 1
    assert "not usable: MalformedData: what to do" in result.stderr


def test_a_plain_dataset_takes_a_file_only_when_that_is_meant(
    cluster: FakeCluster, plain: Path
) -> None:
    spec = {"location": SPEC["location"]}
    cluster.put(resource_of(DATASET), dataset() | {"spec": spec})
    result = leeward("dataset", "put", "visits", str(plain), cluster=cluster)
    assert result.exit_code == 1
    assert "--plain" in result.stderr
    assert on_volume(cluster) == []


def test_an_image_that_is_missing_is_said(cluster: FakeCluster, plain: Path) -> None:
    waiting = {"reason": "ErrImageNeverPull", "message": "not present"}
    status = {"phase": "Pending", "containerStatuses": [{"state": {"waiting": waiting}}]}
    cluster.on_create = reviewed(lambda pod: [pod | {"status": status}])
    result = leeward("dataset", "put", "visits", str(plain), cluster=cluster)
    assert result.exit_code == 1
    assert "ErrImageNeverPull" in result.stderr
    assert "check the image" in result.stderr
    assert cluster.names("annotate") == []


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("0/3 nodes are available: 3 Insufficient cpu.", "asks for 50m of CPU"),
        ('persistentvolumeclaim "clinic-data" not found', "check the volume claim"),
    ],
)
def test_a_pod_that_no_node_takes_has_nothing_to_do_with_the_image(
    cluster: FakeCluster, plain: Path, message: str, words: str
) -> None:
    scheduled = condition("PodScheduled", "False", "Unschedulable", message)
    status = {"phase": "Pending", "conditions": [scheduled]}
    cluster.on_create = reviewed(lambda pod: [pod | {"status": status}])
    result = leeward("dataset", "put", "visits", str(plain), "--timeout", "3s", cluster=cluster)
    assert result.exit_code == 1
    assert message in result.stderr.replace("\n", " ")
    assert words in result.stderr
    assert "image" not in result.stderr


def test_an_inspection_that_takes_too_long_leaves_the_file_there(
    cluster: FakeCluster, plain: Path
) -> None:
    cluster.on_annotate = lambda path, annotations: None
    result = leeward("dataset", "put", "visits", str(plain), "--timeout", "3s", cluster=cluster)
    assert result.exit_code == 1
    assert len(on_volume(cluster)) == 1
    assert "the file is there" in result.stderr
    assert "leeward wait dataset visits -n clinic" in result.stderr
    assert "AwaitingData" not in result.stderr


def test_after_sending_only_steps_forward_are_shown(cluster: FakeCluster, plain: Path) -> None:
    def inspect(path: str, annotations: dict[str, str]) -> None:
        file = cluster.volume / SPEC["location"]["volume"]["path"]
        before = {"token": "before", "result": "Inspected"}
        now = {"token": "now"}
        digest = f"sha256:{digest_file(file).hex()}"
        cluster.put(
            resource_of(DATASET),
            dataset("Inspected", inspection=before),
            dataset("Inspected", inspection=before),
            dataset("Inspecting", inspection=now),
            dataset("AwaitingData", inspection=now),
            dataset("Inspecting", inspection=now),
            dataset("Inspected", digest=digest, rows=1, inspection=now | {"result": "Inspected"}),
        )

    cluster.on_annotate = inspect
    result = leeward("dataset", "put", "visits", str(plain), cluster=cluster)
    assert result.exit_code == 0, result.stderr
    steps = [line.split()[1] for line in result.stderr.splitlines() if line.startswith("dataset/")]
    assert steps == ["Inspecting", "Inspected", "Ready,"]


@pytest.mark.parametrize("may_ask", [True, False])
def test_nothing_is_sent_where_the_operator_cannot_deliver_the_key(
    cluster: FakeCluster, plain: Path, may_ask: bool
) -> None:
    if may_ask:
        cluster.on_create = reviewed(lambda pod: [pod], enabled=False)
    else:
        reviews = SUBJECT_ACCESS_REVIEWS.path(None, None)
        cluster.refused[reviews] = ApiError(403, "forbidden")
        cluster.put(resource_of(DATASET), dataset("NamespaceNotEnabled"))
    result = leeward("dataset", "put", "visits", str(plain), cluster=cluster)
    assert result.exit_code == 1
    assert "leeward namespace enable clinic" in result.stderr
    assert on_volume(cluster) == []
    assert not [name for name in cluster.names("create") if name.startswith("leeward-put-")]
