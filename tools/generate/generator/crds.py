"""CustomResourceDefinitions (apiextensions.k8s.io/v1) from the kinds of ``leeward.api``."""

from typing import Any, Final

import yaml

from generator.structural import Schema, structural_schema
from leeward.api.meta import GROUP, VERSION, Column, Kind

HEADER: Final = (
    "# Made by tools/generate from leeward.api. Change the models, then: make generate\n"
)
CATEGORY: Final = "leeward"


def crd(kind: Kind) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind."""
    names = {
        "kind": kind.kind,
        "listKind": f"{kind.kind}List",
        "plural": kind.plural,
        "singular": kind.kind.lower(),
        "shortNames": list(kind.short_names),
        "categories": [CATEGORY],
    }
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [_printer_column(column) for column in kind.columns],
    }
    if kind.selectable_fields:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable_fields]
    version["schema"] = {"openAPIV3Schema": _root_schema(kind)}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.crd_name},
        "spec": {"group": GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
    }


def _root_schema(kind: Kind) -> Schema:
    return {
        "description": kind.description,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}."},
            "kind": {"type": "string", "description": f"{kind.kind}."},
            # Named so that a rule may point at it; its bounds are in that rule, with the remedy.
            "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
            "spec": structural_schema(kind.spec, "spec", defaults=True),
            "status": structural_schema(kind.status, "status", defaults=False),
        },
        "x-kubernetes-validations": [rule.schema() for rule in kind.root_rules],
    }


def _printer_column(column: Column) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": column.name,
        "type": column.type,
        "jsonPath": column.json_path,
    }
    if column.priority:
        made["priority"] = column.priority
    if column.description:
        made["description"] = column.description
    return made


def to_yaml(document: dict[str, Any]) -> str:
    """One YAML document with a header that says where it comes from."""
    return HEADER + dump(document)


def dump(document: dict[str, Any]) -> str:
    """YAML in the order in which it was built."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    """Writes every value out: readers of a CRD do not follow YAML aliases."""

    def ignore_aliases(self, data: object) -> bool:
        return True
