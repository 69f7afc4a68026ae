"""Makes CRDs, the chart's CRD template, its table of values and the reference from one source.

``leeward.api`` says what the resources are, ``values.schema.json`` what the chart can be told.
Everything here is a pure function of these two; ``tools/generate/__main__.py`` writes the result.
"""

from pathlib import Path

from generator.admission import admission_template
from generator.bounds import explained
from generator.chart import crd_template, kinds_template, values_file, with_values_table
from generator.crds import crd, to_yaml
from generator.reference import index_page, kind_page
from leeward.api import KINDS

OWNED_FOLDERS = ("crds", "docs/reference")
"""Folders in which nothing but generated files may stand."""
CHART = "charts/leeward"


def generated_files(root: Path) -> dict[str, str]:
    """Every generated file: path relative to ``root`` -> contents.

    Raises:
        SchemaError: A model cannot be said as a structural schema, or a field is undescribed.
    """
    crds = {kind.plural: crd(kind) for kind in KINDS}
    shown = {plural: explained(made) for plural, made in crds.items()}
    files = {f"crds/{plural}.yaml": to_yaml(made) for plural, made in shown.items()}
    files |= {
        f"docs/reference/{kind.kind.lower()}.md": kind_page(kind, crds[kind.plural])
        for kind in KINDS
    }
    files["docs/reference/README.md"] = index_page(KINDS)
    files[f"{CHART}/templates/crds.yaml"] = crd_template(list(shown.values()))
    files[f"{CHART}/templates/admission.yaml"] = admission_template()
    files[f"{CHART}/templates/_kinds.tpl"] = kinds_template(KINDS)
    schema = (root / CHART / "values.schema.json").read_text()
    files[f"{CHART}/values.yaml"] = values_file(schema)
    readme = (root / CHART / "README.md").read_text()
    files[f"{CHART}/README.md"] = with_values_table(readme, schema)
    return files


def outdated(root: Path, files: dict[str, str]) -> list[str]:
    """Paths that are missing, differ, or stand in an owned folder without being generated."""
    differing = [
        path
        for path, text in files.items()
        if not (root / path).exists() or (root / path).read_text() != text
    ]
    present = {
        str(path.relative_to(root))
        for folder in OWNED_FOLDERS
        for path in (root / folder).glob("*")
        if path.is_file()
    }
    return sorted({*differing, *(present - files.keys())})
