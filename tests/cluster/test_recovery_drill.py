"""The drill of docs/guides/backup-and-recovery.md: the cluster is lost, and the data comes back.

What stays is what the guide says to keep: shares of the root key, a backup of the wrapped keys, the
sealed file, and the manifests.
"""

import base64
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.clinic import Clinic, Kubectl, dataset, vault

pytestmark = [pytest.mark.cluster, pytest.mark.disruptive]

Leeward = Callable[..., str]
Helm = Callable[..., str]
CHART = Path(__file__).resolve().parents[2] / "charts/leeward"
OPERATOR = "leeward-system"
ROWS = "id,name\n" + "".join(f"{number},Zebulon Quackenbush {number}\n" for number in range(1_000))


@dataclass(frozen=True)
class Kept:
    """What somebody has in a safe place.

    Attributes:
        shares: Files, of which three make the root key.
        keys: A backup of the wrapped keys.
        sealed: The file of the Dataset.
        values: Values of the chart.
        status: Of the Dataset, before the loss.
    """

    shares: list[Path]
    keys: Path
    sealed: bytes
    values: Path
    status: dict[str, object]


@pytest.fixture
def lost(
    kubectl: Kubectl, helm: Helm, leeward: Leeward, local_cluster: list[str], tmp_path: Path
) -> Iterator[tuple[str, Kept]]:
    """A namespace in which there was a sealed Dataset, in a cluster that knows of nothing now."""
    name = f"drill-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    clinic = _furnished(kubectl, leeward, name)
    clinic.apply(vault(), dataset("visits", "raw/visits.csv.lwe1", sealed=True))
    clinic.until("a public half", lambda: clinic.get("dataset", "visits")["status"]["publicKey"])
    plain = tmp_path / "visits.csv"
    plain.write_text(ROWS)
    leeward("dataset", "put", "visits", str(plain), "-n", name)
    plain.unlink()
    values = tmp_path / "values.yaml"
    values.write_text(helm("get", "values", "leeward", "--namespace", OPERATOR, "--output", "yaml"))
    try:
        kept = _kept(clinic, leeward, values)
        kubectl("delete", "namespace", name, "--timeout=120s", timeout=130)
        helm("uninstall", "leeward", "--namespace", OPERATOR, "--wait")
        kubectl("delete", "namespace", OPERATOR, "--timeout=120s", timeout=130)
        yield name, kept
    finally:
        # Whatever became of the drill, the next test finds an operator.
        _install(helm, values)
        kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


def _furnished(kubectl: Kubectl, leeward: Leeward, namespace: str) -> Clinic:
    clinic = Clinic(kubectl, namespace)
    leeward("namespace", "enable", namespace)
    clinic.loader()
    return clinic


def _kept(clinic: Clinic, leeward: Leeward, values: Path) -> Kept:
    home = values.parent
    leeward(
        "root-key", "export", "--shares", "5", "--threshold", "3", "--out", str(home / "shares")
    )
    leeward("keys", "backup", "--all", "--out", str(home / "keys.json"))
    text = clinic.run("exec", "loader", "--", "base64", "/data/raw/visits.csv.lwe1")
    return Kept(
        shares=sorted((home / "shares").glob("*.txt")),
        keys=home / "keys.json",
        sealed=base64.b64decode(text),
        values=values,
        status=clinic.get("dataset", "visits")["status"],
    )


def _install(helm: Helm, values: Path) -> None:
    helm(
        *("upgrade", "--install", "leeward", str(CHART), "--namespace", OPERATOR),
        *("--create-namespace", "--values", str(values), "--wait", "--timeout", "150s"),
    )


def _share_options(shares: list[Path]) -> list[str]:
    return [word for share in shares for word in ("--share", str(share))]


def test_cluster_is_lost_and_the_data_comes_back(
    lost: tuple[str, Kept], kubectl: Kubectl, helm: Helm, leeward: Leeward
) -> None:
    name, kept = lost
    assert len(kept.shares) == 5
    assert b"Quackenbush" not in kept.sealed + kept.keys.read_bytes()
    kubectl("create", "namespace", OPERATOR)
    too_few = _leeward(1, "root-key", "restore", *_share_options(kept.shares[:2]))
    assert "2 shares given, 3 needed" in too_few
    leeward("root-key", "restore", *_share_options([kept.shares[n] for n in (0, 2, 4)]))
    told = _leeward(0, "keys", "restore", str(kept.keys))
    _install(helm, kept.values)
    kubectl("create", "namespace", name)
    clinic = _furnished(kubectl, leeward, name)
    clinic.put("raw/visits.csv.lwe1", kept.sealed)
    clinic.apply(vault(), dataset("visits", "raw/visits.csv.lwe1", sealed=True))
    retained = clinic.reason("keyvault", "vault", "KeysetRetained")
    adopt = next(line for line in told.splitlines() if f" -n {name} " in line)
    assert adopt.split()[-1] in retained["message"]
    kubectl(*adopt.split()[1:])
    clinic.reason("keyvault", "vault", "KeysReady")
    clinic.reason("dataset", "visits", "Inspected", timeout=120)
    status = clinic.get("dataset", "visits")["status"]
    same = ("digest", "rows", "keyId", "sourceId")
    assert {key: status[key] for key in same} == {key: kept.status[key] for key in same}
    rows = leeward(
        *("dataset", "preview", "visits", "--purpose", "research", "--rows", "2", "-n", name)
    )
    assert "Zebulon Quackenbush 0" in rows


def _leeward(status: int, *args: str) -> str:
    """Run the command, which must end with that status; what it told the user beside its output."""
    command = Path(sys.executable).with_name("leeward")
    done = subprocess.run(
        [command, *args], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stderr
