"""From the JSON Schema that pydantic writes to the structural schema that a CRD may hold.

Rules: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
#specifying-a-structural-schema. What this module meets and cannot say is an error, never left out.
"""

from typing import Any, Final

from pydantic import BaseModel

Schema = dict[str, Any]

KEPT: Final = (
    "type",
    "format",
    "enum",
    "default",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "maxProperties",
    "required",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-validations",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-int-or-string",
)
INT_OR_STRING: Final = "integer or string"
"""What stands for the type of a schema with x-kubernetes-int-or-string, which has none."""
DROPPED: Final = frozenset({"title", "description", "propertyNames", "$defs"})
NESTED: Final = frozenset({"properties", "items", "additionalProperties", "anyOf", "$ref", "const"})


class SchemaError(Exception):
    """A model cannot be written as a CRD: names the field and what to change."""


def structural_schema(model: type[BaseModel], path: str, *, defaults: bool) -> Schema:
    """The structural schema of a model.

    Args:
        model: Root of ``spec`` or ``status``.
        path: Where it stands, for error messages.
        defaults: Whether the API server fills in defaults (in a status it would invent facts).

    Raises:
        SchemaError: A field has no description, no bound, or a type that a CRD cannot say.
    """
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return _Converter(schema.get("$defs", {}), defaults).convert(schema, path)


class _Converter:
    def __init__(self, definitions: dict[str, Schema], defaults: bool) -> None:
        self._definitions = definitions
        self._defaults = defaults

    def convert(self, source: Schema, path: str) -> Schema:
        flat = self._flatten(source, path)
        unknown = flat.keys() - {*KEPT, *DROPPED, *NESTED}
        if unknown:
            raise SchemaError(f"{path}: a CRD cannot say {', '.join(sorted(unknown))}")
        made: Schema = {}
        if "description" in flat:
            made["description"] = " ".join(str(flat["description"]).replace("``", "").split())
        made |= {name: flat[name] for name in KEPT if name in flat}
        if isinstance(made.get("default"), dict):
            made["default"] = {k: v for k, v in made["default"].items() if v is not None}
        if "const" in flat:
            made["enum"] = [flat["const"]]
        if not self._defaults or made.get("default") in (None, [], {}):
            made.pop("default", None)
        self._convert_members(flat, made, path)
        _require_bounds(made, path)
        return made

    def _flatten(self, source: Schema, path: str) -> Schema:
        """Puts references and ``X | None`` in place; what stands outside overrides."""
        flat = dict(source)
        while "$ref" in flat or "anyOf" in flat:
            if "$ref" in flat:
                inner = self._definitions[flat.pop("$ref").removeprefix("#/$defs/")]
            else:
                options = [option for option in flat.pop("anyOf") if option != {"type": "null"}]
                if len(options) != 1:
                    raise SchemaError(f"{path}: a union of types cannot be written in a CRD")
                (inner,) = options
            rules = [
                *inner.get("x-kubernetes-validations", []),
                *flat.get("x-kubernetes-validations", []),
            ]
            flat = inner | flat
            if rules:
                flat["x-kubernetes-validations"] = rules
        return flat

    def _convert_members(self, flat: Schema, made: Schema, path: str) -> None:
        if flat.get("properties"):
            made["properties"] = {
                name: self._described(member, f"{path}.{name}")
                for name, member in flat["properties"].items()
            }
        if "items" in flat:
            made["items"] = self.convert(flat["items"], f"{path}[]")
        if isinstance(flat.get("additionalProperties"), dict):
            made["additionalProperties"] = self.convert(flat["additionalProperties"], f"{path}[*]")

    def _described(self, member: Schema, path: str) -> Schema:
        made = self.convert(member, path)
        if "description" not in made:
            raise SchemaError(f"{path} has no description: add one, kubectl explain shows it")
        return made


def _require_bounds(made: Schema, path: str) -> None:
    """The API server estimates what CEL rules cost from these bounds."""
    bound = {
        INT_OR_STRING: "maxLength",
        "string": "maxLength",
        "array": "maxItems",
        "object": "maxProperties" if "additionalProperties" in made else "type",
    }.get(made.get("type", INT_OR_STRING), "type")
    if bound not in made and "enum" not in made:
        raise SchemaError(f"{path} has no {bound}: give it one")
