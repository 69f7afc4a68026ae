"""What every custom resource shares: base models, markers for the CRD generator, references."""

import re
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

GROUP: Final = "leeward.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

NAME_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
MAX_RESOURCE_NAME: Final = 52
"""Longest metadata.name of our kinds: the names of children add a prefix and a hash to it."""


@dataclass(frozen=True, slots=True)
class Cel:
    """One cross-field rule of a CRD, checked by the API server at ``kubectl apply``.

    Attributes:
        rule: CEL expression over ``self`` (and ``oldSelf`` for transition rules).
        message: What is wrong and what to do.
        message_expression: CEL expression that yields a message in its place, where that can name
            more (a column, a replacement).
        field_path: Where the error is reported, relative to ``self``, as ``.columns``.
    """

    rule: str
    message: str
    message_expression: str = ""
    field_path: str = ""

    def schema(self) -> dict[str, str]:
        """An entry of ``x-kubernetes-validations``."""
        members = {
            "rule": self.rule,
            "message": self.message,
            "messageExpression": self.message_expression,
            "fieldPath": self.field_path,
        }
        return {name: value for name, value in members.items() if value}


@dataclass(frozen=True, slots=True)
class ListMap:
    """Marks a list whose items are keyed: ``x-kubernetes-list-type: map``."""

    keys: tuple[str, ...] = ("name",)

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(core_schema) | {
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": list(self.keys),
        }


@dataclass(frozen=True, slots=True)
class Rules:
    """CEL rules for one field, as metadata of an ``Annotated`` type."""

    rules: tuple[Cel, ...]

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core_schema)
        return schema | {
            "x-kubernetes-validations": [
                *schema.get("x-kubernetes-validations", []),
                *(rule.schema() for rule in self.rules),
            ]
        }


@dataclass(frozen=True, slots=True)
class Text:
    """The form of a text, as metadata of an ``Annotated`` string, and the words for another one.

    A ``pattern`` in the schema would be answered with the regular expression and nothing else.

    Attributes:
        pattern: Regular expression (RE2, without quotes) for the whole text.
        wanted: What it must be, with an example.
        also: CEL expression that must hold, too.
    """

    pattern: str
    wanted: str
    also: str = ""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        matches = f"self.matches(r'{self.pattern}')"
        rule = Cel(" && ".join(filter(None, (matches, self.also))), self.wanted)
        return Rules((rule,)).__get_pydantic_json_schema__(schema, handler)

    def _checked(self, text: str) -> str:
        if re.fullmatch(self.pattern, text) is None:
            raise PydanticCustomError("text", "{wanted}", {"wanted": self.wanted})
        return text


class IntOrString(Text):
    """A text that may be written as a whole number, too (``x-kubernetes-int-or-string``)."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        made = handler(schema)
        del made["type"]
        rule = Cel(f"type(self) == int ? self >= 0 : self.matches(r'{self.pattern}')", self.wanted)
        return made | {
            "x-kubernetes-int-or-string": True,
            "x-kubernetes-validations": [rule.schema()],
        }


IMMUTABLE: Final = Rules(
    (Cel("self == oldSelf", "cannot be changed: delete the resource and create it again"),)
)


class Model(BaseModel):
    """Base of everything in a manifest: camelCase outside, snake_case inside, nothing unknown."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        serialize_by_alias=True,
    )
    cel: ClassVar[tuple[Cel, ...]] = ()
    keeps_unknown: ClassVar[bool] = False
    """Whether the API server hands unknown members on to the chart's admission policy, which
    refuses them with a remedy; its own error only names them."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core_schema)
        if cls.cel:
            target = handler.resolve_ref_schema(schema)
            target["x-kubernetes-validations"] = [rule.schema() for rule in cls.cel]
        if cls.keeps_unknown:
            handler.resolve_ref_schema(schema)["x-kubernetes-preserve-unknown-fields"] = True
        return schema

    def manifest(self) -> dict[str, Any]:
        """This object as it stands in a manifest: camelCase, unset optional fields left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class StatusModel(Model):
    """Base of status objects: written by the operator alone, read leniently across versions."""

    model_config = ConfigDict(extra="ignore")


