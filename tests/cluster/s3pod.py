"""A real S3 server in the cluster: a pod with versitygw, and what a namespace needs to use it."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cluster.clinic import Clinic, Manifest, loader_image
from cluster.podserver import bring_program, forwarded
from openbao.certificates import Authority, ServerFiles
from s3.server import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, Objects, program

NAME = "s3"
PORT = 9000
SERVE = (
    "until [ -x /s3/versitygw ]; do sleep 0.2; done; mkdir -p /s3/objects/clinic /s3/meta;"
    f" exec /s3/versitygw --port :{PORT} --cert /tls/server.crt --key /tls/server.key"
    " posix --sidecar /s3/meta /s3/objects"
)


class S3Pod(Objects):
    """The server of one namespace, reached by a forwarded port."""

    def __init__(self, clinic: Clinic, port: int, ca: Path) -> None:
        super().__init__(f"https://127.0.0.1:{port}", ca)
        self._clinic = clinic

    @property
    def endpoint(self) -> str:
        """Where pods reach it."""
        return f"https://{NAME}.{self._clinic.namespace}.svc:{PORT}"

    def location(self, path: str, **changes: Any) -> Manifest:
        """``spec.location`` of a file there."""
        addresses = [
            self._clinic.get("pod", NAME)["status"]["podIP"],
            self._clinic.get("service", NAME)["spec"]["clusterIP"],
        ]
        place: Manifest = {
            "endpoint": self.endpoint,
            "bucket": "clinic",
            "path": path,
            "region": REGION,
            "credentialsRef": {"name": "s3-credentials"},
            "caRef": {"name": "s3-ca"},
            "cidrs": [f"{ip}/{128 if ':' in ip else 32}" for ip in addresses],
        }
        return {"s3": place | changes}


@contextlib.contextmanager
def served(clinic: Clinic, folder: Path) -> Iterator[S3Pod]:
    """The server, for as long as the test runs; its bucket is empty."""
    authority = Authority("s3 of a cluster test")
    files = authority.issue(folder, f"{NAME}.{clinic.namespace}.svc", "127.0.0.1")
    ca = folder / "ca.crt"
    ca.write_text(authority.pem)
    clinic.apply(*_manifests(clinic, files))
    bring_credentials(clinic, ca)
    bring_program(clinic, NAME, program(), "/s3/versitygw")
    with forwarded(clinic, NAME, PORT) as port:
        yield S3Pod(clinic, port, ca)


def bring_credentials(clinic: Clinic, ca: Path) -> None:
    """What pods of a namespace need to use the server."""
    clinic.run("create", "configmap", "s3-ca", f"--from-file=ca.crt={ca}")
    clinic.run(
        "create",
        "secret",
        "generic",
        "s3-credentials",
        f"--from-literal=accessKeyId={ACCESS_KEY_ID}",
        f"--from-literal=secretAccessKey={SECRET_ACCESS_KEY}",
    )


def _manifests(clinic: Clinic, files: ServerFiles) -> list[Manifest]:
    def named(kind: str, **rest: Any) -> Manifest:
        return {"apiVersion": "v1", "kind": kind, "metadata": {"name": NAME}, **rest}

    tls = {
        "server.crt": base64.b64encode(files.certificate.read_bytes()).decode(),
        "server.key": base64.b64encode(files.key.read_bytes()).decode(),
    }
    pod = named("Pod", spec=_pod_spec(loader_image(clinic.kubectl)))
    pod["metadata"]["labels"] = {"app": NAME}
    ports = [{"name": "https", "port": PORT, "targetPort": PORT}]
    return [
        named("Secret", data=tls),
        named("Service", spec={"selector": {"app": NAME}, "ports": ports}),
        pod,
    ]


def _pod_spec(image: str) -> Manifest:
    environment = {"ROOT_ACCESS_KEY": ACCESS_KEY_ID, "ROOT_SECRET_KEY": SECRET_ACCESS_KEY}
    return {
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
                "name": NAME,
                "image": image,
                "command": ["sh", "-c", SERVE],
                "env": [{"name": name, "value": value} for name, value in environment.items()],
                "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [
                    {"name": "s3", "mountPath": "/s3"},
                    {"name": "tls", "mountPath": "/tls", "readOnly": True},
                    {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own
                ],
            }
        ],
        "volumes": [
            {"name": "s3", "emptyDir": {"sizeLimit": "512Mi"}},
            {"name": "tls", "secret": {"secretName": NAME}},
            {"name": "tmp", "emptyDir": {}},
        ],
    }
