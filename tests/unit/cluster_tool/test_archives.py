"""Image archives: the same content has one digest, and what is no archive is refused."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from localcluster import archives
from localcluster.console import ClusterError

NAME = "localhost/tried:1"


def write(folder: Path, name: str, content: str) -> archives.Archive:
    program = folder / "program"
    program.write_text(content)
    files: dict[str, Path | str] = {"bin/program": program, "bin/alias": "program"}
    return archives.write(folder / name, NAME, files, entrypoint=["/bin/program"], user="1:1")


def member(path: Path, name: str) -> bytes:
    with tarfile.open(path) as archive:
        stream = archive.extractfile(name)
        assert stream is not None
        return stream.read()


def blob(path: Path, digest: str) -> bytes:
    return member(path, "blobs/sha256/" + digest.removeprefix("sha256:"))


def test_written_archive_reads_back(tmp_path: Path) -> None:
    made = write(tmp_path, "a.tar", "one")
    assert archives.read(made.path) == made
    manifest = json.loads(blob(made.path, made.digest))
    config = json.loads(blob(made.path, manifest["config"]["digest"]))
    assert config["config"]["User"] == "1:1"
    layer = io.BytesIO(blob(made.path, manifest["layers"][0]["digest"]))
    with tarfile.open(fileobj=layer) as files:
        assert files.getnames() == ["bin", "tmp", "bin/alias", "bin/program"]
        assert files.getmember("bin/alias").linkname == "program"


def test_digest_follows_the_content_only(tmp_path: Path) -> None:
    first = write(tmp_path, "a.tar", "one")
    assert write(tmp_path, "b.tar", "one").digest == first.digest
    assert write(tmp_path, "c.tar", "two").digest != first.digest


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"nowhere\.tar: No such file"):
        archives.read(tmp_path / "nowhere.tar")


def test_other_tar_is_refused_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "other.tar"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("manifest.json"))
    with pytest.raises(ClusterError, match="is no OCI image archive; write one by `buildah push"):
        archives.read(path)


def test_archive_without_a_full_name_is_refused(tmp_path: Path) -> None:
    made = write(tmp_path, "a.tar", "one")
    index = json.loads(member(made.path, "index.json"))
    index["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": "1"}
    data = json.dumps(index).encode()
    path = tmp_path / "nameless.tar"
    with tarfile.open(path, "w") as archive:
        item = tarfile.TarInfo("index.json")
        item.size = len(data)
        archive.addfile(item, io.BytesIO(data))
    with pytest.raises(ClusterError, match="full name"):
        archives.read(path)
