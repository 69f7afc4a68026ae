"""What the command says when the API server refuses: the role is named that really gives the right.

The table of roles is held to the chart's templates.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from websocket import WebSocketBadStatusException

from leeward.api import KINDS
from leeward.api.meta import GROUP
from leeward.cli.errors import ApiError
from leeward.cli.refusals import NoSuchObjectError, refused, refused_stream
from leeward.cli.rights import AUDITOR, READ, SCIENTIST, STEWARD, WRITE, roles_with

TEMPLATES = Path(__file__).resolve().parents[3] / "charts" / "leeward" / "templates"
Rights = set[tuple[str, str, str]]


def chart_rights() -> dict[str, Rights]:
    """Role -> (verb, group, resource), read from the templates."""
    kinds = (TEMPLATES / "_kinds.tpl").read_text()
    lists = dict(re.findall(r'define "(leeward\.\w+)" -}}([^{]*){{- end', kinds))
    text, _, shared = (TEMPLATES / "roles.yaml").read_text().partition('{{- define "leeward.read')
    shared = shared.partition("\n")[2].replace("{{- end }}", "")
    shared = "".join(f"  {line}\n" for line in shared.splitlines())
    text = re.sub(r' *{{- include "leeward.readRules" .*', lambda _: shared, text)
    text, shared = (
        re.sub(r'{{ include "([\w.]+)" \. }}', lambda m: lists[m[1]], t) for t in (text, shared)
    )
    text = re.sub(r"(?m)^.*{{.*$", "", text)
    return {
        role["metadata"]["name"]: {
            (verb, group, resource)
            for rule in role["rules"]
            for verb in rule["verbs"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
        }
        for role in yaml.safe_load_all(text)
        if role
    }


def test_the_named_roles_are_those_of_the_chart() -> None:
    chart = chart_rights()
    assert set(chart) == {SCIENTIST, STEWARD, AUDITOR}
    asked = set().union(*chart.values())
    asked |= {(v, GROUP, kind.plural) for v in READ | WRITE for kind in KINDS}
    for right in asked:
        assert set(roles_with(*right)) == {role for role, may in chart.items() if right in may}


def forbidden(verb: str, resource: str, group: str, where: str) -> bytes:
    message = (
        f'{resource} is forbidden: User "ada" cannot {verb} resource "{resource}" in API group'
        f' "{group}" {where}'
    )
    return json.dumps({"kind": "Status", "message": message, "code": 403}).encode()


@pytest.mark.parametrize(
    ("verb", "resource", "group", "role"),
    [
        ("patch", "datasets", GROUP, "leeward-steward"),
        ("create", "datasetpreviews", GROUP, "leeward-scientist"),
        ("list", "keyvaults", GROUP, "leeward-auditor or leeward-scientist or leeward-steward"),
        ("get", "pods/portforward", "", "leeward-scientist"),
        ("create", "pods", "", "edit"),
        ("create", "pods/exec", "", "edit"),
        ("patch", "rolebindings", "rbac.authorization.k8s.io", "admin"),
    ],
)
def test_a_role_that_gives_the_right_is_named(
    verb: str, resource: str, group: str, role: str
) -> None:
    error = refused(403, forbidden(verb, resource, group, 'in the namespace "clinic"'))
    assert f"to {verb} {resource}" in error.remedy
    assert "in namespace clinic" in error.remedy
    assert f"you need ClusterRole {role};" in error.remedy
    assert "rolebinding NAME -n clinic" in error.remedy
    assert error.remedy.endswith("--user ada")


def test_a_right_in_the_whole_cluster_can_be_done_without() -> None:
    error = refused(403, forbidden("list", "datasets", GROUP, "at the cluster scope"))
    assert "clusterrolebinding NAME --clusterrole leeward-auditor" in error.remedy
    assert "--namespace" in error.remedy


def test_a_right_that_no_role_of_ours_gives() -> None:
    error = refused(403, forbidden("list", "nodes", "", "at the cluster scope"))
    assert error.remedy == "to list nodes in the whole cluster, ask an administrator of the cluster"


def test_what_an_admission_policy_refuses_is_no_matter_of_roles() -> None:
    message = 'pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot'
    error = refused(403, json.dumps({"message": message}).encode())
    assert "ClusterRole" not in error.remedy
    assert "a rule of the namespace" in error.remedy


def test_a_missing_object_is_told_from_a_missing_kind() -> None:
    body = {"message": 'datasets "x" not found', "details": {"name": "x"}}
    assert isinstance(refused(404, json.dumps(body).encode()), NoSuchObjectError)
    assert "helm upgrade --install" in refused(404, b"404 page not found").remedy


def stream_error(answer: Exception) -> ApiError:
    """The client raises an error of its own while it handles the answer."""
    try:
        try:
            raise answer
        except (WebSocketBadStatusException, OSError):
            raise RuntimeError("(0)\nReason: Handshake status") from None
    except RuntimeError as error:
        return refused_stream(error)


def test_a_refused_exec_names_the_right() -> None:
    body = forbidden("create", "pods/exec", "", 'in the namespace "clinic"')
    error = stream_error(WebSocketBadStatusException("", 403, resp_body=body))
    assert error.status == 403
    assert "ClusterRole edit" in error.remedy


def test_a_stream_that_nobody_answered() -> None:
    error = stream_error(ConnectionRefusedError("Connection refused"))
    assert error.status == 0
    assert "Connection refused" in error.message
