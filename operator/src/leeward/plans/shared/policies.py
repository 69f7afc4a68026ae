"""NetworkPolicies: the operator speaks to the pod of a job on one port; it speaks to its stores."""

from collections.abc import Sequence
from typing import Final

from leeward.api.meta import Model
from leeward.api.workload import Egress
from leeward.formats.jobconfig import HTTP_PORT
from leeward.plans.shared.inventory import children
from leeward.plans.shared.look import Look
from leeward.plans.shared.model import Action, Apply, Context, Manifest, Plan
from leeward.plans.shared.names import KIND_LABEL, NAME_LABEL, Owner, child_name, metadata, ref_of
from leeward.plans.shared.steps import drifted, progress

DNS_PORT: Final = 53


def job_policy(owner: Owner, context: Context, egress: Sequence[Egress] = ()) -> Manifest:
    """The policy of all pods made for this resource.

    Args:
        owner: The resource.
        context: The installation.
        egress: What the pods may reach.
    """
    return policy(
        metadata(owner, child_name(owner), "policy"),
        {KIND_LABEL: owner.kind, NAME_LABEL: owner.name},
        context,
        egress,
    )


def policy_steps(look: Look[Model]) -> list[Action]:
    """What makes or puts back the policy of a resource; it must have been looked at."""
    wanted = job_policy(look.owner, look.context, look.egress)
    return [Apply(wanted)] if drifted(look.observed.current(ref_of(wanted)), wanted) else []


def policy_upkeep(look: Look[Model]) -> Plan | None:
    """Put the policy of a resource back, also when its work has ended; None: nothing is to do.

    A pod that is being removed, or one that cleans a volume up, may run for a while yet. Where it
    is refused (the namespace is going), the next look tries again.
    """
    ref = ref_of(job_policy(look.owner, look.context))
    if ref not in children(look.status):
        return None
    if not look.observed.has(ref):
        return Plan(look.status, needs=(ref,))
    steps = progress(look.observed, policy_steps(look))
    return Plan(look.status, actions=steps.pending) if steps.pending else None


def policy(
    placed: Manifest, selector: dict[str, str], context: Context, egress: Sequence[Egress] = ()
) -> Manifest:
    """Let the operator's pods in on the port of /progress and /metrics; let out what is named."""
    operator = {
        "namespaceSelector": {
            "matchLabels": {"kubernetes.io/metadata.name": context.operator_namespace}
        },
        "podSelector": {"matchLabels": dict(context.operator_pod_labels)},
    }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": placed,
        "spec": {
            "podSelector": {"matchLabels": selector},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [operator], "ports": [{"protocol": "TCP", "port": HTTP_PORT}]}],
            "egress": _egress(egress, context),
        },
    }


def _egress(wanted: Sequence[Egress], context: Context) -> list[Manifest]:
    """The stores, and the name servers that know them."""
    if not wanted:
        return []
    stores: list[Manifest] = [
        {
            "to": [{"ipBlock": {"cidr": cidr}} for cidr in each.cidrs],
            "ports": [{"protocol": "TCP", "port": each.port}],
        }
        for each in wanted
    ]
    names = {
        "to": [dict(peer) for peer in context.name_servers],
        "ports": [{"protocol": protocol, "port": DNS_PORT} for protocol in ("UDP", "TCP")],
    }
    return [*stores, names] if context.name_servers else stores
