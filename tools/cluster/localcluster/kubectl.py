"""The administrator's kubectl on the local cluster."""

from __future__ import annotations

from localcluster.commands import run
from localcluster.layout import BIN, KUBECONFIG


def kubectl(*words: str, given: str | None = None, limit: float = 60, check: bool = True) -> str:
    """Run kubectl and return what it says.

    Args:
        words: its arguments.
        given: what it reads from standard input.
        limit: seconds after which it is killed.
        check: whether a failure is an error.
    """
    argv = [BIN / "kubectl", f"--kubeconfig={KUBECONFIG}", *words]
    return run(argv, stdin=given, limit=limit, check=check).stdout.decode().rstrip()
