"""The machine-wide lock, and the kernel settings that are put back when the cluster stops."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from localcluster.console import ClusterError, progress
from localcluster.layout import NAME, RUN, boot_id, write_if_changed

_SYSCTLS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
_SAVED = RUN / "leeward-kernel-settings.json"
_FOLDERS = RUN / "leeward-folders.json"


@contextlib.contextmanager
def machine_lock(what: str = "cluster", limit: float = 900) -> Iterator[None]:
    """Hold a lock of this machine; the kernel frees it however the holder dies.

    Args:
        what: ``cluster``, ``packages`` or ``images``; taken in the order images, packages, cluster.
        limit: seconds to wait for it.

    Raises:
        ClusterError: somebody else held it all that time.
    """
    handle = os.open(f"/run/{NAME}.{what}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + limit
        waiting = False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                holder = os.pread(handle, 32, 0).decode().strip() or "unknown"
                if time.monotonic() > deadline:
                    raise ClusterError(
                        f"process {holder} has been changing the {what} for {limit:.0f} s; "
                        "wait for it or end it"
                    ) from None
                if not waiting:
                    progress(f"waiting for process {holder}, which is changing the {what}")
                    waiting = True
                time.sleep(0.2)
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def save_kernel_settings() -> None:
    """Remember, once per boot, the settings that the kubelet changes."""
    if _load(_SAVED):
        return
    there = [name for name in _SYSCTLS if _sysctl(name).exists()]
    before = {name: _sysctl(name).read_text().strip() for name in there}
    _save(_SAVED, before)


def restore_kernel_settings() -> None:
    """Put the remembered settings back, or leave that to another cluster that still runs."""
    ours, heir = _load(_SAVED), _heir(_SAVED)
    if heir is None:
        for name, value in ours.items():
            if _sysctl(name).read_text().strip() != value:
                _sysctl(name).write_text(value)
    elif ours and _SAVED.stat().st_mtime < heir.stat().st_mtime:
        # Ours are from before either started.
        _save(heir, ours)
    _SAVED.unlink(missing_ok=True)


def make_mount_points(paths: list[Path]) -> None:
    """Make folders that a node mounts over, remembering which were not there before."""
    made = dict(_load(_FOLDERS))
    missing = [p for path in paths for p in (*reversed(path.parents), path) if not p.exists()]
    made.update({str(path): "made" for path in missing})
    _save(_FOLDERS, made)
    for path in missing:
        path.mkdir(exist_ok=True)


def remove_mount_points() -> None:
    """Remove the folders that `make_mount_points` made, where they are still empty.

    Another cluster may mount over the same ones: then they are its to remove.
    """
    ours, heir = _load(_FOLDERS, any_boot=True), _heir(_FOLDERS)
    if heir is None:
        for path in sorted(ours, key=len, reverse=True):
            with contextlib.suppress(OSError):
                Path(path).rmdir()
    elif ours:
        _save(heir, _load(heir, any_boot=True) | ours)
    _FOLDERS.unlink(missing_ok=True)


def _heir(path: Path) -> Path | None:
    """Return the same file of another cluster of this machine, if there is one in this boot."""
    others = Path("/run").glob(f"*/{path.name}")
    return next((other for other in others if other != path and _load(other)), None)


def _save(path: Path, values: dict[str, str]) -> None:
    write_if_changed(path, json.dumps({"boot": boot_id(), "values": values}))


def _sysctl(name: str) -> Path:
    return Path("/proc/sys") / name


def _load(path: Path, *, any_boot: bool = False) -> dict[str, str]:
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    if not any_boot and data["boot"] != boot_id():
        return {}
    values: dict[str, str] = data["values"]
    return values
