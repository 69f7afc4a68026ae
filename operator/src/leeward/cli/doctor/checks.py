"""The doctor's questions, each a pure function of the facts."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from typing import Final

from leeward.api import KINDS, KINDS_BY_NAME
from leeward.api.meta import VERSION
from leeward.cli.conditions import condition_of
from leeward.cli.doctor.facts import Facts
from leeward.cli.doctor.finding import Finding, Level, hidden
from leeward.cli.installed import IMAGE_VARIABLE, environment_of
from leeward.cli.output import counted, parse_time
from leeward.cli.port import Manifest

MAX_SKEW_SECONDS: Final = 30
MAX_NAMED: Final = 5
NETWORK_AGENTS: Final = (
    "calico-node",
    "cilium",
    "antrea-agent",
    "weave-net",
    "kube-router",
    "kube-network-policies",
    "ovnkube-node",
    "canal",
)
UNDER_WAY: Final = frozenset(
    {"Admitted", "Ending", "Inspecting", "Publishing", "Running", "Starting", "Suspended"}
)
"""Reasons of Ready=False that are no trouble."""

POLICIES_LABEL: Final = "leeward.dev/network-policies"
"""Of a node: ``enforced`` where something that is no known DaemonSet holds NetworkPolicies."""

UPGRADE: Final = (
    "install the chart of this version: helm upgrade --install leeward charts/leeward"
    " --namespace leeward-system --create-namespace"
)


def check_crds(facts: Facts) -> Iterator[Finding]:
    """Are the kinds installed, and of this version?"""
    subject = "custom resources"
    if facts.crds.hidden:
        yield hidden(subject, facts.crds)
        return
    missing = [kind.crd_name for kind in KINDS if kind.kind not in facts.crds.value]
    if missing:
        yield Finding(Level.PROBLEM, subject, f"not installed: {', '.join(missing)}", UPGRADE)
    other = [why for kind in KINDS if (why := _crd_fault(kind.kind, facts.crds.value))]
    if other:
        yield Finding(Level.PROBLEM, subject, "; ".join(other), UPGRADE)
    if not missing and not other:
        yield Finding(Level.OK, subject, f"{len(KINDS)} kinds, version {VERSION}")


def _crd_fault(kind: str, crds: dict[str, Manifest]) -> str:
    crd = crds.get(kind)
    if crd is None:
        return ""
    served = next(
        (v for v in crd["spec"]["versions"] if v["name"] == VERSION and v["served"]), None
    )
    if served is None:
        return f"{kind} does not serve {VERSION}"
    if not any(
        c["type"] == "Established" and c["status"] == "True"
        for c in crd.get("status", {}).get("conditions", [])
    ):
        return f"{kind} is not established"
    spec = served["schema"]["openAPIV3Schema"]["properties"].get("spec", {}).get("properties", {})
    known = {
        field.serialization_alias or field.alias or name
        for name, field in KINDS_BY_NAME[kind].spec.model_fields.items()
    }
    lacking, unknown = sorted(known - set(spec)), sorted(set(spec) - known)
    if lacking:
        return f"{kind} is older than this program: it lacks {', '.join(lacking)}"
    return f"{kind} is newer than this program: it has {', '.join(unknown)}" if unknown else ""


def check_operator(facts: Facts) -> Iterator[Finding]:
    """Does the operator run, with all its replicas?"""
    subject = "operator"
    if facts.deployment.hidden:
        yield hidden(subject, facts.deployment)
        return
    deployment = facts.deployment.value
    if deployment is None:
        yield Finding(
            Level.PROBLEM,
            subject,
            f"not installed in namespace {facts.operator_namespace}",
            f"{UPGRADE}; or name its namespace with --operator-namespace",
        )
        return
    wanted = deployment["spec"].get("replicas", 1)
    ready = deployment.get("status", {}).get("readyReplicas", 0)
    see = f"see: kubectl -n {facts.operator_namespace} describe pods"
    if ready == 0:
        yield Finding(Level.PROBLEM, subject, f"none of {wanted} replicas is ready", see)
    elif ready < wanted:
        yield Finding(Level.WARNING, subject, f"{ready} of {wanted} replicas are ready", see)
    else:
        yield Finding(Level.OK, subject, f"{ready} of {wanted} replicas are ready")


def check_leader(facts: Facts) -> Iterator[Finding]:
    """Does one of the replicas lead?"""
    subject = "leader"
    if facts.deployment.value is None:
        return
    if facts.lease.hidden:
        yield hidden(subject, facts.lease)
        return
    spec = (facts.lease.value or {}).get("spec", {})
    holder, renewed = spec.get("holderIdentity"), spec.get("renewTime")
    logs = f"see: kubectl -n {facts.operator_namespace} logs deployment/leeward-operator"
    if not holder or not renewed:
        yield Finding(Level.PROBLEM, subject, "no replica leads: nothing is reconciled", logs)
        return
    since = facts.server_time - parse_time(renewed)
    if since > datetime.timedelta(seconds=2 * spec.get("leaseDurationSeconds", 15)):
        seconds = counted(int(since.total_seconds()), "second")
        message = f"{holder} has not renewed its lease for {seconds}"
        yield Finding(Level.PROBLEM, subject, message, logs)
        return
    yield Finding(Level.OK, subject, str(holder))


def check_images(facts: Facts) -> Iterator[Finding]:
    """Is the masking image set, and there where it cannot be pulled?"""
    subject = "masking image"
    if facts.deployment.value is None:
        return
    environment = environment_of(facts.deployment.value)
    image = environment.get(IMAGE_VARIABLE)
    if not image:
        yield Finding(Level.PROBLEM, subject, f"the operator has no {IMAGE_VARIABLE}", UPGRADE)
        return
    containers = facts.deployment.value["spec"]["template"]["spec"]["containers"]
    if containers[0].get("imagePullPolicy") == "Never" and facts.nodes.value:
        without = [n["metadata"]["name"] for n in facts.nodes.value if not _has_image(n, image)]
        if without:
            nodes = ", ".join(without[:MAX_NAMED])
            yield Finding(
                Level.PROBLEM,
                subject,
                f"{image} is not on node {nodes}, and is never pulled",
                "bring it there: make images; or set image.pullPolicy to IfNotPresent",
            )
            return
    yield Finding(Level.OK, subject, image)


def _has_image(node: Manifest, image: str) -> bool:
    images = node.get("status", {}).get("images", [])
    # An image without a name, as a pruned one, has null there.
    return any(image in (entry.get("names") or ()) for entry in images)


def check_pods(facts: Facts) -> Iterator[Finding]:
    """Do pods of ours fail?"""
    subject = "pods"
    if facts.our_pods.hidden:
        yield hidden(subject, facts.our_pods)
        return
    failing = [text for pod in facts.our_pods.value if (text := _pod_fault(pod))]
    if failing:
        named = "; ".join(failing[:MAX_NAMED])
        more = f"; and {len(failing) - MAX_NAMED} more" if len(failing) > MAX_NAMED else ""
        remedy = "see each: kubectl describe pod NAME -n NAMESPACE"
        yield Finding(Level.WARNING, subject, named + more, remedy)
    else:
        yield Finding(
            Level.OK, subject, f"{counted(len(facts.our_pods.value), 'pod')}, none failing"
        )


def _pod_fault(pod: Manifest) -> str:
    name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    for container in pod.get("status", {}).get("containerStatuses", []):
        waiting = container.get("state", {}).get("waiting", {}).get("reason", "")
        if waiting and waiting not in ("ContainerCreating", "PodInitializing"):
            return f"{name} waits: {waiting}"
        ended = container.get("state", {}).get("terminated", {})
        if ended.get("exitCode"):
            return f"{name} ended: {ended.get('reason')}, exit code {ended['exitCode']}"
    for condition in pod.get("status", {}).get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"{name} is not scheduled: {condition.get('message', '')}"
    return ""


def check_namespaces(facts: Facts) -> Iterator[Finding]:
    """May the operator deliver keys where resources of ours are, and read none?"""
    subject = "namespaces"
    for fact in (facts.resources, facts.secret_rights):
        if fact.hidden:
            yield hidden(subject, fact)
            return
    rights = facts.secret_rights.value
    disabled = [
        n for n, may in rights.items() if not all(may[v] for v in ("create", "update", "delete"))
    ]
    if disabled:
        names = ", ".join(disabled)
        yield Finding(
            Level.WARNING,
            subject,
            f"not enabled, though resources of Leeward are there: {names}",
            f"leeward namespace enable {disabled[0]}",
        )
    readers = [
        n
        for n, may in rights.items()
        if n != facts.operator_namespace and (may["get"] or may["list"])
    ]
    if readers:
        yield Finding(
            Level.WARNING,
            subject,
            f"the operator may read Secrets in {', '.join(readers)}: it needs that nowhere but in"
            " its own namespace",
            "take away the Role or ClusterRole that says so",
        )
    if not disabled and not readers:
        yield Finding(Level.OK, subject, f"{len(rights)} with resources of Leeward, none left out")


def check_resources(facts: Facts) -> Iterator[Finding]:
    """Which resources are not ready?"""
    subject = "resources"
    if len(facts.crds.value) < len(KINDS) and not facts.crds.hidden:
        return
    if facts.resources.hidden:
        yield hidden(subject, facts.resources)
        return
    waiting = [text for r in facts.resources.value if (text := _resource_fault(r))]
    if waiting:
        more = f"; and {len(waiting) - MAX_NAMED} more" if len(waiting) > MAX_NAMED else ""
        remedy = "see each: leeward describe KIND NAME -n NAMESPACE"
        yield Finding(Level.WARNING, subject, "; ".join(waiting[:MAX_NAMED]) + more, remedy)
    else:
        yield Finding(Level.OK, subject, f"{len(facts.resources.value)}, none in trouble")


def _resource_fault(resource: Manifest) -> str:
    metadata = resource["metadata"]
    name = f"{resource['kind'].lower()}/{metadata['name']} in {metadata['namespace']}"
    ready = condition_of(resource, "Ready")
    if ready is None:
        return f"{name}: the operator has not looked at it"
    if ready.status == "True" or ready.reason in UNDER_WAY:
        return ""
    return f"{name}: {ready.reason}"


def check_storage(facts: Facts) -> Iterator[Finding]:
    """Is there a default StorageClass?"""
    subject = "storage"
    if facts.storage_classes.hidden:
        yield hidden(subject, facts.storage_classes)
        return
    mark = "storageclass.kubernetes.io/is-default-class"
    default = [
        c["metadata"]["name"]
        for c in facts.storage_classes.value
        if c["metadata"].get("annotations", {}).get(mark) == "true"
    ]
    if default:
        yield Finding(Level.OK, subject, f"default StorageClass {default[0]}")
        return
    yield Finding(
        Level.WARNING,
        subject,
        "no default StorageClass: a claim without storageClassName stays unbound",
        "mark one: kubectl annotate storageclass NAME " + mark + "=true",
    )


def check_network(facts: Facts) -> Iterator[Finding]:
    """Does something enforce NetworkPolicies?"""
    subject = "network policies"
    if facts.daemon_sets.hidden:
        yield hidden(subject, facts.daemon_sets)
        return
    names = [d["metadata"]["name"] for d in facts.daemon_sets.value]
    agents = [name for name in names if name.startswith(NETWORK_AGENTS)]
    if agents:
        yield Finding(Level.OK, subject, f"held by {agents[0]}")
        return
    silent = [n["metadata"]["name"] for n in facts.nodes.value if not _says_policies(n)]
    if facts.nodes.value and not silent:
        message = f"held, as every node says (label {POLICIES_LABEL}=enforced)"
        yield Finding(Level.OK, subject, message)
        return
    where = ""
    if len(silent) < len(facts.nodes.value):
        where = f" for node {', '.join(silent[:MAX_NAMED])}"
    yield Finding(
        Level.WARNING,
        subject,
        f"no agent that is known to hold them was found{where}: without one, pods that have keys"
        " can be reached from others, and can reach out",
        "ask who runs the cluster; try it: kubectl exec in some pod, then connect to a job's pod"
        " on port 8080, which must time out. Where they are held, say so for every node: kubectl"
        f" label node --all {POLICIES_LABEL}=enforced",
    )


def _says_policies(node: Manifest) -> bool:
    return bool(node["metadata"].get("labels", {}).get(POLICIES_LABEL) == "enforced")


def check_encryption(facts: Facts) -> Iterator[Finding]:
    """Are Secrets encrypted in etcd?"""
    subject = "etcd encryption"
    arguments = [
        argument
        for pod in facts.api_server.value
        for container in pod["spec"]["containers"]
        for argument in (*container.get("command", []), *container.get("args", []))
    ]
    if any(a.startswith("--encryption-provider-config") for a in arguments):
        yield Finding(Level.OK, subject, "the API server has an encryption configuration")
    elif arguments:
        yield Finding(
            Level.WARNING,
            subject,
            "the API server stores Secrets unencrypted: whoever reads etcd or its backups has the"
            " keys",
            "set --encryption-provider-config on the API server (Kubernetes documentation:"
            " Encrypting Confidential Data at Rest), then write the Secrets again",
        )
    else:
        yield Finding(
            Level.HIDDEN,
            subject,
            "the API server's flags cannot be seen from here",
            "ask who runs the cluster whether Secrets are encrypted at rest; on a control plane of"
            " your own, look for --encryption-provider-config on kube-apiserver",
        )


def check_clock(facts: Facts) -> Iterator[Finding]:
    """Do the clocks agree? Grants end by the cluster's clock."""
    subject = "clock"
    skew = abs((facts.client_time - facts.server_time).total_seconds())
    if skew > MAX_SKEW_SECONDS:
        yield Finding(
            Level.WARNING,
            subject,
            f"this machine and the API server differ by {skew:.0f} seconds; grants end by the"
            " cluster's clock",
            "set the clocks by NTP",
        )
    else:
        yield Finding(Level.OK, subject, "this machine and the API server agree")


CHECKS: Final[tuple[Callable[[Facts], Iterator[Finding]], ...]] = (
    check_crds,
    check_operator,
    check_leader,
    check_images,
    check_pods,
    check_namespaces,
    check_resources,
    check_storage,
    check_network,
    check_encryption,
    check_clock,
)


def judge(facts: Facts) -> list[Finding]:
    """All findings, in the order of the questions."""
    return [finding for check in CHECKS for finding in check(facts)]
