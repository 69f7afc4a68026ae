"""One look at one Dataset, and the ways in which a look can end."""

from dataclasses import dataclass

from leeward.api.dataset import DatasetSpec
from leeward.api.workload import Egress
from leeward.plans.shared.keys import KeyUse
from leeward.plans.shared.locations import egress_of
from leeward.plans.shared.look import Look
from leeward.plans.shared.model import Plan
from leeward.plans.shared.names import Owner, child_name
from leeward.plans.shared.refusals import refusal
from leeward.plans.shared.sources import SEALING
from leeward.plans.shared.steps import Progression
from leeward.plans.shared.verdict import Denied, Unseen


@dataclass(frozen=True, slots=True)
class View(Look[DatasetSpec]):
    """One look at one Dataset."""

    @property
    def key(self) -> KeyUse | None:
        """The key that the file is sealed with; None: it is plain."""
        if self.spec.sealed_with is None:
            return None
        named_by = (self.owner.kind, "spec.sealedWith")
        home = self.owner.namespace
        return KeyUse(self.spec.sealed_with, home, SEALING, "sealing of files", named_by)

    @property
    def egress(self) -> tuple[Egress, ...]:
        """The store that its file lies in."""
        return egress_of([self.spec.location])

    def not_ready(self, denied: Denied, requeue_after: float | None = None) -> Plan:
        """Say what is wrong, and look again later."""
        self.draft.set("Ready", False, denied.reason, denied.message)
        again = requeue_after or self.draft.next_look("Ready")
        return Plan(self.status, requeue_after=again)

    def stop(self, verdict: Denied | Unseen) -> Plan:
        """A check that does not pass, or has to see more."""
        if isinstance(verdict, Unseen):
            return Plan(self.status, needs=verdict.needs)
        return self.not_ready(verdict)

    def carry_on(self, steps: Progression) -> Plan | None:
        """Do what is pending, or say what failed; None: all is done."""
        if steps.failed is not None:
            return self.not_ready(refusal(self.owner.namespace, *steps.failed))
        if steps.pending:
            return Plan(self.status, actions=steps.pending)
        return None


def public_key_name(owner: Owner) -> str:
    """Name of the ConfigMap with the public half."""
    return f"{child_name(owner)}-public-key"
