"""Programs that others wrote, to measure against: installed from PyPI, each in a place of its own.

None of them is a requirement of the project. Where one cannot be installed, its figure is left out,
and a line says so.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

HOME: Final = Path(__file__).resolve().parents[2] / "build" / "bench"

PATTERNS_ONLY: Final = """
import json, logging, sys, time
import spacy
import tldextract
tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine

class Blank(NlpEngine):
    def __init__(self):
        self.nlp = spacy.blank("en")
    def load(self):
        pass
    def is_loaded(self):
        return True
    def process_text(self, text, language):
        doc = self.nlp(text)
        return NlpArtifacts(entities=[], tokens=doc, tokens_indices=[one.idx for one in doc],
            lemmas=[one.text.lower() for one in doc], nlp_engine=self, language=language)
    def process_batch(self, texts, language, **options):
        for text in texts:
            yield text, self.process_text(text, language)
    def is_stopword(self, word, language):
        return False
    def is_punct(self, word, language):
        return False
    def get_supported_entities(self):
        return []
    def get_supported_languages(self):
        return ["en"]


logging.disable()
registry = RecognizerRegistry()
registry.load_predefined_recognizers(languages=["en"])
engine = AnalyzerEngine(registry=registry, nlp_engine=Blank(), supported_languages=["en"])
"""
"""Presidio's analyzer with its pattern recognizers for English and a blank tokenizer: no model."""


def peer_python(name: str, *requirements: str) -> Path | None:
    """The interpreter of an environment with these packages; None: they cannot be installed.

    Args:
        name: Of the environment.
        requirements: As pip takes them, with versions.
    """
    python = HOME / name / "bin" / "python"
    if python.exists():
        return python
    try:
        subprocess.run([sys.executable, "-m", "venv", str(HOME / name)], check=True, timeout=120)
        pip = [str(python), "-m", "pip", "install", "--quiet", *requirements]
        subprocess.run(pip, check=True, timeout=600)
    except (subprocess.SubprocessError, OSError):
        python.unlink(missing_ok=True)
        return None
    return python


def on_one_core(python: str, program: str, given: str, *arguments: str) -> Any:
    """Run a program on one core.

    Args:
        python: The interpreter.
        program: Its text.
        given: Its standard input.
        arguments: Those of the program.

    Returns:
        The last line that it printed, as JSON.
    """
    core = str(min(os.sched_getaffinity(0)))
    done = subprocess.run(
        ["taskset", "-c", core, python, "-c", program, *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=True,
        timeout=1800,
        env={**os.environ, "POLARS_MAX_THREADS": "1"},
    )
    return json.loads(done.stdout.splitlines()[-1])
