"""spec.privacyModel: parameters that do not go together, also where no API server looks."""

from typing import Any

import pytest

from leeward.api.privacymodel import PrivacyModel

CLOSE = {"t": "0.2", "column": "s", "distance": "Hierarchical"}
BAD: list[tuple[dict[str, Any], str]] = [
    ({"kAnonymity": {"k": 5, "quasiIdentifiers": ["a", "a"]}}, "named twice"),
    ({"lDiversity": {"l": 2, "column": "a"}}, "is a quasi-identifier, too"),
    ({"tCloseness": CLOSE | {"column": "b", "distance": "Equal"}}, "is a quasi-identifier, too"),
    ({"tCloseness": CLOSE}, "needs an entry in hierarchies"),
    ({"hierarchies": [{"name": "s", "prefixes": [1]}]}, '"s" has no effect'),
    ({"weights": [{"name": "s", "weight": "1"}]}, '"s" has no effect'),
    ({"weights": [{"name": "a", "weight": "0.0"}]}, 'weight of "a" is 0'),
    ({"hierarchies": [{"name": "a"}]}, "not of one kind"),
    ({"hierarchies": [{"name": "a", "prefixes": [1], "widths": ["1"]}]}, "not of one kind"),
    ({"hierarchies": [{"name": "a", "prefixes": [2, 2]}]}, "do not fall"),
    ({"hierarchies": [{"name": "a", "dateUnits": ["Year", "Month"]}]}, "do not grow"),
    ({"hierarchies": [{"name": "a", "widths": ["0"]}]}, "is 0"),
    ({"hierarchies": [{"name": "a", "widths": ["0.1", "0.25"]}]}, "not multiples"),
]


def model(**changes: Any) -> PrivacyModel:
    asked = {"kAnonymity": {"k": 5, "quasiIdentifiers": ["a", "b"]}}
    return PrivacyModel.model_validate(asked | changes)


@pytest.mark.parametrize(("changes", "words"), BAD)
def test_parameters_that_do_not_go_together(changes: dict[str, Any], words: str) -> None:
    fault = model(**changes).fault()
    assert fault is not None
    assert words in fault[0]


def test_parameters_that_do() -> None:
    tree = [{"name": "s", "prefixes": [2, 1]}, {"name": "a", "widths": ["0.1", "0.2"]}]
    asked = model(
        tCloseness=CLOSE,
        lDiversity={"l": 2, "column": "s"},
        hierarchies=tree,
        weights=[{"name": "b", "weight": "0.5"}],
    )
    assert asked.fault() is None
    assert asked.sensitive == ("s",)
