"""The language models of this image, by Presidio's analyzer over spaCy.

Neither is part of the ordinary image: they are imported where a rule asks for a model. Nothing is
fetched: a model is a folder, by language, below the one that ``LEEWARD_MODELS`` names.
"""

import importlib
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Final

from leeward_masking.errors import JobError
from leeward_masking.freetext.modelpersons import Extent, NameModel

FOLDER_VARIABLE: Final = "LEEWARD_MODELS"
BATCH: Final = 256
"""Texts that a model reads together."""
ZONE: Final = 4096
"""Texts after which spaCy forgets the words that it met: it would keep every one otherwise."""
_PERSON: Final = "PERSON"
_LABELS: Final = {"PERSON": _PERSON, "PER": _PERSON}
"""What models call persons: those trained on OntoNotes, and those on other corpora."""
_SHOWN: Final = 100
"""Characters of the name of a model."""
_UNUSED: Final = ("tagger", "morphologizer", "parser", "attribute_ruler", "lemmatizer", "textcat")
"""Components of spaCy's own models that names do not depend on."""
_REMEDY: Final = (
    "build images/masking-models with a model for it, as docs/guides/free-text.md says, or leave"
    " engine out of freeText"
)


def installed_model(language: str) -> NameModel:
    """The model of a language.

    Raises:
        JobError: ``InvalidConfig``: there is none here, or it cannot be used.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    return model_in(Path(folder) if folder else None, language)


def model_in(folder: Path | None, language: str) -> NameModel:
    """The model of a language below a folder.

    Raises:
        JobError: See ``installed_model``.
    """
    path = folder / language if folder else None
    if path is None or not (path / "meta.json").is_file():
        raise _missing(f'no model for language "{language}" is in this image')
    try:
        return _loaded(language, path)
    except ImportError as error:
        raise _missing("Presidio and spaCy are not in this image") from error
    except (ValueError, OSError, KeyError) as error:
        raise _missing(
            f'the model for language "{language}" cannot be read by the spaCy of this image, or'
            " finds no persons"
        ) from error


@cache
def _loaded(language: str, path: Path) -> NameModel:
    return PresidioModel(language, path)


def _missing(what: str) -> JobError:
    return JobError("InvalidConfig", f"freeText with engine Model: {what}", _REMEDY)


class PresidioModel:
    """A spaCy pipeline behind Presidio's analyzer. Safe to use from several threads, in turns.

    Args:
        language: As ISO 639-1.
        path: The folder of the pipeline.

    Attributes:
        name, version: See ``NameModel``.

    Raises:
        ImportError: Presidio is not installed.
        ValueError: It is of another version of spaCy, or finds no persons.
        OSError: It cannot be read.
    """

    def __init__(self, language: str, path: Path) -> None:
        # What they log of texts at lower levels is nobody's to read.
        logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
        presidio: Any = importlib.import_module("presidio_analyzer")
        engines: Any = importlib.import_module("presidio_analyzer.nlp_engine")
        recognizers: Any = importlib.import_module("presidio_analyzer.predefined_recognizers")
        configuration = engines.NerModelConfiguration(
            model_to_presidio_entity_mapping=_LABELS, labels_to_ignore=[]
        )
        engine = engines.SpacyNlpEngine(
            models=[{"lang_code": language, "model_name": str(path)}],
            ner_model_configuration=configuration,
        )
        engine.load()
        self._pipeline: Final = engine.get_nlp(language)
        meta = self._pipeline.meta
        self.name = f"{meta['lang']}_{meta['name']}"[:_SHOWN]
        self.version = str(meta["version"])[:_SHOWN]
        labels = {label for found in self._pipeline.pipe_labels.values() for label in found}
        if not labels & set(_LABELS):
            raise ValueError(f"it marks none of {', '.join(_LABELS)}")
        configuration.labels_to_ignore = labels - set(_LABELS)
        unused = [name for name in _UNUSED if name in self._pipeline.pipe_names]
        self._pipeline.select_pipes(disable=unused)
        registry = presidio.RecognizerRegistry(
            recognizers=[
                recognizers.SpacyRecognizer(
                    supported_language=language, supported_entities=[_PERSON]
                )
            ],
            supported_languages=[language],
        )
        self._analyzer: Final = presidio.BatchAnalyzerEngine(
            presidio.AnalyzerEngine(
                registry=registry, nlp_engine=engine, supported_languages=[language]
            )
        )
        self._language: Final = language
        self._lock: Final = threading.Lock()

    def persons(self, texts: Sequence[str]) -> list[list[Extent]]:
        """See ``NameModel``."""
        return [found for zone in _zones(texts) for found in self._in_zone(zone)]

    def _in_zone(self, texts: list[str]) -> list[list[Extent]]:
        with self._lock, self._pipeline.memory_zone():
            results = self._analyzer.analyze_iterator(
                texts, self._language, batch_size=BATCH, entities=[_PERSON]
            )
            return [[(one.start, one.end) for one in found] for found in results]


def _zones(texts: Sequence[str]) -> Iterator[list[str]]:
    every = iter(texts)
    while zone := list(islice(every, ZONE)):
        yield zone
