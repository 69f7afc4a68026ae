"""Certificates and kubeconfigs, made by openssl, all or none."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from localcluster.commands import run
from localcluster.console import progress
from localcluster.layout import (
    API_PORT,
    API_SERVICE,
    CONF,
    CONTROL_NODE,
    NODES,
    PKI,
    write_if_changed,
)

# A cluster for development: long enough that nobody meets an expired one.
_DAYS = "3650"
_API_URL = f"https://{CONTROL_NODE.address}:{API_PORT}"


@dataclass(frozen=True)
class _Certificate:
    name: str
    common_name: str
    organisation: str = ""
    names: str = ""
    usage: str = "clientAuth"
    authority: str = "ca"


def _wanted() -> list[_Certificate]:
    service = "kubernetes.default.svc.cluster.local"
    hosts = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", service]
    addresses = ["127.0.0.1", API_SERVICE, CONTROL_NODE.address]
    names = ",".join([f"DNS:{host}" for host in hosts] + [f"IP:{ip}" for ip in addresses])
    wanted = [
        _Certificate("apiserver", "kube-apiserver", names=names, usage="serverAuth"),
        _Certificate("apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters"),
        _Certificate("front-proxy-client", "front-proxy-client", authority="front-proxy-ca"),
        _Certificate("admin", "kubernetes-admin", "system:masters"),
        _Certificate("kube-controller-manager", "system:kube-controller-manager"),
        _Certificate("kube-scheduler", "system:kube-scheduler"),
        _Certificate("kube-proxy", "system:kube-proxy"),
        _Certificate("policy-agent", "leeward:policy-agent"),
    ]
    for node in NODES:
        user = f"system:node:{node.name}"
        names = f"DNS:{node.name},IP:{node.address}"
        wanted.append(_Certificate(f"kubelet-{node.name}", user, "system:nodes"))
        wanted.append(
            _Certificate(f"kubelet-serving-{node.name}", user, "system:nodes", names, "serverAuth")
        )
    return wanted


def make_certificates() -> None:
    """Make all certificates once; they appear together by a rename."""
    if PKI.exists():
        return
    progress("making certificates")
    new = PKI.with_name("pki.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    old_mask = os.umask(0o077)
    try:
        for name in ("ca", "front-proxy-ca"):
            _make_authority(new, name)
        run(["openssl", "genrsa", "-out", new / "sa.key", "2048"])
        run(["openssl", "rsa", "-in", new / "sa.key", "-pubout", "-out", new / "sa.pub"])
        for certificate in _wanted():
            _sign(new, certificate)
        (new / "encryption.json").write_text(_encryption_config())
    finally:
        os.umask(old_mask)
    new.rename(PKI)


def make_kubeconfigs(relay_port: int) -> str:
    """Write the components' kubeconfigs; return the user's, which goes through the relay.

    Args:
        relay_port: the relay's port on the machine's loopback.
    """
    components = ["kube-controller-manager", "kube-scheduler", "kube-proxy", "policy-agent"]
    for name in components + [f"kubelet-{node.name}" for node in NODES]:
        write_if_changed(kubeconfig_of(name), _kubeconfig(name, _API_URL))
    return _kubeconfig("admin", f"https://127.0.0.1:{relay_port}")


def kubeconfig_of(component: str) -> Path:
    """Return the path of a component's kubeconfig."""
    return CONF / f"{component}.kubeconfig"


def _kubeconfig(name: str, server: str) -> str:
    def embedded(file: str) -> str:
        return base64.b64encode((PKI / file).read_bytes()).decode()

    cluster = {"server": server, "certificate-authority-data": embedded("ca.crt")}
    user = {
        "client-certificate-data": embedded(f"{name}.crt"),
        "client-key-data": embedded(f"{name}.key"),
    }
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "leeward-local", "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [
                {"name": "leeward-local", "context": {"cluster": "leeward-local", "user": name}}
            ],
            "current-context": "leeward-local",
        },
        indent=1,
    )


def _encryption_config() -> str:
    """Return the API server's configuration that keeps Secrets encrypted in etcd.

    There is no ``identity`` provider: a Secret that is not encrypted is not read either.
    """
    key = {"name": "local", "secret": base64.b64encode(secrets.token_bytes(32)).decode()}
    return json.dumps(
        {
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "EncryptionConfiguration",
            "resources": [
                {"resources": ["secrets"], "providers": [{"secretbox": {"keys": [key]}}]}
            ],
        }
    )


def _make_authority(folder: Path, name: str) -> None:
    _make_key(folder, name)
    run(
        [
            *("openssl", "req", "-x509", "-new", "-key", folder / f"{name}.key"),
            *("-subj", f"/CN=leeward-local-{name}", "-days", _DAYS),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"),
            *("-out", folder / f"{name}.crt"),
        ]
    )


def _sign(folder: Path, wanted: _Certificate) -> None:
    key, request = folder / f"{wanted.name}.key", folder / f"{wanted.name}.csr"
    extensions = folder / f"{wanted.name}.ext"
    _make_key(folder, wanted.name)
    subject = f"/O={wanted.organisation}" if wanted.organisation else ""
    subject += f"/CN={wanted.common_name}"
    run(["openssl", "req", "-new", "-key", key, "-subj", subject, "-out", request])
    lines = [
        "basicConstraints=critical,CA:FALSE",
        "keyUsage=critical,digitalSignature,keyEncipherment",
        f"extendedKeyUsage={wanted.usage}",
    ]
    if wanted.names:
        lines.append(f"subjectAltName={wanted.names}")
    extensions.write_text("\n".join(lines))
    authority = folder / wanted.authority
    run(
        [
            *("openssl", "x509", "-req", "-in", request, "-days", _DAYS),
            *("-CA", f"{authority}.crt", "-CAkey", f"{authority}.key", "-CAcreateserial"),
            *("-extfile", extensions, "-out", folder / f"{wanted.name}.crt"),
        ]
    )
    request.unlink()
    extensions.unlink()


def _make_key(folder: Path, name: str) -> None:
    target = folder / f"{name}.key"
    run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", target])
