"""The image that the local images stand on: a small Debian with Python, made by debootstrap.

Anywhere else the Containerfiles start from a public Debian image; this one needs no image registry.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from pathlib import Path

from localcluster import archives, packages
from localcluster.archives import Archive
from localcluster.commands import run
from localcluster.console import progress
from localcluster.invoker import invoker

_SUITE = "bookworm"
_PACKAGES = ("ca-certificates", "python3", "python3-venv")
_DROPPED = (
    *("var/cache/apt", "var/lib/apt/lists", "var/log", "usr/share/doc", "usr/share/man"),
    *("usr/share/locale", "usr/share/info", "usr/share/lintian", "usr/share/bash-completion"),
)
# Raised by hand when something about the making of the image changes.
_RECIPE = "1"


def base_image() -> Archive:
    """Return the base image, made once and kept in the user's cache."""
    recipe = " ".join((_RECIPE, _SUITE, *_PACKAGES, *_DROPPED))
    key = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    folder = invoker().make_folder(invoker().cache / "cluster" / "images")
    path = folder / f"base-{key}.tar"
    if path.exists():
        return archives.read(path)
    packages.install(packages.IMAGES)
    progress(f"making the base image by debootstrap (once; kept in {path})")
    with tempfile.TemporaryDirectory(prefix="leeward-base-") as scratch:
        root = Path(scratch) / "root"
        argv = ["debootstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}"]
        run([*argv, _SUITE, root, *_mirror()], limit=600, contained=True)
        for name in _DROPPED:
            shutil.rmtree(root / name, ignore_errors=True)
        for name in ("var/cache/apt/archives/partial", "var/lib/apt/lists/partial", "var/log"):
            (root / name).mkdir(parents=True)
        layer = Path(scratch) / "layer.tar"
        owner = ["--numeric-owner", "--sort=name", "--exclude=./dev/*", "--exclude=./proc/*"]
        run(["tar", "-C", root, *owner, "-cf", layer, "."], limit=120)
        settings = {"Env": [archives.PATH], "Cmd": ["/bin/sh"]}
        name = f"localhost/leeward-base:{key}"
        made = archives.write_layer(path, name, layer.read_bytes(), settings)
    invoker().own(path)
    progress("made the base image")
    return made


def _mirror() -> list[str]:
    """Return the machine's mirror as an argument; without one debootstrap takes its default."""
    lists = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    found = mirror_in("\n".join(path.read_text() for path in lists if path.is_file()))
    return [found] if found else []


def mirror_in(text: str) -> str | None:
    """Return the Debian mirror that a machine's package sources name, if they name one.

    Args:
        text: package sources, in the one-line or the deb822 form (see sources.list(5)).
    """
    stanzas = re.findall(r"^URIs:\s*(\S+)\s*\nSuites:\s*(.*)$", text, re.MULTILINE)
    stanzas += re.findall(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)", text, re.MULTILINE)
    for address, suites in stanzas:
        if _SUITE in suites.split() and address.startswith(("http://", "https://")):
            return str(address)
    return None
