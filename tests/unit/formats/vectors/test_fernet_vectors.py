"""The vectors of the Fernet specification, by the library that entries are made with."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

import pytest
from cryptography.fernet import Fernet, InvalidToken

from leeward.formats.sealed import ArtefactFernetKey
from leeward.formats.sealed.keys import Kind, UnwrapError
from leeward.formats.sealed.layout import RecipientEntry
from unit.formats.vectors.published import loaded


def key_of(case: dict[str, Any]) -> ArtefactFernetKey:
    return ArtefactFernetKey(bytes(16), base64.urlsafe_b64decode(case["secret"]))


def now(case: dict[str, Any]) -> int:
    return int(datetime.fromisoformat(case["now"]).timestamp())


@pytest.mark.parametrize("name", ["generate", "verify"])
def test_token_of_the_specification_opens(name: str) -> None:
    for case in loaded(f"fernet/{name}.json"):
        fernet = Fernet(case["secret"])
        assert fernet.decrypt(case["token"]).decode() == case["src"]
        assert fernet.extract_timestamp(case["token"]) <= now(case)


@pytest.mark.parametrize("case", loaded("fernet/invalid.json"), ids=lambda case: case["desc"])
def test_invalid_token_of_the_specification_is_refused(case: dict[str, Any]) -> None:
    key = key_of(case)
    with pytest.raises(InvalidToken):
        Fernet(case["secret"]).decrypt_at_time(case["token"], case["ttl_sec"], now(case))
    entry = RecipientEntry(Kind.ARTEFACT_FERNET, key.key_id, case["token"].encode())
    with pytest.raises(UnwrapError):
        key.unwrap(entry, bytes(16))


def test_genuine_token_that_is_no_entry_is_refused() -> None:
    for case in loaded("fernet/verify.json"):
        key = key_of(case)
        entry = RecipientEntry(Kind.ARTEFACT_FERNET, key.key_id, case["token"].encode())
        with pytest.raises(UnwrapError):
            key.unwrap(entry, bytes(16))
