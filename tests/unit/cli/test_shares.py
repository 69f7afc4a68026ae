"""Shares of the root key: any so many of them make it again, and whatever is wrong is told."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from shamir_mnemonic import (  # type: ignore[import-untyped]
    Share,
    combine_mnemonics,
    generate_mnemonics,
)

from leeward.cli.errors import CliError
from leeward.cli.sharepages import SharePage, read_page
from leeward.cli.shares import ShareSet, Words, set_number, split, words_in
from leeward.formats.rootkey import RootKey

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "shares.json").read_text())
KEY = RootKey.of(bytes(range(32)))
DRAWN = RootKey.of(bytes(range(32)), id_="ab" * 16)
"""As operators before format version 2 made them: with an id that is not made from the key."""


@pytest.fixture(scope="module")
def shares() -> list[Words]:
    return split(KEY, 5, 3)


def of(words: Sequence[Words]) -> ShareSet:
    given = ShareSet()
    for number, some in enumerate(words):
        given.add(f"file {number}", some)
    return given


@pytest.mark.parametrize("key", [KEY, DRAWN], ids=["made id", "drawn id"])
@pytest.mark.parametrize(("count", "threshold"), [(2, 2), (5, 3), (16, 16)])
def test_any_threshold_of_shares_makes_the_key_again(
    key: RootKey, count: int, threshold: int
) -> None:
    made = split(key, count, threshold)
    assert len(made) == count
    for some in itertools.islice(itertools.permutations(made, threshold), 30):
        again = of(some).recover()
        assert again.is_same(key)
    assert of(made).recover().is_same(key)


def test_shares_of_earlier_releases_stay_readable() -> None:
    def given(shares: list[str]) -> ShareSet:
        return of([tuple(words.split()) for words in shares])

    assert given(GOLDEN["shares"]).recover().is_same(KEY)
    protected = GOLDEN["withPassphrase"]
    phrase = protected["passphrase"].encode()
    assert given(protected["shares"]).recover(phrase).is_same(KEY)
    assert given(GOLDEN["drawnId"]["shares"]).recover().is_same(DRAWN)


def test_they_are_words_of_slip_0039_that_its_reference_reads(shares: list[Words]) -> None:
    combined = combine_mnemonics([" ".join(words) for words in shares[1:4]])
    assert combined[:32] == KEY.raw()


@pytest.mark.parametrize("numbers", [(5, 1), (1, 1), (3, 4), (17, 3), (0, 0)])
def test_numbers_that_make_no_sense_are_refused(numbers: tuple[int, int]) -> None:
    with pytest.raises(CliError) as caught:
        split(KEY, *numbers)
    assert "--shares 5 --threshold 3" in caught.value.remedy


def test_a_passphrase_is_needed_besides_and_a_wrong_one_is_told() -> None:
    given = of(split(KEY, 3, 2, b"six small words")[:2])
    assert given.has_passphrase
    assert given.recover(b"six small words").is_same(KEY)
    for wrong in (b"Six small words", b""):
        with pytest.raises(CliError, match="passphrase"):
            given.recover(wrong)


def test_a_passphrase_that_keyboards_lack_is_refused() -> None:
    with pytest.raises(CliError, match="ASCII"):
        split(KEY, 3, 2, "geheim wie süß".encode())


def test_without_a_passphrase_none_is_asked_for(shares: list[Words]) -> None:
    assert not of(shares).has_passphrase


def test_too_few_shares_say_how_many_are_missing(shares: list[Words]) -> None:
    with pytest.raises(CliError) as caught:
        of(shares[:1]).recover()
    assert "1 share given, 3 needed" in caught.value.message
    assert "2 more shares" in caught.value.remedy


def test_a_share_of_another_set_is_told_by_its_name(shares: list[Words]) -> None:
    other = split(KEY, 5, 3)
    given = of(shares[:1])
    with pytest.raises(CliError) as caught:
        given.add("other.txt", other[1])
    assert "other.txt belongs to another set" in caught.value.message
    assert str(set_number(other[1])) in caught.value.message
    for words in shares[1:3]:
        given.add("good", words)
    assert given.recover().is_same(KEY)


def test_the_same_share_twice_is_told(shares: list[Words]) -> None:
    given = of(shares[:2])
    with pytest.raises(CliError, match="c is the same share as file 1"):
        given.add("c", shares[1])


@pytest.mark.parametrize("position", [0, 1, 7, 20, 35])
def test_a_word_that_is_wrong_is_noticed_and_no_word_is_shown(
    shares: list[Words], position: int
) -> None:
    words = list(shares[0])
    words[position] = "academic" if words[position] != "academic" else "acid"
    with pytest.raises(CliError) as caught:
        of([tuple(words)])
    assert "checksum" in caught.value.message
    assert caught.value.message == (
        "file 0: its 36 words are not a share: one is missing, wrong, or in another place (the"
        " checksum does not fit)"
    )


@pytest.mark.parametrize("change", ["missing", "swapped", "added", "none"])
def test_words_that_are_no_whole_share_are_noticed(shares: list[Words], change: str) -> None:
    first, second, *rest = shares[0]
    changed: dict[str, tuple[str, ...]] = {
        "missing": (second, *rest),
        "swapped": (second, first, *rest),
        "added": (first, first, second, *rest),
        "none": (),
    }
    with pytest.raises(CliError, match="one is missing, wrong"):
        of([changed[change]])


def test_a_word_that_is_not_in_the_list_is_named_by_its_place(shares: list[Words]) -> None:
    text = " ".join([*shares[0][:4], "secretword", *shares[0][5:]])
    with pytest.raises(CliError) as caught:
        words_in("page", text)
    assert "word 5 is not in the list" in caught.value.message
    assert "secretword" not in caught.value.message


def test_four_letters_of_a_word_are_enough(shares: list[Words]) -> None:
    assert words_in("page", " ".join(word[:4].upper() for word in shares[0])) == shares[0]


def test_shares_of_one_set_number_that_do_not_belong_together_are_told() -> None:
    # 15 bits: another export may have the same number.
    wanted, others = split(KEY, 3, 2), split(RootKey.of(bytes(32)), 3, 2)
    given = of([wanted[0], _with_number_of(wanted[0], others[1])])
    with pytest.raises(CliError, match="do not belong together"):
        given.recover()


def test_one_wrong_share_among_more_than_enough_is_told() -> None:
    wanted, others = split(KEY, 4, 2), split(RootKey.of(bytes(32)), 4, 2)
    given = of([wanted[0], wanted[1], _with_number_of(wanted[0], others[2])])
    with pytest.raises(CliError, match="do not belong together"):
        given.recover()


def _with_number_of(words: Words, other: Words) -> Words:
    number = Share.from_mnemonic(" ".join(words)).identifier
    share = dataclasses.replace(Share.from_mnemonic(" ".join(other)), identifier=number)
    return tuple(share.words())


def test_shares_of_another_program_are_told() -> None:
    ((first, second),) = generate_mnemonics(1, [(2, 2)], bytes(32), iteration_exponent=0)
    with pytest.raises(CliError, match="do not hold a root key"):
        of([tuple(first.split()), tuple(second.split())]).recover()
    groups = generate_mnemonics(2, [(1, 1), (1, 1)], bytes(32))
    with pytest.raises(CliError, match="groups"):
        of([tuple(groups[0][0].split())])


def page(words: Words, **changes: object) -> SharePage:
    fields: dict[str, object] = {
        "number": 2,
        "count": 5,
        "threshold": 3,
        "root_key_id": KEY.id,
        "set_number": set_number(words),
        "made_at": "2027-03-01T12:00:00Z",
        "installation": "namespace leeward-system at https://cluster.example",
        "with_passphrase": False,
        "words": words,
        **changes,
    }
    return SharePage(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("with_passphrase", [False, True])
def test_a_page_is_read_as_it_was_written(
    shares: list[Words], tmp_path: Path, with_passphrase: bool
) -> None:
    path = tmp_path / "page.txt"
    text = page(shares[1], with_passphrase=with_passphrase).text()
    assert "SHARE 2 OF 5" in text
    assert ("and the passphrase" in text) == with_passphrase
    assert max(map(len, text.splitlines())) <= 100
    path.write_text(text)
    assert read_page(path) == (shares[1], KEY.id)


def test_words_alone_are_read_however_they_are_set(shares: list[Words], tmp_path: Path) -> None:
    path = tmp_path / "typed.txt"
    rows = [f"{n}. {word[:4]}" for n, word in enumerate(shares[1], 1)]
    path.write_text("\r\n".join(rows))
    assert read_page(path) == (shares[1], None)


@pytest.mark.parametrize("data", [b"", b" \n", b"\xff\xfe\x00", b"a" * 70_000])
def test_a_file_that_is_no_page_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "page.txt"
    path.write_bytes(data)
    with pytest.raises(CliError, match=r"page\.txt"):
        read_page(path)


def test_a_page_that_names_another_root_key_is_told(shares: list[Words]) -> None:
    given = ShareSet()
    for number, words in enumerate(shares[:3]):
        given.add(f"page {number}", words, "00" * 16)
    with pytest.raises(CliError, match=f"make root key {KEY.id}, and their pages name 00"):
        given.recover()
    mixed = ShareSet()
    mixed.add("one", shares[0], "00" * 16)
    with pytest.raises(CliError, match="the others are of 00"):
        mixed.add("two", shares[1], "11" * 16)
