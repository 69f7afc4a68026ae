"""The plan of a DatasetPreview: a pod serves first rows or a report, sealed to whoever asked."""

from collections.abc import Callable, Sequence
from typing import Final

from leeward.api.dataset import Location
from leeward.api.datasetpreview import DATASETPREVIEW, DatasetPreviewSpec
from leeward.api.meta import Kind
from leeward.formats.jobconfig import PreviewConfig, ReportConfig
from leeward.formats.progress import ProgressReport
from leeward.formats.result import AnyResult
from leeward.plans.shared.following import STARTING_INTERVAL, plan_workload
from leeward.plans.shared.jobs import JOB_CHILDREN
from leeward.plans.shared.keys import Granted, granted
from leeward.plans.shared.locations import Places, pod_path, pod_store
from leeward.plans.shared.look import read
from leeward.plans.shared.model import (
    ArtefactKeyInfo,
    ArtefactKeyOf,
    Context,
    Manifest,
    Observed,
    Plan,
)
from leeward.plans.shared.names import Owner
from leeward.plans.shared.sources import (
    SOURCE_ROLE,
    Case,
    check_data_grant,
    check_source_artefact_key,
    check_source_claim,
    check_source_exists,
    check_source_key,
    check_source_namespace,
    check_source_ready,
    first_denial,
)
from leeward.plans.shared.verdict import Denied, Unseen, Verdict
from leeward.plans.shared.workload import JobKey, Recipe, Run, finish

SERVE_SECONDS: Final = 300

CHECKS: Final[tuple[Callable[[Case], Verdict], ...]] = (
    check_source_exists,
    check_source_namespace,
    check_data_grant,
    check_source_ready,
    check_source_key,
    check_source_claim,
    check_source_artefact_key,
)
"""In order: what is refused first is what is said."""


class DatasetPreviewPlanner:
    """Admits a DatasetPreview and lets its pod serve once."""

    @property
    def kind(self) -> Kind:
        """DatasetPreview."""
        return DATASETPREVIEW

    @property
    def children(self) -> Sequence[tuple[str, str]]:
        """What is made around a Job."""
        return JOB_CHILDREN

    def plan(self, resource: Manifest, observed: Observed, context: Context) -> Plan:
        """The next step for this DatasetPreview."""
        known = read(resource, DatasetPreviewSpec, context)
        if isinstance(known, Plan):
            return known
        spec, draft = known
        owner, image = Owner.of(resource), context.masking_image
        run = Run(resource, owner, spec, draft, observed, context, image)
        return plan_workload(_Preview(spec), run)


class _Preview:
    """What a DatasetPreview adds to the course of all workloads."""

    role = "preview"
    repeats = False

    def __init__(self, spec: DatasetPreviewSpec) -> None:
        self._spec = spec

    def admit(self, run: Run) -> Denied | Unseen | Recipe:
        case = Case(run.owner, self._spec.purpose, self._spec.dataset, run.observed, run.context)
        verdict = first_denial(case, CHECKS) or self._check_report(case)
        if verdict is not None:
            return verdict
        keys: tuple[JobKey, ...] = ()
        grants: tuple[Granted, ...] = ()
        key_id = case.dataset_status.key_id
        if case.source_key is not None and key_id is not None:
            info: ArtefactKeyInfo = run.observed.get(ArtefactKeyOf(key_id))
            keys = (JobKey(SOURCE_ROLE, key_id, info.version),)
            use = case.source_key
            grants = (granted(use, "Open", run.owner, run.observed, run.context),)
        status = case.dataset_status
        places, replaced = Places(source=case.dataset.location), case.replaced_keys
        config = self._config(case)
        return Recipe(config, keys, places, status.digest, grants, replaced_keys=replaced)

    def _check_report(self, case: Case) -> Denied | None:
        if self._spec.content == "Rows" or case.dataset_status.report is not None:
            return None
        return Denied(
            "NoReport",
            f"{case.source_label} carries no report: only one that a MaskingJob made does, until"
            " its file is replaced; set content to Rows in another DatasetPreview",
        )

    def _config(self, case: Case) -> PreviewConfig | ReportConfig:
        report = case.dataset_status.report
        if self._spec.content == "Report" and report is not None:
            return ReportConfig(
                path=pod_path(case.dataset.location.at(report.path), "source"),
                store=pod_store(case.dataset.location, "source"),
                digest=report.digest,
                key_role=SOURCE_ROLE,
                recipient_key=self._spec.recipient_key,
                serve_seconds=SERVE_SECONDS,
            )
        return PreviewConfig(
            source=case.source_file(),
            rows=self._spec.rows,
            recipient_key=self._spec.recipient_key,
            serve_seconds=SERVE_SECONDS,
        )

    def committed(self, run: Run) -> Plan | None:
        """Nothing is ever decided before the Job has ended."""
        return None

    def serving(self, run: Run, pod: Manifest, report: ProgressReport) -> Plan | None:
        """Say which pod serves, once it does."""
        name = pod["metadata"]["name"]
        if report.unit != "serving":
            return None
        run.draft.put(pod=name)
        what = "the rows are" if self._spec.content == "Rows" else "the report is"
        run.draft.set(
            "Ready",
            True,
            "Serving",
            f"{what} served, sealed, at /result of pod {name} until fetched, for at most"
            f" {SERVE_SECONDS} s",
        )
        return Plan(run.status, requeue_after=STARTING_INTERVAL)

    def ended(self, run: Run, answer: AnyResult | None) -> Plan:
        """It was fetched, or nobody came for it: either way it is over."""
        return finish(run, "Served", "the pod served once and has ended: create another")

    def over(self, run: Run) -> Unseen | None:
        """It was fetched, or was not: nothing is left."""
        return None

    def claim(self, run: Run) -> Manifest | None:
        return None

    def own_keys(self, run: Run) -> Sequence[str]:
        return ()

    def leftovers(self, run: Run) -> Location | None:
        return None
