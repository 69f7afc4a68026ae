"""The cluster that commands work on: the local one, or with KUBE_CONTEXT set one of the user's."""

from __future__ import annotations

import os
from pathlib import Path

from localcluster import binaries
from localcluster.commands import run
from localcluster.console import ClusterError, result
from localcluster.invoker import invoker
from localcluster.layout import BIN, KUBECONFIG, write_if_changed


def user_context() -> str | None:
    """Return the context of the user's own cluster, where one is wanted."""
    return os.environ.get("KUBE_CONTEXT") or None


def kubeconfig() -> Path:
    """Return the kubeconfig of the cluster in use; its current context is that cluster.

    Raises:
        ClusterError: the context does not exist, or there is no local cluster.
    """
    context = user_context()
    if context is None:
        if not KUBECONFIG.exists():
            raise ClusterError("there is no local cluster; start one by `make cluster-up`")
        return KUBECONFIG
    kubectl = binaries.kubectl_and_helm() / "kubectl"
    view = ["config", "view", "--minify", "--flatten", f"--context={context}"]
    done = run([kubectl, *view], as_user=True, check=False)
    if done.returncode != 0:
        raise ClusterError(
            f"KUBE_CONTEXT names the context {context!r}, which your kubeconfig does not have: "
            f"{done.stderr.decode().strip()}"
        )
    folder = invoker().make_folder(invoker().cache / "cluster" / "contexts")
    path = folder / ("".join(c if c.isalnum() else "_" for c in context) + ".yaml")
    write_if_changed(path, done.stdout.decode())
    invoker().own(path)
    return path


def describe() -> None:
    """Say which of the user's clusters is in use, and whether it answers.

    Raises:
        ClusterError: it does not.
    """
    kubectl = binaries.kubectl_and_helm() / "kubectl"
    argv = [kubectl, f"--kubeconfig={kubeconfig()}", "--request-timeout=10s"]
    answer = run([*argv, "get", "nodes", "-o", "wide"], as_user=True, limit=30)
    result(f"your own cluster, context {user_context()}: nothing is started or stopped here")
    result(answer.stdout.decode().rstrip())


def execute(argv: list[str]) -> None:
    """Replace this program by another one that finds the cluster, kubectl and helm.

    Raises:
        ClusterError: there is no cluster, or no such program.
    """
    if not argv:
        raise ClusterError("exec needs a command: python3 tools/cluster exec -- COMMAND...")
    programs = binaries.kubectl_and_helm() if user_context() else BIN
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig())}
    environment["PATH"] = f"{programs}:{environment.get('PATH', '')}"
    try:
        os.execvpe(argv[0], argv, environment)  # noqa: S606
    except OSError as error:
        raise ClusterError(f"cannot run {argv[0]}: {error.strerror}") from None
