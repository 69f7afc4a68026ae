"""Debian packages that the cluster needs, installed without leaving a service running."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from localcluster import state
from localcluster.commands import run
from localcluster.console import ClusterError, progress

# What is looked for -> package that brings it. Programs that come from elsewhere (such as the
# containerd of another vendor) are used as they are.
CLUSTER = {
    "etcd": "etcd-server",
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "ipset": "ipset",
    "nft": "nftables",
    "ip": "iproute2",
    "conntrack": "conntrack",
    "openssl": "openssl",
    "nsenter": "util-linux",
    "mount": "mount",
    "modprobe": "kmod",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
}
IMAGES = {
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}
_SERVICES = {"etcd-server": "etcd", "containerd": "containerd"}
_POLICY = Path("/usr/sbin/policy-rc.d")
_POLICY_TEXT = "#!/bin/sh\n# Made by leeward's local cluster while it installs.\nexit 101\n"


def install(needed: Mapping[str, str]) -> None:
    """Install what is missing.

    Args:
        needed: program name or absolute path -> Debian package.

    Raises:
        ClusterError: this is no Debian, or apt failed; it names the packages.
    """
    with state.machine_lock("packages"):
        # One that an earlier run left when it was killed.
        _unblock_services()
        missing = sorted({package for item, package in needed.items() if not _present(item)})
        if missing:
            _install(missing)


def _install(missing: list[str]) -> None:
    if shutil.which("apt-get") is None:
        raise ClusterError(
            f"these Debian packages are missing and there is no apt-get: {', '.join(missing)}. "
            "Install their programs with the package manager of this machine."
        )
    progress(f"installing Debian packages: {' '.join(missing)}")
    _block_services()
    try:
        _apt_install(missing)
    finally:
        _unblock_services()
    for package in missing:
        if package in _SERVICES and shutil.which("systemctl"):
            run(["systemctl", "disable", "--now", _SERVICES[package]], check=False)


def download_file(package: str, member: str, target: Path) -> None:
    """Fetch one file out of a Debian package without installing the package.

    Args:
        package: package name.
        member: path of the file inside it, for instance ``bin/busybox``.
        target: where the file goes.
    """
    folder = target.parent / (target.name + ".deb.d")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # apt drops root for the download and could not write into a folder of root's.
    options = ["-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3"]
    download = ["apt-get", *options, "download", package]
    if run(download, folder=folder, limit=120, check=False).returncode != 0:
        _refresh_lists()
        run(download, folder=folder, limit=120)
    archive = next(folder.glob("*.deb"))
    run(["dpkg-deb", "--extract", archive, folder / "tree"])
    (folder / "tree" / member).replace(target)
    shutil.rmtree(folder)


def _present(item: str) -> bool:
    return Path(item).exists() if item.startswith("/") else shutil.which(item) is not None


def _apt_install(missing: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # --no-remove: where a package of another vendor stands in the way, fail instead of taking
    # it away.
    argv = ["apt-get", "install", "-y", "--no-install-recommends", "--no-remove"]
    argv += ["-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=300", *missing]
    # A run that was killed half-way leaves packages unpacked but not configured.
    run(["dpkg", "--configure", "-a"], environment=environment, limit=300, check=False)
    if run(argv, environment=environment, limit=600, check=False).returncode == 0:
        return
    _refresh_lists()
    try:
        run(argv, environment=environment, limit=600)
    except ClusterError as error:
        raise ClusterError(
            f"apt could not install {' '.join(missing)}. Check the network and the package "
            f"sources, or install them yourself.\n{error}"
        ) from None


def _refresh_lists() -> None:
    run(["apt-get", "update", "-o", "Acquire::Retries=3"], limit=300)


def _block_services() -> None:
    if not _POLICY.exists():
        _POLICY.write_text(_POLICY_TEXT)
        _POLICY.chmod(0o755)


def _unblock_services() -> None:
    if _POLICY.exists() and _POLICY.read_text(errors="replace") == _POLICY_TEXT:
        _POLICY.unlink()
