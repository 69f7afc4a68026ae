"""Starting, stopping and describing the local cluster."""

from __future__ import annotations

import concurrent.futures
import functools
import json
import os
import shutil
from pathlib import Path

from localcluster import (
    addons,
    binaries,
    cgroups,
    controlplane,
    mounts,
    network,
    node,
    packages,
    processes,
    state,
)
from localcluster.api import Api
from localcluster.archives import Archive
from localcluster.certificates import make_certificates, make_kubeconfigs
from localcluster.commands import run, wait_for
from localcluster.console import ClusterError, elapsed, progress, result
from localcluster.invoker import invoker
from localcluster.kubectl import kubectl
from localcluster.layout import (
    BIN,
    CONTROL_NODE,
    FABRIC,
    KUBECONFIG,
    NODES,
    RUN,
    STATE,
    Node,
    boot_id,
    make_folders,
    write_if_changed,
)

_FORMAT = "1"
_STOPPING = RUN / "stopping"
_LOADED = STATE / "loaded-images.json"


def up(count: int | None) -> None:
    """Start the cluster, or bring a damaged or older one to what it should be.

    Args:
        count: number of nodes, 1 or 2; None keeps what there is.
    """
    folders = _prepare()
    with state.machine_lock():
        state_before = STATE.exists()
        make_folders()
        _check_format(state_before)
        binaries.link_user_programs()
        wanted = NODES[: count or max(1, sum(one.folder.exists() for one in NODES))]
        try:
            _start(wanted, folders)
        except ClusterError as error:
            if not state_before:
                raise
            # Something left over that no check found; once more on clean ground.
            progress(f"starting again from a full stop, because: {str(error).splitlines()[0]}")
            _stop()
            _start(wanted, folders)
    _report(wanted)


def down(wipe: bool) -> None:
    """Stop the cluster and leave nothing in the kernel.

    Args:
        wipe: delete what it held as well (everything that users created in it).
    """
    with state.machine_lock():
        _stop()
        if wipe:
            run(["rm", "-rf", "--one-file-system", STATE], limit=120)
            shutil.rmtree(RUN, ignore_errors=True)
            progress("stopped, and its state deleted")
        else:
            progress("stopped; what it held is kept (`--wipe` deletes it)")


def running_nodes() -> list[Node]:
    """Return the nodes that stand."""
    return [one for one in NODES if mounts.is_complete(one)]


def load(images: list[Archive]) -> None:
    """Import image archives into every node.

    Raises:
        ClusterError: the cluster is not running.
    """
    with state.machine_lock():
        nodes = running_nodes()
        if not nodes:
            raise ClusterError("the cluster is not running; start it by `make cluster-up`")
        for one in nodes:
            node.load_images(one, images)
        newest = {image.name.rpartition(":")[0]: image.name for image in images}
        write_if_changed(_LOADED, json.dumps(_loaded() | newest, indent=1))


def unload(prefix: str, kept: set[str]) -> None:
    """Remove from every node the images whose names begin so and that nothing needs any more.

    The kubelet does not: what it removes could not be pulled again.
    """
    with state.machine_lock():
        for one in running_nodes():
            node.remove_images(one, prefix, kept)


def _loaded() -> dict[str, str]:
    """Return the newest image of each repository that was loaded, for nodes that come later."""
    found: dict[str, str] = json.loads(_LOADED.read_text()) if _LOADED.exists() else {}
    return found


def restart(name: str) -> None:
    """Kill one process of the cluster without warning, as a crash would, and start it again.

    Raises:
        ClusterError: there is no process of that name.
    """
    if name not in processes.recorded():
        raise ClusterError(f"no process {name}; there are: {', '.join(processes.recorded())}")
    with state.machine_lock():
        processes.stop(name, grace=0)
    up(None)


