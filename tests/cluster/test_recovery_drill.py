"""The drill of docs/guides/backup-and-recovery.md: the cluster is lost, and the data comes back.

What stays is what the guide says to keep: shares of the root key, a backup of the wrapped keys, the
sealed files, the manifests, and the Transit server.
"""

import base64
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.baopod import BaoPod, on_transit, served
from cluster.clinic import Clinic, Kubectl, Manifest, dataset, vault
from cluster.wards import acknowledged, consumers, delivery, operator_image, program

pytestmark = [pytest.mark.cluster, pytest.mark.disruptive]

Leeward = Callable[..., str]
Helm = Callable[..., str]
CHART = Path(__file__).resolve().parents[2] / "charts/leeward"
OPERATOR = "leeward-system"
REUSE = ("--reuse-values", "--wait", "--set")
DATASETS = {"visits": "records", "letters": "guarded"}
"""Names of Datasets, and of the vault of each: one with the root key, one with Transit."""
ROWS = "id,name\n" + "".join(f"{number},Zebulon Quackenbush {number}\n" for number in range(1_000))


@dataclass(frozen=True)
class Kept:
    """What somebody has in a safe place.

    Attributes:
        shares: Files, of which three make the root key.
        keys: A backup of the wrapped keys.
        sealed: The file of each Dataset.
        values: Values of the chart.
        statuses: Of each Dataset, before the loss.
    """

    shares: list[Path]
    keys: Path
    sealed: dict[str, bytes]
    values: Path
    statuses: dict[str, Manifest]


@pytest.fixture
def bao(kubectl: Kubectl, tmp_path: Path) -> Iterator[BaoPod]:
    """A Transit server, which is not lost with the cluster."""
    name = f"bao-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    try:
        with served(Clinic(kubectl, name), tmp_path) as pod:
            pod.make_transit()
            pod.trust_cluster()
            yield pod
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def lost(
    kubectl: Kubectl,
    helm: Helm,
    leeward: Leeward,
    local_cluster: list[str],
    bao: BaoPod,
    tmp_path: Path,
) -> Iterator[tuple[str, Kept]]:
    """A namespace in which there were sealed Datasets, in a cluster that knows of nothing now."""
    before, values = tmp_path / "before.yaml", tmp_path / "values.yaml"
    before.write_text(_values(helm))
    name = f"drill-{uuid.uuid4().hex[:8]}"
    try:
        setting = f"transitAddresses={{{bao.address}}}"
        helm(*("upgrade", "leeward", str(CHART), "--namespace", OPERATOR), *REUSE, setting)
        values.write_text(_values(helm))
        kubectl("create", "namespace", name)
        clinic = _furnished(kubectl, leeward, bao, name)
        clinic.apply(*_resources(bao))
        for each in DATASETS:
            _put(clinic, leeward, each, tmp_path / f"{each}.csv")
        kept = _kept(clinic, leeward, values)
        kubectl("delete", "namespace", name, "--timeout=120s", timeout=130)
        helm("uninstall", "leeward", "--namespace", OPERATOR, "--wait")
        kubectl("delete", "namespace", OPERATOR, "--timeout=120s", timeout=130)
        yield name, kept
    finally:
        # Whatever became of the drill, the next test finds an operator.
        _install(helm, before)
        kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


def _values(helm: Helm) -> str:
    return helm("get", "values", "leeward", "--namespace", OPERATOR, "--output", "yaml")


def _furnished(kubectl: Kubectl, leeward: Leeward, bao: BaoPod, namespace: str) -> Clinic:
    clinic = Clinic(kubectl, namespace)
    leeward("namespace", "enable", namespace)
    clinic.run("create", "configmap", "bao-ca", f"--from-literal=ca.crt={bao.ca_pem}")
    clinic.loader()
    return clinic


def _resources(bao: BaoPod) -> list[Manifest]:
    """The manifests: a vault with keys of each provider, and a Dataset under each of them."""
    wards: Manifest = {"name": "wards", "kinds": ["KeyDelivery"]}
    vaults = [vault("records"), on_transit(bao, "guarded")]
    for made in vaults:
        (intake,) = (key for key in made["spec"]["keys"] if key["name"] == "intake")
        intake["grants"].append(wards | {"operations": ["Open"]})
    datasets = []
    for name, of in DATASETS.items():
        made = dataset(name, f"raw/{name}.csv.lwe1", sealed=True)
        made["spec"]["sealedWith"]["vault"]["name"] = of
        made["spec"]["grants"].append(wards | {"purposes": ["research"]})
        datasets.append(made)
    return vaults + datasets


