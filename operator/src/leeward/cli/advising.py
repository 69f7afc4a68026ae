"""``leeward keys advise``: asks what matters, and prints the answer as a manifest fragment."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, get_args

from leeward.api.algorithms import ALGORITHMS, Profile
from leeward.cli.advice import Advice, Trait, Use, advise
from leeward.cli.errors import UsageError
from leeward.cli.output import print_raw, print_yaml
from leeward.cli.session import Session, parse_years

_LONG_YEARS: Final = 10.0
_WIDE: Final = 10**6
_MANY: Final = 1 << 32
_LARGE: Final = 256 << 20
_HUGE: Final = 1 << 52
_WIDTH: Final = 98
_UNITS: Final = {
    unit: 1 << (10 * power) for power, unit in enumerate(("", "K", "M", "G", "T", "P"))
}
_FILES: Final = frozenset({Use.SEAL, Use.SIGN})
_VALUES: Final = frozenset({Use.MASK})
_APPLIES: Final = {
    "size": _FILES | _VALUES,
    "without_aes": frozenset({Use.SEAL}),
    "search": _VALUES,
    "join": _VALUES,
    "reversible": _VALUES,
    "keep_format": _VALUES,
    "domain": _VALUES,
}


@dataclass(frozen=True)
class Question:
    """What was said on the command line; None: not said.

    Attributes:
        size: Bytes of the largest file as ``4GiB``, or number of values to mask.
        parties: How many hold keys or data apart from each other.
        lifetime: How long it must hold, as ``90d`` or ``12y``.
        domain: How many values there could be, to keep a format.
    """

    use: Use | None = None
    profile: Profile | None = None
    size: str | None = None
    parties: int | None = None
    lifetime: str | None = None
    search: bool | None = None
    join: bool | None = None
    reversible: bool | None = None
    keep_format: bool | None = None
    domain: int | None = None
    without_aes: bool | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing was said."""
        return self == Question()


def give_advice(session: Session, question: Question) -> None:
    """Print which algorithm to use, why, what it does not do, and how to write it.

    Raises:
        UsageError: The use is not known, or an option has no effect for it.
    """
    if question.empty:
        question = _asked(session)
    if question.use is None:
        raise UsageError(
            "say what the key is for",
            f"name it with --use {'|'.join(Use)}; without any option and at a terminal you are"
            " asked",
        )
    _check(question, question.use)
    profile = question.profile or "Modern"
    advice = advise(question.use, traits_of(question), profile)
    _print(session, advice, profile)


def traits_of(question: Question) -> frozenset[Trait]:
    """What matters of the answers.

    Raises:
        UsageError: A size or a lifetime is none.
    """
    size = 0 if question.size is None else _size(question.size)
    years = 0.0 if question.lifetime is None else parse_years(question.lifetime)
    domain = question.domain or 0
    found = {
        Trait.OUTSIDE: (question.parties or 1) > 1,
        Trait.LONG: years > _LONG_YEARS,
        Trait.EQUAL: bool(question.search or question.join),
        Trait.BACK: bool(question.reversible),
        Trait.FORMAT: bool(question.keep_format),
        Trait.WIDE: domain >= _WIDE,
        Trait.MANY: size > _MANY,
        Trait.LARGE: size > _LARGE,
        Trait.HUGE: size > _HUGE,
        Trait.NO_AES: bool(question.without_aes),
    }
    return frozenset(trait for trait, there in found.items() if there)


def _check(question: Question, use: Use) -> None:
    """An option that changes nothing is an error: the user meant something by it."""
    for name, uses in _APPLIES.items():
        if getattr(question, name) is not None and use not in uses:
            raise UsageError(
                f"--{name.replace('_', '-')} has no effect for --use {use}",
                f"leave it out; it is for --use {' or '.join(sorted(uses))}",
            )
    if question.keep_format and question.domain is None:
        raise UsageError(
            "--keep-format needs to know how many values there could be",
            "say it with --domain: 10000000 for 7 digits",
        )


def _print(session: Session, advice: Advice, profile: Profile) -> None:
    """All of it is YAML: the words are comments, and what is left is part of a KeyVault's spec."""
    known = ALGORITHMS[advice.algorithm]
    lines = [f"{advice.algorithm} ({known.source}), profile {profile}", ""]
    lines += _wrapped("Why: ", advice.reason)
    lines += ["", "What it does not protect against, and what to mind:"]
    for caveat in advice.caveats:
        lines += _wrapped("- ", caveat)
    lines += ["", "In the spec of a KeyVault (change names, and who is granted what):"]
    print_raw(session.out, "\n".join(f"# {line}".rstrip() for line in lines))
    print_yaml(session.out, advice.spec)


