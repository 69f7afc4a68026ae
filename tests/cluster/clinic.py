"""A namespace like a user's: a vault, a volume with data, and manifests that go with them."""

import base64
import json
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Manifest = dict[str, Any]
Kubectl = Callable[..., "subprocess.CompletedProcess[str]"]

API_VERSION = "leeward.dev/v1alpha1"
WORK = ["MaskingJob", "DatasetPreview"]


KEEP_WORDS: list[Manifest] = [{"name": "rest", "match": {"names": ["id", "word"]}, "keep": {}}]
"""The rules that leave the rows of the fixture ``words`` as they are."""

HOLD = """
import fcntl, glob, os, sys, time
_, volume, job, shard = sys.argv
while not (folders := glob.glob(f"{volume}/masked/.{job}-*.work/*/")):
    time.sleep(0.005)
os.umask(0)
lock = os.open(f"{folders[0]}mask-{int(shard):05}.lock", os.O_RDWR | os.O_CREAT, 0o666)
fcntl.lockf(lock, fcntl.LOCK_EX)
open(f"{volume}/held", "x").close()
while os.path.exists(f"{volume}/held"):
    time.sleep(0.05)
"""
"""Takes a shard as soon as the pods of a job have a folder to work in, as a slow pod would."""


def resource(kind: str, name: str, spec: Manifest) -> Manifest:
    """A resource of ours."""
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def vault(name: str = "vault") -> Manifest:
    """A vault with one key per use, granted to the jobs of its namespace."""

    def key(name: str, algorithm: str, *operations: str) -> Manifest:
        grants = [{"name": "work", "kinds": WORK, "operations": list(operations)}]
        return {"name": name, "algorithm": algorithm, "grants": grants}

    return resource(
        "KeyVault",
        name,
        {
            "keys": [
                key("data", "AES256_GCM", "Seal", "Open", "Mask"),
                key("tokens", "AES256_SIV", "Mask"),
                key("pseudonyms", "HMAC_SHA256", "Mask"),
                key("intake", "HPKE_X25519", "Open"),
            ]
        },
    )


def dataset(name: str, path: str, *, sealed: bool = False, **changes: Any) -> Manifest:
    """A CSV Dataset on the volume ``data``, granted for research."""
    spec: Manifest = {
        "location": {"volume": {"claimName": "data", "path": path}},
        "format": "CSV",
        "grants": [{"name": "research", "kinds": WORK, "purposes": ["research"]}],
    }
    if sealed:
        spec["sealedWith"] = {"vault": {"name": "vault"}, "key": "intake"}
    return resource("Dataset", name, spec | changes)


def masking_job(name: str, source: str, columns: list[Manifest], **changes: Any) -> Manifest:
    """A MaskingJob on that source, with output ``NAME-out`` on the same volume."""
    spec: Manifest = {
        "purpose": "research",
        "source": {"name": source},
        "columns": columns,
        "output": {
            "dataset": f"{name}-out",
            "location": {"volume": {"claimName": "data", "path": "masked/"}},
            "sealedWith": {"vault": {"name": "vault"}, "key": "data"},
            "grants": [{"name": "research", "kinds": WORK, "purposes": ["research"]}],
        },
    }
    return resource("MaskingJob", name, spec | changes)


def key_ref(key: str) -> Manifest:
    """A reference to a key of the vault."""
    return {"vault": {"name": "vault"}, "key": key}


