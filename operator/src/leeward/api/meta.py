"""What every custom resource shares: base models, markers for the CRD generator, references."""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

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
        message: What is wrong and what to do. Either this or ``message_expression``.
        message_expression: CEL expression that yields the message, where it must name a value.
        field_path: Where the error is reported, relative to the object, as ``.spec.columns``.
    """

    rule: str
    message: str = ""
    message_expression: str = ""
    field_path: str = ""


@dataclass(frozen=True, slots=True)
class ListMap:
    """Marks a list whose items are keyed: ``x-kubernetes-list-type: map``."""

    keys: tuple[str, ...] = ("name",)


@dataclass(frozen=True, slots=True)
class Rules:
    """CEL rules for one field, as metadata of an ``Annotated`` type."""

    rules: tuple[Cel, ...]


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

    def manifest(self) -> dict[str, Any]:
        """This object as it stands in a manifest: camelCase, unset optional fields left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class StatusModel(Model):
    """Base of status objects: written by the operator alone, read leniently across versions."""

    model_config = ConfigDict(extra="ignore")


Name = Annotated[
    str, Field(min_length=1, max_length=63, pattern=NAME_PATTERN, description="A DNS label.")
]
ResourceName = Annotated[
    str, Field(min_length=1, max_length=MAX_RESOURCE_NAME, pattern=NAME_PATTERN)
]
ColumnName = Annotated[str, Field(min_length=1, max_length=256)]
Decimal = Annotated[
    str,
    Field(
        max_length=40,
        pattern=r"^-?[0-9]{1,19}(\.[0-9]{1,18})?$",
        description="An exact decimal number, written as a string.",
    ),
]
Duration = Annotated[
    str,
    Field(
        max_length=8,
        pattern=r"^[1-9][0-9]{0,5}(ms|s|m|h|d)$",
        description="A length of time with one unit: 500ms, 30s, 5m, 36h, 90d.",
    ),
]
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

    type: str = Field(max_length=64)
    status: Literal["True", "False", "Unknown"]
    reason: str = Field(max_length=128, pattern=r"^[A-Z][A-Za-z0-9]*$")
    message: str = Field(max_length=2048)
    last_transition_time: Timestamp
    observed_generation: int = Field(default=0, ge=0)


class ChildRecord(StatusModel):
    """One object that the operator made for this resource."""

    api_version: str = Field(max_length=64)
    kind: str = Field(max_length=63)
    name: str = Field(max_length=253)
    namespace: str = Field(max_length=63)


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
    def crd_name(self) -> str:
        """Name of the CustomResourceDefinition."""
        return f"{self.plural}.{GROUP}"
