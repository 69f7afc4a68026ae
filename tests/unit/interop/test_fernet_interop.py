"""Entries for Fernet keys are tokens of cryptography.fernet, both ways."""

from __future__ import annotations

import base64

import pytest
from cryptography.fernet import Fernet, InvalidToken

from golden.lwe1.cases import JUDY, fixed_random, stretch
from leeward.formats.material import check
from leeward.formats.sealed import ArtefactFernetKey, recipient_of, unwrapper_of
from leeward.formats.sealed.keys import Kind, UnwrapError
from leeward.formats.sealed.layout import RecipientEntry
from leeward.formats.sealed.schedule import derive
from unit.formats.sealed.samples import PLAIN, open_bytes, seal_bytes

LABEL = b"leeward LWE1 artefact-fernet recipient"
FILE_ID, DATA_KEY = stretch("file id", 16), stretch("data key", 32)


def test_their_key_is_ours() -> None:
    theirs = Fernet.generate_key()
    material = base64.urlsafe_b64decode(theirs)
    check("FERNET", material)
    sealed = seal_bytes(recipients=[recipient_of("FERNET", bytes(16), material)])
    assert open_bytes(sealed, [unwrapper_of("FERNET", bytes(16), material)]) == PLAIN


def test_our_token_opens_there() -> None:
    entry = JUDY.wrap(DATA_KEY, FILE_ID, fixed_random("fernet"))
    fernet = Fernet(base64.urlsafe_b64encode(derive(JUDY.material, FILE_ID, LABEL)))
    assert fernet.decrypt(entry.payload) == LABEL + FILE_ID + JUDY.key_id + DATA_KEY
    assert fernet.extract_timestamp(entry.payload) == 0
    with pytest.raises(InvalidToken):
        Fernet(Fernet.generate_key()).decrypt(entry.payload)


def test_their_token_opens_here() -> None:
    fernet = Fernet(base64.urlsafe_b64encode(derive(JUDY.material, FILE_ID, LABEL)))
    token = fernet.encrypt(LABEL + FILE_ID + JUDY.key_id + DATA_KEY)
    entry = RecipientEntry(Kind.ARTEFACT_FERNET, JUDY.key_id, token)
    assert JUDY.unwrap(entry, FILE_ID) == DATA_KEY
    other = ArtefactFernetKey(JUDY.key_id, stretch("another", 32))
    with pytest.raises(UnwrapError):
        other.unwrap(entry, FILE_ID)
    for plain in (DATA_KEY, FILE_ID + JUDY.key_id + DATA_KEY, LABEL[::-1] + FILE_ID + DATA_KEY):
        entry = RecipientEntry(Kind.ARTEFACT_FERNET, JUDY.key_id, fernet.encrypt(plain))
        with pytest.raises(UnwrapError):
            JUDY.unwrap(entry, FILE_ID)


def test_a_file_never_gives_away_its_data_key_to_who_may_read_values() -> None:
    """Value tokens are made with the key itself: unmasking one must not be opening a file."""
    entry = JUDY.wrap(DATA_KEY, FILE_ID, fixed_random("fernet"))
    with pytest.raises(InvalidToken):
        Fernet(base64.urlsafe_b64encode(JUDY.material)).decrypt(entry.payload)
    token = Fernet(base64.urlsafe_b64encode(JUDY.material)).encrypt(
        LABEL + FILE_ID + JUDY.key_id + DATA_KEY
    )
    with pytest.raises(UnwrapError):
        JUDY.unwrap(RecipientEntry(Kind.ARTEFACT_FERNET, JUDY.key_id, token), FILE_ID)
