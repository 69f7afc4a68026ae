"""One look at one resource: what every plan begins with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from leeward.api.meta import Model
from leeward.api.workload import Egress
from leeward.plans.shared.conditions import StatusDraft
from leeward.plans.shared.model import Context, Manifest, Observed, Plan
from leeward.plans.shared.names import Owner
from leeward.plans.shared.specs import SpecModel, parse_spec

Spec = TypeVar("Spec", bound=Model, covariant=True)


@dataclass(frozen=True, slots=True)
class Look(Generic[Spec]):
    """One look at one resource.

    Attributes:
        resource: As it is stored.
        owner: The resource, as its children know it.
        spec: Its spec.
        draft: Its status as it shall be.
        observed: What has been seen and done so far.
        context: The installation.
    """

    resource: Manifest
    owner: Owner
    spec: Spec
    draft: StatusDraft
    observed: Observed
    context: Context

    @property
    def status(self) -> Manifest:
        """The status as this plan has it so far."""
        return self.draft.status

    @property
    def egress(self) -> Sequence[Egress]:
        """What pods of the resource may reach."""
        return ()


def read(
    resource: Manifest, model: type[SpecModel], context: Context
) -> tuple[SpecModel, StatusDraft] | Plan:
    """Its spec and a draft of its status; where the spec does not parse, the plan that says so."""
    draft = StatusDraft(resource, context)
    spec = parse_spec(resource, model)
    if isinstance(spec, str):
        draft.set("Ready", False, "InvalidSpec", spec)
        return Plan(draft.status)
    return spec, draft
