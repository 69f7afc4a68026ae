"""Recipient kinds: who unwraps what, and that no key shows itself."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from golden.lwe1.cases import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    ERIN,
    FRANK,
    GRACE,
    HEIDI,
    IVAN,
    JUDY,
    PAIRS,
    SYMMETRIC,
    fixed_random,
    stretch,
)
from leeward.formats.material import PrivateKey, PublicKey, XWingPublicKey
from leeward.formats.sealed import (
    ArtefactKey,
    HpkeHybridPrivateKey,
    HpkeHybridPublicKey,
    HpkeP256PrivateKey,
    HpkePrivateKey,
    HpkePublicKey,
    InvalidKey,
    NoKeyForFile,
    PrivateHalf,
    PublicHalf,
    RecipientsTampered,
    SymmetricKey,
    TooManyRecipients,
)
from leeward.formats.sealed.keys import UnwrapError
from leeward.formats.sealed.layout import RecipientEntry
from unit.formats.sealed.samples import PLAIN, open_bytes, seal_bytes

Key = SymmetricKey | PrivateHalf[PrivateKey]
KEYS: tuple[Key, ...] = (*SYMMETRIC, *PAIRS)
DATA_KEY, FILE_ID, OTHER_ID = bytes(32), bytes(16), bytes(15) + b"\1"
SIZES = {1: {60}, 2: {80}, 3: {113}, 4: {1168}, 5: {384, 512}, 6: {60}, 7: {228}}

every_key = pytest.mark.parametrize("key", KEYS, ids=lambda key: key.algorithm)
every_pair = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.algorithm)


def recipient(key: Key) -> SymmetricKey | PublicHalf[PublicKey]:
    return key.public_key if isinstance(key, PrivateHalf) else key


def wrapped(key: Key) -> RecipientEntry:
    return recipient(key).wrap(DATA_KEY, FILE_ID, fixed_random("wrap"))


def named(key: Key, number: int) -> Key:
    """The same key under another id."""
    key_id = number.to_bytes(16, "big")
    if isinstance(key, SymmetricKey):
        return type(key)(key_id, key.material)
    return type(key)(key.key, key_id)


@every_key
def test_wrapped_key_is_bound_to_file_and_key_id(key: Key) -> None:
    entry = wrapped(key)
    assert len(entry.payload) in SIZES[entry.kind]
    assert key.unwrap(entry, FILE_ID) == DATA_KEY
    with pytest.raises(UnwrapError):
        key.unwrap(entry, OTHER_ID)
    renamed = named(key, 1)
    with pytest.raises(UnwrapError):
        renamed.unwrap(RecipientEntry(entry.kind, renamed.key_id, entry.payload), FILE_ID)


@every_key
def test_every_key_opens_its_own_entry_and_no_other(key: Key) -> None:
    for other in KEYS:
        if other is not key:
            assert key.unwrap(wrapped(other), FILE_ID) is None


@every_key
def test_entry_of_one_kind_is_none_of_another(key: Key) -> None:
    entry = wrapped(key)
    for kind in {*SIZES, 0, 8} - {entry.kind}:
        assert key.unwrap(RecipientEntry(kind, entry.key_id, entry.payload), FILE_ID) is None


@every_key
def test_entry_of_another_length_is_refused(key: Key) -> None:
    entry = wrapped(key)
    for payload in (b"", b"\0", entry.payload[:-1], entry.payload + b"\0", entry.payload * 2):
        with pytest.raises(UnwrapError):
            key.unwrap(RecipientEntry(entry.kind, entry.key_id, payload), FILE_ID)


@every_key
def test_wrapped_key_of_another_length_is_refused(key: Key) -> None:
    entry = recipient(key).wrap(DATA_KEY[:-1], FILE_ID, fixed_random("wrap"))
    with pytest.raises(UnwrapError):
        key.unwrap(entry, FILE_ID)


@every_key
def test_file_opens_by_the_key_that_it_is_sealed_to(key: Key) -> None:
    assert open_bytes(seal_bytes(recipients=[BOB, recipient(key)][key is BOB :]), [key]) == PLAIN


@every_pair
def test_private_key_answers_to_its_id_and_to_the_fingerprint(
    pair: PrivateHalf[PrivateKey],
) -> None:
    """A data owner knows only the public half; the cluster calls the pair by its artefact key."""
    pair = type(pair)(pair.key, stretch("id of a pair", 16))
    owner = type(pair.public_key).from_pem(pair.public_key.to_pem())
    assert owner.key_id == owner.fingerprint != pair.key_id
    assert open_bytes(seal_bytes(recipients=[owner]), [pair]) == PLAIN
    assert open_bytes(seal_bytes(recipients=[pair.public_key]), [pair]) == PLAIN


def unnamed(key: Key) -> Key:
    """The same key as somebody has it who was given the bare key."""
    return type(key)(b"", key.material) if isinstance(key, SymmetricKey) else type(key)(key.key)


@every_key
def test_a_key_without_an_id_opens_what_is_sealed_to_it_by_any(key: Key) -> None:
    """A cluster that imported the key calls every artefact's copy of it by another id."""
    bare = unnamed(key)
    for number in (1, 2):
        sealed = seal_bytes(recipients=[BOB, recipient(named(key, number))])
        assert open_bytes(sealed, [bare]) == PLAIN
    others = [other for other in KEYS if other.KIND == key.KIND and other is not key]
    for other in others:
        with pytest.raises(NoKeyForFile):
            open_bytes(seal_bytes(recipients=[recipient(other)]), [bare])


