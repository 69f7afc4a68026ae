"""The chart says what the operator understands, and gives the rights that it needs."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from leeward.app.settings import Settings
from leeward.app.wiring import CHILDREN
from leeward.kube.resources import PLURALS

CHART = Path(__file__).resolve().parents[3] / "charts/leeward"
SETTINGS = {f"LEEWARD_{field.name.upper()}": field for field in dataclasses.fields(Settings)}
DEPLOYMENT = (CHART / "templates/deployment.yaml").read_text()


def default_of(path: str) -> Any:
    schema = json.loads((CHART / "values.schema.json").read_text())
    for name in path.split("."):
        schema = schema["properties"][name]
    return schema["default"]


def test_every_variable_is_a_setting_and_all_required_ones_are_set() -> None:
    given = set(re.findall(r"- name: (LEEWARD_\w+)", DEPLOYMENT))
    required = {name for name, field in SETTINGS.items() if field.metadata["default"] is None}
    assert given - SETTINGS.keys() == set()
    assert required - given == set()


PLAIN = re.compile(r"- name: (LEEWARD_\w+)\n\s+value: \{\{ \.Values\.([\w.]+)(?: \| quote)? \}\}")


@pytest.mark.parametrize(("name", "path"), PLAIN.findall(DEPLOYMENT))
def test_the_chart_and_the_operator_have_the_same_defaults(name: str, path: str) -> None:
    assert str(default_of(path)) == SETTINGS[name].metadata["default"]


def test_what_is_watched_may_be_watched() -> None:
    text = (CHART / "templates/rbac-cluster.yaml").read_text().partition("{{- range")[0]
    role = yaml.safe_load(re.sub(r"\{\{.*?\}\}", "generated", text))
    allowed = {
        (group, resource)
        for rule in role["rules"]
        if {"list", "watch"} <= {*rule["verbs"]}
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    watched = {(version.rpartition("/")[0], PLURALS[version, kind]) for version, kind in CHILDREN}
    assert watched - allowed == set()
