"""A volume that is full: the job fails with a remedy, and nothing half-written stays."""

from collections.abc import Iterator

import pytest

from cluster.clinic import KEEP_WORDS, Clinic, Manifest, dataset, loader_image, masking_job

pytestmark = pytest.mark.cluster

SIZE = "256k"
LEFT = 1 << 20
"""Bytes that are left for a part of about 8 MiB."""


def mounter(folder: str, image: str) -> Manifest:
    """A pod that mounts a small memory-backed file system where the node can see it."""
    mount = f"mkdir -p /host/small && mount -t tmpfs -o size={SIZE},mode=1777 small /host/small"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "mounter"},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "mounter",
                    "image": image,
                    "command": ["sh", "-c", f"{mount} && exec sleep infinity"],
                    "securityContext": {"privileged": True, "runAsUser": 0},
                    "volumeMounts": [
                        {
                            "name": "host",
                            "mountPath": "/host",
                            "mountPropagation": "Bidirectional",
                        }
                    ],
                    "readinessProbe": {
                        "exec": {"command": ["grep", "-q", "/host/small", "/proc/mounts"]},
                        "periodSeconds": 1,
                    },
                }
            ],
            "volumes": [
                {"name": "host", "hostPath": {"path": folder, "type": "DirectoryOrCreate"}}
            ],
        },
    }


def small_claim(name: str, folder: str) -> tuple[Manifest, Manifest]:
    """A PersistentVolume on that file system, and the claim ``small`` on it."""
    shared = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "",
    }
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            **shared,
            "capacity": {"storage": "1Mi"},
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": f"{folder}/small", "type": "Directory"},
        },
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "small"},
        "spec": {
            **shared,
            "volumeName": name,
            "resources": {"requests": {"storage": "1Mi"}},
        },
    }
    return volume, claim


@pytest.fixture(scope="module")
def small_volume(clinic: Clinic) -> Iterator[Clinic]:
    folder = f"/var/lib/kubelet/{clinic.namespace}"
    clinic.apply(mounter(folder, loader_image(clinic.kubectl)))
    clinic.run("wait", "--for=condition=Ready", "pod/mounter", "--timeout=60s", timeout=70)
    clinic.apply(*small_claim(clinic.namespace, folder))
    yield clinic
    clinic.run("delete", "pvc", "small", "--wait=false")
    clinic.kubectl("delete", "pv", clinic.namespace, "--wait=false")
    clinic.run("exec", "mounter", "--", "umount", "-l", "/host/small")
    clinic.delete("pod", "mounter")


def test_volume_full(small_volume: Clinic) -> None:
    clinic = small_volume
    rows = "".join(f"{n},word{n * 7919 % 99991}\n" for n in range(200_000))
    clinic.put("raw/words.csv", f"id,word\n{rows}".encode())
    clinic.apply(dataset("words", "raw/words.csv"))
    clinic.reason("dataset", "words", "Inspected")
    for workers in (1, 2):
        name = f"full-{workers}"
        job = masking_job(name, "words", KEEP_WORDS, backoffLimit=0, parallelism=workers)
        job["spec"]["output"]["location"]["volume"]["claimName"] = "small"
        clinic.apply(job)
        failed = clinic.reason("maskingjob", name, "VolumeFull", "Failed")
        assert failed["status"] == "True"
        assert "volume" in failed["message"]
        assert clinic.get("dataset", f"{name}-out") == {}
        clinic.until(
            "nothing is left on the volume",
            lambda: "full" not in clinic.run("exec", "mounter", "--", "find", "/host/small/masked"),
        )
        clinic.delete("maskingjob", name)


def resize(clinic: Clinic, size: int) -> None:
    """Give the small volume so many bytes."""
    remount = ("mount", "-o", f"remount,size={size}", "/host/small")
    clinic.run("exec", "mounter", "--", *remount)


def used(clinic: Clinic) -> int:
    """Bytes of it that are taken."""
    count = "import os; s = os.statvfs('/host/small'); print((s.f_blocks - s.f_bfree) * s.f_bsize)"
    return int(clinic.run("exec", "mounter", "--", "python", "-c", count))


def test_volume_full_at_the_last_part(small_volume: Clinic) -> None:
    """However large two parts are, and what pods tell each other: it is made full then."""
    clinic = small_volume
    resize(clinic, 256 << 20)
    rows = "".join(f"{n},w{n:040}\n" for n in range(520_000))
    clinic.put("raw/wide.csv", f"id,word\n{rows}".encode())
    clinic.apply(dataset("wide", "raw/wide.csv"))
    clinic.reason("dataset", "wide", "Inspected")
    job = masking_job("last", "wide", KEEP_WORDS, backoffLimit=0, parallelism=2)
    job["spec"]["output"]["location"]["volume"]["claimName"] = "small"
    job["spec"]["output"]["format"] = "CSV"
    release = clinic.hold_shard("last", 2, "mounter", "/host/small")
    clinic.apply(job)

    def files() -> list[str]:
        return clinic.run("exec", "mounter", "--", "find", "/host/small", "-name", "*-*").split()

    def done() -> bool:
        names = {path.rpartition("/")[2] for path in files()}
        return {"mask-00000", "mask-00001", "shard-00002"} <= names

    clinic.until("two shards are masked", done)
    resize(clinic, used(clinic) + LEFT)
    release()
    failed = clinic.reason("maskingjob", "last", "VolumeFull", "Failed")
    assert failed["status"] == "True"
    assert "volume" in failed["message"]
    assert clinic.get("dataset", "last-out") == {}
    clinic.delete("maskingjob", "last")
    clinic.until(
        "nothing is left on the volume",
        lambda: not any("last" in path for path in files()),
    )
