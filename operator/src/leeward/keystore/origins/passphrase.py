"""Keys from passphrases: PBKDF2 (NIST SP 800-132), scrypt (RFC 7914), Argon2id (RFC 9106).

The key is the output of the function, of the size of the algorithm's material: whoever has the
passphrase and the parameters, which are no secret, makes the same key with any other program
(docs/guides/importing-keys.md shows how). Each key has a salt of its own, so one passphrase for two
keys gives two keys.

The functions here are synchronous and slow on purpose, and take memory: call them in a worker
thread. They let go of the interpreter's lock, and one derivation runs at a time in a process, so
memory stays bounded: 64 MiB for Argon2id and 128 MiB for scrypt by default, 128 MiB at most.
"""

import base64
import binascii
import threading
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import field_validator, model_validator

from leeward.formats.document import Document
from leeward.keystore.origins.errors import PassphraseError
from leeward.keystore.origins.members import without_newline
from leeward.keystore.origins.seeds import seed_size
from leeward.keystore.origins.strength import check_strength

Kdf = Literal["PBKDF2_SHA256", "SCRYPT", "ARGON2ID"]
Random = Callable[[int], bytes]

SALT_SIZE: Final = 16
"""Bytes of a salt that is made here (SP 800-132 asks for 16 or more)."""

MAX_CHARACTERS: Final = 1024
_MAX_SALT: Final = 64

_BOUNDS: Final[dict[Kdf, dict[str, tuple[int, int, int]]]] = {
    # OWASP's number for PBKDF2 with SHA-256.
    "PBKDF2_SHA256": {"iterations": (600_000, 600_000, 10_000_000)},
    # RFC 7914 has no recommendation; OWASP's first is this one, of 128 MiB.
    "SCRYPT": {"n": (1 << 17, 1 << 17, 1 << 17), "r": (8, 8, 8), "p": (1, 1, 16)},
    # The second recommended option of RFC 9106, 64 MiB; its first takes 2 GiB.
    "ARGON2ID": {
        "iterations": (3, 3, 64),
        "lanes": (1, 4, 8),
        "memory_kib": (1 << 16, 1 << 16, 1 << 17),
    },
}
"""Parameters of each function: least, default, most."""

_PARAMETERS: Final = ("iterations", "n", "r", "p", "lanes", "memory_kib")
_SLOW = threading.Lock()


class Derivation(Document):
    """How a key is made from a passphrase: no secret, and kept beside the key.

    Attributes:
        kdf: The function.
        salt: Base64 of 16 to 64 random bytes.
        iterations: Of PBKDF2; passes over the memory of Argon2id.
        n, r, p: Of scrypt: cost, block size, parallelism.
        lanes, memory_kib: Of Argon2id; memory in KiB.
    """

    format_version: Literal[1] = 1
    kdf: Kdf
    salt: str
    iterations: int | None = None
    n: int | None = None
    r: int | None = None
    p: int | None = None
    lanes: int | None = None
    memory_kib: int | None = None

    @classmethod
    def new(cls, kdf: Kdf, random: Random, *, iterations: int | None = None) -> Self:
        """A new salt, and the default parameters of a function.

        Args:
            kdf: The function.
            random: Draws the salt.
            iterations: Other than the default, of PBKDF2_SHA256 or ARGON2ID.

        Raises:
            pydantic.ValidationError: So many are out of bounds, or the function has none.
        """
        parameters: dict[str, Any] = {
            name: default for name, (_, default, _) in _BOUNDS[kdf].items()
        }
        if iterations is not None:
            parameters["iterations"] = iterations
        return cls(kdf=kdf, salt=base64.b64encode(random(SALT_SIZE)).decode(), **parameters)

    @field_validator("salt")
    @classmethod
    def _is_a_salt(cls, salt: str) -> str:
        try:
            size = len(base64.b64decode(salt, validate=True))
        except (binascii.Error, ValueError):
            raise ValueError("a salt is base64") from None
        if not SALT_SIZE <= size <= _MAX_SALT:
            raise ValueError(f"a salt has {SALT_SIZE} to {_MAX_SALT} bytes, not {size}")
        return salt

    @model_validator(mode="after")
    def _has_its_parameters(self) -> Self:
        bounds = _BOUNDS[self.kdf]
        for name in _PARAMETERS:
            value = getattr(self, name)
            if name not in bounds:
                if value is not None:
                    raise ValueError(f"{self.kdf} has no parameter {name}: leave it out")
                continue
            least, _, most = bounds[name]
            if value is None or not least <= value <= most:
                raise ValueError(f"{name} of {self.kdf} is a number from {least} to {most}")
        return self


