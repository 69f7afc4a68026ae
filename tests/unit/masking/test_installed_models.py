"""Language models by Presidio and spaCy, on small pipelines that are made here."""

import contextlib
import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import spacy
from spacy.language import Language
from spacy.training import Example
from thinc.api import fix_random_seed

import install_models
from leeward_masking.errors import JobError
from leeward_masking.freetext.installedmodels import FOLDER_VARIABLE, ZONE, installed_model
from leeward_masking.report.sections import sections_of
from unit.masking.support import Volume, rule

NAMES = ["lilac", "grizzle umber", "teasel"]
FRAMES = ["yesterday {} came in late", "we asked {} for a form", "there was {} and no one else"]


def trained() -> Language:
    """Knows three names that no list holds, in small letters, which no pattern finds."""
    fix_random_seed(1)
    pipeline = spacy.blank("en")
    pipeline.add_pipe("ner")
    examples = []
    for name in NAMES:
        for frame in FRAMES:
            first = frame.index("{")
            marked = {"entities": [(first, first + len(name), "PERSON"), (0, 2, "ORG")]}
            given = marked if frame.startswith("we") else {"entities": marked["entities"][:1]}
            examples.append(Example.from_dict(pipeline.make_doc(frame.format(name)), given))
    optimizer = pipeline.initialize(lambda: examples)
    for _ in range(30):
        pipeline.update(examples, sgd=optimizer)
    pipeline.meta.update(name="small", version="1.0", license="CC0")
    return pipeline


def ruled(language: str, label: str, pattern: str) -> Language:
    pipeline = spacy.blank(language)
    ruler: Any = pipeline.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": label, "pattern": pattern}])
    return pipeline


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a user puts into the folder: a wheel, and a folder."""
    made, given = tmp_path_factory.mktemp("made"), tmp_path_factory.mktemp("given")
    trained().to_disk(made)
    with zipfile.ZipFile(given / "en_small-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("en_small/__init__.py", "raise SystemExit")
        wheel.writestr("en_small/meta.json", "{}")
        for path in sorted(made.rglob("*")):
            wheel.write(path, f"en_small/en_small-1.0/{path.relative_to(made)}")
    ruled("zh", "PER", "滑稽").to_disk(given / "chinese")
    (given / "README.md").write_text("read me")
    return given


@pytest.fixture(scope="module")
def models(given: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("models")
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        assert install_models.main([str(given), str(target)]) == 0
    assert told.getvalue().splitlines() == ["zh: pipeline 0.0.0 unknown", "en: small 1.0 CC0"]
    return target


@pytest.fixture
def installed(models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(models))
    return models


def test_a_job_masks_what_models_and_patterns_find(volume: Volume, installed: Path) -> None:
    notes = [
        "yesterday grizzle umber came in late, tel +44 7700 900123",
        "滑稽来电",
        "Seen with Mrs Jane Roe.",
    ]
    frame = pl.DataFrame({"note": notes})
    source = volume.source(volume.write_frame(frame), dict(frame.schema))
    free_text: dict[str, object] = {
        "languages": ["en", "zh"],
        "engine": "Model",
        "minRecall": "0.5",
    }
    result = volume.mask(source, [rule("note", "freeText", free_text)])
    assert volume.masked()["note"].to_list() == [
        "yesterday [PERSON] came in late, tel [PHONE]",
        "[PERSON]来电",
        "Seen with Mrs [PERSON].",
    ]
    assert result.report is not None
    (told,) = result.report.free_text
    assert told.found["Person"] == 3
    assert {one.language for one in told.recall} == {"en", "zh"}
    listed = [["note", "en", "en_small", "1.0"], ["note", "zh", "zh_pipeline", "0.0.0"]]
    assert [[told.column, *one.model_dump().values()] for one in told.models] == listed
    (section,) = sections_of(result.report)
    assert [table.rows for table in section.tables if table.header[-1] == "Version"] == [listed]


def test_several_threads_find_the_same(installed: Path) -> None:
    texts = [frame.format(name) for frame in FRAMES for name in NAMES]
    with ThreadPoolExecutor(3) as pool:
        first, *more = pool.map(installed_model("en").persons, [texts] * 3)
    assert more == [first] * 2
    start = FRAMES[0].index("{")
    assert first[0] == [(start, start + len(NAMES[0]))]


def test_many_texts_are_told_in_order(installed: Path) -> None:
    texts = ["滑稽" if number % 7 == 0 else "患者" for number in range(ZONE + 9)]
    found = installed_model("zh").persons(texts)
    assert found == [[(0, 2)] if text == "滑稽" else [] for text in texts]


def test_spacy_keeps_no_words_of_notes(installed: Path) -> None:
    model: Any = installed_model("en")
    before = len(model._pipeline.vocab.strings)
    model.persons([f"word{number}" for number in range(100)])
    assert len(model._pipeline.vocab.strings) == before


def test_a_language_without_a_model_is_named(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "zh").symlink_to(models / "zh")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert installed_model("zh").persons(["滑稽"]) == [[(0, 2)]]
    with pytest.raises(JobError, match='no model for language "en" is in this image'):
        installed_model("en")


def test_what_cannot_be_used_is_not_built(
    given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = next(given.glob("*.whl"))
    bad = tmp_path / "bad"
    (bad / "x").mkdir(parents=True)

    def told(why: str) -> None:
        target = tmp_path / f"to-{len(list(tmp_path.iterdir()))}"
        target.mkdir()
        assert install_models.main([str(bad), str(target)]) == 1
        assert why in capsys.readouterr().err

    told("x is no spaCy pipeline: it lacks meta.json or config.cfg")
    (bad / "x").rmdir()
    told("no model lies in")
    ruled("de", "PER", "x").to_disk(bad / "german")
    told("german is for language de: freeText knows en, zh")
    (bad / "german").rename(tmp_path / "german")
    ruled("en", "ORG", "x").to_disk(bad / "places")
    told('the model for language "en" cannot be read by the spaCy of this image, or finds no')
    (bad / wheel.name).write_bytes(wheel.read_bytes())
    told("is a second model for language en: remove one")
    with zipfile.ZipFile(bad / "a.whl", "w") as empty:
        empty.writestr("a/__init__.py", "")
    told("a.whl holds 0 spaCy pipelines, and one is needed")
