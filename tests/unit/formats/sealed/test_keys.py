"""Recipient kinds: who unwraps what, and that no key shows itself."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from golden.lwe1.cases import ALICE, BOB, CAROL, DAVE, fixed_random, stretch
from leeward.formats.sealed import (
    ArtefactKey,
    HpkePrivateKey,
    HpkePublicKey,
    InvalidKey,
    NoKeyForFile,
    RecipientsTampered,
)
from leeward.formats.sealed.keys import UnwrapError
from unit.formats.sealed.samples import PLAIN, open_bytes, seal_bytes

DATA_KEY, FILE_ID, OTHER_ID = bytes(32), bytes(16), bytes(15) + b"\1"


@pytest.mark.parametrize(
    ("recipient", "key"),
    [(ALICE, ALICE), (CAROL.public_key, CAROL), (DAVE.public_key, DAVE)],
    ids=["artefact", "hpke-fingerprint", "hpke-id"],
)
def test_wrapped_key_is_bound_to_file_and_key_id(
    recipient: ArtefactKey | HpkePublicKey, key: ArtefactKey | HpkePrivateKey
) -> None:
    entry = recipient.wrap(DATA_KEY, FILE_ID, fixed_random("wrap"))
    assert key.unwrap(entry, FILE_ID) == DATA_KEY
    with pytest.raises(UnwrapError):
        key.unwrap(entry, OTHER_ID)
    assert BOB.unwrap(entry, FILE_ID) is None


def test_private_key_answers_to_its_id_and_to_the_fingerprint() -> None:
    """A data owner knows only the public half; the cluster calls the pair by its artefact key."""
    owner = HpkePublicKey.from_pem(DAVE.public_key.to_pem())
    assert owner.key_id == owner.fingerprint != DAVE.key_id
    assert open_bytes(seal_bytes(recipients=[owner]), [DAVE]) == PLAIN
    assert open_bytes(seal_bytes(recipients=[DAVE.public_key]), [DAVE]) == PLAIN


def test_keys_are_tried_until_one_fits() -> None:
    data = seal_bytes(recipients=[BOB, CAROL.public_key])
    assert open_bytes(data, [ALICE, DAVE, CAROL]) == PLAIN
    with pytest.raises(NoKeyForFile):
        open_bytes(data, [ALICE, DAVE])


def test_right_id_with_wrong_material_is_refused() -> None:
    impostor = ArtefactKey(ALICE.key_id, BOB.material)
    with pytest.raises(RecipientsTampered, match="wrong material"):
        open_bytes(seal_bytes(), [impostor])
    assert open_bytes(seal_bytes(), [impostor, ALICE]) == PLAIN


def test_pem_there_and_back() -> None:
    again = HpkePrivateKey.from_pem(CAROL.to_pem())
    assert again.to_bytes() == CAROL.to_bytes() == stretch("key carol", 32)
    assert again.key_id == HpkePublicKey.from_pem(CAROL.public_key.to_pem()).key_id


def ed25519() -> tuple[bytes, bytes]:
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    pem = serialization.Encoding.PEM
    return key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ), key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)


def test_pem_of_another_kind_and_no_pem_are_refused() -> None:
    private, public = ed25519()
    with pytest.raises(InvalidKey, match="use a key of algorithm HPKE_X25519"):
        HpkePrivateKey.from_pem(private)
    with pytest.raises(InvalidKey, match="use a key of algorithm HPKE_X25519"):
        HpkePublicKey.from_pem(public)
    with pytest.raises(InvalidKey, match="public key in PEM"):
        HpkePublicKey.from_pem(CAROL.to_pem())
    with pytest.raises(InvalidKey, match="private key in PEM"):
        HpkePrivateKey.from_pem(b"nothing")


@pytest.mark.parametrize(("id_size", "size"), [(15, 32), (16, 31), (16, 64)])
def test_artefact_key_of_another_length_is_refused(id_size: int, size: int) -> None:
    with pytest.raises(InvalidKey):
        ArtefactKey(bytes(id_size), bytes(size))


def test_private_key_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidKey):
        HpkePrivateKey.from_bytes(bytes(31))


def test_generated_keys_take_their_randomness_from_the_caller() -> None:
    assert ArtefactKey.generate(lambda n: bytes(n)).material == bytes(32)
    assert HpkePrivateKey.generate(lambda n: b"\7" * n).to_bytes() == b"\7" * 32


@pytest.mark.parametrize("key", [ALICE, CAROL, DAVE])
def test_no_key_shows_its_material(key: ArtefactKey | HpkePrivateKey) -> None:
    material = key.material if isinstance(key, ArtefactKey) else key.to_bytes()
    shown = repr(key) + str(key) + f"{key}"
    assert repr(material) not in shown
    assert material.hex() not in shown
    assert repr(key.key_id) in shown


def test_errors_show_neither_key_nor_data() -> None:
    data = bytearray(seal_bytes(b"Ada Lovelace, ada@example.org"))
    data[-1] ^= 1
    with pytest.raises(Exception, match="chunk 0") as caught:
        open_bytes(bytes(data))
    chain = [caught.value, caught.value.__cause__, caught.value.__context__]
    shown = " ".join(map(repr, chain))
    assert "Ada" not in shown
    assert repr(ALICE.material) not in shown
