"""``leeward mask init``: a manifest for a file on this machine, to be read before it is applied."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from leeward.api.meta import API_VERSION, MAX_RESOURCE_NAME
from leeward.cli.errors import CliError
from leeward.cli.jobfile import job_file
from leeward.cli.localfiles import STDIO, check_target, into_new_file, writing_to
from leeward.cli.maskcheck import IDENTIFYING, check_job
from leeward.cli.maskpreview import EXTRA_REMEDY
from leeward.cli.output import counted, print_raw, printable
from leeward.cli.proposing import TOKENS, Proposal, Proposals, propose
from leeward.cli.session import Session

if TYPE_CHECKING:
    from leeward.api.csvoptions import CsvOptions
    from leeward.cli.maskprofile import FileProfile

MOST_RULES: Final = 200
_TRIES: Final = 3
"""What is dropped changes how coarse a privacy model makes the rest, so it is looked at again."""
_SUFFIX: Final = "-masked"
_NAME: Final = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class InitRequest:
    """What the manifest is for.

    Attributes:
        name: Of the Dataset; the job and its output are called after it. Empty: as the file.
        vault: KeyVault that is there already; None: the manifest has one.
        claim: PersistentVolumeClaim with the data.
        target: Where the manifest goes; ``-`` is standard output.
        csv: How the file is written, as far as that is said.
    """

    data: Path
    name: str
    purpose: str
    claim: str
    vault: str | None
    target: Path
    force: bool
    csv: CsvOptions | None = None


def write_manifest(session: Session, request: InitRequest) -> None:
    """Profile the file, and write a manifest with a tag, a rule and a reason for each column.

    Raises:
        CliError: The file cannot be read, or has too many columns for one job.
    """
    try:
        from leeward.cli.maskprofile import profile_file
    except ImportError as error:
        raise CliError(
            f"the masking engine is not installed ({error.name})", EXTRA_REMEDY
        ) from error
    check_target(request.target, force=request.force, source=request.data)
    name = _checked_name(request)
    found = profile_file(request.data, request.csv)
    if len(found.columns) > MOST_RULES:
        raise CliError(
            f"{request.data} has {len(found.columns)} columns, and a job has {MOST_RULES} rules at"
            " most",
            "write rules that find several columns, by match: pattern, type or detected",
        )
    vault = request.vault or name

    def text_of(proposals: Proposals) -> str:
        return "".join(_documents(request, name, vault, found, proposals))

    proposals = _checked(session, request.data, propose(found.columns, vault), text_of)
    text = text_of(proposals)
    if request.target == STDIO:
        print_raw(session.out, text)
    else:
        with writing_to(request.target):
            into_new_file(session, request.target, lambda file: file.write(text.encode()), 0o644)
    _say(session, request, name, found, proposals)


def _checked(
    session: Session, data: Path, proposals: Proposals, text_of: Callable[[Proposals], str]
) -> Proposals:
    """The proposals, tried on the rows that they were made of, and mended."""
    for _ in range(_TRIES):
        manifests = [one for one in yaml.safe_load_all(text_of(proposals)) if one]
        try:
            checked = check_job(session, job_file(manifests, "the proposal"), data)
        except CliError as error:
            session.err.print(f"tried on these rows, it fails: {error.message}", markup=False)
            return proposals
        identifying = {f.column: f.reason for f in checked.findings if f.verdict == IDENTIFYING}
        mended = proposals.mended(identifying)
        if mended == proposals:
            break
        proposals = mended
    return proposals


def _say(
    session: Session, request: InitRequest, name: str, found: FileProfile, proposals: Proposals
) -> None:
    tagged = sum(one.tag is not None for one in proposals.columns)
    where = "the manifest" if request.target == STDIO else str(request.target)
    session.err.print(
        f"{counted(found.rows, 'row')} of {request.data} read;"
        f" {counted(len(proposals.columns), 'column')}, {tagged} of them tagged",
        markup=False,
    )
    flawed = [one.column for one in proposals.columns if one.flaw]
    if flawed:
        session.err.print(
            f"still identifying behind their rules: {printable(', '.join(flawed))}", markup=False
        )
    session.err.print(
        "it is a proposal, and no detection is complete: read every line of it. Then:\n"
        f"  leeward mask preview {request.data} -f {where}\n"
        f"  leeward mask check {request.data} -f {where}\n"
        f"  kubectl apply -f {where}\n"
        f"  leeward dataset put {name} {request.data}",
        markup=False,
    )


def _checked_name(request: InitRequest) -> str:
    name = request.name
    if not name:
        name = re.sub(r"[^a-z0-9]+", "-", request.data.name.split(".")[0].lower()).strip("-")
        name = name if name[:1].isalpha() else f"data-{name}".rstrip("-")
        name = name[: MAX_RESOURCE_NAME - len(_SUFFIX)].rstrip("-")
    if not _NAME.fullmatch(name) or len(name) > MAX_RESOURCE_NAME - len(_SUFFIX):
        raise CliError(
            f"{printable(name)!r} cannot be the name of a Dataset",
            "give one with --name: lower-case letters, digits and '-', beginning with a letter, at"
            f" most {MAX_RESOURCE_NAME - len(_SUFFIX)} characters",
        )
    return name


def _documents(
    request: InitRequest, name: str, vault: str, found: FileProfile, proposals: Proposals
) -> Iterator[str]:
    yield f"# Proposed by leeward mask init from the first {counted(found.rows, 'row')} of a file."
    yield " Read every line:\n# no detection is complete.\n"
    if request.vault is None:
        yield _vault(vault, proposals)
    yield _dataset(request, name, vault, found, proposals)
    yield _job(request, name, vault, proposals)


def _vault(vault: str, proposals: Proposals) -> str:
    keys = [
        _key("intake", "HPKE_X25519", "Open", "data owners seal to its public half"),
        _key("data", "AES256_GCM", "Seal, Open", "seals what masking writes", preview=True),
    ]
    if proposals.needs_key:
        keys.append(_key(TOKENS, "AES256_SIV", "Mask", "tokens, and how far dates are shifted"))
    return _head("KeyVault", vault) + "spec:\n  keys:\n" + "".join(keys)


def _key(name: str, algorithm: str, operations: str, why: str, *, preview: bool = False) -> str:
    text = f"    - name: {name} # {why}\n      algorithm: {algorithm}\n      grants:\n"
    text += f"        - {{name: masking, kinds: [MaskingJob], operations: [{operations}]}}\n"
    if preview:
        text += "        - {name: preview, kinds: [DatasetPreview], operations: [Open]}\n"
    return text


def _dataset(
    request: InitRequest, name: str, vault: str, found: FileProfile, proposals: Proposals
) -> str:
    lines = [
        _head("Dataset", name),
        "spec:\n",
        f"  location: {_location(request, f'raw/{name}{found.suffix}.lwe1')}\n",
        f"  format: {found.form}\n",
    ]
    if found.csv is not None:
        options = found.csv.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        lines.append(f"  csv: {_flow(options)}\n")
    lines.append("  sensitivity: Raw\n")
    lines.append(f"  sealedWith: {{vault: {{name: {_flow(vault)}}}, key: intake}}\n")
    if proposals.subject is not None:
        lines.append(f"  subjectColumn: {_flow(proposals.subject)}\n")
    tagged = [one for one in proposals.columns if one.tag is not None]
    if tagged:
        lines.append("  columns:\n")
    for one in tagged:
        entry = {"name": one.column, "tags": [one.tag]}
        lines.append(f"    - {_flow(entry)} # {_comment(one)}\n")
    grant = {"name": "masking", "kinds": ["MaskingJob"], "purposes": [request.purpose]}
    lines.append(f"  grants:\n    - {_flow(grant)}\n")
    return "".join(lines)


def _job(request: InitRequest, name: str, vault: str, proposals: Proposals) -> str:
    lines = [
        _head("MaskingJob", name),
        f"spec:\n  purpose: {_flow(request.purpose)}\n  source: {{name: {name}}}\n",
        "  defaultAction: Fail # a column that comes later has no rule yet\n  columns:\n",
    ]
    for one in proposals.columns:
        rule = {"name": one.column, one.transform: one.parameters}
        lines.append(f"    - {_flow(rule)} # {_comment(one)}\n")
    if proposals.quasi_identifiers:
        model: dict[str, Any] = {
            "k": 5,
            "quasiIdentifiers": list(proposals.quasi_identifiers),
            "maxSuppression": "0.05",
        }
        if proposals.subject is None:
            model["count"] = "Rows"
        lines.append(
            "  privacyModel: # a heuristic: no combination of these is shared by fewer than k\n"
            f"    kAnonymity: {_flow(model)}\n"
        )
    grant = {"name": "look", "kinds": ["DatasetPreview"], "purposes": [request.purpose]}
    lines.append(
        f"  output:\n    dataset: {name}{_SUFFIX}\n"
        f"    location: {_location(request, 'masked/')}\n"
        f"    sealedWith: {{vault: {{name: {_flow(vault)}}}, key: data}}\n"
        f"    grants:\n      - {_flow(grant)}\n"
    )
    return "".join(lines)


def _location(request: InitRequest, path: str) -> str:
    return _flow({"volume": {"claimName": request.claim, "path": path}})


def _head(kind: str, name: str) -> str:
    return f"---\napiVersion: {API_VERSION}\nkind: {kind}\nmetadata: {{name: {name}}}\n"


def _comment(proposal: Proposal) -> str:
    flaw = f"; mask check finds all the same: {proposal.flaw}" if proposal.flaw else ""
    return printable(proposal.reason + flaw)


def _flow(value: Any) -> str:
    """A value in one line of YAML."""
    text = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=1 << 20
    )
    return str(text).removesuffix("...\n").strip()
