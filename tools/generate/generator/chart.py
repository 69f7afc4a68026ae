"""What the Helm chart takes from the models (CRDs, kinds) and from its schema (value table)."""

import json
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, Final

from generator.crds import HEADER, dump
from generator.structural import Schema
from leeward.api.meta import Kind

BEGIN: Final = "<!-- values: made by tools/generate from values.schema.json -->"
END: Final = "<!-- end of values -->"


def crd_template(crds: list[dict[str, Any]]) -> str:
    """All CRDs as one chart template, kept by ``helm uninstall``.

    Raises:
        ValueError: A description holds template delimiters.
    """
    parts = [HEADER, "{{- if .Values.crds.enabled }}\n"]
    for crd in crds:
        body = dump({name: part for name, part in crd.items() if name != "metadata"})
        if "{{" in body:
            raise ValueError(f"{crd['metadata']['name']}: a text holds '{{{{': write it otherwise")
        head, _, rest = body.partition("spec:\n")
        parts += [
            f"---\n{head}metadata:\n  name: {crd['metadata']['name']}\n",
            '  labels:\n    {{- include "leeward.labels" . | nindent 4 }}\n',
            "  annotations:\n    helm.sh/resource-policy: keep\n",
            f"spec:\n{rest}",
        ]
    return "".join([*parts, "{{- end }}\n"])


def kinds_template(kinds: Sequence[Kind]) -> str:
    """Named templates with the lists of kinds that rights and tests of the chart need."""
    lists = {
        "kinds": [kind.kind for kind in kinds],
        "resources": [kind.plural for kind in kinds],
        "statuses": [f"{kind.plural}/status" for kind in kinds],
        "workloads": [kind.plural for kind in kinds if kind.is_workload],
        "declarations": [kind.plural for kind in kinds if not kind.is_workload],
    }
    comment = HEADER.removeprefix("# ").rstrip()
    return f"{{{{/* {comment} */}}}}\n" + "".join(
        f'{{{{- define "leeward.{name}" -}}}}{",".join(values)}{{{{- end }}}}\n'
        for name, values in lists.items()
    )


def values_file(schema: str) -> str:
    """``values.yaml``: every default of ``values.schema.json``, under its description."""
    comment = "# Made by tools/generate from values.schema.json. Change that, then: make generate"
    return "\n".join([comment, *_value_lines(json.loads(schema), ""), ""])


def _value_lines(schema: Schema, indent: str) -> list[str]:
    lines = []
    for name, member in schema["properties"].items():
        if "default" in member:
            written = dump({name: member["default"]}).splitlines()
        elif "properties" in member:
            written = [f"{name}:", *_value_lines(member, "  ")]
        else:
            continue
        lines += [*([] if indent else [""]), *_comment(member["description"]), *written]
    return [f"{indent}{line}".rstrip() for line in lines]


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, 90)]


def with_values_table(readme: str, schema: str) -> str:
    """The chart's README with the table between its two marks made again.

    Raises:
        ValueError: The marks are not there.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the chart's README needs the lines {BEGIN} and {END}")
    rows = ["| Value | Default | What it does |", "|---|---|---|"]
    rows += [
        f"| `{path}` | `{default}` | {_cell(description)} |"
        for path, default, description in _table(json.loads(schema), "")
    ]
    return "\n".join([f"{before}{BEGIN}", "", *rows, "", f"{END}{after}"])


def _table(schema: Schema, path: str) -> Iterator[tuple[str, str, str]]:
    for name, member in schema["properties"].items():
        here = f"{path}{name}"
        if "default" in member:
            yield here, json.dumps(member["default"], ensure_ascii=False), member["description"]
        elif "properties" in member:
            yield from _table(member, f"{here}.")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
