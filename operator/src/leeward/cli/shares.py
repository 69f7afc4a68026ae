"""Shares of the root key: words by SLIP-0039, of which so many make the key again.

What is shared is the key (32 bytes), the first 4 bytes of the id that is made from it, and its id
(16 bytes) where that was drawn at random. So a wrong passphrase, which SLIP-0039 by itself cannot
tell, is told. Sets with a passphrase have an iteration exponent (640,000 rounds of PBKDF2), those
without have none, so the words say whether there is one.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shamir_mnemonic import (  # type: ignore[import-untyped]
    EncryptedMasterSecret,
    MnemonicError,
    Share,
    decode_mnemonics,
    generate_mnemonics,
    recover_ems,
)
from shamir_mnemonic.wordlist import WORDLIST  # type: ignore[import-untyped]

from leeward.cli.errors import CliError, UsageError
from leeward.cli.output import counted
from leeward.formats.rootkey import ID_SIZE, ROOT_KEY_SIZE, RootKey, root_key_id

MAX_SHARES: Final = 16
CHECK_SIZE: Final = 4
EXPONENT: Final = 6
"""Of 10,000 rounds of PBKDF2: doubled so many times where there is a passphrase."""

PREFIX: Final = 4
"""Letters that tell a word of the list from every other one."""

_BY_PREFIX: Final = {word[:PREFIX]: word for word in WORDLIST}
_KNOWN: Final = frozenset(WORDLIST)
_COMPARE: Final = "compare it with the page word by word"

Words = tuple[str, ...]


def words_in(origin: str, text: str) -> Words:
    """The words of one share; the first four letters of a word will do.

    Args:
        origin: What an error is to call the share.
        text: Words, with anything but letters between them.

    Raises:
        CliError: A word is not one of the list; it is not shown.
    """
    letters = "".join(sign if sign.isascii() and sign.isalpha() else " " for sign in text)
    written = letters.lower().split()
    words = [_whole(word) for word in written]
    unknown = [str(number) for number, word in enumerate(words, 1) if word not in _KNOWN]
    if unknown:
        which = f"word {unknown[0]}" if len(unknown) == 1 else f"words {', '.join(unknown[:8])}"
        raise CliError(f"{origin}: {which} is not in the list of words", _COMPARE)
    return tuple(words)


def _whole(word: str) -> str:
    return _BY_PREFIX.get(word, word) if len(word) == PREFIX else word


def split(key: RootKey, count: int, threshold: int, passphrase: bytes = b"") -> list[Words]:
    """Shares of a root key.

    Args:
        key: The root key.
        count: How many shares: 2 to 16.
        threshold: How many of them make the key again: 2 to ``count``.
        passphrase: Needed besides them, printable ASCII; empty: none.

    Raises:
        UsageError: The numbers or the passphrase are not possible.
        CliError: The shares that were made do not make the key again.
    """
    check_numbers(count, threshold)
    check_passphrase(passphrase)
    exponent = EXPONENT if passphrase else 0
    made = generate_mnemonics(
        1, [(threshold, count)], _payload(key), passphrase, iteration_exponent=exponent
    )[0]
    shares = [tuple(mnemonic.split()) for mnemonic in made]
    _check_made(shares, threshold, key, passphrase)
    return shares


def check_numbers(count: int, threshold: int) -> None:
    """Refuse numbers of shares that make no sense."""
    if not 2 <= threshold <= count <= MAX_SHARES:
        raise UsageError(
            f"{threshold} of {counted(count, 'share')} is not possible",
            f"make 2 to {MAX_SHARES} shares, of which at least 2 and at most all are needed, as in"
            " --shares 5 --threshold 3",
        )


def check_passphrase(passphrase: bytes) -> None:
    """Refuse a passphrase that SLIP-0039 has no place for."""
    if not all(32 <= sign <= 126 for sign in passphrase):
        raise UsageError(
            "the passphrase has other signs than letters, digits, blanks and punctuation of ASCII",
            "choose one that every keyboard can type",
        )


def set_number(words: Words) -> int:
    """The number that all shares of one export have, and hardly another one has (SLIP-0039 id)."""
    return int(Share.from_mnemonic(" ".join(words)).identifier)


def _payload(key: RootKey) -> bytes:
    made = bytes.fromhex(root_key_id(key.raw()))
    id_ = b"" if key.vouches_for_itself() else bytes.fromhex(key.id)
    return key.raw() + made[:CHECK_SIZE] + id_


def _key_in(payload: bytes) -> RootKey | None:
    """The root key; None: it is not one."""
    if len(payload) not in (ROOT_KEY_SIZE + CHECK_SIZE, ROOT_KEY_SIZE + CHECK_SIZE + ID_SIZE):
        return None
    material, rest = payload[:ROOT_KEY_SIZE], payload[ROOT_KEY_SIZE:]
    made = bytes.fromhex(root_key_id(material))
    if not hmac.compare_digest(made[:CHECK_SIZE], rest[:CHECK_SIZE]):
        return None
    return RootKey.of(material, id_=rest[CHECK_SIZE:].hex() or None)


def _check_made(shares: Sequence[Words], threshold: int, key: RootKey, passphrase: bytes) -> None:
    """Put the key together again before anybody relies on the shares; each is among those tried."""
    secrets = {_joined(some).ciphertext for some in _neighbours(shares, threshold)}
    again = _joined(shares[:threshold]).decrypt(passphrase)
    if len(secrets) != 1 or (made := _key_in(again)) is None or not made.is_same(key):
        raise CliError(
            "the shares that were made do not make the root key again, so none was written",
            "report it, and keep a backup of the Secret leeward-root-key until it is repaired",
        )


def _neighbours(shares: Sequence[Words], threshold: int) -> Iterator[Sequence[Words]]:
    for start in range(len(shares)):
        yield [shares[(start + offset) % len(shares)] for offset in range(threshold)]


def _joined(shares: Sequence[Words]) -> EncryptedMasterSecret:
    return recover_ems(decode_mnemonics([" ".join(words) for words in shares]))


@dataclass(frozen=True, slots=True)
class _Member:
    origin: str
    words: Words = field(repr=False)
    share: Any = field(repr=False)


@dataclass
class ShareSet:
    """Shares that were given so far; every one that is added fits those before.

    Attributes:
        page_id: The root key's id as a page names it; None: no page does.
    """

    page_id: str | None = None
    _members: list[_Member] = field(default_factory=list)

    def add(self, origin: str, words: Words, page_id: str | None = None) -> None:
        """Take one more.

        Raises:
            CliError: It is damaged, of another set, or here already. Nothing is taken.
        """
        share = _decoded(origin, words)
        if self._members:
            self._check_fits(origin, words, share)
        if page_id and self.page_id and page_id != self.page_id:
            raise CliError(
                f"{origin} is of root key {page_id}, the others are of {self.page_id}",
                "give shares of one root key only",
            )
        self.page_id = self.page_id or page_id
        self._members.append(_Member(origin, words, share))

    def _check_fits(self, origin: str, words: Words, share: Any) -> None:
        first = self._members[0]
        if share.group_parameters() != first.share.group_parameters():
            raise CliError(
                f"{origin} belongs to another set (number {share.identifier}) than"
                f" {first.origin} (number {first.share.identifier})",
                "give shares of one export only: their pages name the same set and date",
            )
        for member in self._members:
            if member.share.index == share.index:
                same = member.words == words
                raise CliError(
                    f"{origin} is the same share as {member.origin}"
                    if same
                    else f"{origin} and {member.origin} are both share {share.index + 1}, with"
                    " other words",
                    "give another one of the set"
                    if same
                    else "one of them is not of this set: leave it out",
                )

    @property
    def threshold(self) -> int | None:
        """How many shares are needed; None: none is here yet."""
        return self._members[0].share.member_threshold if self._members else None

    @property
    def missing(self) -> int:
        """How many more are needed; 1 while none is here."""
        return max(0, (self.threshold or 1) - len(self._members))

    @property
    def numbers(self) -> list[int]:
        """Numbers of the shares that are here, from 1."""
        return sorted(member.share.index + 1 for member in self._members)

    @property
    def has_passphrase(self) -> bool:
        """Whether a passphrase is needed besides."""
        return any(member.share.iteration_exponent > 0 for member in self._members)

    def recover(self, passphrase: bytes = b"") -> RootKey:
        """The root key; every share that was given is tried.

        Raises:
            CliError: There are too few, they do not belong together, or the passphrase is wrong.
        """
        if self.missing:
            had = len(self._members)
            raise CliError(
                f"{counted(had, 'share')} given, {self.threshold or 'more'} needed",
                f"give {counted(self.missing, 'more share')} with --share, or --ask for them",
            )
        key = _key_in(self._secret().decrypt(passphrase))
        if key is None:
            raise CliError(
                "the passphrase is not the one that the shares were made with"
                if self.has_passphrase
                else "these shares do not hold a root key",
                "try again: small and capital letters count"
                if self.has_passphrase
                else "give shares that `leeward root-key export` made",
            )
        if self.page_id and key.id != self.page_id:
            raise CliError(
                f"the shares make root key {key.id}, and their pages name {self.page_id}",
                "a page was altered, or words were copied to the page of another root key",
            )
        return key

    def _secret(self) -> EncryptedMasterSecret:
        threshold = self.threshold or 0
        most = [member.words for member in self._members[:threshold]]
        try:
            found = _joined(most)
            for extra in self._members[threshold:]:
                if _joined([*most[1:], extra.words]) != found:
                    raise MnemonicError
        except MnemonicError:
            raise CliError(
                "the shares do not belong together, although they name the same set",
                "leave one out after the other to find the wrong one; each must be of one export",
            ) from None
        return found


def _decoded(origin: str, words: Words) -> Any:
    try:
        share = Share.from_mnemonic(" ".join(words))
    except MnemonicError:
        # Without its text, which quotes words.
        raise CliError(
            f"{origin}: its {counted(len(words), 'word')} are not a share: one is missing, wrong,"
            " or in another place (the checksum does not fit)",
            f"{_COMPARE}: the page numbers them",
        ) from None
    if (share.group_count, share.group_threshold) != (1, 1):
        raise CliError(
            f"{origin} is a share in groups, as no root key has",
            "give shares that `leeward root-key export` made",
        )
    return share
