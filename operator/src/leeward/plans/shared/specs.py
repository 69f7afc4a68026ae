"""Reading specs: a resource that does not parse gets a condition, never a traceback."""

from typing import TypeVar

from pydantic import ValidationError

from leeward.api.meta import Model
from leeward.plans.shared.model import Manifest

SpecModel = TypeVar("SpecModel", bound=Model)


def parse_spec(resource: Manifest, model: type[SpecModel]) -> SpecModel | str:
    """The typed spec, or what is wrong with it (fields and rules, never values)."""
    try:
        return model.model_validate(resource.get("spec") or {})
    except ValidationError as error:
        found = [
            f"spec.{'.'.join(map(str, item['loc']))}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        return (
            f"the spec is not one that this operator reads ({'; '.join(found[:5])}): install the"
            " CRDs and the operator of one release, or correct these fields"
        )
