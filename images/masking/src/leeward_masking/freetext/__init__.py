"""Free text: finding personal data in notes, putting other text in its place, and measuring it."""

from leeward_masking.freetext.custom import CustomDictionary, CustomPattern, check_pattern
from leeward_masking.freetext.detector import ENTITIES, FreeTextDetector
from leeward_masking.freetext.evaluation import Score, evaluate, read_labelled
from leeward_masking.freetext.gate import Measured, check_recall, checked, measure
from leeward_masking.freetext.languages import language_shares
from leeward_masking.freetext.mask import FreeTextMask
from leeward_masking.freetext.replacement import label, normalised, replaced
from leeward_masking.freetext.spans import SPAN_SCHEMA

__all__ = [
    "ENTITIES",
    "SPAN_SCHEMA",
    "CustomDictionary",
    "CustomPattern",
    "FreeTextDetector",
    "FreeTextMask",
    "Measured",
    "Score",
    "check_pattern",
    "check_recall",
    "checked",
    "evaluate",
    "label",
    "language_shares",
    "measure",
    "normalised",
    "read_labelled",
    "replaced",
]
