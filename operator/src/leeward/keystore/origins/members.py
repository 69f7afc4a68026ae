"""Members of the Secret that a steward put a passphrase or a key into."""

from collections.abc import Mapping
from typing import Final

from leeward.keystore.origins.errors import SecretMemberError

MAX_SIZE: Final = 64 * 1024
"""Bytes of a member that are looked at; keys and passphrases are far smaller."""

_NAMED: Final = 8


def member(data: Mapping[str, bytes], name: str) -> bytes:
    """A member of a Secret.

    Args:
        data: The Secret's data, decoded.
        name: Of the member.

    Raises:
        SecretMemberError: It is not there, is empty, or has more than 64 KiB.
    """
    found = data.get(name)
    if found is None:
        there = ", ".join(sorted(data)[:_NAMED]) or "nothing"
        raise SecretMemberError(
            f"the Secret has no member {name}, it has {there}: put it there, or name the right one"
        )
    if not found:
        raise SecretMemberError(f"member {name} of the Secret is empty: put the value there")
    if len(found) > MAX_SIZE:
        raise SecretMemberError(
            f"member {name} of the Secret has {len(found)} bytes, more than the {MAX_SIZE} that a"
            " key or passphrase may have: put just the key there"
        )
    return found


def without_newline(text: bytes) -> bytes:
    """`text` without the one line end that editors and ``echo`` put behind it (LF or CR LF)."""
    return text.removesuffix(b"\n").removesuffix(b"\r") if text.endswith(b"\n") else text
