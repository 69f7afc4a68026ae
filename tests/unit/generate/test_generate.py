"""What is generated is in the tree, and what a CRD cannot say is refused."""

from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
import yaml
from pydantic import BaseModel, Field

from generator import generated_files, outdated
from generator.bounds import explained
from generator.chart import BEGIN, END, values_file, with_values_table
from generator.crds import crd
from generator.structural import Schema, SchemaError, structural_schema
from leeward.api import KINDS, Kind
from leeward.api.keyvault import KEYVAULT
from leeward.api.maskingjob import MASKINGJOB
from leeward.api.meta import DNS_LABEL, Cel, ListMap, Model, Name, Rules
from leeward.api.workload import Quantity

ROOT = Path(__file__).resolve().parents[3]


def test_the_tree_is_what_the_models_say() -> None:
    assert outdated(ROOT, generated_files(ROOT)) == []


def test_a_changed_a_missing_and_a_stray_file_are_found(tmp_path: Path) -> None:
    (tmp_path / "crds").mkdir()
    for name in ("same", "changed", "stray"):
        (tmp_path / "crds" / f"{name}.yaml").write_text("old")
    files = {"crds/same.yaml": "old", "crds/changed.yaml": "new", "crds/missing.yaml": "new"}
    found = ["crds/changed.yaml", "crds/missing.yaml", "crds/stray.yaml"]
    assert outdated(tmp_path, files) == found


class Item(Model):
    """One item."""

    name: Name = Field(description="Its name.")


class Sample(Model):
    """A sample."""

    items: Annotated[
        list[Item], Field(max_length=4), ListMap(), Rules((Cel("self.size() > 1", "list"),))
    ] = Field(default=[], description="Keyed items.")
    inner: Annotated[Item, Rules((Cel("true", "outer"),))] | None = None
    level: Annotated[int, Field(ge=1, le=9)] = Field(default=3, description="How much.")
    cel: ClassVar = (Cel("has(self.inner)", "model", "'named'", ".inner"),)


def test_models_become_structural_schemas() -> None:
    schema = structural_schema(Sample, "spec", defaults=True)
    name = {
        "description": "Its name.",
        "type": "string",
        "maxLength": 63,
        "x-kubernetes-validations": [
            {
                "rule": f"self.matches(r'{DNS_LABEL.pattern}')",
                "message": DNS_LABEL.wanted,
            }
        ],
    }
    item = {
        "description": "One item.",
        "type": "object",
        "required": ["name"],
        "properties": {"name": name},
    }
    assert schema == {
        "description": "A sample.",
        "type": "object",
        "x-kubernetes-validations": [
            {
                "rule": "has(self.inner)",
                "message": "model",
                "messageExpression": "'named'",
                "fieldPath": ".inner",
            }
        ],
        "properties": {
            "items": {
                "description": "Keyed items.",
                "type": "array",
                "maxItems": 4,
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "x-kubernetes-validations": [{"rule": "self.size() > 1", "message": "list"}],
                "items": item,
            },
            "inner": item | {"x-kubernetes-validations": [{"rule": "true", "message": "outer"}]},
            "level": {
                "description": "How much.",
                "type": "integer",
                "default": 3,
                "minimum": 1,
                "maximum": 9,
            },
        },
    }


class Amount(Model):
    """An amount."""

    cpu: Quantity | None = Field(default=None, description="Cores.")


def test_a_quantity_is_an_integer_or_a_string() -> None:
    made = structural_schema(Amount, "spec", defaults=True)["properties"]["cpu"]
    assert made["x-kubernetes-int-or-string"] is True
    assert "type" not in made
    (rule,) = made["x-kubernetes-validations"]
    assert rule["rule"].startswith("type(self) == int ? self >= 0 : self.matches(")


def test_a_status_has_no_defaults() -> None:
    schema = structural_schema(Sample, "status", defaults=False)
    assert "default" not in schema["properties"]["level"]


class NoDescription(BaseModel):
    value: int


