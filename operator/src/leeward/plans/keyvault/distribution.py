"""New versions of certificate authorities, while not every pod that verifies trusts them.

They are *pending*: made and handed out, and nothing is issued by them yet. Which version issues
is not stored with the key: it follows from what KeyDeliveries say (``plans.shared.authorities``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from leeward.api.keyvault import KeyVaultSpec
from leeward.plans.shared.authorities import Consumer, consumers, issuing_version
from leeward.plans.shared.conditions import StatusDraft
from leeward.plans.shared.listing import listed
from leeward.plans.shared.model import DeliveriesOf, KeysetInfo, Observed
from leeward.plans.shared.names import Owner

_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Distribution:
    """How far the versions of authorities are known.

    Attributes:
        issuing: Key name -> the version that issues, where a newer one is pending.
        messages: What is waited for, one for each of these keys.
        needs: What has to be looked at first.
    """

    issuing: dict[str, int] = field(default_factory=dict)
    messages: tuple[str, ...] = ()
    needs: tuple[DeliveriesOf, ...] = ()


def distribution(
    owner: Owner, spec: KeyVaultSpec, info: KeysetInfo, observed: Observed
) -> Distribution:
    """Which versions are pending, and on whom they wait."""
    need = DeliveriesOf(owner.ref)
    issuing, messages = {}, []
    for key in spec.keys:
        live = [
            version.version
            for version in info.history.get(key.name, ())
            if version.state in ("Primary", "Enabled")
        ]
        if key.authority is None or len(live) < 2:
            continue
        if not observed.has(need):
            return Distribution(needs=(need,))
        found = consumers(observed.get(need), owner.ref, key.name)
        issues = issuing_version(found, live, None)
        if issues < live[-1]:
            issuing[key.name] = issues
            messages.append(_message(key.name, live[-1], issues, found))
    return Distribution(issuing, tuple(messages))


def show_pending(draft: StatusDraft, known: Distribution) -> None:
    """Put the states of versions into the status, which holds them as the keyset has them."""
    for state in draft.status.get("keys", ()):
        issues = known.issuing.get(state["name"])
        if issues is None:
            continue
        state["primaryVersion"] = issues
        for version in state["versions"]:
            if version["version"] > issues and version["state"] in ("Primary", "Enabled"):
                version["state"] = "Pending"
            elif version["version"] == issues:
                version["state"] = "Primary"


def _message(key: str, newest: int, issues: int, found: Sequence[Consumer]) -> str:
    late = [c.label for c in found if c.trusts is not None and newest not in c.trusts]
    return (
        f"version {newest} of key {key} is pending: version {issues} issues until every pod of"
        f" KeyDeliveries {listed(tuple(dict.fromkeys(late)), _NAMED)} trusts the new one; see"
        " their condition Acknowledged"
    )
