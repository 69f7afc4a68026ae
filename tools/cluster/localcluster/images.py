"""Building the project's images: locally by buildah into the cluster, else into a registry."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from localcluster import archives, binaries, lifecycle, packages, state
from localcluster.archives import Archive
from localcluster.baseimage import base_image
from localcluster.commands import run
from localcluster.console import ClusterError, progress, result
from localcluster.invoker import become_root, invoker
from localcluster.layout import CONF, REPOSITORY, RUN, STATE, make_folders, write_if_changed

_PUBLIC_BASE = "docker.io/library/debian:12-slim"
_PYTHON = "3.11"
_BUILD_LIMIT = 900
_ANSWER_LIMIT = 30
_KEPT_ARCHIVES = 3
_KEPT_LAYERS = 40
"""Nameless images of builds: what the next build takes over. Each build leaves about two."""


def build(roles: Iterable[str], base: str | None, tag: str | None, target: Path | None) -> None:
    """Build the images of some roles and bring them where the cluster finds them.

    Args:
        roles: folders under ``images/``.
        base: base image; by default our own locally, a public Debian else.
        tag: by default a hash of everything that goes in.
        target: where the references go as JSON, role -> reference.

    Raises:
        ClusterError: no such role, or a build failed.
    """
    for role in roles:
        if not containerfile(role).exists():
            raise ClusterError(f"there is no images/{role}/Containerfile")
    if os.environ.get("KUBE_CONTEXT"):
        references = _build_for_registry(roles, base or _PUBLIC_BASE, tag)
    else:
        become_root()
        with state.machine_lock("images"):
            references = _build_for_local(roles, base, tag)
    for role, reference in references.items():
        result(f"{role}={reference}")
    if target:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(references, indent=1) + "\n")
        invoker().own(target)


def containerfile(role: str) -> Path:
    """Return the path of a role's Containerfile."""
    return REPOSITORY / "images" / role / "Containerfile"


def copied_sources(text: str) -> list[str]:
    """Return what a Containerfile copies from the repository, in order.

    Lines that continue and heredocs are not used in our Containerfiles and not understood here.
    """
    sources: list[str] = []
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if words and words[0] == "COPY" and not any(w.startswith("--from") for w in words):
            sources += [word for word in words[1:-1] if not word.startswith("--")]
    return sources


def content_tag(role: str, base: str, root: Path = REPOSITORY) -> str:
    """Return a tag that changes exactly when the image's inputs change.

    Args:
        role: folder under ``images/``.
        base: the base image.
        root: the repository.
    """
    text = (root / "images" / role / "Containerfile").read_text()
    digest = hashlib.sha256(f"{base}\0{text}".encode())
    for source in copied_sources(text):
        for path in _files(root / source):
            digest.update(f"\0{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ClusterError(f"an image copies {path}, which does not exist")
    return sorted(p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts)


def _build_for_local(roles: Iterable[str], base: str | None, tag: str | None) -> dict[str, str]:
    make_folders()
    packages.install(packages.IMAGES)
    own_base = None if base else base_image()
    base = own_base.name if own_base else str(base)
    made: dict[str, Archive] = {}
    for role in roles:
        name = f"localhost/leeward-{role}:{tag or content_tag(role, base)}"
        folder = invoker().make_folder(invoker().cache / "cluster" / "images")
        path = folder / f"{role}-{name.rpartition(':')[2]}.tar"
        if tag or not path.exists():
            if own_base:
                _pull(own_base)
            _buildah_build(role, base, name, path)
        os.utime(path)
        made[role] = archives.read(path)
        _prune(folder, role)
    lifecycle.load(list(made.values()))
    for role in made:
        lifecycle.unload(f"localhost/leeward-{role}:", _kept(folder, role))
    _prune_builds({name for role in made for name in _kept(folder, role)})
    return {role: archive.name for role, archive in made.items()}


def _buildah_build(role: str, base: str, name: str, target: Path) -> None:
    progress(f"building image {name}")
    wheels, pip_config = _wheels(role)
    trust = "/etc/ssl/certs"
    argv = [
        *("--isolation", "chroot", "--layers", "--format", "oci", "--build-arg", f"BASE={base}"),
        *("--volume", f"{wheels}:/wheels:ro", "--volume", f"{pip_config}:/etc/pip.conf:ro"),
        *("--volume", f"{trust}:{trust}:ro", "--tag", name, "--file", str(containerfile(role))),
        # Its network library leaves a lock file in this folder, even with nothing to set up.
        *("--cni-config-dir", str(CONF / "build-network")),
        *("--ignorefile", str(containerfile(role)) + ".dockerignore"),
    ]
    _buildah("bud", *argv, str(REPOSITORY))
    new = target.with_name(target.name + ".new")
    new.unlink(missing_ok=True)
    # Not compressed: it only goes into containerd on the same machine.
    _buildah("push", "--disable-compression", name, f"oci-archive:{new}:{name}")
    invoker().own(new)
    new.replace(target)
    progress(f"built image {name} ({target.stat().st_size / 2**20:.0f} MiB)")


def _pull(image: Archive) -> None:
    if _buildah("inspect", "--type", "image", image.name, check=False).returncode != 0:
        _buildah("pull", f"oci-archive:{image.path}")


def _buildah(command: str, *words: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    policy = CONF / "image-policy.json"
    write_if_changed(policy, json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))
    kind = run(["stat", "--file-system", "--format=%T", STATE]).stdout.decode().strip()
    driver = "vfs" if kind == "overlayfs" else "overlay"
    argv: list[object] = ["buildah", "--root", STATE / "buildah", "--runroot", RUN / "buildah"]
    argv += ["--storage-driver", driver, command]
    if command in ("bud", "pull", "push"):
        argv += ["--signature-policy", policy]
    # Some variables of pip's would take it to the registry past the folder of wheels.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    return run(
        [*argv, *words],
        environment=environment,
        limit=_BUILD_LIMIT,
        contained=True,
        check=check,
    )


