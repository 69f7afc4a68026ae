"""What every test on a cluster starts from: kubectl, and a namespace of its own."""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.clinic import Clinic, Kubectl, dataset, vault

ROOT = Path(__file__).resolve().parents[2]

REMEDY = (
    "no cluster answers: run make cluster-up, then make cluster-test (or python3 tools/cluster"
    " exec -- pytest ...); for a cluster of your own set KUBECONFIG and KUBE_CONTEXT"
)


@pytest.fixture(scope="session")
def run_kubectl() -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """kubectl with whatever exit status: ``run_kubectl(*args, stdin=None, timeout=60)``."""
    binary = shutil.which("kubectl")
    if binary is None:
        pytest.fail(REMEDY)
    context = os.environ.get("KUBE_CONTEXT")
    start = [binary, *(["--context", context] if context else [])]

    def run(
        *args: str, stdin: str | None = None, timeout: float = 60
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*start, *args],
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    if run("get", "--raw", "/readyz", "--request-timeout=10s").returncode:
        pytest.fail(REMEDY)
    return run


@pytest.fixture(scope="session")
def kubectl(run_kubectl: Callable[..., "subprocess.CompletedProcess[str]"]) -> Kubectl:
    """kubectl that must succeed; what it printed is in the failure."""

    def run(*args: str, **options: object) -> "subprocess.CompletedProcess[str]":
        done = run_kubectl(*args, **options)
        assert done.returncode == 0, f"kubectl {' '.join(args)}\n{done.stdout}{done.stderr}"
        return done

    return run


@pytest.fixture(scope="session")
def helm() -> Callable[..., str]:
    """Helm that must succeed, on the same cluster; yields what it printed."""
    binary = shutil.which("helm")
    assert binary, "no helm: run make cluster-test, or install helm for a cluster of your own"
    context = os.environ.get("KUBE_CONTEXT")
    start = [binary, *(["--kube-context", context] if context else [])]

    def run(*args: str) -> str:
        done = subprocess.run([*start, *args], capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, f"helm {' '.join(args)}\n{done.stdout}{done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="module")
def namespace(kubectl: Kubectl) -> Iterator[str]:
    """A fresh namespace for the module, deleted afterwards."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def leeward() -> Callable[..., str]:
    """The ``leeward`` command as a user has it; it must succeed. Yields what it printed."""

    def run(*args: str) -> str:
        command = Path(sys.executable).with_name("leeward")
        done = subprocess.run(
            [command, *args], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"leeward {' '.join(args)}\n{done.stdout}{done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="module")
def clinic(kubectl: Kubectl, leeward: Callable[..., str], namespace: str) -> Clinic:
    """A namespace that is enabled, with a vault, and a volume that files can be brought onto."""
    leeward("namespace", "enable", namespace)
    made = Clinic(kubectl, namespace)
    made.apply(vault())
    made.loader()
    made.reason("keyvault", "vault", "KeysReady")
    return made


@pytest.fixture(scope="session")
def local_cluster() -> list[str]:
    """The command that can kill components of the local cluster."""
    if os.environ.get("KUBE_CONTEXT"):
        pytest.skip("components of a cluster that is not ours are not killed")
    return ["python3", str(ROOT / "tools/cluster")]


@pytest.fixture(scope="module")
def words(clinic: Clinic) -> Clinic:
    """A Dataset of 400,000 rows, so that a job on it takes its time."""
    rows = "".join(f"{n},word{n % 997}\n" for n in range(400_000))
    clinic.put("raw/words.csv", f"id,word\n{rows}".encode())
    clinic.apply(dataset("words", "raw/words.csv"))
    clinic.reason("dataset", "words", "Inspected")
    return clinic