def _wrapped(mark: str, text: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=mark, subsequent_indent=" " * len(mark), break_long_words=False
    )


def _size(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,18})(?:([KMGTP]?)(?:iB|B)?)?", text)
    if match is None:
        raise UsageError(
            f"{text!r} is no size", "write a number of bytes or values, as in 4GiB or 5000000"
        )
    return int(match[1]) * _UNITS[match[2] or ""]


def _asked(session: Session) -> Question:
    """Ask at the terminal, only what matters for the use.

    Raises:
        UsageError: There is no terminal.
    """
    ask = _Asking(session)
    use = Use(ask.one_of("What is the key for?", {u.value: _USES[u] for u in Use}, Use.SEAL))
    profiles = dict(zip(get_args(Profile), _PROFILES, strict=True))
    profile = ask.one_of("Which profile?", profiles, "Modern")
    question = replace(Question(), use=use, profile=profile)
    question = replace(question, parties=2 if ask.yes(_PARTIES[use]) else 1)
    if use is not Use.MASK:
        lifetime = ask.text(_LIFETIMES[use], "10y", parse_years)
        question = replace(question, lifetime=lifetime)
    if use is Use.SEAL and question.parties == 1:
        without = ask.yes("Are there processors without AES instructions (small ARM boards)?")
        question = replace(question, without_aes=without)
    return _asked_of_values(ask, question) if use is Use.MASK else question


def _asked_of_values(ask: _Asking, question: Question) -> Question:
    question = replace(
        question,
        join=ask.yes("Must equal values get equal results, to search or join by them?"),
        reversible=ask.yes("Must somebody with the key be able to lead results back?"),
        keep_format=ask.yes("Must a result look like the value (a number of the same length)?"),
    )
    if question.keep_format or (question.join and question.reversible):
        counted = ask.text("How many values could there be (10000000 for 7 digits)?", "1", int)
        question = replace(question, domain=int(counted))
    return question


_USES: Final = {
    Use.SEAL: "seal files, checkpoints, models",
    Use.MASK: "mask values in columns",
    Use.SIGN: "sign files and receipts",
    Use.ISSUE: "issue certificates",
}
_PROFILES: Final = (
    "what to choose today",
    "NIST-approved algorithms only",
    "all that are not banned, for old partners",
)
_PARTIES: Final = {
    Use.SEAL: "Does anybody outside of the cluster seal, such as data owners?",
    Use.MASK: "Do several parties mask and need equal results?",
    Use.SIGN: "Does anybody outside of the cluster verify?",
    Use.ISSUE: "Do others than your own workloads trust the authority?",
}
_LIFETIMES: Final = {
    Use.SEAL: "How long must it stay secret (90d, 12y)?",
    Use.SIGN: "How long must signatures be believed (90d, 12y)?",
    Use.ISSUE: "How long does the authority live (90d, 12y)?",
}


class _Asking:
    """Questions at the terminal, asked again until the answer is one."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def _line(self, question: str) -> str:
        said = self._session.ask(question)
        if said is None:
            raise UsageError(
                "nothing is asked, for there is no terminal", f"say --use {'|'.join(Use)}"
            )
        return said.strip()

    def one_of(self, question: str, choices: dict[str, str], default: str) -> Any:
        """One of the words, or its beginning."""
        offered = "\n".join(f"  {word:<11}{meaning}" for word, meaning in choices.items())
        while True:
            said = self._line(f"{question}\n{offered}\n[{default}] ") or default
            found = [word for word in choices if word.lower().startswith(said.lower())]
            if len(found) == 1:
                return found[0]

    def yes(self, question: str) -> bool:
        """Yes or no; no where nothing is said."""
        while True:
            said = self._line(f"{question} [y/N] ").lower() or "n"
            if said in ("y", "yes", "n", "no"):
                return said.startswith("y")

    def text(self, question: str, default: str, check: Callable[[str], object]) -> str:
        """A text that `check` takes."""
        while True:
            said = self._line(f"{question} [{default}] ") or default
            try:
                check(said)
            except (UsageError, ValueError):
                continue
            return said
