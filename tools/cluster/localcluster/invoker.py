"""Who called us: becoming root through sudo, and doing as the user what needs no root."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from localcluster.console import ClusterError

# sudo resets the environment; these decide where things are cached and how they are fetched.
_KEPT = (
    "PATH",
    "XDG_CACHE_HOME",
    "KUBE_CONTEXT",
    "LEEWARD_CLUSTER",
    "KUBECONFIG",
    "IMAGE_REGISTRY",
    "GOPROXY",
    "GOSUMDB",
    "GOFLAGS",
    "GOTOOLCHAIN",
    "GOMODCACHE",
    "GOCACHE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "PIP_CERT",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)
_FOR_ADMINISTRATORS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_KEPT_SECONDS = 30 * 86400


@dataclass(frozen=True)
class Invoker:
    """The user on whose behalf the program runs: ids and home directory."""

    uid: int
    gid: int
    home: Path

    @property
    def cache(self) -> Path:
        """Where slow things are kept: ``$XDG_CACHE_HOME/leeward`` or ``~/.cache/leeward``."""
        base = os.environ.get("XDG_CACHE_HOME")
        return (Path(base) if base else self.home / ".cache") / "leeward"

    def environment(self) -> dict[str, str]:
        """Return the environment for a program that runs as this user."""
        return {**os.environ, "HOME": str(self.home)}

    def own(self, *paths: Path) -> None:
        """Give paths that root made in the user's cache to the user."""
        if os.geteuid() == 0 and self.uid != 0:
            for path in paths:
                os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def keep(self, entry: Path) -> None:
        """Mark something in the cache as used, and delete its neighbours that long were not."""
        os.utime(entry)
        oldest = time.time() - _KEPT_SECONDS
        for other in entry.parent.iterdir():
            if other.stat().st_mtime < oldest:
                shutil.rmtree(other) if other.is_dir() else other.unlink()

    def make_folder(self, path: Path) -> Path:
        """Make a folder in the user's cache, and parents that are missing, owned by the user."""
        missing = [p for p in (path, *path.parents) if not p.exists()]
        path.mkdir(parents=True, exist_ok=True)
        self.own(*missing)
        return path


@cache
def invoker() -> Invoker:
    """Return the calling user: behind sudo the one who typed it."""
    uid = int(os.environ.get("SUDO_UID", os.getuid())) if os.geteuid() == 0 else os.getuid()
    entry = pwd.getpwuid(uid)
    behind_sudo = os.geteuid() == 0 and uid != 0
    home = entry.pw_dir if behind_sudo else os.environ.get("HOME", entry.pw_dir)
    return Invoker(uid, entry.pw_gid, Path(home))


def become_root() -> None:
    """Start this program again through sudo unless it is root already.

    Raises:
        ClusterError: there is no sudo, or not this kind of machine.
    """
    if sys.platform != "linux":
        raise ClusterError(
            "the local cluster needs Linux (namespaces and cgroups). "
            "Set KUBE_CONTEXT to use a cluster of your own instead."
        )
    if os.geteuid() == 0:
        # A user's PATH, which sudo hands on here, has no programs for administrators on Debian.
        found = os.environ.get("PATH", os.defpath).split(os.pathsep)
        os.environ["PATH"] = os.pathsep.join(dict.fromkeys([*found, *_FOR_ADMINISTRATORS]))
        return
    sudo = shutil.which("sudo")
    if sudo is None:
        raise ClusterError(
            "the local cluster makes namespaces and mounts, so it must run as root, and sudo is "
            "not installed. Run it as root, have root install sudo (apt-get install sudo), or set "
            "KUBE_CONTEXT to use a cluster of your own."
        )
    kept = [f"{name}={os.environ[name]}" for name in _KEPT if name in os.environ]
    # Or root would leave files in the user's checkout.
    kept.append("PYTHONDONTWRITEBYTECODE=1")
    os.execv(sudo, [sudo, "env", *kept, sys.executable, *sys.argv])  # noqa: S606
