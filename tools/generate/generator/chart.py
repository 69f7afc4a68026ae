"""What the Helm chart takes from the models (CRD template) and from its schema (value table)."""

import json
from typing import Any, Final

from generator.crds import HEADER, dump

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
        f"| `{path}` | `{default}` | {description} |"
        for path, default, description in _values(json.loads(schema), "")
    ]
    return "\n".join([f"{before}{BEGIN}", "", *rows, "", f"{END}{after}"])


def _values(schema: dict[str, Any], path: str) -> list[tuple[str, str, str]]:
    if not schema.get("properties") or "default" in schema:
        if not path:
            return []
        default = json.dumps(schema.get("default", ""), ensure_ascii=False)
        return [(path, default, _cell(schema.get("description", "")))]
    return [
        row
        for name, member in schema["properties"].items()
        for row in _values(member, f"{path}.{name}" if path else name)
    ]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
