"""The chart's admission policy: it refuses unknown members of a masking rule, with the remedy.

The API server's strict decoding names an unknown field and says nothing else, and a CRD's own CEL
rules cannot see it. So the CRD keeps the unknown members of rules and transforms, and this policy
refuses them.
"""

import json
from typing import Any, Final

from generator.crds import HEADER, dump
from leeward.api.meta import GROUP, VERSION
from leeward.api.transforms import RULE_MEMBERS, TRANSFORMS, ColumnRule

NAME: Final = '{{ include "leeward.clusterName" . }}-masking-rules'
_LABELS: Final = '  labels:\n    {{- include "leeward.labels" . | nindent 4 }}\n'

_STRANGE: Final = "r.exists(m, !(m in variables.known))"
_MISUSED: Final = (
    "r.exists(m, m in variables.parameters && r[m].exists(p, !(p in variables.parameters[m])))"
)


def admission_template() -> str:
    """The policy and its binding, as one chart template."""
    policy = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                {
                    "apiGroups": [GROUP],
                    "apiVersions": [VERSION],
                    "operations": ["CREATE", "UPDATE"],
                    "resources": ["maskingjobs"],
                }
            ]
        },
        "variables": [
            {"name": name, "expression": expression} for name, expression in _variables().items()
        ],
        "validations": [_unknown_transform(), _foreign_parameter()],
    }
    binding = {"policyName": NAME, "validationActions": ["Deny"]}
    return (
        HEADER
        + _document("ValidatingAdmissionPolicy", policy)
        + _document("ValidatingAdmissionPolicyBinding", binding)
    )


def _document(kind: str, spec: dict[str, Any]) -> str:
    head = f"---\napiVersion: admissionregistration.k8s.io/v1\nkind: {kind}\n"
    return f"{head}metadata:\n  name: {NAME}\n{_LABELS}" + dump({"spec": spec})


def _variables() -> dict[str, str]:
    parameters = {name: list(names) for name, names in ColumnRule.parameters().items()}
    return {
        "parameters": json.dumps(parameters),
        "known": json.dumps([*RULE_MEMBERS, *TRANSFORMS]),
        "rules": "has(object.spec.columns) ? object.spec.columns : []",
        "strange": f"variables.rules.filter(r, {_STRANGE})",
        "misused": f"variables.rules.filter(r, {_MISUSED})",
    }


def _unknown_transform() -> dict[str, str]:
    rule = "variables.strange[0]"
    return {
        "expression": "variables.strange.size() == 0",
        "messageExpression": f"'spec.columns: \"' + {rule}.name + '\" has unknown transform \"' + "
        f"{rule}.filter(m, !(m in variables.known))[0] + '\": use one of {', '.join(TRANSFORMS)}'",
    }


def _foreign_parameter() -> dict[str, str]:
    rule = "variables.misused[0]"
    transform = (
        f"{rule}.filter(m, m in variables.parameters && "
        f"{rule}[m].exists(p, !(p in variables.parameters[m])))[0]"
    )
    parameter = f"{rule}[t].filter(p, !(p in variables.parameters[t]))[0]"
    return {
        "expression": "variables.misused.size() == 0",
        "messageExpression": f"[{transform}].map(t, 'spec.columns: \"' + {rule}.name + '\": ' + t +"
        f" ' has no parameter \"' + {parameter} + '\": remove it; ' + t + "
        "(variables.parameters[t].size() == 0 ? ' has none' : ' has ' +"
        " variables.parameters[t].join(', ')))[0]",
    }
