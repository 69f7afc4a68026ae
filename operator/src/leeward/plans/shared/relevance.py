"""What of a resource can matter to a plan of another one: a change of anything else wakes nobody.

Rather too much than too little counts here: what is left out is what the operator keeps for itself
in the status of a resource, and writes again and again. No plan may look at it in another resource.
"""

import json
from typing import Any, Final

from pydantic import ValidationError

from leeward.api.dataset import DATASET, DatasetStatus
from leeward.api.keydelivery import KEYDELIVERY
from leeward.api.keyvault import KEYVAULT
from leeward.plans.shared.conditions import condition_of
from leeward.plans.shared.model import Manifest
from leeward.plans.shared.sources import live_key_ids

GONE: Final = 0
"""The digest of what is not there."""
_PLACED: Final = ("uid", "deletionTimestamp", "finalizers", "labels", "annotations")
_OF_DATASET: Final = frozenset({"children", "inspection", "observedGeneration"})
_OF_REPLACEMENT: Final = frozenset({"job", "jobUid", "secret"})
_OF_VERSION: Final = frozenset({"artefactKeys", "resources", "dependents"})
_ROTATION: Final = "RotationComplete"
_ON_REQUEST: Final = frozenset({"rotation"})


def relevance(dependant: str, body: Manifest | None) -> int:
    """A digest of what can matter to a plan; where it is the same, the plan decides the same.

    Args:
        dependant: Kind of the resource that is planned for.
        body: What it looks at; None: nothing is there.
    """
    if body is None:
        return GONE
    metadata = body["metadata"]
    if "generation" not in metadata:
        return hash((metadata["uid"], metadata["resourceVersion"]))
    placed = [metadata.get(name) for name in _PLACED]
    if (body["kind"], dependant) == (DATASET.kind, KEYDELIVERY.kind):
        return _hash(placed, _without(body["spec"], _ON_REQUEST), _keys(body.get("status") or {}))
    if body["kind"] == KEYDELIVERY.kind:
        held = _held(body.get("status") or {}) if dependant == DATASET.kind else None
        return _hash(placed, metadata["generation"], held)
    return _hash(placed, metadata["generation"], _said(body))


def _hash(*parts: Any) -> int:
    return hash(json.dumps(parts, sort_keys=True))


def _said(body: Manifest) -> Any:
    """What its status says to others."""
    status: Manifest = body.get("status") or {}
    match body["kind"]:
        case DATASET.kind:
            said = _without(status, _OF_DATASET)
            if "replacement" in status:
                said["replacement"] = _without(status["replacement"], _OF_REPLACEMENT)
            if "conditions" in status:
                said["conditions"] = [c for c in status["conditions"] if c["type"] != _ROTATION]
            return said
        case KEYVAULT.kind:
            said = _without(status, frozenset({"keys"}))
            said["keys"] = [
                {**key, "versions": [_without(v, _OF_VERSION) for v in key.get("versions") or ()]}
                for key in status.get("keys") or ()
            ]
            return said
        case _:
            return status


def _keys(status: Manifest) -> Any:
    """Which keys long-lived pods are to have, and how the Dataset is: it may take a key over."""
    ready = condition_of(status, "Ready") or {}
    try:
        ids = live_key_ids(DatasetStatus.model_validate(status))
    except ValidationError:
        return status
    return [ids, ready.get("status"), ready.get("reason")]


def _held(status: Manifest) -> Any:
    """Which keys pods may hold, and which of them all pods have."""
    secret = status.get("secret")
    keys = [(item["name"], item.get("keys")) for item in status.get("items") or ()]
    return [secret is None, secret and secret.get("pending"), keys]


def _without(record: Manifest, names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in names}