def _wheels(role: str) -> tuple[Path, Path]:
    """Fetch the wheels of a role's requirements once; return their folder and a pip.conf for it.

    So a build needs no network, and one with the same requirements does not fetch anything again.
    """
    requirements = REPOSITORY / "requirements" / f"{role}.txt"
    key = hashlib.sha256(requirements.read_bytes() + _PYTHON.encode()).hexdigest()[:16]
    parent = invoker().make_folder(invoker().cache / "cluster" / "wheels")
    folder = parent / key
    if folder.exists():
        invoker().keep(folder)
    else:
        progress(f"fetching the wheels of requirements/{role}.txt")
        new = parent / f"{key}.new"
        shutil.rmtree(new, ignore_errors=True)
        invoker().make_folder(new)
        argv = [*binaries.pip(), "download", "--quiet", "--no-deps", "--require-hashes"]
        argv += ["--only-binary", ":all:", "--implementation", "cp", "--python-version", _PYTHON]
        for minor in range(36, 4, -1):
            argv += ["--platform", f"manylinux_2_{minor}_{platform.machine()}"]
        argv += ["--platform", f"manylinux2014_{platform.machine()}"]
        run([*argv, "-r", requirements, "-d", new], as_user=True, limit=600)
        new.rename(folder)
    config = CONF / "wheels-pip.conf"
    text = "[global]\nno-index = true\nfind-links = /wheels\ndisable-pip-version-check = true\n"
    write_if_changed(config, text, 0o644)
    return folder, config


def _prune(folder: Path, role: str) -> None:
    """Keep the archives of a role that were used last."""
    found = sorted(archives_of(folder, role), key=lambda path: path.stat().st_mtime)
    for path in found[:-_KEPT_ARCHIVES]:
        path.unlink()


def archives_of(folder: Path, role: str, root: Path = REPOSITORY) -> list[Path]:
    """Return the archives of a role's images, in any order."""
    longer = [f"{path.name}-" for path in root.glob(f"images/{role}-*")]
    found = folder.glob(f"{role}-*.tar")
    return [path for path in found if not path.name.startswith(tuple(longer))]


def _kept(folder: Path, role: str) -> set[str]:
    """Return the names of a role's images that there are archives of."""
    tags = [path.stem.removeprefix(f"{role}-") for path in archives_of(folder, role)]
    return {f"localhost/leeward-{role}:{tag}" for tag in tags}


def _prune_builds(kept: set[str]) -> None:
    """Take from buildah's storage what no archive is of, and layers where they are many."""
    listed = _buildah("images", "--format", "{{.Name}}:{{.Tag}}").stdout.decode().split()
    roles = {name.rpartition(":")[0] for name in kept}
    old = [name for name in listed if name.rpartition(":")[0] in roles and name not in kept]
    if old:
        _buildah("rmi", *old, check=False)
    if sum(name.startswith("<none>") for name in listed) > _KEPT_LAYERS:
        progress("removing the layers of earlier builds")
        _buildah("rmi", "--prune", check=False)


def _builder() -> str:
    """The first program for images that works: a docker without its daemon is none."""
    installed = [name for name in ("docker", "podman", "buildah") if shutil.which(name)]
    for name in installed:
        try:
            run([name, "info"], limit=_ANSWER_LIMIT)
        except ClusterError:
            continue
        return name
    found = ", ".join(installed) or "none"
    raise ClusterError(
        "building images needs docker, podman or buildah, one of which `info` answers (a docker "
        f"without its daemon does not). Found: {found}. Install one of them, or start it"
    )


def _build_for_registry(roles: Iterable[str], base: str, tag: str | None) -> dict[str, str]:
    """Build with whatever the user has, and push to $IMAGE_REGISTRY."""
    registry = os.environ.get("IMAGE_REGISTRY")
    if not registry:
        raise ClusterError(
            "KUBE_CONTEXT is set, so images must be pushed where that cluster can pull them: set "
            "IMAGE_REGISTRY, for instance IMAGE_REGISTRY=registry.example.org/team"
        )
    tool = _builder()
    references = {}
    for role in roles:
        name = f"{registry.rstrip('/')}/leeward-{role}:{tag or content_tag(role, base)}"
        progress(f"building and pushing {name} by {tool}")
        argv = [tool, "build", "--build-arg", f"BASE={base}", "--file", containerfile(role)]
        run([*argv, "--tag", name, REPOSITORY], limit=_BUILD_LIMIT)
        run([tool, "push", name], limit=_BUILD_LIMIT)
        references[role] = name
    return references
