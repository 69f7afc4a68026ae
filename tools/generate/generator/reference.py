"""docs/reference/: one page per kind, with every field, its bounds and what is checked."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from generator.bounds import bounds, literal
from generator.structural import INT_OR_STRING, Schema
from leeward.api.meta import API_VERSION, Kind

NOTE: Final = (
    "<!-- Made by tools/generate from leeward.api. Change the models, then: make generate -->"
)


def index_page(kinds: Sequence[Kind]) -> str:
    """The list of all kinds."""
    rows = [
        f"| [{kind.kind}]({kind.kind.lower()}.md) | {_codes(kind.plural, *kind.short_names)}"
        f" | {kind.description} |"
        for kind in kinds
    ]
    return "\n".join(
        [
            NOTE,
            "# Reference",
            "",
            f"API version `{API_VERSION}`. All kinds are namespaced; `kubectl get leeward` lists"
            " them all. The same texts are shown by `kubectl explain`.",
            "",
            "| Kind | Names for kubectl | What it is |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def kind_page(kind: Kind, crd: dict[str, Any]) -> str:
    """Every field of a kind, and what the API server checks."""
    root = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    lines = [NOTE, f"# {kind.kind}", "", kind.description, ""]
    lines += [f"`apiVersion: {API_VERSION}`, short name {_codes(*kind.short_names)}.", ""]
    for part, title in (("spec", "What you write: spec"), ("status", "What you read: status")):
        lines += [f"## {title}", "", "| Field | Type | Default | Meaning |", "|---|---|---|---|"]
        lines += [_row(*field) for field in _fields(root["properties"][part], part)]
        lines.append("")
    lines += ["## What `kubectl apply` checks", "", "| Where | Message |", "|---|---|"]
    lines += [f"| `{path}` | {_cell(message)} |" for path, message in _rules(root, "")]
    return "\n".join([*lines, ""])


def _fields(schema: Schema, path: str) -> Iterator[tuple[str, Schema, bool]]:
    required = schema.get("required", [])
    for name, member in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        yield here, member, name in required
        yield from _fields(member, here)
        if "items" in member:
            yield from _fields(member["items"], f"{here}[]")


def _row(path: str, schema: Schema, required: bool) -> str:
    if required:
        default = "required"
    else:
        default = f"`{literal(schema['default'])}`" if "default" in schema else ""
    meaning = " ".join([schema["description"], *bounds(schema, "`")])
    return f"| `{path}` | {_type(schema)} | {default} | {_cell(meaning)} |"


def _type(schema: Schema) -> str:
    if "items" in schema:
        return f"list of {_type(schema['items'])}"
    if "additionalProperties" in schema:
        return f"map of {_type(schema['additionalProperties'])}"
    return str(schema.get("format", schema.get("type", INT_OR_STRING)))


def _rules(schema: Schema, path: str) -> Iterator[tuple[str, str]]:
    for rule in schema.get("x-kubernetes-validations", []):
        yield f"{path}{rule.get('fieldPath', '')}".removeprefix(".") or "(root)", rule["message"]
    for name, member in schema.get("properties", {}).items():
        yield from _rules(member, f"{path}.{name}")
    if "items" in schema:
        yield from _rules(schema["items"], f"{path}[]")


def _codes(*names: str) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
