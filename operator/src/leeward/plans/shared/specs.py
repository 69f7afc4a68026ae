"""Reading specs: a resource that does not parse gets a condition, never a traceback."""

import marshal
from functools import lru_cache
from typing import TypeVar, cast

from pydantic import ValidationError

from leeward.api.meta import Model
from leeward.plans.shared.model import Manifest

SpecModel = TypeVar("SpecModel", bound=Model)


def typed(spec: Manifest, model: type[SpecModel]) -> SpecModel:
    """The typed spec. A plan is asked several times in a row: the last ones are kept.

    Raises:
        ValidationError: It is not one.
    """
    return cast("SpecModel", _typed(model, marshal.dumps(spec)))


@lru_cache(maxsize=512)
def _typed(model: type[Model], spec: bytes) -> Model:
    return model.model_validate(marshal.loads(spec))  # noqa: S302 - dumped just now


def parse_spec(resource: Manifest, model: type[SpecModel]) -> SpecModel | str:
    """The typed spec, or what is wrong with it (fields and rules, never values)."""
    try:
        return typed(resource.get("spec") or {}, model)
    except ValidationError as error:
        found = [
            f"spec.{'.'.join(map(str, item['loc']))}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        return (
            f"the spec is not one that this operator reads ({'; '.join(found[:5])}): install the"
            " CRDs and the operator of one release, or correct these fields"
        )
