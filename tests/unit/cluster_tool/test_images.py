"""An image's tag changes exactly when something that goes into the image does."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcluster import baseimage, images
from localcluster.console import ClusterError
from localcluster.layout import REPOSITORY
from localcluster.node import outdated

CONTAINERFILE = """\
ARG BASE
FROM ${BASE} AS build
COPY requirements/role.txt /tmp/
COPY --chown=0:0 src/package  src/other.py /tmp/packages/
# COPY src/not-this /tmp/
FROM ${BASE}
COPY --from=build /opt/made /opt/made
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name, text in {
        "images/role/Containerfile": CONTAINERFILE,
        "requirements/role.txt": "one==1",
        "src/package/__init__.py": "",
        "src/package/inner/module.py": "x = 1",
        "src/other.py": "y = 1",
        "src/not-this/module.py": "z = 1",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_copied_sources_are_those_of_the_repository() -> None:
    sources = ["requirements/role.txt", "src/package", "src/other.py"]
    assert images.copied_sources(CONTAINERFILE) == sources


@pytest.mark.parametrize(
    "changed",
    ["images/role/Containerfile", "requirements/role.txt", "src/package/inner/module.py"],
)
def test_tag_changes_with_each_input(repository: Path, changed: str) -> None:
    before = images.content_tag("role", "base:1", repository)
    path = repository / changed
    path.write_text(path.read_text() + "\n# changed")
    assert images.content_tag("role", "base:1", repository) != before


def test_tag_changes_with_the_base_and_with_a_file_renamed(repository: Path) -> None:
    before = images.content_tag("role", "base:1", repository)
    assert images.content_tag("role", "base:2", repository) != before
    (repository / "src/package/inner/module.py").rename(repository / "src/package/inner/m.py")
    assert images.content_tag("role", "base:1", repository) != before


def test_tag_stays_whatever_else_changes(repository: Path) -> None:
    before = images.content_tag("role", "base:1", repository)
    (repository / "src/not-this/module.py").write_text("z = 2")
    cache = repository / "src/package/__pycache__"
    cache.mkdir()
    (cache / "module.cpython-311.pyc").write_bytes(b"x")
    assert images.content_tag("role", "base:1", repository) == before


def test_source_that_does_not_exist_is_named(repository: Path) -> None:
    (repository / "src/other.py").unlink()
    with pytest.raises(ClusterError, match=r"src/other\.py, which does not exist"):
        images.content_tag("role", "base:1", repository)


@pytest.mark.parametrize("role", ["operator", "masking"])
def test_our_images_copy_what_exists_and_name_no_registry_but_the_public_base(role: str) -> None:
    text = images.containerfile(role).read_text()
    for source in images.copied_sources(text):
        assert (REPOSITORY / source).exists()
    assert [line for line in text.splitlines() if "docker.io" in line] == [
        "ARG BASE=docker.io/library/debian:12-slim"
    ]
    assert "USER 65532:65532" in text


@pytest.mark.parametrize(
    ("sources", "mirror"),
    [
        ("", None),
        ("deb http://m.example/debian bookworm main", "http://m.example/debian"),
        ("deb [signed-by=/k] https://m.example/d bookworm main", "https://m.example/d"),
        ("deb http://m.example/debian trixie main", None),
        (
            "Types: deb\nURIs: http://m.example/debian\nSuites: bookworm bookworm-updates\n",
            "http://m.example/debian",
        ),
        ("deb cdrom:[x]/ bookworm main", None),
    ],
)
def test_base_comes_from_the_mirror_of_the_machine(sources: str, mirror: str | None) -> None:
    assert baseimage.mirror_in(sources) == mirror


def test_archives_of_a_role_are_not_those_of_a_longer_name(tmp_path: Path) -> None:
    for name in ("images/role", "images/role-large", "archives"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("role-1.tar", "role-large-1.tar", "other-1.tar"):
        (tmp_path / "archives" / name).touch()
    found = images.archives_of(tmp_path / "archives", "role", tmp_path)
    assert [path.name for path in found] == ["role-1.tar"]


def test_an_old_image_goes_under_both_of_its_names() -> None:
    images = {
        "localhost/leeward-masking:1": "sha256:aa",
        "localhost/leeward-masking:2": "sha256:bb",
        "localhost/leeward-masking:3": "sha256:cc",
        "localhost/leeward-masking-models:1": "sha256:dd",
        "sha256:config-of-1": "sha256:aa",
        "sha256:config-of-2": "sha256:bb",
        "sha256:config-of-3": "sha256:cc",
        "sha256:config-of-models": "sha256:dd",
        "sha256:left-by-an-earlier-program": "sha256:ee",
    }
    kept = {"localhost/leeward-masking:2", "localhost/leeward-masking:3"}
    assert outdated(images, "localhost/leeward-masking:", kept) == [
        "localhost/leeward-masking:1",
        "sha256:config-of-1",
        "sha256:left-by-an-earlier-program",
    ]
