"""Weak passphrases are refused with an estimate and a remedy, and without a word of themselves."""

import gettext
import random
import string
from pathlib import Path

import pytest
import zxcvbn  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from leeward.keystore.origins import (
    Derivation,
    PassphraseError,
    WeakPassphraseError,
    from_passphrase,
)
from leeward.keystore.origins.strength import JUDGED, check_strength

WEAK = [
    "password",
    "hunter2",
    "correct horse",
    "Tr0ub4dor&3",
    "qwertyuiopasdfghjkl",
    "2019-12-24 2020-01-01",
    "abcabcabcabcabcabcabc",
    "a" * 1000,
    "clinic",
    "P@ssw0rd1234!",
]


@pytest.mark.parametrize("passphrase", WEAK)
def test_weak_passphrase_is_refused_with_an_estimate_and_a_remedy(passphrase: str) -> None:
    with pytest.raises(WeakPassphraseError) as caught:
        check_strength(passphrase)
    message = str(caught.value)
    assert "10^16 guesses are needed" in message
    assert "openssl rand -base64 24" in message
    assert caught.value.reason == "WeakPassphrase"
    assert isinstance(caught.value, PassphraseError)


def test_estimate_names_guesses_and_time() -> None:
    with pytest.raises(WeakPassphraseError, match=r"by about 10\^(9|1\d) guesses, \d+ \w+ at"):
        check_strength("Tr0ub4dor&3")


def test_a_very_weak_one_is_not_described_more_closely() -> None:
    messages = set()
    for passphrase in ("123456", "dragon", "zzzzzz"):
        with pytest.raises(WeakPassphraseError) as caught:
            check_strength(passphrase)
        messages.add(str(caught.value))
    assert len(messages) == 1
    assert "fewer than 10^8" in messages.pop()


@given(st.text(min_size=1, max_size=9))
def test_message_holds_no_part_of_the_passphrase(passphrase: str) -> None:
    try:
        check_strength(passphrase)
    except WeakPassphraseError as error:
        plain = {"about", "guesses", "a", "less than a second"}
        message = str(error)
        for end in range(4, len(passphrase) + 1):
            piece = passphrase[end - 4 : end]
            assert piece in plain or piece not in message or piece in _FIXED


with pytest.raises(WeakPassphraseError) as _weakest:
    check_strength("1")
_FIXED = (
    str(_weakest.value) + "about 10^9 guesses, 10 seconds minutes hours days months years centuries"
)


def test_what_the_message_proposes_is_strong_enough() -> None:
    drawn = random.Random(4)
    words = Path(gettext.__file__).read_text().split()
    vocabulary = sorted({w.lower() for w in words if w.isalpha() and 4 <= len(w) <= 8})
    for _ in range(20):
        check_strength(" ".join(drawn.choices(vocabulary, k=6)))
        check_strength("".join(drawn.choices(string.ascii_letters + string.digits + "+/", k=32)))


def test_names_that_an_attacker_knows_do_not_count() -> None:
    passphrase = "kvasnicka-hyrax-vault-0815"
    check_strength(passphrase)
    with pytest.raises(WeakPassphraseError):
        check_strength(passphrase, related=["kvasnicka", "hyrax-vault"])


def test_the_beginning_of_a_long_one_must_be_strong_by_itself() -> None:
    strong = "".join(random.Random(1).choices(string.ascii_letters, k=40))
    check_strength(strong + "a" * 1000)
    with pytest.raises(WeakPassphraseError):
        check_strength("a" * JUDGED + strong)


def test_longest_input_is_taken_by_the_library() -> None:
    assert zxcvbn.zxcvbn("x9" * (JUDGED // 2), max_length=JUDGED)["guesses"] > 0


def test_weak_passphrase_makes_no_key() -> None:
    derivation = Derivation.new("PBKDF2_SHA256", lambda size: bytes(range(size)))
    with pytest.raises(WeakPassphraseError):
        from_passphrase(b"clinic data 2024", derivation, "AES256_GCM", related=["clinic", "data"])
