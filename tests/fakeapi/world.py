"""What stands around the operator: a Job controller, a kubelet, the program in the pods, a volume.

They work on the fake API server once a second of virtual time. The program is the one thing that
is not simulated in detail: it answers what a run without faults answers, and notes that it ran.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from typing import Any

from fakeapi.store import FakeApi, Manifest
from fakeapi.virtualtime import stamp
from leeward.formats.jobconfig import (
    OUTPUT_MOUNT,
    CleanConfig,
    InspectConfig,
    JobConfig,
    MaskingConfig,
    PreviewConfig,
    ReencryptConfig,
    RewrapConfig,
    parse_job_config,
)
from leeward.formats.keyset import KEYSET_FILE, PodKeyset
from leeward.plans.shared.model import AckResult, KeysOf, Outcome, ProgressOf, ResultOf

COLUMNS = [
    {"name": "patient", "type": "String", "nullable": False},
    {"name": "income", "type": "Integer", "nullable": True},
]
DIGEST = "sha256:" + "11" * 32
OUTPUT_DIGEST = "sha256:" + "22" * 32
NEW_DIGEST = "sha256:" + "55" * 32
FILE_ID = "33" * 16
SECONDS = {"Inspect": 2, "Mask": 5, "Preview": 8, "Clean": 1, "Rewrap": 1, "Reencrypt": 4}


class World:
    """Everything but the operator."""

    def __init__(self, api: FakeApi) -> None:
        self.api = api
        self.files: set[str] = set()
        self.failures: dict[str, list[str]] = {}
        self.headers: dict[str, list[str]] = {}
        self.digests: dict[str, str] = {}
        self.pods_started: Counter[str] = Counter()
        self.loaded: dict[str, PodKeyset] = {}
        self._ticks: Counter[str] = Counter()

    async def run(self) -> None:
        """Work, until cancelled."""
        while True:
            for job in self.api.find("Job"):
                self._step(job)
            for pod in self.api.find("Pod"):
                self._load(pod)
            await asyncio.sleep(1)

    def _load(self, pod: Manifest) -> None:
        """What a long-lived pod does: it loads what its Secret holds."""
        if "batch.kubernetes.io/job-name" in pod["metadata"]["labels"]:
            return
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        (volume,) = pod["spec"]["volumes"]
        secret = self.api.one("Secret", namespace, volume["secret"]["secretName"])
        if secret is not None and "data" in secret:
            self.loaded[name] = PodKeyset.parse(base64.b64decode(secret["data"][KEYSET_FILE]))

    def _step(self, job: Manifest) -> None:
        if job.get("status", {}).get("conditions"):
            return
        name, namespace = job["metadata"]["name"], job["metadata"]["namespace"]
        pod = self.api.one("Pod", namespace, f"{name}-pod")
        if job["spec"].get("suspend"):
            self.api.remove("Pod", namespace, f"{name}-pod")
        elif pod is None:
            self._start(job)
        elif pod["status"]["phase"] == "Running":
            self._ticks[pod["metadata"]["uid"]] += 1
            config = self._config(job)
            if self._ticks[pod["metadata"]["uid"]] in (1, SECONDS[config.task]):
                self._check_opens(job, config)
            if self._ticks[pod["metadata"]["uid"]] >= SECONDS[config.task]:
                self._end(job, pod, config)

    def _start(self, job: Manifest) -> None:
        name, namespace = job["metadata"]["name"], job["metadata"]["namespace"]
        template = job["spec"]["template"]
        mounted = [volume for volume in template["spec"]["volumes"] if "secret" in volume]
        for volume in mounted:
            if self.api.one("Secret", namespace, volume["secret"]["secretName"]) is None:
                return  # as the kubelet: the pod waits for its Secret
        self.pods_started[name] += 1
        self.api.add(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": f"{name}-pod",
                    "namespace": namespace,
                    "labels": {
                        **template["metadata"]["labels"],
                        "batch.kubernetes.io/job-name": name,
                        "batch.kubernetes.io/controller-uid": job["metadata"]["uid"],
                    },
                    "ownerReferences": [
                        {
                            "apiVersion": "batch/v1",
                            "kind": "Job",
                            "name": name,
                            "uid": job["metadata"]["uid"],
                            "controller": True,
                        }
                    ],
                },
                "spec": template["spec"],
                "status": {
                    "phase": "Running",
                    "podIP": "10.244.0.9",
                    "containerStatuses": [{"name": "masking", "state": {"running": {}}}],
                },
            }
        )
        self.api.edit({**job, "status": {"startTime": stamp(), "active": 1}}, "job-controller")

    def _config(self, job: Manifest) -> JobConfig:
        volumes = job["spec"]["template"]["spec"]["volumes"]
        name = next(v["configMap"]["name"] for v in volumes if "configMap" in v)
        found = self.api.one("ConfigMap", job["metadata"]["namespace"], name)
        assert found is not None, "a Job was resumed before its ConfigMap was there"
        return parse_job_config(found["data"]["job.json"].encode())

    def _end(self, job: Manifest, pod: Manifest, config: JobConfig) -> None:
        if self.failures.get(config.task):
            self._fail(job, pod, self.failures[config.task].pop())
            return
        message = json.dumps(
            {"formatVersion": 1, "outcome": "Succeeded", **self._work(config, job)}
        )
        pod["status"]["phase"] = "Succeeded"
        pod["status"]["containerStatuses"][0]["state"] = {
            "terminated": {"exitCode": 0, "message": message}
        }
        self.api.edit(pod, "kubelet")
        status = {
            **job.get("status", {}),
            "active": 0,
            "succeeded": 1,
            "conditions": [{"type": "Complete", "status": "True"}],
        }
        self.api.edit({**job, "status": status}, "job-controller")

    def _fail(self, job: Manifest, pod: Manifest, code: str) -> None:
        """The program says that another try ends the same."""
        error = {"code": code, "message": "it is so", "remedy": "put it right"}
        message = json.dumps({"formatVersion": 1, "outcome": "Failed", "error": error})
        pod["status"]["phase"] = "Failed"
        pod["status"]["containerStatuses"][0]["state"] = {
            "terminated": {"exitCode": 2, "message": message}
        }
        self.api.edit(pod, "kubelet")
        failed = {"type": "Failed", "status": "True", "reason": "PodFailurePolicy"}
        status = {**job.get("status", {}), "active": 0, "failed": 1, "conditions": [failed]}
        self.api.edit({**job, "status": status}, "job-controller")

    def _work(self, config: JobConfig, job: Manifest) -> dict[str, Any]:
        match config:
            case InspectConfig():
                return {"source": self._inspected(config)}
            case RewrapConfig():
                return {"rewrapped": self._rewrapped(config, self._keys(job))}
            case ReencryptConfig():
                return {"output": self._reencrypted(config, self._keys(job))}
            case MaskingConfig():
                return self._masked(config, job)
            case CleanConfig():
                path = config.path.removeprefix(f"{OUTPUT_MOUNT}/")
                self.files = {file for file in self.files if not file.startswith(path)}
                return {}
            case PreviewConfig():
                return {}
        raise AssertionError(config)

    def _keys(self, job: Manifest) -> dict[str, str]:
        """Role -> id of the keys that the pod was given."""
        volumes = job["spec"]["template"]["spec"]["volumes"]
        names = [v["secret"]["secretName"] for v in volumes if "secret" in v]
        found = [self.api.one("Secret", job["metadata"]["namespace"], name) for name in names]
        sets = [PodKeyset.parse(base64.b64decode(s["data"]["keyset.json"])) for s in found if s]
        return {key.role: key.id for keyset in sets for key in keyset.keys}

    def _check_opens(self, job: Manifest, config: JobConfig) -> None:
        """Whoever was given a key for a sealed file can open it, and meets the pinned digest."""
        if not isinstance(config, MaskingConfig | PreviewConfig) or not config.source.key_role:
            return
        path = config.source.path.split("/data/source/")[1]
        key = self._keys(job).get(config.source.key_role)
        assert key is None or key in self.headers[path], f"{job['metadata']['name']} cannot open"
        assert config.source.digest == self.digests.get(path, DIGEST), "another file was met"

    def _rewrapped(self, config: RewrapConfig, keys: dict[str, str]) -> dict[str, Any]:
        path = config.path.removeprefix(f"{OUTPUT_MOUNT}/")
        header = self.headers[path]
        assert keys[config.open_role] in header, "a Job was given a key that does not open"
        added = [] if config.add_role is None else [keys[config.add_role]]
        header = added + [key for key in header if key not in (*config.drop, *added)]
        assert header, "nobody can open the file any more"
        self.headers[path] = header
        return {"path": config.path, "fileId": FILE_ID, "keyIds": header, "generation": 2}

    def _reencrypted(self, config: ReencryptConfig, keys: dict[str, str]) -> dict[str, Any]:
        path = config.path.removeprefix(f"{OUTPUT_MOUNT}/")
        header = [keys[config.seal_role]]
        if self.headers[path] != header:
            assert keys[config.open_role] in self.headers[path]
            assert config.digest == self.digests.get(path, DIGEST)
            self.headers[path] = header
            self.digests[path] = NEW_DIGEST
        return {
            "path": config.path,
            "digest": self.digests[path],
            "bytes": 101,
            "fileId": FILE_ID,
            "keyIds": header,
        }

    def _inspected(self, config: InspectConfig) -> dict[str, Any]:
        found: dict[str, Any] = {
            "path": config.source.path,
            "digest": DIGEST,
            "bytes": 100,
            "rows": 3,
            "columns": COLUMNS,
        }
        if config.sealed:
            keys = [
                dataset["status"]["keyId"]
                for dataset in self.api.find("Dataset")
                if config.source.path.endswith(dataset["spec"]["location"]["volume"]["path"])
                and "keyId" in dataset.get("status", {})
            ]
            path = config.source.path.split("/data/source/")[1]
            header = self.headers.setdefault(path, keys)
            found |= {"fileId": FILE_ID, "keyIds": header}
            found["digest"] = self.digests.get(path, DIGEST)
        return found

    def _masked(self, config: MaskingConfig, job: Manifest) -> dict[str, Any]:
        path = config.output.path.removeprefix(f"{OUTPUT_MOUNT}/")
        self.files.add(path)
        owner = job["metadata"]["labels"]["leeward.dev/name"]
        masking = self.api.one("MaskingJob", job["metadata"]["namespace"], owner)
        assert masking is not None
        keys = masking["status"]["admission"]["keys"]
        report = [
            {
                "name": name,
                "transform": rule.rule.transform,
                "rule": rule.rule.name,
                "typeBefore": "String",
                "changed": 3,
                "nullsBefore": 0,
                "nullsAfter": 0,
            }
            for rule in config.rules
            for name in rule.columns
        ]
        return {
            "source": {"path": config.source.path, "digest": config.source.digest, "bytes": 100},
            "output": {
                "path": config.output.path,
                "digest": OUTPUT_DIGEST,
                "bytes": 900,
                "rows": 3,
                "fileId": "44" * 16,
                "keyIds": [key["id"] for key in keys if key["role"] == "output"],
                "columns": COLUMNS,
            },
            "report": {"rows": 3, "columns": report, "seconds": "0.1"},
        }


class WorldPods:
    """HTTP to the pods of a world (``engine.ports.Pods``)."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def progress(self, need: ProgressOf) -> Manifest | None:
        pod = self._world.api.one("Pod", need.namespace, need.pod)
        if pod is None or pod["status"]["phase"] != "Running":
            return None
        if pod["metadata"]["labels"]["leeward.dev/kind"] == "DatasetPreview":
            return {"done": 0, "total": 1, "unit": "serving"}
        return {"done": 1, "total": 3, "unit": "rows"}

    async def keys(self, need: KeysOf) -> Manifest | None:
        loaded = self._world.loaded.get(need.pod)
        if loaded is None:
            return None
        keys = [{"role": k.role, "id": k.id, "version": k.version} for k in loaded.keys]
        return {"formatVersion": 1, "keys": keys}

    async def result(self, need: ResultOf) -> Manifest | None:
        return None

    async def ack(self, action: AckResult) -> Outcome:
        return Outcome("Done")