@dataclass(frozen=True)
class Clinic:
    """What a user does in one namespace, with kubectl."""

    kubectl: Kubectl
    namespace: str

    def run(self, *args: str, stdin: str | None = None, timeout: float = 60) -> str:
        """kubectl in this namespace; fails on a non-zero exit."""
        done = self.kubectl("-n", self.namespace, *args, stdin=stdin, timeout=timeout)
        return str(done.stdout)

    def apply(self, *manifests: Manifest) -> None:
        """``kubectl apply``."""
        documents = "\n---\n".join(json.dumps(manifest) for manifest in manifests)
        self.run("apply", "-f", "-", stdin=documents)

    def get(self, kind: str, name: str) -> Manifest:
        """The object as it is now; empty where there is none."""
        text = self.run("get", kind, name, "-o", "json", "--ignore-not-found")
        return dict(json.loads(text)) if text.strip() else {}

    def items(self, kind: str, selector: str = "") -> list[Manifest]:
        """The objects of that kind."""
        text = self.run("get", kind, "-l", selector, "-o", "json")
        return list(json.loads(text)["items"])

    def delete(self, kind: str, name: str) -> None:
        """``kubectl delete``, until it is gone."""
        self.run("delete", kind, name, "--ignore-not-found", "--timeout=60s", timeout=70)

    def condition(self, kind: str, name: str, type_: str = "Ready") -> Manifest:
        """One condition of a resource; empty where it has none yet."""
        conditions = self.get(kind, name).get("status", {}).get("conditions", [])
        return next((dict(c) for c in conditions if c["type"] == type_), {})

    def until(self, what: str, seen: Callable[[], Any], timeout: float = 90) -> Any:
        """Look again until ``seen`` yields something true.

        A field that is not there yet counts as not seen: a status grows in several writes.

        Raises:
            AssertionError: It did not in that time; the message shows the namespace.
        """
        deadline = time.monotonic() + timeout
        while True:
            with suppress(LookupError):
                if found := seen():
                    return found
            if time.monotonic() > deadline:
                state = self.run("get", "leeward,jobs,pods,events", "-o", "wide")
                raise AssertionError(f"not seen within {timeout:.0f} s: {what}\n{state}")
            time.sleep(0.3)

    def reason(
        self, kind: str, name: str, reason: str, type_: str = "Ready", *, timeout: float = 90
    ) -> Manifest:
        """Wait until that condition has that reason; the condition."""

        def seen() -> Manifest | None:
            condition = self.condition(kind, name, type_)
            return condition if condition.get("reason") == reason else None

        return dict(self.until(f"{kind} {name}: {type_} with reason {reason}", seen, timeout))

    def loader(self) -> None:
        """A pod through which files come onto the volume."""
        self.apply(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": "data"},
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "256Mi"}},
                },
            },
            loader_pod(loader_image(self.kubectl)),
        )
        self.run("wait", "--for=condition=Ready", "pod/loader", "--timeout=90s", timeout=100)

    def put(self, path: str, content: bytes | Path) -> None:
        """Bring a file onto the volume, in one step."""
        data = content.read_bytes() if isinstance(content, Path) else content
        command = (
            f"mkdir -p $(dirname /data/{path}) && base64 -d > /data/{path}.part"
            f" && mv /data/{path}.part /data/{path}"
        )
        self.run(
            "exec", "-i", "loader", "--", "sh", "-c", command, stdin=base64.b64encode(data).decode()
        )

    def hold_shard(
        self, job: str, shard: int, pod: str = "loader", volume: str = "/data"
    ) -> Callable[[], object]:
        """Let no pod of a job to come mask that shard of its source.

        Args:
            job: A MaskingJob with several pods, which is not there yet.
            shard: Its number, from 0.
            pod: One that has the volume of the output mounted.
            volume: Where.

        Returns:
            What lets them; it fails where nothing was held.
        """
        command = f"python -c '{HOLD}' {volume} {job} {shard} >/dev/null 2>&1 &"
        self.run("exec", pod, "--", "sh", "-c", command)
        return lambda: self.run("exec", pod, "--", "rm", f"{volume}/held")

    def files(self) -> list[str]:
        """Paths of all files on the volume."""
        return sorted(self.run("exec", "loader", "--", "find", "/data", "-type", "f").split())


def loader_image(kubectl: Kubectl) -> str:
    """The image of the masking program: it is on every node, and has a shell."""
    return operator_settings(kubectl)["LEEWARD_MASKING_IMAGE"]


def operator_settings(kubectl: Kubectl) -> dict[str, str]:
    """Environment variables of the operator that have a literal value."""
    found = kubectl("-n", "leeward-system", "get", "deployment", "leeward-operator", "-o", "json")
    env = json.loads(found.stdout)["spec"]["template"]["spec"]["containers"][0]["env"]
    return {each["name"]: each["value"] for each in env if "value" in each}


def loader_pod(image: str) -> Manifest:
    """A pod that waits, with the volume at /data."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "loader"},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "runAsGroup": 65532,
                "fsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "loader",
                    "image": image,
                    "command": ["sleep", "infinity"],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                }
            ],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        },
    }
