"""Lays out the language models of the image, one folder per language, and tries each.

Of a wheel only the pipeline is taken, data by spaCy's own format: code that it may hold is not.

    python install_models.py FROM TO
"""

import json
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Final

from leeward_masking.errors import JobError
from leeward_masking.freetext.detector import LANGUAGES
from leeward_masking.freetext.installedmodels import model_in

_META: Final = "meta.json"
_CONFIG: Final = "config.cfg"


def main(given: list[str]) -> int:
    """Lay out what lies in one folder into another; say what each is, and under which license."""
    source, target = Path(given[0]), Path(given[1])
    found = [path for path in sorted(source.iterdir()) if path.is_dir() or path.suffix == ".whl"]
    try:
        if not found:
            raise ValueError(f"no model lies in {source}: put wheels or folders of spaCy there")
        for path in found:
            _install(path, target)
        for language in sorted(path.name for path in target.iterdir()):
            model_in(target, language).persons(["."])
    except (ValueError, JobError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _install(path: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pipeline = _pipeline_of_wheel(path, Path(folder)) if path.suffix == ".whl" else path
        if not (pipeline / _META).is_file() or not (pipeline / _CONFIG).is_file():
            raise ValueError(f"{path.name} is no spaCy pipeline: it lacks {_META} or {_CONFIG}")
        meta = json.loads((pipeline / _META).read_text(encoding="utf-8"))
        language = meta.get("lang")
        if language not in LANGUAGES:
            known = ", ".join(LANGUAGES)
            raise ValueError(f"{path.name} is for language {language}: freeText knows {known}")
        if (target / language).exists():
            raise ValueError(f"{path.name} is a second model for language {language}: remove one")
        shutil.copytree(pipeline, target / language)
    told = (meta.get(name) or "unknown" for name in ("name", "version", "license"))
    print(f"{language}: {' '.join(map(str, told))}")  # noqa: T201


def _pipeline_of_wheel(wheel: Path, folder: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        names = {PurePosixPath(name): name for name in archive.namelist()}
        roots = [
            name.parent for name in names if name.name == _META and name.parent / _CONFIG in names
        ]
        if len(roots) != 1:
            raise ValueError(f"{wheel.name} holds {len(roots)} spaCy pipelines, and one is needed")
        inside = [name for path, name in names.items() if roots[0] in path.parents]
        archive.extractall(folder, inside)
    return folder / roots[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
