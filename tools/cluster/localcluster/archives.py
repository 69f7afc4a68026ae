"""Image archives (OCI image layout in a tar): written for our own small images, and read.

Source: Open Container Initiative, Image Format Specification 1.0, image-layout.md.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from localcluster.console import ClusterError

_NAME = "io.containerd.image.name"
_OCI_NAME = "org.opencontainers.image.ref.name"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_OCI = "application/vnd.oci.image"


@dataclass(frozen=True)
class Archive:
    """An image archive: its file, the image's name and the digest of its manifest."""

    path: Path
    name: str
    digest: str


def write(
    path: Path,
    name: str,
    files: Mapping[str, Path | str],
    *,
    entrypoint: Sequence[str] = (),
    user: str = "",
) -> Archive:
    """Write an image of a few files; the same content gives the same digest.

    Args:
        path: the archive to write.
        name: full image name with tag.
        files: path in the image -> file to take, or the target of a symbolic link.
        entrypoint: what runs.
        user: as whom it runs, ``UID:GID``.
    """
    settings = {"Env": [PATH], "Entrypoint": list(entrypoint), "User": user}
    return write_layer(path, name, _layer(files), settings)


def write_layer(path: Path, name: str, layer: bytes, settings: Mapping[str, object]) -> Archive:
    """Write an image of one layer.

    Args:
        path: the archive to write.
        name: full image name with tag.
        layer: the files, as an uncompressed tar.
        settings: the image's ``config``, as the specification names its fields.
    """
    packed = gzip.compress(layer, 1, mtime=0)
    machine = platform.machine()
    config = _json(
        {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine),
            "os": "linux",
            "config": dict(settings),
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
            "history": [{"created_by": "leeward local cluster"}],
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": _descriptor(f"{_OCI}.config.v1+json", config),
            "layers": [_descriptor(f"{_OCI}.layer.v1.tar+gzip", packed)],
        }
    )
    entry = _descriptor(f"{_OCI}.manifest.v1+json", manifest)
    entry["annotations"] = {_NAME: name, _OCI_NAME: name.rpartition(":")[2]}
    index = _json({"schemaVersion": 2, "manifests": [entry]})
    new = path.with_name(path.name + ".new")
    with tarfile.open(new, "w") as archive:
        _add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        for blob in (config, packed, manifest):
            _add(archive, "blobs/sha256/" + _digest(blob).removeprefix("sha256:"), blob)
        _add(archive, "index.json", index)
    new.replace(path)
    return Archive(path, name, _digest(manifest))


def read(path: Path) -> Archive:
    """Read name and digest of the one image in an archive.

    Raises:
        ClusterError: there is no such file, or it is no OCI archive with one named image.
    """
    try:
        with tarfile.open(path) as archive:
            stream = archive.extractfile("index.json")
            if stream is None:
                raise KeyError("index.json")
            entries = json.load(stream)["manifests"]
    except OSError as error:
        raise ClusterError(f"{path}: {error.strerror or error}") from None
    except (KeyError, ValueError, tarfile.TarError):
        raise ClusterError(
            f"{path} is no OCI image archive; write one by "
            "`buildah push NAME oci-archive:FILE:NAME` or `skopeo copy`"
        ) from None
    if len(entries) != 1:
        raise ClusterError(f"{path} holds {len(entries)} images; it must hold one")
    notes = entries[0].get("annotations", {})
    name = notes.get(_NAME) or notes.get(_OCI_NAME, "")
    if ":" not in name:
        raise ClusterError(f"{path} does not say the full name (NAME:TAG) of its image")
    return Archive(path, name, entries[0]["digest"])


def _layer(files: Mapping[str, Path | str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        parents = {p for name in files for p in map(str, Path(name).parents) if p != "."}
        for folder in sorted({*parents, "tmp"}):
            item = tarfile.TarInfo(folder)
            item.type, item.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            layer.addfile(item)
        for name, source in sorted(files.items()):
            item = tarfile.TarInfo(name)
            if isinstance(source, str):
                item.type, item.linkname = tarfile.SYMTYPE, source
                layer.addfile(item)
                continue
            item.mode, item.size = 0o755, source.stat().st_size
            with source.open("rb") as content:
                layer.addfile(item, content)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    item = tarfile.TarInfo(name)
    item.size = len(data)
    archive.addfile(item, io.BytesIO(data))


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _descriptor(kind: str, data: bytes) -> dict[str, object]:
    return {"mediaType": kind, "digest": _digest(data), "size": len(data)}
