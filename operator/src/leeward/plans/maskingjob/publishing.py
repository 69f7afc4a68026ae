"""From a job that ended well to the Dataset that appears.

    check the answer against what was asked ─▶ report ─▶ status.output: from here on it is decided
    ─▶ create the Dataset (a name, nothing more) ─▶ publish the key ─▶ fill the Dataset's status

Creating the Dataset takes the name, so a name that somebody else took first is noticed while the
key can still be shredded. Until its status is filled the Dataset is not ready, and no workload gets
its key. Repeating any step changes nothing.
"""

from collections import Counter
from collections.abc import Sequence

from pydantic import ValidationError

from leeward.api.dataset import DATASET, Tag
from leeward.api.maskingjob import MaskingJobSpec
from leeward.api.meta import API_VERSION, KeyRef, Ref
from leeward.api.unmasking import REVERSIBLE, TOKEN_COLUMN, VALUE_COLUMN
from leeward.formats.columnpaths import below, expand
from leeward.formats.document import canonical_json
from leeward.formats.keyset import OUTPUT_ROLE
from leeward.formats.report import report_path
from leeward.formats.result import Result, ResultFile, parse_result
from leeward.plans.maskingjob.case import output_location
from leeward.plans.maskingjob.freetext import free_text_fault, free_text_status
from leeward.plans.maskingjob.privacy import privacy_fault, privacy_status
from leeward.plans.shared.conditions import timestamp
from leeward.plans.shared.locations import pod_path
from leeward.plans.shared.model import Action, Apply, Delete, Manifest
from leeward.plans.shared.names import PRODUCED_BY_ANNOTATION, UID_ANNOTATION, metadata, ref_of
from leeward.plans.shared.sources import produced_message
from leeward.plans.shared.steps import drifted
from leeward.plans.shared.workload import Run

REPORT_KEY = "report.json"
RESULT_KEY = "result.json"


def faults(run: Run, spec: MaskingJobSpec, result: Result) -> str | None:
    """How the answer differs from what was asked; None: it does not.

    A pod is trusted to mask, and still held to what can be checked: its own file, sealed with its
    own key, from the source that was admitted, with the columns that the rules leave.
    """
    output, source = result.output, result.source
    if result.outcome != "Succeeded" or output is None or output.rows is None:
        return "it names no output"
    admission = run.status["admission"]
    path = pod_path(output_location(run.owner, spec), "output")
    if output.path != path:
        return "the output has another path"
    key_ids = [key["id"] for key in admission["keys"] if key["role"] == OUTPUT_ROLE]
    if output.key_ids != key_ids:
        return "the output is sealed with another key"
    if not spec.tokens and (source is None or source.digest != admission.get("sourceDigest")):
        return "the source is not the one that was admitted"
    report = result.report_file
    if report is not None:
        if report.path != report_path(path):
            return "the report has another path"
        if report.key_ids != key_ids:
            return "the report is sealed with another key"
    wrong = _column_faults(_transforms(spec, admission), spec, output, result)
    return (
        wrong
        or privacy_fault(spec.privacy_model, result.report)
        or free_text_fault(spec.columns, result.report)
    )


def _transforms(spec: MaskingJobSpec, admission: Manifest) -> dict[str, str]:
    """The transform of each column that has a rule, as it was admitted."""
    if spec.tokens:
        return {TOKEN_COLUMN: "keep", VALUE_COLUMN: spec.columns[0].transform}
    selected = {entry["rule"]: entry["columns"] for entry in admission.get("selected", ())}
    return {
        name: rule.transform
        for rule in spec.columns
        for name in rule.column_names or selected.get(rule.name, ())
    }


def _column_faults(
    named: dict[str, str], spec: MaskingJobSpec, output: ResultFile, result: Result
) -> str | None:
    transforms = expand(named, [column.name for column in output.columns])
    for column in output.columns:
        transform = transforms.get(column.name)
        if transform == "drop" or (transform is None and spec.default_action != "Keep"):
            return f'column "{column.name}" should have been dropped'
    if result.report is None:
        return "it holds no report"
    for entry in result.report.columns:
        wanted = expand(named, [entry.name]).get(entry.name)
        if wanted is not None and entry.transform != wanted:
            return f'column "{entry.name}" went through another transform than its rule says'
    return None


def report_map(run: Run, result: Result) -> Manifest:
    """The ConfigMap with the report for users, and with the whole answer of the pod."""
    report = result.report
    data = {RESULT_KEY: result.canonical().decode()}
    if report is not None:
        document = report.model_dump(mode="json", by_alias=True, exclude_none=True)
        data[REPORT_KEY] = canonical_json(document).decode()
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(run.owner, run.report_name, "report"),
        "immutable": True,
        "data": data,
    }


def report_steps(run: Run, report: Manifest) -> list[Action]:
    """How the report is kept; it has been looked for.

    Nobody can change it afterwards, so one that an earlier pod of this job left goes first.
    """
    ref = ref_of(report)
    found: Manifest | None = run.observed.get(ref)
    if not drifted(found, report):
        return []
    steps: list[Action] = [Apply(report)]
    if found and found.get("immutable") and found.get("data") != report["data"]:
        placed = found["metadata"]
        if (placed.get("annotations") or {}).get(UID_ANNOTATION) == run.owner.uid:
            steps.insert(0, Delete(ref, placed["uid"]))
    return steps


