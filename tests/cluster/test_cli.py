"""The ``leeward`` command on a real cluster: what needs exec, port-forward and tables."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cluster.clinic import Clinic, Kubectl, dataset, masking_job
from leeward.formats.sealed import HpkePrivateKey, inspect_file, seal_file

pytestmark = pytest.mark.cluster

Leeward = Callable[..., str]
ROWS = "id,name\n" + "".join(f"{number},Zebulon Quackenbush {number}\n" for number in range(20_000))


def fails(*args: str) -> str:
    """The command must fail with one sentence and a remedy; what it said."""
    command = Path(sys.executable).with_name("leeward")
    done = subprocess.run(
        [command, *args], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("laptop") / "visits.csv"
    path.write_text(ROWS)
    return path


@pytest.fixture(scope="module")
def visits(clinic: Clinic, leeward: Leeward, plain: Path) -> Clinic:
    """A sealed Dataset whose data was brought by the command."""
    clinic.apply(dataset("visits", "raw/visits.csv.lwe1", sealed=True))
    clinic.until("a public half", lambda: clinic.get("dataset", "visits")["status"]["publicKey"])
    leeward("dataset", "put", "visits", str(plain), "-n", clinic.namespace)
    return clinic


def test_put_brings_a_file_sealed_and_waits_for_its_inspection(
    visits: Clinic, tmp_path: Path
) -> None:
    status = visits.get("dataset", "visits")["status"]
    assert (status["rows"], status["sealed"]) == (20_000, True)
    sealed = tmp_path / "sealed"
    text = visits.run("exec", "loader", "--", "base64", "/data/raw/visits.csv.lwe1")
    sealed.write_bytes(base64.b64decode(text))
    assert b"Quackenbush" not in sealed.read_bytes()
    info = inspect_file(sealed)
    assert [r.key_id.hex() for r in info.recipients] == [status["keyId"]]
    assert info.file_id.hex() == status["sourceId"]
    assert visits.items("pods", "app.kubernetes.io/managed-by=leeward-cli") == []


def test_put_keeps_what_is_there(visits: Clinic, plain: Path) -> None:
    said = fails("dataset", "put", "visits", str(plain), "-n", visits.namespace)
    assert "--replace" in said


def test_put_in_two_steps_replaces_what_is_there(
    visits: Clinic, leeward: Leeward, plain: Path, tmp_path: Path
) -> None:
    pem, sealed = tmp_path / "visits.pem", tmp_path / "visits.lwe1"
    pem.write_text(leeward("dataset", "public-key", "visits", "-n", visits.namespace))
    leeward("seal", str(plain), "--to", str(pem), "-o", str(sealed))
    put = ("dataset", "put", "visits", str(sealed), "--replace", "-n", visits.namespace)
    leeward(*put)
    source_id = visits.get("dataset", "visits")["status"]["sourceId"]
    assert source_id == inspect_file(sealed).file_id.hex()


def test_put_refuses_a_file_that_is_sealed_to_somebody_else(
    visits: Clinic, plain: Path, tmp_path: Path
) -> None:
    sealed = tmp_path / "other.lwe1"
    seal_file(plain, sealed, [HpkePrivateKey.from_bytes(b"x" * 32).public_key])
    put = ("dataset", "put", "visits", str(sealed), "--replace", "-n", visits.namespace)
    assert "is not sealed to Dataset visits" in fails(*put)


def test_put_tells_what_is_wrong_with_the_data(
    visits: Clinic, leeward: Leeward, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.csv"
    broken.write_text("id,name\n1,Zebulon\n2,Ottoline,3\n")
    visits.apply(dataset("broken", "raw/broken.csv.lwe1", sealed=True))
    visits.until("a public half", lambda: visits.get("dataset", "broken")["status"]["publicKey"])
    said = fails("dataset", "put", "broken", str(broken), "-n", visits.namespace)
    assert "MalformedData" in said
    assert "row 2" in said
    assert "Ottoline" not in said


def test_preview_fetches_rows_through_a_port_forward(visits: Clinic, leeward: Leeward) -> None:
    args = ("dataset", "preview", "visits", "--purpose", "research", "--rows", "2", "-o", "json")
    shown = json.loads(leeward(*args, "-n", visits.namespace))
    assert [row["name"] for row in shown["rows"]] == [
        "Zebulon Quackenbush 0",
        "Zebulon Quackenbush 1",
    ]
    assert visits.items("datasetpreviews") == []


def test_a_refused_preview_says_why(visits: Clinic) -> None:
    args = ("dataset", "preview", "visits", "--purpose", "curiosity", "-n", visits.namespace)
    assert "NotGranted" in fails(*args)
    assert visits.items("datasetpreviews") == []


def test_wait_describe_logs_and_get_of_a_job(visits: Clinic, leeward: Leeward) -> None:
    rules = [{"name": "id", "keep": {}}, {"name": "name", "redact": {}}]
    visits.apply(masking_job("cli", "visits", rules))
    place = ("-n", visits.namespace)
    leeward("wait", "maskingjob/cli", "--for", "Complete", "--timeout", "90s", *place)
    assert "Published" in leeward("get", "mj", "cli", *place)
    tree = leeward("describe", "mj", "cli", *place)
    assert "Complete True" in tree
    assert "Job/mj-cli-" in tree
    logs = leeward("logs", "mj/cli", *place)
    assert json.loads(logs.splitlines()[-1])["message"]
    assert "Zebulon" not in tree + logs


def test_wait_ends_at_once_when_a_job_fails(visits: Clinic) -> None:
    visits.apply(masking_job("hopeless", "visits", [{"name": "nothing", "keep": {}}]))
    visits.reason("maskingjob", "hopeless", "ColumnMissing", "Admitted")
    said = fails("wait", "mj/hopeless", "--timeout", "2s", "-n", visits.namespace)
    assert "ColumnMissing" in said


def test_an_error_of_the_api_server_is_one_sentence(visits: Clinic) -> None:
    said = fails("get", "mj", "nothing", "-n", visits.namespace)
    assert said.startswith("leeward: there is no MaskingJob nothing")


def test_doctor_finds_no_problem(visits: Clinic, leeward: Leeward) -> None:
    found = json.loads(leeward("doctor", "-o", "json"))
    assert [finding for finding in found if finding["level"] == "problem"] == []
    operator = next(finding for finding in found if finding["subject"] == "leader")
    assert operator["level"] == "ok"
    if not os.environ.get("KUBE_CONTEXT"):
        policies = next(finding for finding in found if finding["subject"] == "network policies")
        assert policies["level"] == "ok"


def test_a_user_without_a_right_is_told_the_role_that_has_it(
    visits: Clinic, tmp_path: Path
) -> None:
    place, name = visits.namespace, "newcomer"
    visits.run("create", "serviceaccount", name)
    visits.run(
        "create",
        "rolebinding",
        name,
        "--clusterrole=leeward-auditor",
        f"--serviceaccount={place}:{name}",
    )
    config = Path(tmp_path, "kubeconfig")
    config.write_text(visits.run("config", "view", "--raw", "--minify", "--flatten"))
    token = visits.run("create", "token", name).strip()
    set_user = ("config", "--kubeconfig", str(config))
    visits.kubectl(*set_user, "set-credentials", name, f"--token={token}")
    visits.kubectl(*set_user, "set-context", "--current", f"--user={name}")
    given = ("-n", place, "--kubeconfig", str(config))
    said = fails("dataset", "preview", "visits", "--purpose", "research", *given)
    assert f"to create datasetpreviews.leeward.dev in namespace {place}" in said
    assert "ClusterRole leeward-scientist" in said
    assert "ClusterRole edit" in fails("dataset", "put", "visits", __file__, "--image", "x", *given)


def test_a_rotated_key_opens_what_it_opened_and_its_old_version_is_destroyed(
    visits: Clinic, kubectl: Kubectl, leeward: Leeward
) -> None:
    place = ("-n", visits.namespace)
    before = visits.get("dataset", "visits")["status"]
    state = _key(visits, "intake")
    rotation = {"retireAfter": "1s", "destroyAfter": "1s"}
    leeward("keys", "rotate", "vault", "intake", *place)
    patch = [{"op": "add", "path": "/spec/keys/3/rotation", "value": rotation}]
    visits.run("patch", "keyvault", "vault", "--type=json", "-p", json.dumps(patch))
    visits.until(
        "a destroyed version",
        lambda: [v["state"] for v in _key(visits, "intake")["versions"]][1:2] == ["Destroyed"],
    )
    primary = _key(visits, "intake")["primaryVersion"]
    assert primary == state["primaryVersion"] + 1
    found = kubectl(
        "-n", "leeward-system", "get", "secret", f"artefact-{before['keyId']}", "-o", "json"
    )
    labels = json.loads(found.stdout)["metadata"]["labels"]
    assert labels["leeward.dev/vault-key-version"] == str(primary)
    shown = leeward("dataset", "preview", "visits", "--purpose", "research", *place)
    assert shown
    after = visits.get("dataset", "visits")["status"]
    assert {name: after[name] for name in ("digest", "keyId", "sourceId")} == {
        name: before[name] for name in ("digest", "keyId", "sourceId")
    }


def _key(clinic: Clinic, name: str) -> dict[str, Any]:
    keys = clinic.get("keyvault", "vault")["status"]["keys"]
    return next(key for key in keys if key["name"] == name)