DNS_LABEL: Final = Text(
    NAME_PATTERN,
    "must be a DNS label: lower-case letters, digits and '-', with a letter or digit at both ends,"
    " as clinic-north",
)
Name = Annotated[str, Field(max_length=63, description="A DNS label."), DNS_LABEL]
DNS_SUBDOMAIN: Final = Text(
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    "must be the name of an object: lower-case letters, digits, '-' and '.', with a letter or digit"
    " at both ends, as clinic-north",
)
ObjectName = Annotated[str, Field(max_length=253), DNS_SUBDOMAIN]
"""Of an object that is not ours: a Secret, a ConfigMap, a claim."""
ResourceName = Annotated[str, Field(max_length=MAX_RESOURCE_NAME), DNS_LABEL]
MAX_COLUMN_NAME: Final = 256
MAX_COLUMNS: Final = 1000
"""Of one file: they all stand in the status of its Dataset."""
ColumnName = Annotated[str, Field(min_length=1, max_length=MAX_COLUMN_NAME)]
DECIMAL_PATTERN: Final = r"^-?[0-9]{1,19}([.][0-9]{1,18})?$"
Decimal = Annotated[
    str,
    Field(
        max_length=40,
        description="An exact decimal number, written as a string.",
    ),
    Text(
        DECIMAL_PATTERN,
        'must be a decimal number, as "20000" or "0.5" (at most 19 digits before the point and 18'
        " after it)",
    ),
]
Duration = Annotated[
    str,
    Field(
        max_length=16,
        description="A length of time with one unit: 500ms, 30s, 5m, 36h, 90d.",
    ),
    Text(
        r"^[1-9][0-9]{0,5}(ms|s|m|h|d)$",
        "must be a length of time, a whole number of at most 6 digits and one unit of ms, s, m, h,"
        " d, as 30s, 90m, 36h or 7d",
    ),
]
Moment = Annotated[
    str,
    Field(max_length=40, description="A time as in RFC 3339: 2027-12-31T00:00:00Z."),
    Text(
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9:.]{8,18}([Zz]|[+-][0-9]{2}:[0-9]{2})$",
        "must be a time as in RFC 3339, with seconds and an offset, as 2027-12-31T00:00:00Z or"
        " 2027-12-31T09:30:00+01:00",
        also="timestamp(self.upperAscii()).getFullYear() > 0",
    ),
]
"""What a user writes. ``format: date-time`` would be answered without an example."""
Timestamp = Annotated[
    str,
    Field(
        max_length=32,
        json_schema_extra={"format": "date-time"},
        description="A time as in RFC 3339: 2027-12-31T00:00:00Z.",
    ),
]
Digest = Annotated[str, Field(max_length=71, pattern=r"^sha256:[0-9a-f]{64}$")]
Hex128 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", max_length=32)]


class Empty(Model):
    """A member that says only "this one": it has no fields of its own."""


class Ref(Model):
    """A reference to another resource of ours."""

    name: ResourceName = Field(description="Name of the resource.")
    namespace: Name | None = Field(
        default=None, description="Its namespace. Left out: the namespace of this resource."
    )


class KeyRef(Model):
    """A reference to one key of a KeyVault."""

    vault: Ref = Field(description="The KeyVault that holds the key.")
    key: Name = Field(description="Name of the key in spec.keys of that KeyVault.")


class Condition(StatusModel):
    """metav1.Condition: one aspect of a resource, and what to do about it."""

    type: str = Field(max_length=64, description="The aspect, as Ready.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: str = Field(
        max_length=128, pattern=r"^[A-Z][A-Za-z0-9]*$", description="Why, in one word for programs."
    )
    message: str = Field(max_length=2048, description="Why, and what to do about it.")
    last_transition_time: Timestamp = Field(description="When the status last changed.")
    observed_generation: int = Field(
        default=0, ge=0, description="The generation (of the spec) that this was found for."
    )


class ChildRecord(StatusModel):
    """One object that the operator made for this resource."""

    api_version: str = Field(max_length=64, description="Its API group and version.")
    kind: str = Field(max_length=63, description="Its kind.")
    name: str = Field(max_length=253, description="Its name.")
    namespace: str = Field(max_length=63, description="Its namespace.")


Conditions = Annotated[list[Condition], Field(max_length=16), ListMap(("type",))]


class Status(StatusModel):
    """What every status has."""

    observed_generation: int = Field(default=0, ge=0, description="The generation last acted on.")
    conditions: Conditions = Field(default=[], description="Conditions, one per type.")
    children: Annotated[list[ChildRecord], Field(max_length=64)] = Field(
        default=[], description="Every object made for this resource, so that it can be removed."
    )


@dataclass(frozen=True, slots=True)
class Column:
    """A printer column of ``kubectl get``."""

    name: str
    type: Literal["string", "integer", "date", "boolean"]
    json_path: str
    priority: int = 0
    description: str = ""


AGE: Final = Column("Age", "date", ".metadata.creationTimestamp")
READY: Final = Column("Ready", "string", '.status.conditions[?(@.type=="Ready")].status')
REASON: Final = Column("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason')


RESOURCE_NAME: Final = Cel(
    f"self.metadata.name.size() <= {MAX_RESOURCE_NAME}"
    f" && self.metadata.name.matches('{NAME_PATTERN}')",
    f"metadata.name must be a DNS label of at most {MAX_RESOURCE_NAME} characters (lower-case"
    " letters, digits, '-'), since names of Jobs and pods are made from it: choose a shorter or"
    " simpler name",
    field_path=".metadata.name",
)


@dataclass(frozen=True, slots=True)
class Kind:
    """Everything about one custom resource that is not in its fields."""

    kind: str
    plural: str
    short_names: tuple[str, ...]
    spec: type[Model]
    status: type[Status]
    columns: tuple[Column, ...]
    description: str
    selectable_fields: tuple[str, ...] = ()
    rules: tuple[Cel, ...] = field(default=())
    is_workload: bool = False

    @property
    def root_rules(self) -> tuple[Cel, ...]:
        """Rules over the whole object."""
        return (RESOURCE_NAME, *self.rules)

    @property
    def crd_name(self) -> str:
        """Name of the CustomResourceDefinition."""
        return f"{self.plural}.{GROUP}"
