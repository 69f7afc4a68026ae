"""``leeward unmask``: some tokens of a masked Dataset, led back by a job and shown here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from leeward.api.dataset import DATASET
from leeward.api.maskingjob import MASKINGJOB
from leeward.api.meta import API_VERSION, MAX_RESOURCE_NAME
from leeward.api.transforms import ColumnRule
from leeward.api.unmasking import MAX_REASON, MIN_REASON, REQUESTER_ANNOTATION, REVERSIBLE
from leeward.cli.backuprecords import user
from leeward.cli.conditions import condition_of, in_words
from leeward.cli.errors import ApiError, CliError, UsageError
from leeward.cli.kinds import resource_of
from leeward.cli.listing import missing
from leeward.cli.options import RowsFormat
from leeward.cli.output import counted, print_json
from leeward.cli.port import Cluster, Manifest
from leeward.cli.previewing import MAY_YET_COME, PreviewRequest, fetch_rows
from leeward.cli.rowtable import print_rows
from leeward.cli.session import Session
from leeward.cli.waiting import WaitedOutError, watch

MAX_SHOWN: Final = 100
"""Rows that a preview has."""
_FINDING: Final = re.compile(r"^\[[A-Z][A-Z_]*:([A-Za-z0-9_=-]+)\]$")
"""A token as it stands in a note; the token alone is in base64url (RFC 4648, section 5)."""
_ENDS: Final = ("Complete", "Failed")
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
    if not MIN_REASON <= len(request.reason) <= MAX_REASON:
        raise UsageError(
            f"the reason has {counted(len(request.reason), 'character')}",
            f"say in {MIN_REASON} to {MAX_REASON} characters why they are led back",
        )
    job = _masking_job(cluster, request)
    rule = _rule(job, request.column)
    tokens = _tokens(session, request.tokens, rule)
    name = _name(request.dataset, session.random(4).hex())
    manifest = _manifest(cluster, request, job["spec"]["output"], rule, name, tokens)
    with _withdrawn_unless_it_ran(session, cluster, request.namespace, name):
        cluster.create(resource_of(MASKINGJOB), manifest)
        where = (request.namespace, name, request.timeout)
        try:
            watch(session, cluster, MASKINGJOB, *where, "Complete", _is_complete)
        except WaitedOutError as error:
            raise CliError(error.message, "ask again, with a longer --timeout") from error
    session.err.print(
        f"MaskingJob and Dataset {name} stay as a record, the values sealed; to remove them:"
        f" kubectl delete maskingjob,dataset {name} -n {request.namespace}",
        markup=False,
    )
    preview = PreviewRequest(request.namespace, name, request.purpose, MAX_SHOWN, request.timeout)
    rows = fetch_rows(session, cluster, preview)
    if output is RowsFormat.JSON:
        print_json(session.out, [dict(zip(rows.columns, row, strict=True)) for row in rows.rows])
    else:
        print_rows(session.out, rows.columns, rows.rows)


def _tokens(session: Session, given: list[str], rule: dict[str, Any]) -> list[str]:
    """Each token once, without what stands around it in a note."""
    bare = [_FINDING.sub(r"\1", one) for one in given] if "tokenize" in rule else given
    tokens = list(dict.fromkeys(bare))
    if not 0 < len(tokens) <= MAX_SHOWN:
        raise CliError(
            f"{len(tokens)} tokens were given", f"give 1 to {MAX_SHOWN} at once, or {_BY_MANIFEST}"
        )
    if len(tokens) < len(given):
        session.err.print(
            f"{len(given) - len(tokens)} of {len(given)} tokens are given again; each is led back,"
            " and counted, once",
            markup=False,
        )
    return tokens


@contextmanager
def _withdrawn_unless_it_ran(
    session: Session, cluster: Cluster, namespace: str, name: str
) -> Iterator[None]:
    """Delete the job where this ends before the job does: refused, too late, or interrupted.

    Else it would lead the tokens back whenever a grant appears, with nobody there who asked.
    """
    try:
        yield
    except BaseException:
        _withdraw(session, cluster, namespace, name)
        raise


def _withdraw(session: Session, cluster: Cluster, namespace: str, name: str) -> None:
    """Delete the job, unless there is none, or it has ended; say what became of it."""
    by_hand = f"kubectl delete maskingjob {name} -n {namespace}"
    try:
        job = cluster.find(resource_of(MASKINGJOB), namespace, name)
        if job is None:
            return
        if any(end is not None and end.holds for end in map(partial(condition_of, job), _ENDS)):
            told = f"MaskingJob {name} has ended, and stays as a record; to remove it: {by_hand}"
        else:
            cluster.delete(resource_of(MASKINGJOB), namespace, name)
            told = f"MaskingJob {name} was deleted: it will not run later"
    except ApiError as error:
        told = (
            f"MaskingJob {name} could not be deleted ({error.message}), and may run as soon as it"
            f" is allowed to. Delete it: {by_hand}"
        )
    session.err.print(told, markup=False)


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
        if rule.free_text is not None and rule.free_text.replacement.tokenize is not None:
            # Findings have the tokens that a column of them would have.
            return {"name": column, "tokenize": given["freeText"]["replacement"]["tokenize"]}
        if rule.transform not in REVERSIBLE:
            raise CliError(
                f'{rule.transform} masked column "{column}", and nothing leads back from it',
                f"name a column that was masked with {', '.join(REVERSIBLE)}, or notes whose"
                " freeText has replacement.tokenize",
            )
        return {"name": column, rule.transform: given[rule.transform]}
    raise CliError(
        f'no rule of MaskingJob {job["metadata"]["name"]} masked a column "{column}"',
        "name a column of the Dataset that was tokenized or encrypted",
    )


def _manifest(
    cluster: Cluster,
    request: UnmaskRequest,
    masked: Manifest,
    rule: dict[str, Any],
    name: str,
    tokens: list[str],
) -> Manifest:
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
            "columns": [rule],
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
