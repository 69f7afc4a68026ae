"""What a field may hold, in words: for the reference, and for ``kubectl explain``."""

import copy
from collections.abc import Iterator
from typing import Any

from generator.structural import Schema


def bounds(schema: Schema, mark: str = "") -> Iterator[str]:
    """Sentences about the values of a field; ``mark`` stands around each of them."""
    values = schema.get("items", schema)
    if "enum" in values:
        yield f"One of {', '.join(f'{mark}{literal(value)}{mark}' for value in values['enum'])}."
    if "minimum" in schema and "maximum" in schema:
        yield f"{schema['minimum']} to {schema['maximum']}."
    if "items" in schema:
        yield f"At most {schema['maxItems']}."


def literal(value: object) -> str:
    """A value as it is written in a manifest."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        inner = ", ".join(f"{name}: {literal(member)}" for name, member in value.items())
        return f"{{{inner}}}"
    return str(value) if value != "" else '""'


def explained(crd: dict[str, Any]) -> dict[str, Any]:
    """The CRD with what ``kubectl explain`` does not show by itself in its descriptions."""
    made = copy.deepcopy(crd)
    for version in made["spec"]["versions"]:
        _explain(version["schema"]["openAPIV3Schema"]["properties"]["spec"])
    return made


def _explain(schema: Schema) -> None:
    for member in schema.get("properties", {}).values():
        # kubectl shows the choices of a field, though not those of the items of a list.
        said = [] if "enum" in member else list(bounds(member))
        if "default" in member:
            said.append(f"Default: {literal(member['default'])}.")
        member["description"] = " ".join([member["description"], *said])
        _explain(member)
    if "items" in schema:
        _explain(schema["items"])