class NoBound(BaseModel):
    value: str = Field(description="Text.")


class NoBoundOfMap(BaseModel):
    value: dict[str, int] = Field(description="Labels.")


class TwoTypes(BaseModel):
    value: int | bool = Field(description="Either.")


class Unsayable(BaseModel):
    value: Annotated[int, Field(gt=0, description="More than nothing.")]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (NoDescription, "spec.value has no description"),
        (NoBound, "spec.value has no maxLength"),
        (NoBoundOfMap, "spec.value has no maxProperties"),
        (TwoTypes, "spec.value: a union of types cannot be written"),
        (Unsayable, "spec.value: a CRD cannot say exclusiveMinimum"),
    ],
)
def test_what_a_crd_cannot_say_is_an_error(model: type[BaseModel], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        structural_schema(model, "spec", defaults=True)


def schemas(schema: Schema) -> list[Schema]:
    inner = [*schema.get("properties", {}).values()]
    inner += [schema[name] for name in ("items", "additionalProperties") if name in schema]
    return [schema, *(found for member in inner for found in schemas(member))]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_every_crd_keeps_the_conventions(kind: Kind) -> None:
    made = crd(kind)
    (version,) = made["spec"]["versions"]
    root = version["schema"]["openAPIV3Schema"]
    assert made["spec"]["names"]["categories"] == ["leeward"]
    assert version["subresources"] == {"status": {}}
    assert root["required"] == ["spec"]
    columns = [column["name"] for column in version["additionalPrinterColumns"]]
    assert {"Ready", "Reason"} <= set(columns)
    rules: list[dict[str, Any]] = [
        rule for schema in schemas(root) for rule in schema.get("x-kubernetes-validations", [])
    ]
    assert all(rule["message"] for rule in rules)
    assert not [schema for schema in schemas(root["properties"]["spec"]) if "pattern" in schema]


def test_the_chart_template_holds_the_same_crds() -> None:
    text = generated_files(ROOT)["charts/leeward/templates/crds.yaml"]
    plain = "\n".join(line for line in text.splitlines() if "{{" not in line)
    templated = list(yaml.safe_load_all(plain))
    assert [document["spec"] for document in templated] == [
        explained(crd(kind))["spec"] for kind in KINDS
    ]

    kept = {"helm.sh/resource-policy": "keep"}
    assert all(document["metadata"]["annotations"] == kept for document in templated)


def test_explain_tells_choices_bounds_and_defaults() -> None:
    key, job = (explained(crd(kind)) for kind in (KEYVAULT, MASKINGJOB))
    grant = spec_of(key)["keys"]["items"]["properties"]["grants"]["items"]["properties"]
    assert (
        "One of Seal, Open, Mask, Unmask, Sign, Verify, Issue."
        in grant["operations"]["description"]
    )
    length = spec_of(job)["columns"]["items"]["properties"]["hash"]["properties"]["length"]
    assert length["description"].endswith("16 to 64. Default: 64.")


def spec_of(crd: Schema) -> Schema:
    root = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    properties: Schema = root["properties"]["spec"]["properties"]
    return properties


VALUES = """{"properties": {"a": {"description": "A.", "properties": {
    "b": {"default": 2, "description": "B|C."}}}}}"""


def test_the_value_table_needs_its_marks() -> None:
    made = with_values_table(f"# Chart\n{BEGIN}\nold\n{END}\nafter\n", VALUES)
    assert "| `a.b` | `2` | B\\|C. |" in made
    assert "old" not in made
    assert made.startswith("# Chart\n")
    assert made.endswith(f"{END}\nafter\n")
    with pytest.raises(ValueError, match="needs the lines"):
        with_values_table("# Chart\n", VALUES)


def test_values_are_the_defaults_of_their_schema() -> None:
    made = values_file(VALUES)
    assert yaml.safe_load(made) == {"a": {"b": 2}}
    assert "  # B|C.\n  b: 2\n" in made
