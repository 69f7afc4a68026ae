"""The manifests of examples/masking, and the names that the story needs from them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from walkthrough.stage import StepFailedError

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays.

    Attributes:
        source, job, output: Names of Dataset, MaskingJob, and the Dataset that it makes.
        purpose: What the job's result may be looked into for.
        claim: The volume claim that holds both.
        vault: Name of the KeyVault.
    """

    namespace: str
    source: str
    job: str
    output: str
    purpose: str
    claim: str
    format: str
    vault: str


def read_manifests(folder: Path) -> list[Manifest]:
    """All documents of a folder, in the order in which kubectl applies them."""
    files = sorted(folder.glob("*.yaml"))
    documents = [doc for file in files for doc in yaml.safe_load_all(file.read_text()) if doc]
    if not documents:
        raise StepFailedError(f"there are no manifests in {folder}")
    return documents


def cast_of(documents: list[Manifest]) -> Cast:
    """The names, from the one MaskingJob and its source."""
    job = _only(documents, "MaskingJob")
    source = job["spec"]["source"]["name"]
    dataset = next(
        d for d in documents if d["kind"] == "Dataset" and d["metadata"]["name"] == source
    )
    namespace = job["metadata"].get("namespace")
    if not namespace:
        raise StepFailedError("the MaskingJob of the examples names no namespace")
    return Cast(
        namespace=namespace,
        source=source,
        job=job["metadata"]["name"],
        output=job["spec"]["output"]["dataset"],
        purpose=job["spec"]["purpose"],
        claim=dataset["spec"]["location"]["volume"]["claimName"],
        format=dataset["spec"]["format"],
        vault=_only(documents, "KeyVault")["metadata"]["name"],
    )


def _only(documents: list[Manifest], kind: str) -> Manifest:
    found = [document for document in documents if document["kind"] == kind]
    if len(found) != 1:
        raise StepFailedError(f"the examples have {len(found)} {kind}s; the demo needs one")
    return found[0]
