"""A short run of all harnesses; `make soak` runs them for long, guided by coverage."""

import dataclasses
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.found import FOUND
from fuzz.harness import TIME_LIMIT, FoundError, Harness
from fuzz.planted import Planted
from fuzz.targets import harnesses

NAMES = sorted(harnesses())


@pytest.mark.parametrize("name", NAMES)
def test_seeds_are_what_the_parser_expects(name: str) -> None:
    harness = harnesses()[name]
    assert harness.seeds()
    for seed in harness.seeds():
        assert len(seed) <= harness.max_size
        harness(seed)
        if harness.accepts_seeds:
            harness.parse(seed)
    for seed in harness.refused():
        harness(seed)
        with pytest.raises(harness.declared):
            harness.parse(seed)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param(name, data, id=f"{name}-{number}")
        for name, inputs in FOUND.items()
        for number, data in enumerate(inputs)
    ],
)
def test_what_was_found_before(name: str, data: bytes) -> None:
    harnesses()[name](data)


@pytest.mark.parametrize("name", NAMES)
def test_changed_seeds(name: str) -> None:
    harness = harnesses()[name]

    @settings(max_examples=harness.examples)
    @given(st.sampled_from(harness.beginnings()), st.integers(0, 2**32 - 1))
    def run(seed: bytes, number: int) -> None:
        harness(harness.mutate(seed, number)[: harness.max_size])

    run()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25)
@given(st.binary(max_size=300))
def test_any_bytes(name: str, data: bytes) -> None:
    harnesses()[name](data)


def harness(parse: object) -> Harness:
    return Harness(
        "of a test",
        parse,  # type: ignore[arg-type]
        (ValueError,),
        lambda: [b""],
        lambda data, _: data,
        Planted([bytes(range(100, 132))]),
    )


def test_an_error_that_is_not_declared_comes_out() -> None:
    def broken(_: bytes) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        harness(broken)(b"")


@pytest.mark.parametrize(
    "text",
    [
        "bad key bytes([100])",
        bytes(range(100, 132)).hex(),
        repr(bytes(range(90, 140))),
        "uses ZGVmZ2hpamts",
        f"number {int.from_bytes(bytes(range(100, 132)), 'big')}",
    ],
)
def test_a_secret_in_an_error_is_found(text: str) -> None:
    def leaking(_: bytes) -> None:
        try:
            raise TypeError(text)
        except TypeError as error:
            raise ValueError("hidden in the cause") from error

    if text == "bad key bytes([100])":
        harness(leaking)(b"")
        return
    with pytest.raises(FoundError, match="shows a secret") as caught:
        harness(leaking)(b"")
    assert not re.search(re.escape(text), str(caught.value))


def test_a_secret_in_a_context_that_is_not_printed_is_none() -> None:
    def careful(_: bytes) -> None:
        try:
            raise TypeError(bytes(range(100, 132)))
        except TypeError:
            raise ValueError("does not say") from None

    harness(careful)(b"")


def test_a_hang_is_found() -> None:
    moments = iter([0.0, TIME_LIMIT + 1])
    slow = dataclasses.replace(harness(lambda _: None), clock=lambda: next(moments))
    with pytest.raises(FoundError, match=r"took 6\.0 s"):
        slow(b"")
