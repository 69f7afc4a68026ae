"""Why key material cannot be had from where the spec says.

    OriginError
    |-- SecretMissingError    there is no such Secret, or it is for another KeyVault
    |-- SecretMemberError     the Secret lacks a member, or it is too large
    |-- SecretUnchangedError  a new version is asked for, and the Secret holds the old key
    |-- NotDerivableError     no key of this algorithm is made from a passphrase or another key
    |-- PassphraseError       the passphrase is no text that everybody would type alike
    |   `-- WeakPassphraseError
    `-- ImportRefusedError    what stands in the Secret is not a key of the algorithm

Messages say what is wrong and what to do. They go into conditions and events, so they hold lengths,
kinds and names of members, never a value or a part of one.
"""

from typing import ClassVar

from leeward.plans.shared.needs import OriginReason


class OriginError(Exception):
    """Base of all of these.

    Attributes:
        reason: Of the condition.
    """

    reason: ClassVar[OriginReason]


class SecretMissingError(OriginError):
    """There is no such Secret in the operator's namespace, or it is not for this KeyVault."""

    reason = "SecretMissing"


class SecretUnchangedError(OriginError):
    """The Secret holds what the version before was made of."""

    reason = "SecretUnchanged"


class SecretMemberError(OriginError):
    """A member of the Secret is missing, empty or too large."""

    reason = "InvalidSecret"


class NotDerivableError(OriginError):
    """A key of this algorithm cannot be made from a secret."""

    reason = "NotDerivable"


class PassphraseError(OriginError):
    """What stands in the Secret cannot be used as a passphrase."""

    reason: ClassVar[OriginReason] = "InvalidPassphrase"


class WeakPassphraseError(PassphraseError):
    """The passphrase would be guessed."""

    reason = "WeakPassphrase"


class ImportRefusedError(OriginError):
    """What stands in the Secret is not a key of the algorithm."""

    reason = "InvalidImport"
