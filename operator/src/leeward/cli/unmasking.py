"""``leeward unmask``: some tokens of a masked Dataset, led back by a job and shown here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from leeward.api.dataset import DATASET
from leeward.api.maskingjob import MASKINGJOB
from leeward.api.meta import API_VERSION, MAX_RESOURCE_NAME
from leeward.api.transforms import ColumnRule
from leeward.api.unmasking import REQUESTER_ANNOTATION, REVERSIBLE
from leeward.cli.backuprecords import user
from leeward.cli.conditions import condition_of, in_words
from leeward.cli.errors import CliError
from leeward.cli.kinds import resource_of
from leeward.cli.listing import missing
from leeward.cli.options import RowsFormat
from leeward.cli.output import print_json
from leeward.cli.port import Cluster, Manifest
from leeward.cli.previewing import MAY_YET_COME, PreviewRequest, fetch_rows
from leeward.cli.rowtable import print_rows
from leeward.cli.session import Session
from leeward.cli.waiting import watch

MAX_SHOWN: Final = 100
"""Rows that a preview has."""
_BY_MANIFEST: Final = (
    "write a MaskingJob with direction Unmask, and the rule as it was: see docs/guides/unmasking.md"
)


@dataclass(frozen=True, slots=True)
class UnmaskRequest:
    """Which tokens, of which column, and what for.

    Attributes:
        timeout: Seconds until the values must have come.
    """

    namespace: str
    dataset: str
    column: str
    tokens: list[str]
    purpose: str
    reason: str
    timeout: float


def unmask(session: Session, cluster: Cluster, request: UnmaskRequest, output: RowsFormat) -> None:
    """Have the tokens led back, and print them with their values.

    Raises:
        CliError: It was refused or failed; the message has reason and remedy.
    """
    tokens = list(dict.fromkeys(request.tokens))
    if not 0 < len(tokens) <= MAX_SHOWN:
        raise CliError(
            f"{len(tokens)} tokens were given", f"give 1 to {MAX_SHOWN} at once, or {_BY_MANIFEST}"
        )
    job = _masking_job(cluster, request)
    name = _name(request.dataset, session.random(4).hex())
    cluster.create(resource_of(MASKINGJOB), _manifest(cluster, request, job, name, tokens))
    where = (request.namespace, name, request.timeout)
    watch(session, cluster, MASKINGJOB, *where, "Complete", _is_complete)
    preview = PreviewRequest(request.namespace, name, request.purpose, MAX_SHOWN, request.timeout)
    rows = fetch_rows(session, cluster, preview)
    if output is RowsFormat.JSON:
        print_json(session.out, [dict(zip(rows.columns, row, strict=True)) for row in rows.rows])
    else:
        print_rows(session.out, rows.columns, rows.rows)
    session.err.print(
        f"MaskingJob and Dataset {name} stay as a record, the values sealed; to remove them:"
        f" kubectl delete maskingjob,dataset {name} -n {request.namespace}"
    )


def _masking_job(cluster: Cluster, request: UnmaskRequest) -> Manifest:
    """The MaskingJob that made the Dataset."""
    dataset = cluster.find(resource_of(DATASET), request.namespace, request.dataset)
    if dataset is None:
        raise missing(DATASET, request.namespace, request.dataset)
    made_by = dataset.get("status", {}).get("producedBy") or {}
    if made_by.get("kind") != MASKINGJOB.kind:
        raise CliError(
            f"Dataset {request.dataset} was not made by a MaskingJob", "name a masked Dataset"
        )
    job = cluster.find(resource_of(MASKINGJOB), request.namespace, made_by["name"])
    if job is None or job["metadata"].get("uid") != made_by.get("uid"):
        raise CliError(
            f"MaskingJob {made_by['name']}, which made Dataset {request.dataset}, is gone, and with"
            " it the rules",
            _BY_MANIFEST,
        )
    return job


def _rule(job: Manifest, column: str) -> dict[str, Any]:
    """The rule that masked a column, for it alone."""
    chosen = job.get("status", {}).get("admission", {}).get("selected") or []
    selected = {entry["rule"]: entry["columns"] for entry in chosen}
    for given in job["spec"].get("columns") or []:
        rule = ColumnRule.model_validate(given)
        if column not in (rule.column_names or selected.get(rule.name, ())):
            continue
        if rule.transform not in REVERSIBLE:
            raise CliError(
                f'{rule.transform} masked column "{column}", and nothing leads back from it',
                f"name a column that was masked with {', '.join(REVERSIBLE)}",
            )
        return {"name": column, rule.transform: given[rule.transform]}
    raise CliError(
        f'no rule of MaskingJob {job["metadata"]["name"]} masked a column "{column}"',
        "name a column of the Dataset that was tokenized or encrypted",
    )


def _manifest(
    cluster: Cluster, request: UnmaskRequest, job: Manifest, name: str, tokens: list[str]
) -> Manifest:
    masked = job["spec"]["output"]
    grant = {"name": "unmask", "kinds": ["DatasetPreview"], "purposes": [request.purpose]}
    return {
        "apiVersion": API_VERSION,
        "kind": MASKINGJOB.kind,
        "metadata": {
            "name": name,
            "namespace": request.namespace,
            "annotations": {REQUESTER_ANNOTATION: user(cluster)},
        },
        "spec": {
            "direction": "Unmask",
            "reason": request.reason,
            "purpose": request.purpose,
            "source": {"name": request.dataset},
            "columns": [_rule(job, request.column)],
            "tokens": tokens,
            "output": {
                "dataset": name,
                "location": masked["location"],
                "sealedWith": masked["sealedWith"],
                "grants": [grant],
            },
        },
    }


def _name(dataset: str, suffix: str) -> str:
    end = f"-unmask-{suffix}"
    return dataset[: MAX_RESOURCE_NAME - len(end)].rstrip("-") + end


def _is_complete(job: Manifest) -> bool:
    """Whether its output is there; ends the command where it will not be."""
    failed = condition_of(job, "Failed")
    if failed is not None and failed.holds:
        raise CliError(f"the tokens were not led back: {in_words(failed)}")
    admitted = condition_of(job, "Admitted")
    if (
        admitted is not None
        and admitted.current
        and admitted.status == "False"
        and admitted.reason not in MAY_YET_COME
    ):
        raise CliError(f"leading the tokens back is refused: {in_words(admitted)}")
    done = condition_of(job, "Complete")
    return done is not None and done.holds
