"""The story, step by step."""

import json
import os
import re
from pathlib import Path
from typing import Any, Final

import polars as pl
from rich.text import Text

from walkthrough import proof, shows
from walkthrough.data import make_table, write_files
from walkthrough.manifests import Cast, cast_of, read_manifests
from walkthrough.stage import Stage, StepFailedError

EXAMPLES: Final = Path("examples/masking")
NAMESPACE_FILE: Final = "00-namespace.yaml"
JOB_FILE: Final = "40-masking.yaml"
BUILD: Final = Path("build/demo")
SHOWN_ROWS: Final = (0, 5)


def tell(stage: Stage, root: Path) -> None:
    """The whole demo.

    Raises:
        StepFailedError: A step failed.
    """
    documents = read_manifests(root / EXAMPLES)
    cast = cast_of(documents)
    context = ("--context", stage.context) if stage.context else ()
    place = ("-n", cast.namespace, *context)
    _clear(stage, cast)
    _apply(stage, root, cast, context)
    table, sealed = _seal(stage, root, cast, place)
    _bring_in(stage, cast, sealed, place)
    _mask(stage, root, cast, place)
    _compare(stage, cast, table, place)
    _report(stage, cast)
    proof.show(stage, cast, table, root / BUILD)
    shows.metrics(stage)
    _next(stage, cast)


def _clear(stage: Stage, cast: Cast) -> None:
    """Take away what an earlier run made, so that this one shows everything again."""
    if not stage.kubectl("get", "namespace", cast.namespace, "--ignore-not-found", "-o", "name"):
        return
    stage.kubectl(
        *("-n", cast.namespace, "delete", "--ignore-not-found", "--timeout=60s"),
        *(f"maskingjob/{cast.job}", f"dataset/{cast.output}"),
        timeout=90,
    )


def _apply(stage: Stage, root: Path, cast: Cast, context: tuple[str, ...]) -> None:
    stage.step("Say what shall be: a volume, a vault, a dataset that waits for its data")
    stage.note("The operator may deliver keys only into namespaces that somebody enabled:")
    stage.kubectl("apply", "-f", str(root / EXAMPLES / NAMESPACE_FILE))
    stage.leeward("namespace", "enable", cast.namespace, *context)
    files = sorted((root / EXAMPLES).glob("*.yaml"))
    for file in files:
        if file.name != JOB_FILE:
            _apply_shown(stage, root, EXAMPLES / file.name)
    _take_over_keys(stage, cast)


def _take_over_keys(stage: Stage, cast: Cast) -> None:
    """Where the namespace was deleted and made again, the vault waits to be given its old keys."""
    get = ("-n", cast.namespace, "get", "keyvault", cast.vault, "-o", "json")

    def ready() -> dict[str, str] | None:
        conditions = json.loads(stage.kubectl(*get)).get("status", {}).get("conditions", [])
        return next((c for c in conditions if c["type"] == "Ready"), None)

    condition = stage.until(f"a condition of KeyVault {cast.vault}", ready, timeout=30)
    if condition["reason"] != "KeysetRetained":
        return
    match = re.search(r"leeward\.dev/adopt=[0-9a-f]{32}", condition["message"])
    if match is None:
        raise StepFailedError(f"KeyVault {cast.vault}: {condition['message']}")
    stage.note("A vault of that name was here before, and its keys outlived it. Take them over:")
    annotate = ("annotate", "keyvault", cast.vault, "--overwrite", match[0])
    stage.command(f"kubectl -n {cast.namespace} {' '.join(annotate)}")
    stage.kubectl("-n", cast.namespace, *annotate)


def _apply_shown(stage: Stage, root: Path, path: Path) -> None:
    stage.command(f"kubectl apply -f {path}")
    for line in stage.kubectl("apply", "-f", str(root / path)).splitlines():
        stage.note(f"  {line}")