def from_passphrase(
    passphrase: bytes, derivation: Derivation, algorithm: str, *, related: Sequence[str] = ()
) -> bytes:
    """Make a key of `algorithm` from a passphrase.

    Takes, with the default parameters and one core of 2020 or later, 0.1 s by PBKDF2 and Argon2id
    and 0.3 s by scrypt, and up to a second more to judge a long passphrase of symbols.

    Args:
        passphrase: As it stands in the Secret: UTF-8, with or without a line end.
        derivation: How.
        algorithm: Of the key.
        related: See ``check_strength``.

    Returns:
        Material as ``leeward.formats.material`` has it.

    Raises:
        NotDerivableError: No key of this algorithm is made so.
        PassphraseError: It is empty, too long, not UTF-8, or holds control characters.
        WeakPassphraseError: It would be guessed.
    """
    size = seed_size(algorithm)
    text = prepared(passphrase)
    with _SLOW:
        check_strength(text, related)
        return stretch(text.encode(), derivation, size)


def prepared(passphrase: bytes) -> str:
    """The text that is meant, however it was typed: OpaqueString of RFC 8265.

    One line end is taken away, since editors and ``echo`` put one there. Other white space counts.
    Non-ASCII spaces become ASCII ones, and the rest is brought to normalisation form C: so an
    accented letter is the same whether typed as one character or as two. Code points that
    are assigned to nothing yet are refused, since a later version of Unicode may normalise them.

    Raises:
        PassphraseError: It is not such a text.
    """
    try:
        text = without_newline(passphrase).decode()
    except UnicodeDecodeError:
        raise PassphraseError(
            "the passphrase is not text in UTF-8: save it as UTF-8; a binary key is imported"
            " (origin import), not derived"
        ) from None
    if not text:
        raise PassphraseError("the passphrase is empty: put one into the Secret")
    if len(text) > MAX_CHARACTERS:
        raise PassphraseError(
            f"the passphrase has {len(text)} characters, at most {MAX_CHARACTERS} are taken: use"
            " a shorter one; a key file is imported (origin import)"
        )
    spaced = "".join(" " if unicodedata.category(c) == "Zs" else c for c in text)
    composed = unicodedata.normalize("NFC", spaced)
    if any(unicodedata.category(c) in ("Cc", "Cn", "Co", "Cs", "Zl", "Zp") for c in composed):
        raise PassphraseError(
            "the passphrase holds a control character, a second line or an unassigned character:"
            " put one line of plain text into the Secret"
        )
    return composed


def stretch(secret: bytes, derivation: Derivation, size: int) -> bytes:
    """`size` bytes of the function's output for `secret`, as it is."""
    salt = base64.b64decode(derivation.salt)
    given = {name: getattr(derivation, name) for name in _BOUNDS[derivation.kdf]}
    if derivation.kdf == "PBKDF2_SHA256":
        return PBKDF2HMAC(SHA256(), size, salt, **given).derive(secret)
    if derivation.kdf == "SCRYPT":
        return Scrypt(salt, size, **given).derive(secret)
    given["memory_cost"] = given.pop("memory_kib")
    return Argon2id(salt=salt, length=size, **given).derive(secret)
