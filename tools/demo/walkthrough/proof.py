"""Proof that the volume holds nothing readable: search it for people who are in the data."""

import json
from pathlib import Path
from typing import Any, Final

import polars as pl
from rich.table import Table

from walkthrough import scan
from walkthrough.manifests import Cast
from walkthrough.stage import Stage, StepFailedError

POD: Final = "demo-scan"
NEEDLES_PER_COLUMN: Final = 300
NEEDLE_COLUMNS: Final = ("name", "mail", "insurance_number", "phone")


def show(stage: Stage, cast: Cast, table: pl.DataFrame, folder: Path) -> None:
    """Scan the volume in a pod, and as a control the plain file on this machine.

    Raises:
        StepFailedError: Something readable was found, or the control finds nothing.
    """
    stage.step("Search the volume for people who are in the data")
    needles = needles_of(table)
    plain = f"{cast.source}.csv"
    control = next(f for f in scan.scan(str(folder), needles) if f["path"] == plain)
    if not control["hits"]:
        raise StepFailedError(
            "the search finds nothing in the plain file either: it proves nothing"
        )
    found = _scan_volume(stage, cast, needles)
    if not found:
        raise StepFailedError("the volume holds no file")
    _print(stage, control, found)
    readable = [file["path"] for file in found if file["hits"] or file["magic"] != "LWE1"]
    if readable:
        raise StepFailedError(f"the volume holds something readable: {', '.join(readable)}")
    stage.note(
        f"{len(needles):,} names, mails, numbers and phones: none stands in any file on the volume"
    )


def needles_of(table: pl.DataFrame) -> list[str]:
    """Values that name people, spread over the data."""
    values: set[str] = set()
    for column in NEEDLE_COLUMNS:
        different = table[column].unique(maintain_order=True)
        step = max(1, len(different) // NEEDLES_PER_COLUMN)
        values.update(different.gather_every(step).to_list())
    return sorted(values)


def _scan_volume(stage: Stage, cast: Cast, needles: list[str]) -> list[dict[str, Any]]:
    place = ("-n", cast.namespace)
    image = _masking_image(stage)
    delete = (*place, "delete", "pod", POD, "--ignore-not-found", "--grace-period=0", "--force")
    stage.kubectl(*delete)
    stage.kubectl(*place, "apply", "-f", "-", stdin=json.dumps(_pod(image, cast.claim)))
    try:
        stage.kubectl(*place, "wait", "--for=condition=Ready", f"pod/{POD}", "--timeout=60s")
        source = Path(scan.__file__).read_text()
        command = ("exec", "-i", POD, "--", "python3", "-c", source, "/data")
        answer = stage.kubectl(*place, *command, stdin=json.dumps(needles))
    finally:
        stage.kubectl(*delete)
    found: list[dict[str, Any]] = json.loads(answer)
    return found


def _masking_image(stage: Stage) -> str:
    path = '{.spec.template.spec.containers[0].env[?(@.name=="LEEWARD_MASKING_IMAGE")].value}'
    args = ("-n", "leeward-system", "get", "deployment", "leeward-operator")
    return stage.kubectl(*args, "-o", f"jsonpath={path}").strip()


def _print(stage: Stage, control: dict[str, Any], found: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 3))
    for header in ("where", "file", "bytes", "begins", "entropy", "hits"):
        table.add_column(header, justify="right" if header in ("bytes", "hits") else "left")
    rows = [("this machine", control), *(("volume", file) for file in found)]
    for where, file in rows:
        begins = "".join(c if c.isprintable() else "." for c in file["magic"])
        style = "red" if file["hits"] else "green"
        table.add_row(
            where,
            file["path"],
            f"{file['bytes']:,}",
            begins,
            f"{file['entropy']:.3f} of 8 bits",
            f"[{style}]{file['hits']:,}[/{style}]",
        )
    stage.console.print(table, markup=True)


def _pod(image: str, claim: str) -> dict[str, Any]:
    """A restricted pod that reads the volume."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": POD, "labels": {"app.kubernetes.io/name": POD}},
        "spec": {
            "automountServiceAccountToken": False,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": 300,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "runAsGroup": 65532,
                "fsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "scan",
                    "image": image,
                    "command": ["python3", "-c", "import time; time.sleep(300)"],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}],
                }
            ],
            "volumes": [
                {
                    "name": "data",
                    "persistentVolumeClaim": {"claimName": claim, "readOnly": True},
                }
            ],
        },
    }