def is_kept(run: Run, found: Manifest | None) -> bool:
    """Whether the report of a job that is Complete is there, and is of the output's own file."""
    result = stored_result(found) if found else None
    output = result.output if result is not None else None
    return output is not None and output.digest == run.status["output"]["digest"]


def stored_result(report: Manifest) -> Result | None:
    """The answer of the pod in the ConfigMap with the report."""
    text = (report.get("data") or {}).get(RESULT_KEY)
    try:
        result = parse_result(text) if text else None
    except ValidationError:
        return None
    return result if isinstance(result, Result) else None


def commit(run: Run, spec: MaskingJobSpec, result: Result) -> None:
    """Put into the status all that publishing needs, whatever becomes of the pod."""
    output = result.output
    if output is None:
        raise ValueError("an answer that was checked names its output")
    path = output_location(run.owner, spec).path
    stored: Manifest = {
        "path": path,
        "digest": output.digest,
        "rows": output.rows,
        "bytes": output.bytes,
        "columns": [column.manifest() for column in output.columns],
    }
    if output.file_id is not None:
        stored["sourceId"] = output.file_id
    if result.report_file is not None:
        stored["report"] = _stored_file(report_path(path), result.report_file)
    counts = Counter(entry.transform for entry in result.report.columns) if result.report else {}
    run.draft.put(
        output=stored,
        privacy=privacy_status(result.report),
        freeText=free_text_status(result.report),
        report=run.report_name,
        transforms=[
            {"transform": name, "columns": number} for name, number in sorted(counts.items())
        ],
    )


def _stored_file(path: str, file: ResultFile) -> Manifest:
    stored: Manifest = {"path": path, "digest": file.digest, "bytes": file.bytes}
    return stored | ({} if file.file_id is None else {"sourceId": file.file_id})


def dataset_manifest(run: Run, spec: MaskingJobSpec) -> Manifest:
    """The Dataset that the job makes; it is owned by nothing, for it outlives the job.

    Tags and subject are those that the source had when the job was admitted.
    """
    output, admission = spec.output, run.status["admission"]
    columns = [column["name"] for column in run.status["output"]["columns"]]
    made: Manifest = {
        "location": output_location(run.owner, spec).manifest(),
        "format": output.format,
        "sensitivity": "Raw" if spec.direction == "Unmask" else "Masked",
        "sealedWith": _key_ref(output.sealed_with, run.owner.namespace).manifest(),
    }
    if output.grants:
        made["grants"] = [grant.manifest() for grant in output.grants]
    tagged = _tagged(_led_back(run, spec), admission.get("tags", ()), columns)
    if tagged:
        made["columns"] = tagged
    if admission.get("subjectColumn") in columns:
        made["subjectColumn"] = admission["subjectColumn"]
    placed = metadata(run.owner, output.dataset, OUTPUT_ROLE, owned=False)
    placed["annotations"][PRODUCED_BY_ANNOTATION] = run.owner.id
    return {"apiVersion": API_VERSION, "kind": DATASET.kind, "metadata": placed, "spec": made}


def dataset_status(run: Run, generation: int) -> Manifest:
    """The status that makes the Dataset usable."""
    output, owner = run.status["output"], run.owner
    key_id = next(k["id"] for k in run.status["admission"]["keys"] if k["role"] == OUTPUT_ROLE)
    status = {
        "observedGeneration": generation,
        "keyId": key_id,
        "digest": output["digest"],
        "bytes": output["bytes"],
        "rows": output["rows"],
        "columns": output["columns"],
        "sealed": True,
        "producedBy": {
            "kind": owner.kind,
            "name": owner.name,
            "uid": owner.uid,
            **_scope(run.status["admission"]),
        },
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Published",
                "message": produced_message(owner.kind, owner.name, output["rows"]),
                "lastTransitionTime": timestamp(run.context.now),
                "observedGeneration": generation,
            }
        ],
    }
    for field in ("sourceId", "report"):
        if field in output:
            status[field] = output[field]
    return status


def _scope(admission: Manifest) -> Manifest:
    """What scope Dataset stood for, where it was masked."""
    known = admission.get("datasetScope")
    return {} if known is None else {"datasetScope": known}


def _key_ref(ref: KeyRef, home: str) -> KeyRef:
    """The reference with its namespace written out."""
    vault = Ref(name=ref.vault.name, namespace=ref.vault.namespace or home)
    return KeyRef(vault=vault, key=ref.key)


def _led_back(run: Run, spec: MaskingJobSpec) -> set[str]:
    """The columns whose values name people again."""
    if spec.direction == "Mask":
        return set()
    columns = [column["name"] for column in run.status["output"]["columns"]]
    transforms = expand(_transforms(spec, run.status["admission"]), columns)
    return {name for name, transform in transforms.items() if transform in REVERSIBLE}


def _tagged(
    led_back: set[str], source: Sequence[Manifest], columns: Sequence[str]
) -> list[Manifest]:
    """What the new Dataset says of its columns: what the source did, as far as it still holds.

    What named a person directly was masked, which IdentifierKept sees to; what is led back does so
    again.
    """
    tags: dict[str, list[Tag]] = {column["name"]: column["tags"] for column in source}
    known = [*tags, *sorted(led_back - tags.keys())]
    found = []
    for name in (name for name in known if below(name, columns)):
        named: list[Tag] = ["DirectIdentifier"] if name in led_back else []
        told = [*named, *(tag for tag in tags.get(name, []) if tag != "DirectIdentifier")]
        if told:
            found.append({"name": name, "tags": told})
    return found
