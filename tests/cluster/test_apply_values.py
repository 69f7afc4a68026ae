"""Rules for numbers and dates that are wrong are refused by ``kubectl apply``, others are not."""

import json
import subprocess
from collections.abc import Callable

import pytest

from cluster.clinic import Manifest, masking_job

pytestmark = pytest.mark.cluster

RunKubectl = Callable[..., "subprocess.CompletedProcess[str]"]


def job(*columns: Manifest) -> Manifest:
    return masking_job("job", "admissions", list(columns))


BAD: dict[str, tuple[Manifest, list[str]]] = {
    "part of a date that does not exist": (
        job({"name": "seen", "timePart": {"part": "Minute"}}),
        ["spec.columns[0].timePart.part", 'supported values: "Year", "Quarter"'],
    ),
    "no border": (
        job({"name": "age", "topBottomCode": {}}),
        ["spec.columns[0].topBottomCode", "topBottomCode needs bottom, top or both"],
    ),
    "border that is neither number nor date": (
        job({"name": "age", "topBottomCode": {"top": "ninety"}}),
        ["topBottomCode.top", 'must be a decimal number, as "90"', 'or a date, as "1930-01-01"'],
    ),
    "borders of two kinds": (
        job({"name": "age", "topBottomCode": {"bottom": "18", "top": "2000-01-01"}}),
        ["spec.columns[0].topBottomCode.bottom", "must both be numbers, or both dates"],
    ),
    "falling borders": (
        job({"name": "age", "topBottomCode": {"bottom": "100", "top": "20"}}),
        [
            "spec.columns[0].topBottomCode.bottom",
            "bottom is above top, or too near to tell: exchange them",
        ],
    ),
    "falling borders of dates": (
        job({"name": "born", "topBottomCode": {"bottom": "2001-01-01", "top": "2000-12-31"}}),
        [
            "spec.columns[0].topBottomCode.bottom",
            "bottom is above top, or too near to tell: exchange them",
        ],
    ),
    "noise of no size": (
        job({"name": "income", "noise": {"scale": "0.0"}}),
        ["spec.columns[0].noise.scale", 'must be a decimal number above 0, as "2"'],
    ),
    "noise between falling bounds": (
        job({"name": "income", "noise": {"scale": "5", "lower": "9", "upper": "-9"}}),
        ["spec.columns[0].noise.lower", "lower is above upper, or too near to tell: exchange them"],
    ),
    "two kinds of random values": (
        job(
            {"name": "age", "randomMask": {"range": {"lower": "0", "upper": "9"}, "suppress": "1"}}
        ),
        ["spec.columns[0].randomMask", "needs exactly one of range, distribution, suppress"],
    ),
    "no bit of an address": (
        job({"name": "ip", "generalize": {"ipPrefix": {"v4": 0}}}),
        ["spec.columns[0].generalize.ipPrefix.v4", "greater than or equal to 1"],
    ),
    "one quantile": (
        job({"name": "income", "generalize": {"quantiles": 1}}),
        ["spec.columns[0].generalize.quantiles", "greater than or equal to 2"],
    ),
    "bins and quantiles": (
        job({"name": "income", "generalize": {"quantiles": 4, "bins": ["0"]}}),
        ["spec.columns[0].generalize", "needs exactly one of bins, quantiles, dateTo"],
    ),
    "hierarchy of no level": (
        job(
            {
                "name": "icd",
                "generalize": {
                    "hierarchy": {"configMap": {"name": "icd", "key": "icd.csv"}, "level": 0}
                },
            }
        ),
        ["spec.columns[0].generalize.hierarchy.level", "greater than or equal to 1"],
    ),
    "hierarchy in no text": (
        job(
            {
                "name": "icd",
                "generalize": {
                    "hierarchy": {"configMap": {"name": "icd", "key": "a/b"}, "level": 1}
                },
            }
        ),
        ["spec.columns[0].generalize.hierarchy.configMap.key", "as icd.csv"],
    ),
    "values of nobody": (
        job({"name": "age", "randomMask": {"distribution": {"minRows": 0}}}),
        ["spec.columns[0].randomMask.distribution.minRows", "greater than or equal to 1"],
    ),
    "groups of one": (
        job({"name": "income", "shuffle": {"minGroup": 1}}),
        ["spec.columns[0].shuffle.minGroup", "greater than or equal to 2"],
    ),
    "borders too near to tell": (
        job({"name": "age", "topBottomCode": {"bottom": "0.30000000000000001", "top": "0.3"}}),
        ["spec.columns[0].topBottomCode.bottom", "bottom is above top, or too near to tell"],
    ),
    "range too near to tell": (
        job(
            {
                "name": "age",
                "randomMask": {"range": {"lower": "9007199254740993", "upper": "9007199254740992"}},
            }
        ),
        ["randomMask.range.lower", "too near to tell: exchange them, or write equal ones alike"],
    ),
    "bins too near to tell": (
        job({"name": "age", "generalize": {"bins": ["0.3", "0.30000000000000001"]}}),
        ["spec.columns[0].generalize.bins", "none that differs from the next after the 15th digit"],
    ),
    "falling range": (
        job({"name": "age", "randomMask": {"range": {"lower": "9", "upper": "0"}}}),
        [
            "spec.columns[0].randomMask.range.lower",
            "lower is above upper, or too near to tell: exchange them",
        ],
    ),
    "probability above one": (
        job({"name": "age", "randomMask": {"suppress": "1.5"}}),
        ["spec.columns[0].randomMask.suppress", "must be a probability above 0, at most 1"],
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_parameters_are_refused(run_kubectl: RunKubectl, namespace: str, name: str) -> None:
    manifest, messages = BAD[name]
    done = run_kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(manifest))
    assert done.returncode != 0
    assert [message for message in messages if message not in done.stderr] == [], done.stderr


def test_parameters_at_their_bounds_are_taken(run_kubectl: RunKubectl, namespace: str) -> None:
    """A rule that was never met by a good value could refuse all."""
    manifest = job(
        {"name": "seen", "timePart": {"part": "Week"}},
        {"name": "born", "topBottomCode": {"bottom": "1930-01-01", "top": "1930-01-01"}},
        {"name": "age", "topBottomCode": {"bottom": "-1.5", "top": "90"}},
        {"name": "admitted", "generalize": {"dateTo": "Week"}},
        {"name": "income", "noise": {"scale": "0.5", "roundTo": "10", "lower": "0", "upper": "0"}},
        {"name": "weight", "noise": {"scale": "9" * 19, "distribution": "Gaussian"}},
        {"name": "ip", "generalize": {"ipPrefix": {}}},
        {"name": "visits", "generalize": {"quantiles": 2}},
        {"name": "ward", "shuffle": {}},
        {"name": "group", "randomMask": {"distribution": {}}},
        {
            "name": "icd",
            "generalize": {
                "hierarchy": {
                    "configMap": {"name": "icd", "key": "icd.csv"},
                    "level": 32,
                    "delimiter": "\t",
                    "unsuitable": "Redact",
                }
            },
        },
        {"name": "sex", "shuffle": {"within": ["ward"], "minGroup": 1000, "unsuitable": "Redact"}},
        {"name": "note", "randomMask": {"suppress": "1.0"}},
        {"name": "score", "randomMask": {"range": {"lower": "-3", "upper": "0.5"}}},
    )
    done = run_kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(manifest))
    assert done.returncode == 0, done.stderr
