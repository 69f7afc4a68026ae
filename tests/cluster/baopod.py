"""A real OpenBao server in the cluster: a pod with the program of the development environment.

Its administrator reaches it by ``kubectl port-forward``, which listens on 127.0.0.1 alone.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cluster.clinic import Clinic, Manifest, loader_image, vault
from cluster.podserver import bring_program, forwarded, wait_for
from openbao.admin import Administrator
from openbao.certificates import Authority, ServerFiles
from openbao.server import program

NAME = "openbao"
PORT = 8200
CONFIG = f"""
storage "inmem" {{}}
listener "tcp" {{
  address       = "[::]:{PORT}"
  tls_cert_file = "/tls/server.crt"
  tls_key_file  = "/tls/server.key"
}}
api_addr = "https://127.0.0.1:{PORT}"
"""
WAIT = "until [ -x /bao/bao ]; do sleep 0.2; done; exec /bao/bao server -config=/tls/config.hcl"


class BaoPod(Administrator):
    """The server of one namespace, initialised and unsealed."""

    def __init__(self, clinic: Clinic, port: int, ca_pem: str) -> None:
        super().__init__(port, ca_pem)
        self._clinic = clinic

    @property
    def address(self) -> str:
        """Where pods reach it."""
        return f"https://{NAME}.{self._clinic.namespace}.svc:{PORT}"

    def ask(
        self, method: str, path: str, body: object = None, *, namespace: str = ""
    ) -> tuple[int, dict[str, Any]]:
        """See ``Administrator``; a forwarded port that broke is there again after some seconds."""
        wait_for(self.port)
        return super().ask(method, path, body, namespace=namespace)

    def make_transit(self) -> None:
        """The engine, a key, and the policy of the guide."""
        self.call("POST", "sys/mounts/transit", {"type": "transit"})
        self.call("POST", "transit/keys/leeward", {"type": "aes256-gcm96"})
        self.allow("read", "update", "update")

    def allow(self, key: str, encrypt: str, decrypt: str) -> None:
        """What the operator's policy lets it do with the key."""
        paths = {"keys": key, "encrypt": encrypt, "decrypt": decrypt}
        rules = [
            f'path "transit/{path}/leeward" {{ capabilities = ["{capability}"] }}'
            for path, capability in paths.items()
        ]
        self.call("PUT", "sys/policies/acl/leeward", {"policy": "\n".join(rules)})

    def trust_cluster(self) -> None:
        """Kubernetes auth against the API server of the cluster that it runs in."""
        self.call("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
        host = {"kubernetes_host": "https://kubernetes.default.svc"}
        self.call("POST", "auth/kubernetes/config", host)
        role = {
            "bound_service_account_names": ["leeward-operator"],
            "bound_service_account_namespaces": ["leeward-system"],
            "audience": "leeward-transit",
            "token_policies": ["leeward"],
            "token_ttl": "1h",
        }
        self.call("POST", "auth/kubernetes/role/leeward", role)


def on_transit(bao: BaoPod, name: str = "vault", **transit: Manifest | str) -> Manifest:
    """A vault whose keys the server wraps; its CA is to stand in ConfigMap bao-ca beside it."""
    made = vault(name)
    settings: Manifest = {
        "address": bao.address,
        "key": "leeward",
        "auth": {"kubernetes": {"role": "leeward"}},
        "caBundle": {"configMap": "bao-ca"},
        **transit,
    }
    made["spec"]["provider"] = {"transit": settings}
    return made


@contextlib.contextmanager
def served(clinic: Clinic, folder: Path) -> Iterator[BaoPod]:
    """The server, for as long as the test runs."""
    authority = Authority("openbao of a cluster test")
    host = f"{NAME}.{clinic.namespace}.svc"
    files = authority.issue(folder, host, "127.0.0.1")
    clinic.apply(*_manifests(clinic, files))
    clinic.kubectl(
        "create",
        "clusterrolebinding",
        f"{NAME}-{clinic.namespace}",
        "--clusterrole=system:auth-delegator",
        f"--serviceaccount={clinic.namespace}:{NAME}",
    )
    try:
        bring_program(clinic, NAME, program(), "/bao/bao")
        with forwarded(clinic, NAME, PORT) as port:
            pod = BaoPod(clinic, port, authority.pem)
            pod.initialise()
            yield pod
    finally:
        clinic.kubectl("delete", "clusterrolebinding", f"{NAME}-{clinic.namespace}")


def _manifests(clinic: Clinic, files: ServerFiles) -> list[Manifest]:
    def named(kind: str, **rest: Any) -> Manifest:
        return {"apiVersion": "v1", "kind": kind, "metadata": {"name": NAME}, **rest}

    def text(path: Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()

    data = {
        "server.crt": text(files.certificate),
        "server.key": text(files.key),
        "config.hcl": base64.b64encode(CONFIG.encode()).decode(),
    }
    pod = named("Pod", spec=_pod_spec(loader_image(clinic.kubectl)))
    pod["metadata"]["labels"] = {"app": NAME}
    ports = [{"name": "https", "port": PORT, "targetPort": PORT}]
    return [
        named("Secret", data=data),
        named("ServiceAccount"),
        named("Service", spec={"selector": {"app": NAME}, "ports": ports}),
        pod,
    ]


def _pod_spec(image: str) -> Manifest:
    return {
        "serviceAccountName": NAME,
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
                "command": ["sh", "-c", WAIT],
                "env": [{"name": "HOME", "value": "/bao"}],
                "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [
                    {"name": "bao", "mountPath": "/bao"},
                    {"name": "tls", "mountPath": "/tls", "readOnly": True},
                ],
            }
        ],
        "volumes": [
            {"name": "bao", "emptyDir": {"sizeLimit": "512Mi"}},
            {"name": "tls", "secret": {"secretName": NAME}},
        ],
    }
