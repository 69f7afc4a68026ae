"""The tree keeps the promises that ARCHITECTURE.md and CONTRIBUTING.md make about it."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from leeward.api import KINDS

ROOT = Path(__file__).resolve().parents[2]
MAX_FILE_LINES = 420
MAX_FUNCTION_LINES = 60


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def table_rows() -> Iterator[list[str]]:
    for line in (ROOT / "ARCHITECTURE.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 8 and cells[0] in {kind.kind for kind in KINDS}:
            yield cells


def test_every_kind_has_a_row() -> None:
    assert [row[0] for row in table_rows()] == [kind.kind for kind in KINDS]


@pytest.mark.parametrize("row", list(table_rows()), ids=lambda row: row[0])
def test_what_a_row_names_exists(row: list[str]) -> None:
    _, api, plan, crd, image, example, tests, guide = row
    source = ROOT / "operator/src/leeward"
    paths = [source / api, source / plan, ROOT / "images" / image / "Containerfile"]
    paths += [ROOT / name for name in (crd, example, guide, *tests.split(", "))]
    assert [str(path.relative_to(ROOT)) for path in paths if not path.exists()] == []


def test_operator_folder_does_not_shadow_the_standard_library() -> None:
    assert not list((ROOT / "operator").glob("*.py"))


def test_python_files_and_functions_stay_small() -> None:
    too_long = []
    for path in tracked_files():
        if path.suffix != ".py":
            continue
        text = path.read_text()
        if text.count("\n") > MAX_FILE_LINES:
            too_long.append(str(path.relative_to(ROOT)))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    too_long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert too_long == []


def test_lock_files_have_hashes_and_no_addresses() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text()
        pins = re.findall(r"^[a-z0-9][\w.-]*==", text, re.MULTILINE)
        assert pins, path.name
        assert text.count("--hash=sha256:") >= len(pins), path.name
        assert "://" not in text, path.name


def test_links_in_documents_lead_somewhere() -> None:
    broken = []
    for path in tracked_files():
        if path.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
            if "://" not in target and not (path.parent / target).exists():
                broken.append(f"{path.relative_to(ROOT)}: {target}")
    assert broken == []
