"""The public halves of a vault's own pairs, in a ConfigMap for whoever verifies or seals."""

import json
from collections.abc import Sequence

from leeward.formats.material import fingerprint, public_jwk
from leeward.plans.shared.conditions import StatusDraft
from leeward.plans.shared.inventory import enter
from leeward.plans.shared.jobs import config_ref
from leeward.plans.shared.model import (
    Apply,
    KeysetInfo,
    Manifest,
    Observed,
    Plan,
    VersionInfo,
    WriteStatus,
)
from leeward.plans.shared.names import Owner, child_name, metadata
from leeward.plans.shared.refusals import refusal
from leeward.plans.shared.steps import drifted, progress
from leeward.plans.shared.verdict import Denied

ROLE = "public-keys"


def public_keys_map(owner: Owner, info: KeysetInfo) -> Manifest | None:
    """The ConfigMap; None: no key has a pair of its own.

    Of each key ``NAME.pem``, all public halves that are in use with the primary one first, and
    ``NAME.jwks.json``, the same as a JWK set (RFC 7517) where that has a form for them.
    """
    data: dict[str, str] = {}
    for name, (algorithm, _, _) in info.versions.items():
        pems = _in_use(info.history.get(name, ()))
        if not pems:
            continue
        data[f"{name}.pem"] = "".join(pems)
        jwks = [public_jwk(pem, fingerprint(pem).hex(), algorithm) for pem in pems]
        known = [json.loads(jwk) for jwk in jwks if jwk is not None]
        if known:
            data[f"{name}.jwks.json"] = json.dumps({"keys": known}, sort_keys=True)
    if not data:
        return None
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(owner, child_name(owner, ROLE), ROLE),
        "data": data,
    }


def publish(
    owner: Owner, draft: StatusDraft, info: KeysetInfo, observed: Observed
) -> Plan | Denied | None:
    """What to do so that the ConfigMap says what the keyset does; None: nothing (more)."""
    made = public_keys_map(owner, info)
    if made is None:
        return None
    need = config_ref(owner.namespace, made["metadata"]["name"])
    if not observed.has(need):
        return Plan(draft.status, needs=(need,))
    enter(draft, [need])
    if not drifted(observed.current(need), made):
        return None
    going = progress(observed, (Apply(made),))
    if going.failed is not None:
        return refusal(owner.namespace, *going.failed)
    if going.pending and draft.differs("children"):
        return Plan(draft.status, actions=(WriteStatus(), *going.pending))
    return Plan(draft.status, actions=going.pending) if going.pending else None


def _in_use(versions: Sequence[VersionInfo]) -> list[str]:
    found = [v for v in versions if v.public_key and v.state in ("Primary", "Enabled")]
    newest_first = sorted(found, key=lambda v: (v.state != "Primary", -v.version))
    return [v.public_key for v in newest_first if v.public_key]
