"""HPKE entries of another implementation (pyhpke) opened here, and ours opened by it.

pyhpke has no post-quantum KEM: the hybrid is held to the vectors of draft-ietf-hpke-pq, and to the
second reader in tests/golden/lwe1, which computes X-Wing and HPKE by itself.
"""

from __future__ import annotations

import pytest
from pyhpke import AEADId, CipherSuite, KDFId, KEMId, KEMKey, OpenError

from golden.lwe1.cases import CAROL, DAVE, ERIN, fixed_random, stretch
from leeward.formats.sealed import HpkeP256PrivateKey, HpkePrivateKey
from leeward.formats.sealed.keys import UnwrapError
from leeward.formats.sealed.layout import RecipientEntry

FILE_ID, DATA_KEY = stretch("file id", 16), stretch("data key", 32)
TAG = 16

Pair = HpkePrivateKey | HpkeP256PrivateKey

every_pair = pytest.mark.parametrize(
    ("pair", "kem", "name"),
    [
        (CAROL, KEMId.DHKEM_X25519_HKDF_SHA256, "hpke-x25519"),
        (DAVE, KEMId.DHKEM_X25519_HKDF_SHA256, "hpke-x25519"),
        (ERIN, KEMId.DHKEM_P256_HKDF_SHA256, "hpke-p256"),
    ],
    ids=["x25519", "x25519-id", "p256"],
)


def suite(kem: KEMId) -> CipherSuite:
    return CipherSuite.new(kem, KDFId.HKDF_SHA256, AEADId.AES256_GCM)


def info(name: str, key_id: bytes) -> bytes:
    return f"leeward LWE1 {name} recipient".encode() + FILE_ID + key_id


@every_pair
def test_our_entry_opens_there(pair: Pair, kem: KEMId, name: str) -> None:
    entry = pair.public_key.wrap(DATA_KEY, FILE_ID, fixed_random("hpke"))
    cut = len(entry.payload) - len(DATA_KEY) - TAG
    private = KEMKey.from_pem(pair.to_pem())
    context = suite(kem).create_recipient_context(
        entry.payload[:cut], private, info=info(name, pair.key_id)
    )
    assert context.open(entry.payload[cut:]) == DATA_KEY
    moved = suite(kem).create_recipient_context(
        entry.payload[:cut], private, info=info(name, bytes(16))
    )
    with pytest.raises(OpenError):
        moved.open(entry.payload[cut:])


@every_pair
def test_their_entry_opens_here(pair: Pair, kem: KEMId, name: str) -> None:
    public = KEMKey.from_pem(pair.public_key.to_pem())
    encapsulated, context = suite(kem).create_sender_context(public, info(name, pair.key_id))
    payload = encapsulated + context.seal(DATA_KEY)
    assert pair.unwrap(RecipientEntry(pair.KIND, pair.key_id, payload), FILE_ID) == DATA_KEY
    second = encapsulated + context.seal(DATA_KEY)
    with pytest.raises(UnwrapError):
        pair.unwrap(RecipientEntry(pair.KIND, pair.key_id, second), FILE_ID)
