"""The local cluster: ``python3 tools/cluster COMMAND``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from localcluster import lifecycle
from localcluster.console import ClusterError, result
from localcluster.invoker import become_root
from localcluster.layout import KUBECONFIG


def main() -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(prog="python3 tools/cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start the cluster, or repair it")
    up.add_argument("--nodes", type=int, choices=(1, 2), help="how many nodes; default: as before, or 1")
    down = commands.add_parser("down", help="stop the cluster")
    down.add_argument("--wipe", action="store_true", help="delete what it held, too")
    commands.add_parser("kubeconfig", help="print the path of the kubeconfig")
    arguments = parser.parse_args()
    try:
        if arguments.command == "kubeconfig":
            result(str(KUBECONFIG))
            return 0
        become_root()
        if arguments.command == "up":
            lifecycle.up(arguments.nodes)
        elif arguments.command == "down":
            lifecycle.down(arguments.wipe)
    except ClusterError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; run the same command again to continue\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
