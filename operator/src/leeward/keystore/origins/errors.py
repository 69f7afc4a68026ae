"""Why key material cannot be had from where the spec says.

    OriginError
    |-- SecretMemberError     the Secret lacks a member, or it is too large
    |-- NotDerivableError     no key of this algorithm is made from a passphrase or another key
    |-- PassphraseError       the passphrase is no text that everybody would type alike
    |   `-- WeakPassphraseError
    `-- ImportRefusedError    what stands in the Secret is not a key of the algorithm

Messages say what is wrong and what to do. They go into conditions and events, so they hold lengths,
kinds and names of members, never a value or a part of one.
"""

from typing import ClassVar


class OriginError(Exception):
    """Base of all of these.

    Attributes:
        reason: CamelCase, for a condition.
    """

    reason: ClassVar[str] = "OriginUnusable"


class SecretMemberError(OriginError):
    """A member of the Secret is missing, empty or too large."""

    reason = "SecretMemberUnusable"


class NotDerivableError(OriginError):
    """A key of this algorithm cannot be made from a secret."""

    reason = "NotDerivable"


class PassphraseError(OriginError):
    """What stands in the Secret cannot be used as a passphrase."""

    reason = "PassphraseUnusable"


class WeakPassphraseError(PassphraseError):
    """The passphrase would be guessed."""

    reason = "PassphraseWeak"


class ImportRefusedError(OriginError):
    """What stands in the Secret is not a key of the algorithm."""

    reason = "ImportRefused"
