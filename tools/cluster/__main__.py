"""The cluster that Leeward's tests and demo run on: ``python3 tools/cluster COMMAND``.

It is a Kubernetes on this machine, or, with KUBE_CONTEXT set, a cluster of your own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from localcluster import archives, binaries, images, lifecycle, status, usercluster
from localcluster.console import ClusterError, result
from localcluster.invoker import become_root


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 tools/cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start the cluster, or repair it")
    up.add_argument("--nodes", type=int, choices=(1, 2), help="how many; default: as before, or 1")
    down = commands.add_parser("down", help="stop it; nothing stays in the kernel")
    down.add_argument("--wipe", action="store_true", help="delete what it held, too")
    commands.add_parser("status", help="say what runs, and how to reach it")
    commands.add_parser("kubeconfig", help="print the path of the kubeconfig")
    run = commands.add_parser("exec", help="run a command that finds cluster, kubectl and helm")
    run.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    load = commands.add_parser("load", help="bring image archives (OCI) into every node")
    load.add_argument("archives", nargs="+", type=Path, metavar="FILE")
    build = commands.add_parser("images", help="build the project's images")
    build.add_argument("action", choices=("build",))
    build.add_argument("roles", nargs="+", metavar="ROLE", help="folders under images/")
    build.add_argument("--base", help="base image; default: our own, made by debootstrap")
    build.add_argument("--tag", help="default: a hash of all inputs")
    build.add_argument("--output", type=Path, help="write the references there as JSON")
    logs = commands.add_parser("logs", help="print the end of a component's log")
    logs.add_argument("name", nargs="?", help="default: list them")
    logs.add_argument("--lines", type=int, default=100)
    restart = commands.add_parser("restart", help="kill one component (SIGKILL), start it again")
    restart.add_argument("name")
    tool = commands.add_parser("tool", help="make or fetch a tool once and print its path")
    tool.add_argument("name", choices=("helm", "kubectl", *sorted(binaries.TOOLS)))
    commands.add_parser("check", help="vet and test the Go programs of this tool")
    return parser


def _up(given: argparse.Namespace) -> None:
    lifecycle.up(given.nodes)


def _down(given: argparse.Namespace) -> None:
    lifecycle.down(given.wipe)


def _load(given: argparse.Namespace) -> None:
    lifecycle.load([archives.read(path) for path in given.archives])


def _logs(given: argparse.Namespace) -> None:
    status.logs(given.name, given.lines)


def _restart(given: argparse.Namespace) -> None:
    lifecycle.restart(given.name)


def _status(_: argparse.Namespace) -> int:
    return status.status()


def _describe(_: argparse.Namespace) -> None:
    usercluster.describe()


def _kubeconfig(_: argparse.Namespace) -> None:
    result(str(usercluster.kubeconfig()))


def _exec(given: argparse.Namespace) -> None:
    usercluster.execute(given.words[1:] if given.words[:1] == ["--"] else given.words)


def _images(given: argparse.Namespace) -> None:
    images.build(given.roles, given.base, given.tag, given.output)


def _tool(given: argparse.Namespace) -> None:
    result(str(binaries.tool(given.name)))


def _check(_: argparse.Namespace) -> None:
    binaries.check()


Command = Callable[[argparse.Namespace], int | None]
# The first group changes this machine and needs root; on a cluster of the user's own it has no
# meaning, except where it is named in _ON_USER_CLUSTER.
_AS_ROOT: dict[str, Command] = {
    "up": _up,
    "down": _down,
    "status": _status,
    "load": _load,
    "logs": _logs,
    "restart": _restart,
}
_AS_USER: dict[str, Command] = {
    "kubeconfig": _kubeconfig,
    "exec": _exec,
    "images": _images,
    "tool": _tool,
    "check": _check,
}
_ON_USER_CLUSTER: dict[str, Command] = {"up": _describe, "down": _describe, "status": _describe}


def _run(given: argparse.Namespace) -> int:
    name = given.command
    if name in _AS_USER:
        return _AS_USER[name](given) or 0
    if usercluster.user_context():
        if name not in _ON_USER_CLUSTER:
            raise ClusterError(f"{name} works on the local cluster only, and KUBE_CONTEXT is set")
        return _ON_USER_CLUSTER[name](given) or 0
    become_root()
    return _AS_ROOT[name](given) or 0


def main() -> int:
    """Run one command; return the exit status."""
    given = _parser().parse_args()
    try:
        return _run(given)
    except ClusterError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; run the same command again to continue\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
