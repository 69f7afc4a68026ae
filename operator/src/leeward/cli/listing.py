"""``leeward get`` and ``leeward logs``."""

from __future__ import annotations

from leeward.api import KINDS, Kind
from leeward.cli.errors import CliError, UsageError
from leeward.cli.kinds import parse_kind, resource_of
from leeward.cli.options import OutputFormat
from leeward.cli.output import (
    print_json,
    print_raw,
    print_table,
    print_yaml,
    without_managed_fields,
)
from leeward.cli.port import PODS, Cluster, Manifest
from leeward.cli.session import Session

MACHINE_FORMATS = (OutputFormat.JSON, OutputFormat.YAML)
_ROLE = "leeward.dev/role"


def show_resources(
    session: Session,
    cluster: Cluster,
    kind: str | None,
    name: str | None,
    namespace: str | None,
    output: OutputFormat,
) -> None:
    """Print resources of one kind, or of all; in all namespaces, where none is given.

    Raises:
        CliError: There is no such resource, or the API server refuses.
    """
    if kind and "/" in kind and name is None:
        kind, _, name = kind.partition("/")
    if name and namespace is None:
        raise UsageError("a name needs its namespace", "leave out --all-namespaces")
    kinds = (parse_kind(kind),) if kind else KINDS
    if output in MACHINE_FORMATS:
        _print_documents(session, cluster, kinds, namespace, name, output)
        return
    shown = False
    for each in kinds:
        table = _table(cluster, each, namespace, name)
        if not table["rows"]:
            continue
        if shown and output is not OutputFormat.NAME:
            print_raw(session.out, "")
        _print_server_table(
            session, table, each, output, qualified=kind is None, namespace=namespace
        )
        shown = True
    if not shown:
        where = f"in namespace {namespace}" if namespace else "in any namespace"
        what = kinds[0].plural if kind else "resources of Leeward"
        session.err.print(f"no {what} {where}")


def _table(cluster: Cluster, kind: Kind, namespace: str | None, name: str | None) -> Manifest:
    if name and cluster.find(resource_of(kind), namespace, name) is None:
        raise missing(kind, namespace, name)
    return cluster.table(resource_of(kind), namespace, name)


def missing(kind: Kind, namespace: str | None, name: str) -> CliError:
    """The error for a resource that is not there."""
    return CliError(
        f"there is no {kind.kind} {name} in namespace {namespace}",
        f"see what there is: leeward get {kind.plural} --all-namespaces",
    )


def _print_server_table(
    session: Session,
    table: Manifest,
    kind: Kind,
    output: OutputFormat,
    *,
    qualified: bool,
    namespace: str | None,
) -> None:
    names = [row["object"]["metadata"] for row in table["rows"]]
    if output is OutputFormat.NAME:
        print_raw(session.out, "\n".join(f"{kind.kind.lower()}/{m['name']}" for m in names))
        return
    shown = [
        index
        for index, column in enumerate(table["columnDefinitions"])
        if column.get("priority", 0) == 0 or output is OutputFormat.WIDE
    ]
    headers = [table["columnDefinitions"][index]["name"] for index in shown]
    rows = [[_cell(row["cells"][index]) for index in shown] for row in table["rows"]]
    if qualified:
        rows = [[f"{kind.kind.lower()}/{row[0]}", *row[1:]] for row in rows]
    if namespace is None:
        headers.insert(0, "Namespace")
        rows = [[m["namespace"], *row] for m, row in zip(names, rows, strict=True)]
    print_table(session.out, headers, rows)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "<none>" if value is None or value == "" else str(value)


def _print_documents(
    session: Session,
    cluster: Cluster,
    kinds: tuple[Kind, ...],
    namespace: str | None,
    name: str | None,
    output: OutputFormat,
) -> None:
    if name:
        found = cluster.find(resource_of(kinds[0]), namespace, name)
        if found is None:
            raise missing(kinds[0], namespace, name)
        document = without_managed_fields(found)
    else:
        items = [item for kind in kinds for item in cluster.list(resource_of(kind), namespace)]
        document = {
            "apiVersion": "v1",
            "kind": "List",
            "items": [without_managed_fields(item) for item in items],
        }
    (print_json if output is OutputFormat.JSON else print_yaml)(session.out, document)


def pods_of(cluster: Cluster, kind: Kind, namespace: str, name: str) -> list[Manifest]:
    """The pods that run for a resource, oldest first."""
    labels = f"leeward.dev/kind={kind.kind},leeward.dev/name={name}"
    pods = cluster.list(PODS, namespace, labels=labels)
    return sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))


def show_logs(
    session: Session,
    cluster: Cluster,
    kind: Kind,
    namespace: str,
    name: str,
    follow: bool,
    tail: int | None,
) -> None:
    """Copy the log of the newest pod to standard output.

    A pod that only cleans up after a failure has no log of its own to tell: another goes before it.

    Raises:
        CliError: There is no such resource, or it has no pod.
    """
    resource = cluster.find(resource_of(kind), namespace, name)
    if resource is None:
        raise missing(kind, namespace, name)
    pods = pods_of(cluster, kind, namespace, name)
    if not pods:
        raise CliError(
            f"{kind.kind} {name} has no pod now",
            f"see its state: leeward describe {kind.kind.lower()} {name} -n {namespace}",
        )
    working = [pod for pod in pods if pod["metadata"]["labels"].get(_ROLE) != "clean"]
    pod = (working or pods)[-1]["metadata"]["name"]
    if len(pods) > 1:
        session.err.print(f"{len(pods)} pods; this is the log of {pod}")
    for piece in cluster.logs(namespace, pod, follow=follow, tail=tail):
        session.stdout.write(piece)
        session.stdout.flush()
