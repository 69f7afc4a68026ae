"""``leeward dataset preview``: rows sealed to a key that lives only in this process."""

from __future__ import annotations

import base64
import io
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

from leeward.api.datasetpreview import DATASETPREVIEW, DatasetPreviewSpec
from leeward.api.meta import API_VERSION, MAX_RESOURCE_NAME, Ref
from leeward.cli.conditions import condition_of, in_words
from leeward.cli.errors import ApiError, CliError
from leeward.cli.keyfiles import naming
from leeward.cli.kinds import resource_of
from leeward.cli.options import RowsFormat
from leeward.cli.output import print_json
from leeward.cli.port import Cluster, Manifest
from leeward.cli.rowtable import print_rows
from leeward.cli.session import Session
from leeward.cli.temporary import temporary
from leeward.cli.waiting import POLL_SECONDS, watch
from leeward.formats.jobconfig import HTTP_PORT, RECEIPT_HEADER
from leeward.formats.sealed import HpkePrivateKey, SealedReader

RESULT_PATH: Final = "/result"
MAY_YET_COME: Final = frozenset({"AwaitingSource"})
"""Reasons of Admitted=False that somebody at a terminal waits for; on others the command ends."""


@dataclass(frozen=True, slots=True)
class PreviewRequest:
    """What of a Dataset, and what for.

    Attributes:
        rows: How many, of content Rows.
        timeout: Seconds until it must have come.
    """

    namespace: str
    dataset: str
    purpose: str
    rows: int
    timeout: float
    content: Literal["Rows", "Report"] = "Rows"


@dataclass(frozen=True, slots=True)
class Rows:
    """The opened rows: every value as text, None where there is none."""

    columns: list[str]
    rows: list[list[str | None]]


def show_preview(
    session: Session, cluster: Cluster, request: PreviewRequest, output: RowsFormat
) -> None:
    """Fetch the rows and print them."""
    rows = fetch_rows(session, cluster, request)
    if output is RowsFormat.JSON:
        records = [dict(zip(rows.columns, row, strict=True)) for row in rows.rows]
        print_json(session.out, {"columns": rows.columns, "rows": records})
        return
    print_rows(session.out, rows.columns, rows.rows, title=f"Dataset {request.dataset}")


def fetch_rows(session: Session, cluster: Cluster, request: PreviewRequest) -> Rows:
    """Fetch the rows and open them here.

    Raises:
        CliError: It was refused or failed; the message has reason and remedy.
    """
    document = fetch_document(session, cluster, request)
    return Rows(document["columns"], document["rows"])


def fetch_document(session: Session, cluster: Cluster, request: PreviewRequest) -> dict[str, Any]:
    """Ask for it, wait for it, take it over, and open it here.

    The DatasetPreview is deleted whatever happens.

    Raises:
        CliError: It was refused or failed; the message has reason and remedy.
    """
    pair = HpkePrivateKey.generate(session.random)
    name = _name(request.dataset, session.random(4).hex())
    manifest = _manifest(request, name, pair)
    deadline = session.clock.monotonic() + request.timeout
    with temporary(cluster, resource_of(DATASETPREVIEW), manifest):
        found = watch(
            session,
            cluster,
            DATASETPREVIEW,
            request.namespace,
            name,
            request.timeout,
            "Ready",
            _is_served,
        )
        pod = found["status"]["pod"]
        document = _opened(_fetch(session, cluster, request.namespace, pod, deadline), pair)
        receipt = {RECEIPT_HEADER: document.get("receipt", "")}
        # It only ends the pod sooner: all of it is here, and the resource goes anyway.
        with suppress(ApiError):
            cluster.fetch_from_pod(
                "DELETE", request.namespace, pod, HTTP_PORT, RESULT_PATH, receipt
            )
    return document


def _name(dataset: str, suffix: str) -> str:
    return f"{dataset[: MAX_RESOURCE_NAME - len(suffix) - 1].rstrip('-')}-{suffix}"


def _manifest(request: PreviewRequest, name: str, pair: HpkePrivateKey) -> Manifest:
    spec = DatasetPreviewSpec(
        purpose=request.purpose,
        dataset=Ref(name=request.dataset),
        recipient_key=base64.b64encode(pair.public_key.key.public_bytes_raw()).decode(),
        **({"rows": request.rows} if request.content == "Rows" else {"content": "Report"}),
    )
    return {
        "apiVersion": API_VERSION,
        "kind": DATASETPREVIEW.kind,
        "metadata": {"name": name, "namespace": request.namespace},
        "spec": spec.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True),
    }


def _is_served(preview: Manifest) -> bool:
    """Whether its pod answers; ends the command where it will not."""
    failed = condition_of(preview, "Failed")
    if failed is not None and failed.holds:
        raise CliError(f"the preview failed: {in_words(failed)}")
    admitted = condition_of(preview, "Admitted")
    if (
        admitted is not None
        and admitted.current
        and admitted.status == "False"
        and admitted.reason not in MAY_YET_COME
    ):
        raise CliError(f"the preview is refused: {in_words(admitted)}")
    ready = condition_of(preview, "Ready")
    return ready is not None and ready.holds and bool(preview.get("status", {}).get("pod"))


def _fetch(session: Session, cluster: Cluster, namespace: str, pod: str, deadline: float) -> bytes:
    while True:
        try:
            return cluster.fetch_from_pod("GET", namespace, pod, HTTP_PORT, RESULT_PATH)
        except ApiError as error:
            # The pod may run for a moment before it listens.
            if error.status not in (0, 404, 503) or session.clock.monotonic() >= deadline:
                raise
            session.clock.sleep(POLL_SECONDS)


def _opened(sealed: bytes, pair: HpkePrivateKey) -> dict[str, Any]:
    with naming("the preview"), SealedReader(io.BytesIO(sealed), [pair]) as reader:
        document: dict[str, Any] = json.loads(reader.read())
    return document