def _prepare() -> tuple[Path, Path, Path]:
    """Install packages while the programs are built; return the folders of the programs."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        installing = pool.submit(packages.install, packages.CLUSTER)
        fetching = pool.submit(binaries.kubectl_and_helm)
        folders = tuple(map(binaries.build, (binaries.OWN, binaries.KUBERNETES, binaries.STORAGE)))
        installing.result()
        fetching.result()
    return folders[1], folders[0], folders[2]


def _check_format(existed: bool) -> None:
    path = STATE / "format"
    if not existed or not path.exists():
        write_if_changed(path, _FORMAT)
    elif path.read_text() != _FORMAT:
        raise ClusterError(
            "the cluster's state was written by another version of this tool; "
            "delete it by `python3 tools/cluster down --wipe`"
        )


def _start(wanted: tuple[Node, ...], folders: tuple[Path, Path, Path]) -> None:
    kubernetes, own, storage = folders
    make_folders()
    _clear_debris(wanted)
    state.save_kernel_settings()
    make_certificates()
    text = make_kubeconfigs(controlplane.relay_port())
    write_if_changed(KUBECONFIG, text)
    os.chown(KUBECONFIG, invoker().uid, invoker().gid)
    network.prepare_pins()
    network.make_fabric()
    for one in wanted:
        if not mounts.is_complete(one):
            mounts.make_node(one)
    processes.start(controlplane.etcd())
    processes.start(controlplane.api_server(kubernetes))
    controlplane.start_relay(own)
    images = addons.images(own, storage)
    for one in wanted:
        node.start_containerd(one, own)
        node.load_images(one, list(images.values()))
    for one in wanted[1:]:
        node.copy_images(list(_loaded().values()), CONTROL_NODE, one)
    api = Api(controlplane.relay_port())
    explain = functools.partial(processes.explain, "etcd", "kube-apiserver")
    wait_for("kube-apiserver ready", api.ready, limit=60, explain=explain)
    progress("kube-apiserver is ready")
    since = {}
    for one in wanted:
        node.start_policy_agent(one, own)
        since[one] = node.start_kubelet(one, kubernetes)
    processes.start(controlplane.controller_manager(kubernetes))
    processes.start(controlplane.scheduler(kubernetes))
    addons.apply(images)
    _await_ready(api, since)


def _await_ready(api: Api, since: dict[Node, float]) -> None:
    for one, moment in since.items():
        wait_for(
            f"node {one.name} Ready",
            functools.partial(api.node_ready, one.name, moment),
            limit=60,
            explain=functools.partial(processes.explain, *node.program_names(one)),
        )
        progress(f"node {one.name} is Ready")
    # No container starts on them without the agent, so it holds policies on all of them.
    addons.label_nodes(since)

    def running(namespace: str, name: str) -> bool:
        alive = set().union(*map(node.running_containers, since))
        return api.deployment_ready(namespace, name, alive)

    for namespace, name in addons.DEPLOYMENTS:
        wait_for(
            f"{name} running",
            functools.partial(running, namespace, name),
            limit=60,
            explain=lambda: processes.explain("kubelet-n1", "kube-controller-manager", "policy-n1"),
        )
        progress(f"{name} is running")
    for one in since:
        # kube-proxy hears of it a moment after the API server.
        wait_for(
            f"names found from node {one.name}",
            functools.partial(addons.resolves_names, one),
            limit=30,
            explain=functools.partial(processes.explain, f"kube-proxy-{one.name}"),
        )


def _clear_debris(wanted: tuple[Node, ...]) -> None:
    """Remove what an earlier run left that cannot be built upon."""
    boot = RUN / "boot"
    if boot.exists() and boot.read_text() != boot_id():
        # The machine was started anew: nothing runs, and the records of the last boot mean nothing.
        shutil.rmtree(RUN, ignore_errors=True)
        make_folders()
    boot.write_text(boot_id())
    for one in NODES:
        if one not in wanted and one.folder.exists():
            _remove_node(one)
    standing = [one for one in NODES if mounts.is_complete(one)]
    fabric = network.is_pinned(FABRIC)
    half_made = [one for one in NODES if one.complete.exists() and one not in standing]
    if _STOPPING.exists():
        # Programs and pods may still be about to end although they run.
        progress("finishing a stop that was interrupted")
        _stop()
        make_folders()
        boot.write_text(boot_id())
    elif half_made or (standing and not fabric) or (fabric and CONTROL_NODE not in standing):
        progress("removing what an earlier start left half made")
        _stop()
        make_folders()
        boot.write_text(boot_id())


def _remove_node(one: Node) -> None:
    progress(f"removing node {one.name}")
    words = ("delete", "node", one.name, "--ignore-not-found", "--request-timeout=5s")
    kubectl(*words, check=False, limit=15)
    for name in node.program_names(one):
        processes.stop(name)
    mounts.remove_node(one)
    run(["rm", "-rf", "--one-file-system", one.folder], limit=60)


def _stop() -> None:
    """Stop every process and give up namespaces, mounts, control groups and kernel settings."""
    RUN.mkdir(exist_ok=True)
    _STOPPING.touch()
    for one in reversed(NODES):
        processes.stop(f"kubelet-{one.name}")
        # Pods get a moment to finish what they are writing.
        cgroups.end_all(f"{one.name}/pods", grace=2)
        for name in node.program_names(one):
            processes.stop(name)
    for name in reversed(controlplane.NAMES):
        processes.stop(name, grace=10)
    cgroups.kill_all()
    for one in NODES:
        mounts.remove_node(one)
    network.release_pins()
    cgroups.remove()
    state.restore_kernel_settings()
    state.remove_mount_points()
    shutil.rmtree(RUN, ignore_errors=True)


def _report(wanted: tuple[Node, ...]) -> None:
    names = " and ".join(one.name for one in wanted)
    progress(f"Kubernetes runs on node {names}; kubectl and helm are in {BIN}")
    result(f"export KUBECONFIG={KUBECONFIG} PATH={BIN}:$PATH")
    if elapsed() > 1:
        progress("done")