def _put(clinic: Clinic, leeward: Leeward, name: str, plain: Path) -> None:
    """Seal a file to the Dataset, and bring it to the volume."""
    clinic.until("a public half", lambda: clinic.get("dataset", name)["status"]["publicKey"])
    plain.write_text(ROWS)
    leeward("dataset", "put", name, str(plain), "-n", clinic.namespace)
    plain.unlink()


def _kept(clinic: Clinic, leeward: Leeward, values: Path) -> Kept:
    home = values.parent
    leeward(
        "root-key", "export", "--shares", "5", "--threshold", "3", "--out", str(home / "shares")
    )
    leeward("keys", "backup", "--all", "--out", str(home / "keys.json"))

    def sealed(name: str) -> bytes:
        text = clinic.run("exec", "loader", "--", "base64", f"/data/raw/{name}.csv.lwe1")
        return base64.b64decode(text)

    return Kept(
        shares=sorted((home / "shares").glob("*.txt")),
        keys=home / "keys.json",
        sealed={name: sealed(name) for name in DATASETS},
        values=values,
        statuses={name: clinic.get("dataset", name)["status"] for name in DATASETS},
    )


def _install(helm: Helm, values: Path) -> None:
    helm(
        *("upgrade", "--install", "leeward", str(CHART), "--namespace", OPERATOR),
        *("--create-namespace", "--values", str(values), "--wait", "--timeout", "150s"),
    )


def _share_options(shares: list[Path]) -> list[str]:
    return [word for share in shares for word in ("--share", str(share))]


def test_cluster_is_lost_and_the_data_comes_back(
    lost: tuple[str, Kept], bao: BaoPod, kubectl: Kubectl, helm: Helm, leeward: Leeward
) -> None:
    name, kept = lost
    assert len(kept.shares) == 5
    assert b"Quackenbush" not in b"".join(kept.sealed.values()) + kept.keys.read_bytes()
    kubectl("create", "namespace", OPERATOR)
    too_few = _leeward(1, "root-key", "restore", *_share_options(kept.shares[:2]))
    assert "2 shares given, 3 needed" in too_few
    leeward("root-key", "restore", *_share_options([kept.shares[n] for n in (0, 2, 4)]))
    told = _leeward(0, "keys", "restore", str(kept.keys))
    _install(helm, kept.values)
    kubectl("create", "namespace", name)
    clinic = _furnished(kubectl, leeward, bao, name)
    for each, sealed in kept.sealed.items():
        clinic.put(f"raw/{each}.csv.lwe1", sealed)
    clinic.apply(*_resources(bao))
    for each in DATASETS.values():
        retained = clinic.reason("keyvault", each, "KeysetRetained")
        adopt = next(line for line in told.splitlines() if f" {each} -n {name} " in line)
        assert adopt.split()[-1] in retained["message"]
        kubectl(*adopt.split()[1:])
        clinic.reason("keyvault", each, "KeysReady")
    for each, before in kept.statuses.items():
        clinic.reason("dataset", each, "Inspected", timeout=120)
        status = clinic.get("dataset", each)["status"]
        same = ("digest", "rows", "keyId", "sourceId")
        assert {key: status[key] for key in same} == {key: before[key] for key in same}
        look = ("dataset", "preview", each, "--purpose", "research", "--rows", "2", "-n", name)
        assert "Zebulon Quackenbush 0" in leeward(*look)
    data = [{"name": each, "dataset": {"name": each}} for each in DATASETS]
    clinic.apply(program(), consumers("ward", operator_image(kubectl), "ward-keys"))
    clinic.apply(delivery("ward", *data))
    acknowledged(clinic, "ward", 1)


def _leeward(status: int, *args: str) -> str:
    """Run the command, which must end with that status; what it told the user beside its output."""
    command = Path(sys.executable).with_name("leeward")
    done = subprocess.run(
        [command, *args], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stderr