@every_key
def test_what_a_key_without_an_id_seals_is_opened_under_any(key: Key) -> None:
    sealed = seal_bytes(recipients=[recipient(unnamed(key))])
    for number in (1, 2):
        assert open_bytes(sealed, [named(key, number)]) == PLAIN


@pytest.mark.parametrize("key", SYMMETRIC, ids=lambda key: key.algorithm)
def test_fingerprints_differ_by_key_and_kind(key: SymmetricKey) -> None:
    kinds = {type(other) for other in SYMMETRIC} - {type(key)}
    others = [kind(b"", key.material) for kind in kinds]
    another = type(key)(b"", stretch("another", 32))
    fingerprints = [each.fingerprint for each in (key, another, *others)]
    assert len(set(fingerprints)) == len(fingerprints)
    assert all(each not in key.material for each in fingerprints)


def test_keys_are_tried_until_one_fits() -> None:
    data = seal_bytes(recipients=[BOB, CAROL.public_key])
    assert open_bytes(data, [ALICE, GRACE, DAVE, CAROL]) == PLAIN
    with pytest.raises(NoKeyForFile, match=f"hpke-x25519 {CAROL.key_id.hex()}"):
        open_bytes(data, [ALICE, GRACE, DAVE])


@pytest.mark.parametrize("key", SYMMETRIC, ids=lambda key: key.algorithm)
def test_right_id_with_wrong_material_is_refused(key: SymmetricKey) -> None:
    impostor = type(key)(key.key_id, stretch("other", 32))
    data = seal_bytes(recipients=[key])
    with pytest.raises(RecipientsTampered, match="wrong material"):
        open_bytes(data, [impostor])
    assert open_bytes(data, [impostor, key]) == PLAIN


@pytest.mark.parametrize(
    "kind", [HpkePrivateKey, HpkeP256PrivateKey, HpkeHybridPrivateKey], ids=lambda kind: kind.KIND
)
def test_right_id_with_another_pair_is_refused(kind: type[PrivateHalf[PrivateKey]]) -> None:
    numbers = fixed_random("pairs")
    pair, impostor = (kind.generate(numbers, OTHER_ID) for _ in range(2))
    with pytest.raises(RecipientsTampered, match="wrong material"):
        open_bytes(seal_bytes(recipients=[pair.public_key]), [impostor])


@every_pair
def test_pem_and_bytes_there_and_back(pair: PrivateHalf[PrivateKey]) -> None:
    public = type(pair.public_key).from_pem(pair.public_key.to_pem(), pair.key_id)
    for again in (
        type(pair).from_pem(pair.to_pem(), pair.key_id),
        type(pair).from_bytes(pair.to_bytes(), pair.key_id, pair.algorithm),
    ):
        assert again.to_bytes() == pair.to_bytes()
        assert again.algorithm == public.algorithm == pair.algorithm
        assert again.unwrap(public.wrap(DATA_KEY, FILE_ID, fixed_random("")), FILE_ID) == DATA_KEY


@every_pair
def test_pem_of_another_kind_and_no_pem_are_refused(pair: PrivateHalf[PrivateKey]) -> None:
    public = type(pair.public_key)
    for other in PAIRS:
        if other.KIND != pair.KIND:
            with pytest.raises(InvalidKey, match=f"use a key of algorithm {pair.ALGORITHMS[0]}"):
                type(pair).from_pem(other.to_pem())
            with pytest.raises(InvalidKey, match=f"use a key of algorithm {pair.ALGORITHMS[0]}"):
                public.from_pem(other.public_key.to_pem())
    with pytest.raises(InvalidKey, match="public key in PEM"):
        public.from_pem(pair.to_pem())
    with pytest.raises(InvalidKey, match="private key in PEM"):
        type(pair).from_pem(b"nothing")