def _seal(
    stage: Stage, root: Path, cast: Cast, place: tuple[str, ...]
) -> tuple[pl.DataFrame, Path]:
    stage.step("Make the data, and seal it before it leaves this machine")
    table = make_table()
    folder = root / BUILD
    parquet, csv = write_files(table, folder, cast.source)
    plain = parquet if cast.format == "Parquet" else csv
    people = table["patient_id"].n_unique()
    stage.note(
        f"RAND Health Insurance Experiment with made-up identifiers: {table.height:,} visits of"
        f" {people:,} people, {table.width} columns"
    )

    def public_key() -> str | None:
        try:
            return stage.leeward("dataset", "public-key", cast.source, *place, shown=False)
        except StepFailedError:
            return None

    pem = stage.until(f"a public half of Dataset {cast.source}", public_key, timeout=60)
    stage.command(f"leeward dataset public-key {cast.source} -n {cast.namespace} > dataset.pem")
    key = folder / "dataset.pem"
    key.write_text(pem)
    sealed = plain.with_name(plain.name + ".lwe1")
    here = [os.path.relpath(path) for path in (plain, key, sealed)]
    stage.leeward("seal", here[0], "--to", here[1], "--output", here[2], "--force")
    return table, Path(here[2])


def _bring_in(stage: Stage, cast: Cast, sealed: Path, place: tuple[str, ...]) -> None:
    stage.step("Bring the sealed file into the cluster")
    args = ("dataset", "put", cast.source, str(sealed), "--replace", "--timeout", "2m")
    stage.leeward(*args, *place, timeout=150)


def _mask(stage: Stage, root: Path, cast: Cast, place: tuple[str, ...]) -> None:
    stage.step("Mask it")
    _apply_shown(stage, root, EXAMPLES)
    args = ("wait", f"maskingjob/{cast.job}", "--for", "Complete", "--timeout", "2m")
    stage.leeward(*args, *place, timeout=150)
    stage.command(f"leeward get -n {cast.namespace}")
    stage.console.print(Text(stage.leeward("get", *place, shown=False).rstrip()))


def _compare(stage: Stage, cast: Cast, table: pl.DataFrame, place: tuple[str, ...]) -> None:
    stage.step("Look at rows before and after")
    args = ("dataset", "preview", cast.output, "--purpose", cast.purpose)
    rows = max(SHOWN_ROWS) + 1
    answer = stage.leeward(*args, "--rows", str(rows), "-o", "json", *place, timeout=150)
    after: list[dict[str, Any]] = json.loads(answer)["rows"]
    before = table.head(rows).to_dicts()
    shows.side_by_side(stage, [(before[i], after[i]) for i in SHOWN_ROWS])


def _report(stage: Stage, cast: Cast) -> None:
    stage.step("The report, in short")
    get = ("-n", cast.namespace, "get")
    job = json.loads(stage.kubectl(*get, "maskingjob", cast.job, "-o", "json"))
    name = job["status"].get("report")
    if not name:
        raise StepFailedError(f"MaskingJob {cast.job} has no report in its status")
    data = json.loads(stage.kubectl(*get, "configmap", name, "-o", "json"))["data"]
    shows.report(stage, json.loads(data["report.json"]))


def _next(stage: Stage, cast: Cast) -> None:
    stage.step("Go on from here")
    for command in (
        ""
        if stage.context
        else "python3 tools/cluster exec -- bash    (a shell with kubectl, helm)",
        "source .venv/bin/activate               (brings leeward)",
        f"kubectl get leeward -n {cast.namespace}",
        f"leeward describe maskingjob {cast.job} -n {cast.namespace}",
        f"leeward logs maskingjob/{cast.job} -n {cast.namespace}",
        f"leeward mask preview -f {EXAMPLES}/ {BUILD}/{cast.source}.csv",
        "kubectl explain maskingjob.spec.columns",
        "leeward doctor",
    ):
        if command:
            stage.note(command)
