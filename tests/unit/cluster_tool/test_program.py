"""The cluster program: errors say what and what to do; recorded processes are never mistaken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from localcluster import binaries, commands, layout, processes
from localcluster.console import ClusterError
from localcluster.layout import REPOSITORY, write_if_changed

TOOL = REPOSITORY / "tools" / "cluster"


def run_tool(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(TOOL), *words],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, **environment},
    )


def test_failure_shows_the_command_its_status_and_its_last_lines() -> None:
    script = "for i in $(seq 50); do echo line $i; done; exit 3"
    with pytest.raises(ClusterError) as caught:
        commands.run(["sh", "-c", script])
    text = str(caught.value)
    assert "ended with 3" in text
    assert "line 50" in text
    assert "line 20\n" not in text


def test_program_that_is_missing_is_named() -> None:
    with pytest.raises(ClusterError, match="no-such-program is not installed"):
        commands.run(["no-such-program"])


def test_program_that_hangs_is_ended() -> None:
    with pytest.raises(ClusterError, match=r"took longer than 0 s"):
        commands.run(["cat", "/dev/zero"], limit=0.05)


def test_waiting_ends_with_an_explanation() -> None:
    with pytest.raises(ClusterError, match="the moon: not within 0 s\nit is far away"):
        commands.wait_for("the moon", lambda: False, limit=0, explain=lambda: "it is far away")


def test_unchanged_file_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    write_if_changed(path, "text")
    first = path.stat()
    write_if_changed(path, "text")
    assert path.stat().st_ino == first.st_ino
    write_if_changed(path, "other")
    assert path.read_text() == "other"
    assert path.stat().st_mode & 0o777 == 0o600


def record(folder: Path, **changes: object) -> None:
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    own = {"pid": os.getpid(), "started": int(fields[19]), "boot": layout.boot_id()}
    (folder / "one").write_text(json.dumps(own | {"fingerprint": "x"} | changes))


@pytest.mark.parametrize(
    ("changes", "alive"),
    [
        ({}, True),
        ({"started": 1}, False),
        ({"boot": "another"}, False),
        ({"pid": 2**22 + 1}, False),
    ],
    ids=["the same", "its id is another's now", "before the machine started", "gone"],
)
def test_recorded_process_is_told_from_another_with_its_id(
    changes: dict[str, object], alive: bool, tmp_path: Path
) -> None:
    record(tmp_path, **changes)
    assert (processes.pid_of("one", tmp_path) is not None) == alive


def test_half_written_record_is_no_process(tmp_path: Path) -> None:
    (tmp_path / "one").write_text('{"pid": 1')
    assert processes.pid_of("one", tmp_path) is None


def test_user_cluster_that_does_not_exist_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "config"
    empty.write_text("")
    done = run_tool("kubeconfig", KUBE_CONTEXT="nowhere", KUBECONFIG=str(empty))
    assert done.returncode == 1
    assert "'nowhere', which your kubeconfig does not have" in done.stderr


def test_images_for_a_user_cluster_need_a_registry() -> None:
    done = run_tool("images", "build", "operator", KUBE_CONTEXT="mine", IMAGE_REGISTRY="")
    assert done.returncode == 1
    assert "set IMAGE_REGISTRY" in done.stderr


def put_program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


REGISTRY = {"KUBE_CONTEXT": "mine", "IMAGE_REGISTRY": "registry.example/team"}


def test_images_for_a_user_cluster_are_built_by_a_program_that_answers(tmp_path: Path) -> None:
    put_program(tmp_path, "docker", "exit 1")
    put_program(tmp_path, "podman", f'echo "$@" >> {tmp_path}/told')
    done = run_tool("images", "build", "operator", **REGISTRY, PATH=f"{tmp_path}:/usr/bin:/bin")
    assert done.returncode == 0, done.stderr
    info, build, push = (tmp_path / "told").read_text().splitlines()
    assert info == "info"
    assert build.startswith("build ")
    assert push == "push " + done.stdout.strip().removeprefix("operator=")


def test_image_program_without_its_daemon_is_named(tmp_path: Path) -> None:
    put_program(tmp_path, "docker", "exit 1")
    (tmp_path / "python3").symlink_to("/usr/bin/python3")
    done = run_tool("images", "build", "operator", **REGISTRY, PATH=str(tmp_path))
    assert done.returncode == 1
    assert "a docker without its daemon does not). Found: docker. Install" in done.stderr


def test_local_commands_do_not_touch_a_user_cluster() -> None:
    done = run_tool("restart", "etcd", KUBE_CONTEXT="mine")
    assert done.returncode == 1
    assert "works on the local cluster only" in done.stderr


def run_program(program: str, path: str) -> subprocess.CompletedProcess[str]:
    """A Python program that is given the tool's folder, with nothing but this PATH."""
    return subprocess.run(
        ["/usr/bin/python3", "-c", program, str(TOOL)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={"PATH": path},
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_without_root_and_sudo_it_says_what_to_do() -> None:
    done = run_program(_AS_NOBODY, "/nowhere")
    assert done.returncode == 1
    assert "must run as root, and sudo is not installed" in done.stderr
    assert "apt-get install sudo" in done.stderr
    assert "KUBE_CONTEXT" in done.stderr


_PATH_OF_ROOT = """
import os, sys
sys.path.insert(0, sys.argv[1])
from localcluster.invoker import become_root
become_root()
print(os.environ["PATH"])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="what root finds, or a user behind sudo")
def test_programs_for_administrators_are_found_on_the_path_of_a_user() -> None:
    done = run_program(_PATH_OF_ROOT, "/home/user/go/bin:/usr/bin:/bin")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().startswith("/home/user/go/bin:/usr/bin:/bin:")
    assert "/usr/sbin" in done.stdout.strip().split(":")


def go_module(folder: Path) -> Path:
    (folder / "go.mod").write_text("module one\n\ngo 1.26\n")
    return folder


def test_go_that_is_missing_is_said_with_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="Go is not installed") as caught:
        binaries.go(go_module(tmp_path), places="/nowhere")
    for words in ("Go 1.26 or newer", "https://go.dev/dl/", "golang-go", "KUBE_CONTEXT"):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo go version go1.19.8 linux/amd64", "go version go1.19.8 linux/amd64"),
        ("echo 'go.mod requires go >= 1.26' >&2; exit 1", "go.mod requires go >= 1.26"),
        ("exit 2", ""),
    ],
)
def test_go_that_is_too_old_is_said_with_its_own_words(
    tmp_path: Path, script: str, said: str
) -> None:
    fake_go(tmp_path, script)
    with pytest.raises(ClusterError, match=r"need Go 1\.26, and .*/go is too old") as caught:
        binaries.go(go_module(tmp_path), places=str(tmp_path))
    assert f"it says: {said}" in str(caught.value)
    assert "https://go.dev/dl/" in str(caught.value)


@pytest.mark.parametrize("version", ["1.26.0", "1.27rc1", "2.0"])
def test_go_that_is_new_enough_is_taken(tmp_path: Path, version: str) -> None:
    path = fake_go(tmp_path, f"echo go version go{version} linux/amd64")
    assert binaries.go(go_module(tmp_path), places=str(tmp_path)) == str(path)


def fake_go(folder: Path, script: str) -> Path:
    path = folder / "go"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


# The sources may stand where nobody else can read them, so they are read before becoming nobody.
_AS_NOBODY = """
import os, sys
sys.path.insert(0, sys.argv[1])
from localcluster import invoker
from localcluster.console import ClusterError
os.setgid(65534); os.setuid(65534)
try:
    invoker.become_root()
except ClusterError as error:
    sys.exit(str(error))
"""
