"""``leeward describe``: one resource as a tree."""

from __future__ import annotations

import datetime
from typing import Any, Final

from rich.text import Text
from rich.tree import Tree

from leeward.api import Kind
from leeward.cli.conditions import ConditionView, condition_of, conditions_of
from leeward.cli.errors import FORBIDDEN, ApiError
from leeward.cli.facts import facts_of
from leeward.cli.kinds import resource_of
from leeward.cli.listing import missing, pods_of
from leeward.cli.output import age, counted, print_plainly, status_text
from leeward.cli.port import CHILDREN, EVENTS, Cluster, Manifest
from leeward.cli.session import Session

MAX_EVENTS: Final = 12


def show_tree(session: Session, cluster: Cluster, kind: Kind, namespace: str, name: str) -> None:
    """Print state, conditions, children and events of one resource.

    Raises:
        CliError: There is no such resource, or the API server refuses.
    """
    resource = cluster.find(resource_of(kind), namespace, name)
    if resource is None:
        raise missing(kind, namespace, name)
    now = session.clock.now()
    tree = Tree(_title(kind, resource, now))
    facts = tree.add(Text("State", style="bold"))
    for label, value in facts_of(kind, resource):
        facts.add(Text.assemble((f"{label}: ", "dim"), value))
    conditions = tree.add(Text("Conditions", style="bold"))
    for condition in conditions_of(resource):
        conditions.add(_condition(condition, now))
    _add_children(tree, cluster, kind, resource, now)
    _add_events(tree, cluster, kind, resource, now)
    print_plainly(session.out, tree)


def _title(kind: Kind, resource: Manifest, now: datetime.datetime) -> Text:
    metadata = resource["metadata"]
    title = Text.assemble(
        (f"{kind.kind}/{metadata['name']}", "bold"), f"  namespace {metadata['namespace']}"
    )
    title.append(f"  age {age(metadata.get('creationTimestamp'), now)}")
    ready = condition_of(resource, "Ready")
    if ready is not None:
        title.append("  Ready ").append_text(status_text(ready.status))
    if metadata.get("deletionTimestamp"):
        title.append("  being deleted", style="red")
    return title


def _condition(condition: ConditionView, now: datetime.datetime) -> Text:
    text = Text.assemble(f"{condition.type} ", status_text(condition.status))
    text.append(f" {condition.reason} ({age(condition.since, now)})")
    if condition.message:
        text.append(f"  {condition.message}", style="" if condition.status == "True" else "yellow")
    if not condition.current:
        text.append("  (of an earlier generation)", style="dim")
    return text


def _add_children(
    tree: Tree, cluster: Cluster, kind: Kind, resource: Manifest, now: datetime.datetime
) -> None:
    namespace = resource["metadata"]["namespace"]
    records = resource.get("status", {}).get("children", [])
    branch = tree.add(Text("Children", style="bold"))
    pods = _readable(lambda: pods_of(cluster, kind, namespace, resource["metadata"]["name"]))
    for record in records:
        node = branch.add(_child(cluster, resource, record))
        if record["kind"] == "Job":
            for pod in [p for p in pods if _owner(p) == record["name"]]:
                node.add(_pod(pod, now))
    known = {record["name"] for record in records if record["kind"] == "Job"}
    for pod in pods:
        if _owner(pod) not in known:
            branch.add(_pod(pod, now))
    if not branch.children:
        branch.add(Text("none", style="dim"))


def _child(cluster: Cluster, owner: Manifest, record: dict[str, Any]) -> Text:
    text = Text(f"{record['kind']}/{record['name']}")
    if record["kind"] == "Secret":
        return text.append("  (not read)", style="dim")
    resource = CHILDREN.get((record["apiVersion"], record["kind"]))
    if resource is None:
        return text
    try:
        found = cluster.find(resource, record["namespace"], record["name"])
    except ApiError as error:
        return text.append(f"  ({error.message})", style="yellow")
    if found is None:
        return text.append(f"  {_absence(owner, record)}", style="dim")
    if record["kind"] == "Job":
        counts = found.get("status", {})
        states = [f"{counts[s]} {s}" for s in ("active", "succeeded", "failed") if counts.get(s)]
        text.append(f"  {', '.join(states) or 'no pod yet'}")
    return text


def _absence(owner: Manifest, record: dict[str, Any]) -> str:
    """Why a child is not there: the operator records each before it makes it.

    ``status.jobUid`` is stored once all that a workload runs with is made; the inspection of a
    Dataset was made when it has a result.
    """
    status = owner.get("status", {})
    if "result" in (status.get("inspection") or {}):
        return "gone"
    if "jobUid" in status:
        later = record["kind"] == "ConfigMap" and record["name"] != status["admission"]["jobName"]
        return "not there" if later else "gone"
    ended = any(c.holds for c in conditions_of(owner) if c.type in ("Failed", "Complete"))
    return "never made" if ended else "not made yet"


def _pod(pod: Manifest, now: datetime.datetime) -> Text:
    status = pod.get("status", {})
    text = Text(f"Pod/{pod['metadata']['name']}  {status.get('phase', 'Pending')}")
    for container in status.get("containerStatuses", []):
        state = container.get("state", {})
        if "waiting" in state:
            text.append(f"  waiting: {state['waiting'].get('reason', '')}", style="yellow")
        if "terminated" in state:
            ended = state["terminated"]
            text.append(f"  {ended.get('reason', 'ended')}, exit code {ended.get('exitCode')}")
        if container.get("restartCount"):
            text.append(f"  {counted(container['restartCount'], 'restart')}", style="yellow")
    return text.append(f"  ({age(pod['metadata'].get('creationTimestamp'), now)})", style="dim")


def _owner(pod: Manifest) -> str:
    owners = pod["metadata"].get("ownerReferences", [])
    return next((str(o["name"]) for o in owners if o.get("kind") == "Job"), "")


def _add_events(
    tree: Tree, cluster: Cluster, kind: Kind, resource: Manifest, now: datetime.datetime
) -> None:
    metadata = resource["metadata"]
    fields = f"involvedObject.kind={kind.kind},involvedObject.name={metadata['name']}"
    events = _readable(lambda: cluster.list(EVENTS, metadata["namespace"], fields=fields))
    branch = tree.add(Text("Events", style="bold"))
    for event in sorted(events, key=_event_time)[-MAX_EVENTS:]:
        text = Text(f"{age(_event_time(event), now)}  ")
        text.append(event.get("reason", ""), "yellow" if event.get("type") == "Warning" else "")
        text.append(f"  {event.get('message', '')}")
        count = _event_count(event)
        branch.add(text.append(f"  ({count} times)", style="dim") if count > 1 else text)
    if not branch.children:
        branch.add(Text("none", style="dim"))


def _event_time(event: Manifest) -> str:
    series = event.get("series") or {}
    return str(
        series.get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"].get("creationTimestamp", "")
    )


def _event_count(event: Manifest) -> int:
    series = event.get("series") or {}
    return int(series.get("count") or event.get("count") or 1)


def _readable(look: Any) -> list[Manifest]:
    """What ``look`` finds; nothing where the user has no right to look."""
    try:
        found: list[Manifest] = look()
    except ApiError as error:
        if error.status == FORBIDDEN:
            return []
        raise
    return found