@pytest.mark.parametrize(
    "kind", dict.fromkeys(type(key) for key in SYMMETRIC), ids=lambda kind: kind.ALGORITHM
)
@pytest.mark.parametrize(("id_size", "size"), [(15, 32), (16, 31), (16, 64)])
def test_artefact_key_of_another_length_is_refused(
    kind: type[SymmetricKey], id_size: int, size: int
) -> None:
    with pytest.raises(InvalidKey):
        kind(bytes(id_size), bytes(size))


@every_pair
def test_private_key_of_another_length_is_refused(pair: PrivateHalf[PrivateKey]) -> None:
    with pytest.raises(InvalidKey):
        type(pair).from_bytes(pair.to_bytes()[:-1], b"", pair.algorithm)


@every_pair
def test_key_id_of_another_length_is_refused(pair: PrivateHalf[PrivateKey]) -> None:
    with pytest.raises(InvalidKey, match="key id has 16 bytes, not 15"):
        type(pair)(pair.key, bytes(15))
    with pytest.raises(InvalidKey, match="key id has 16 bytes, not 15"):
        type(pair.public_key)(pair.public_key.key, bytes(15))


@pytest.mark.parametrize("point", [bytes(32), b"\1" + bytes(31)])
def test_public_key_of_small_order_is_refused(point: bytes) -> None:
    """With such a point every shared secret is zero, whoever computes it."""
    weak = HpkePublicKey(X25519PublicKey.from_public_bytes(point))
    hybrid = HpkeHybridPublicKey(XWingPublicKey(FRANK.public_key.key.raw[:-32] + point))
    for half in (weak, hybrid):
        with pytest.raises(InvalidKey, match="get the key from its owner again"):
            seal_bytes(recipients=[half])


def test_generated_keys_take_their_randomness_from_the_caller() -> None:
    assert ArtefactKey.generate(lambda n: bytes(n)).material == bytes(32)
    assert HpkePrivateKey.generate(lambda n: b"\7" * n).to_bytes() == b"\7" * 32
    assert HpkeHybridPrivateKey.generate(lambda n: b"\7" * n).to_bytes() == b"\7" * 32


@pytest.mark.parametrize(
    ("key", "room"),
    [(FRANK, 6), (GRACE, 20), (HEIDI, 15), (ERIN, 60), (CAROL, 64), (JUDY, 32), (IVAN, 64)],
    ids=lambda value: value if isinstance(value, int) else value.algorithm,
)
def test_room_for_recipients_is_what_the_format_says(key: Key, room: int) -> None:
    several = [named(key, number) for number in range(1, room + 2)]
    recipients = [recipient(each) for each in several]
    assert open_bytes(seal_bytes(recipients=recipients[:room]), [several[room - 1]]) == PLAIN
    with pytest.raises(TooManyRecipients):
        seal_bytes(recipients=recipients)


def test_the_mixture_that_the_format_names_fits() -> None:
    some: list[tuple[Key, int]] = [(FRANK, 3), (HEIDI, 2), (CAROL, 34)]
    recipients = [recipient(named(pair, n)) for pair, count in some for n in range(count)]
    assert open_bytes(seal_bytes(recipients=recipients), [named(FRANK, 2)]) == PLAIN


@every_key
def test_no_key_shows_its_material(key: Key) -> None:
    material = key.material if isinstance(key, SymmetricKey) else key.to_bytes()
    shown = repr(key) + str(key) + f"{key}"
    assert repr(material) not in shown
    assert material.hex() not in shown
    assert repr(key.key_id) in shown


@pytest.mark.parametrize("key", [ALICE, IVAN, JUDY])
def test_errors_show_neither_key_nor_data(key: SymmetricKey) -> None:
    data = bytearray(seal_bytes(b"Ada Lovelace, ada@example.org", [key]))
    data[-1] ^= 1
    with pytest.raises(Exception, match="chunk 0") as caught:
        open_bytes(bytes(data), [key])
    chain = [caught.value, caught.value.__cause__, caught.value.__context__]
    shown = " ".join(map(repr, chain))
    assert "Ada" not in shown
    assert repr(key.material) not in shown
