"""Everything that can be wrong with a sealed file.

    SealedError
    |-- NotSealed               the file is something else
    |-- UnsupportedVersion      written by a later version, or by an algorithm not built in
    |-- Truncated               the end is missing
    |-- TrailingData            something was appended
    |-- HeaderTampered          the core header was changed
    |-- RecipientsTampered      a recipients slot was changed
    |-- ChunkTampered           a chunk was changed, moved or comes from another file
    |-- NoKeyForFile            none of the given keys is among the recipients
    |-- KeyCommitmentMismatch   a recipient holds another data key than the file was sealed with
    |-- RecipientsInvalid       the recipients asked for cannot be written
    |   `-- TooManyRecipients
    |-- InvalidKey              key material of the wrong kind, length or encoding
    |-- TargetExists            the output name is taken
    |-- DigestMismatch          the file is whole, and not the one that was expected
    |-- RewrapInProgress        another process rewraps the same file
    `-- PlaintextTooLarge       more chunks than the counter can number

Messages say what happened and what to do. They hold ids and offsets, never keys or data.
"""

# ruff: noqa: N818 - a name that says what is wrong with the file needs no suffix

from __future__ import annotations

__all__ = [
    "ChunkTampered",
    "DigestMismatch",
    "HeaderTampered",
    "InvalidKey",
    "KeyCommitmentMismatch",
    "NoKeyForFile",
    "NotSealed",
    "PlaintextTooLarge",
    "RecipientsInvalid",
    "RecipientsTampered",
    "RewrapInProgress",
    "SealedError",
    "TargetExists",
    "TooManyRecipients",
    "TrailingData",
    "Truncated",
    "UnsupportedVersion",
]


class SealedError(Exception):
    """Base of all errors of the sealed format."""


class NotSealed(SealedError):
    """The input does not begin like an LWE1 file."""


class UnsupportedVersion(SealedError):
    """The file is LWE1, of a version or with an algorithm that this build does not know."""


class Truncated(SealedError):
    """The end of the file is missing."""


class TrailingData(SealedError):
    """Bytes follow the last chunk."""


class HeaderTampered(SealedError):
    """The core header does not belong to the data key."""


class RecipientsTampered(SealedError):
    """A recipients slot is damaged, forged or taken from another file."""


class ChunkTampered(SealedError):
    """A chunk does not authenticate.

    Attributes:
        index: number of the chunk, from 0.
    """

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


class NoKeyForFile(SealedError):
    """None of the keys given is among the file's recipients."""


class KeyCommitmentMismatch(SealedError):
    """The unwrapped data key is not the one that the core commits to."""


class RecipientsInvalid(SealedError):
    """The list of recipients is empty or names one key twice."""


class TooManyRecipients(RecipientsInvalid):
    """The recipients do not fit in a slot."""


class InvalidKey(SealedError):
    """Key material has the wrong kind, length or encoding."""


class TargetExists(SealedError):
    """The output name is taken and overwriting was not asked for."""


class DigestMismatch(SealedError):
    """The file is whole, and not the one that was expected."""


class RewrapInProgress(SealedError):
    """The file is locked by another rewrap."""


class PlaintextTooLarge(SealedError):
    """The plaintext needs more than 2**32 chunks."""
