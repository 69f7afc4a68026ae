"""The custom resources: typed specs and statuses, one module per kind.

crds/ is generated from these models, so what is written here is what ``kubectl explain`` shows and
what the API server checks. Nothing here does I/O or knows how a resource is acted on.
"""

from typing import Final

from leeward.api.dataset import DATASET
from leeward.api.datasetpreview import DATASETPREVIEW
from leeward.api.keydelivery import KEYDELIVERY
from leeward.api.keyvault import KEYVAULT
from leeward.api.maskingjob import MASKINGJOB
from leeward.api.meta import Kind

KINDS: Final[tuple[Kind, ...]] = (KEYVAULT, DATASET, DATASETPREVIEW, MASKINGJOB, KEYDELIVERY)
"""Every kind, in the order in which they are installed."""

KINDS_BY_NAME: Final[dict[str, Kind]] = {kind.kind: kind for kind in KINDS}

__all__ = ["KINDS", "KINDS_BY_NAME", "Kind"]
