"""NetworkPolicies: the operator speaks to the pod of a job on one port; it speaks to nobody."""

from leeward.formats.jobconfig import HTTP_PORT
from leeward.plans.shared.model import Context, Manifest
from leeward.plans.shared.names import KIND_LABEL, NAME_LABEL, Owner, child_name, metadata


def job_policy(owner: Owner, context: Context) -> Manifest:
    """The policy of all pods made for this resource."""
    return policy(
        metadata(owner, child_name(owner), "policy"),
        {KIND_LABEL: owner.kind, NAME_LABEL: owner.name},
        context,
    )


def policy(placed: Manifest, selector: dict[str, str], context: Context) -> Manifest:
    """Let the operator's pods in on the port of /progress and /metrics; let nothing out."""
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
            "egress": [],
        },
    }
