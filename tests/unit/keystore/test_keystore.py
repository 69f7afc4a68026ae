"""The embedded key store: what it makes, takes up, refuses, delivers and destroys."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fakeapi.store import Answer, Place
from leeward.api.dataset import Location
from leeward.api.s3 import S3
from leeward.keystore.records import UnpublishedKeys
from leeward.plans.shared.faults import StaleWriteError
from leeward.plans.shared.model import (
    AdoptArtefactKey,
    ArtefactKeyOf,
    DeliverKeys,
    EnsureKeyset,
    ForgetArtefactKey,
    KeysetOf,
    Manifest,
    NewKey,
    PublishArtefactKey,
    ShredArtefactKey,
)
from unit.keystore.keystore_world import (
    CLINIC,
    DELIVER,
    ENSURE,
    KEY_ID,
    KEYS,
    OPERATOR,
    OWNER,
    KeyWorld,
    delivered,
    document,
    encoded,
    ensure,
    on_volume,
)

DATASET = "Dataset/visits-masked/uid-3"


@pytest.fixture
def world() -> KeyWorld:
    return KeyWorld()


async def test_new_keyset_costs_one_call(world: KeyWorld) -> None:
    store = world.store()
    await store.ensure_root_key()
    world.api.calls.clear()
    outcome = await store.perform(ENSURE)
    assert [method for method, _ in world.api.calls] == ["POST"]
    info = outcome.result
    assert (outcome.code, info.vault_id, info.owner_uid) == ("Done", "aa" * 16, "uid-1")
    assert info.versions["data"] == ("AES256_GCM", 1, "2027-03-01T12:00:00Z")
    assert info.readable


async def test_look_finds_what_was_made(world: KeyWorld) -> None:
    store = await world.ready()
    info = await store.look(KeysetOf(CLINIC, "vault"))
    assert info == (await store.perform(ENSURE)).result
    assert await store.look(KeysetOf(CLINIC, "other")) is None


async def test_nothing_wrapped_is_readable(world: KeyWorld) -> None:
    store = await world.ready()
    await store.perform(ensure("data"))
    root = document(world.secret("leeward-root-key"), "root-key.json")["keys"][0]["material"]
    await store.perform(DELIVER)
    material = delivered(world).keys[0].material.get_secret_value()
    for name in (*world.names("keyset-"), *world.names("artefact-")):
        text = json.dumps(world.secret(name)) + str(world.secret(name)["data"])
        stored = base64.b64decode(next(iter(world.secret(name)["data"].values()))).decode()
        assert root not in text + stored
        assert material not in text + stored


async def test_key_is_added_and_the_others_stay(world: KeyWorld) -> None:
    store = await world.ready()
    (name,) = world.names("keyset-")
    before = document(world.secret(name), "keyset.json")["keys"]
    more = EnsureKeyset(CLINIC, "vault", "uid-1", "ff" * 16, (*KEYS, NewKey("more", "AES256_GCM")))
    outcome = await store.perform(more)
    assert outcome.result.vault_id == "aa" * 16
    after = document(world.secret(name), "keyset.json")["keys"]
    assert after[:4] == before
    assert [key["name"] for key in after] == [*(key.name for key in KEYS), "more"]


async def test_keyset_of_another_vault_is_retained_until_it_is_adopted(world: KeyWorld) -> None:
    store = await world.ready()
    again = EnsureKeyset(CLINIC, "vault", "uid-2", "ee" * 16, KEYS)
    outcome = await store.perform(again)
    assert (outcome.code, outcome.result.vault_id) == ("Retained", "aa" * 16)
    wrong = EnsureKeyset(CLINIC, "vault", "uid-2", "ee" * 16, KEYS, adopt="11" * 16)
    assert (await store.perform(wrong)).code == "Retained"
    right = EnsureKeyset(CLINIC, "vault", "uid-2", "ee" * 16, KEYS, adopt="aa" * 16)
    outcome = await store.perform(right)
    assert (outcome.code, outcome.result.owner_uid) == ("Done", "uid-2")
    assert outcome.result.vault_id == "aa" * 16


async def test_change_that_somebody_else_made_first_wins(world: KeyWorld) -> None:
    store = await world.ready()
    (name,) = world.names("keyset-")

    def quicker(method: str, body: Manifest | None, place: Place) -> Answer | None:
        if method == "PUT":
            world.api.refusals.clear()
            secret = world.secret(name)
            secret["metadata"]["labels"]["touched"] = "yes"
            world.api.edit(secret)
        return None

    world.api.refusals.append(quicker)
    more = EnsureKeyset(CLINIC, "vault", "uid-1", "ff" * 16, (*KEYS, NewKey("more", "AES256_GCM")))
    with pytest.raises(StaleWriteError):
        await store.perform(more)
    assert (await store.perform(more)).result.versions.keys() >= {"more"}


@pytest.mark.parametrize("data", [{}, {"keyset.json": "AAAA"}, {"keyset.json": "%%%"}])
async def test_truncated_keyset_is_damaged_and_left_alone(world: KeyWorld, data: Manifest) -> None:
    store = await world.ready()
    (name,) = world.names("keyset-")
    world.overwrite(world.secret(name), data)
    info: Any = await store.look(KeysetOf(CLINIC, "vault"))
    assert (info.readable, info.fault) == (False, "Damaged")
    for action in (ENSURE, ensure("data")):
        outcome = await store.perform(action)
        assert (outcome.code, outcome.result) == ("Unreadable", "Damaged")
    assert world.secret(name)["data"] == data


async def test_flipped_bit_is_damaged_although_the_key_was_held_in_memory(world: KeyWorld) -> None:
    store = await world.ready()
    (name,) = world.names("keyset-")
    keyset = document(world.secret(name), "keyset.json")
    wrapped = keyset["keys"][0]["history"][0]["wrapped"]
    raw = bytearray(base64.b64decode(wrapped["ciphertext"]))
    raw[0] ^= 1
    wrapped["ciphertext"] = base64.b64encode(raw).decode()
    world.overwrite(world.secret(name), {"keyset.json": encoded(keyset)})
    info: Any = await store.look(KeysetOf(CLINIC, "vault"))
    assert info.fault == "Damaged"


async def test_artefact_key_is_made_once(world: KeyWorld) -> None:
    store = await world.ready()
    action = ensure("data", artefact=on_volume("data", "masked/x"), dataset="visits-masked")
    outcome = await store.perform(action)
    assert (outcome.result.id, outcome.result.version) == (KEY_ID, 1)
    assert outcome.result.dataset == "visits-masked"
    before = world.secret(f"artefact-{KEY_ID}")
    assert "uid-2" in json.dumps(before["metadata"])
    again = await store.perform(ensure("data", owner="MaskingJob/other/uid-3"))
    assert again.result == outcome.result
    assert world.secret(f"artefact-{KEY_ID}") == before
    assert await store.look(ArtefactKeyOf(KEY_ID)) == outcome.result


@pytest.mark.parametrize("key", ["intake", "data"])
async def test_a_job_can_have_a_key_of_another_algorithm_than_its_vault_key(
    world: KeyWorld, key: str
) -> None:
    store = await world.ready()
    action = ensure(key, artefact=on_volume("data", "masked/x"), algorithm="AES256_GCM")
    made = await store.perform(action)
    assert (made.result.algorithm, made.result.public_key) == ("AES256_GCM", None)
    assert (await store.perform(action)).result == made.result
    await store.perform(replace(DELIVER, keys=(("parts", KEY_ID),)))
    assert len(delivered(world).by_role("parts").raw()) == 32
    assert (await store.perform(ShredArtefactKey(KEY_ID))).code == "Done"
    assert (await store.perform(ForgetArtefactKey(KEY_ID))).code == "Done"
    assert world.names("artefact-") == []


async def test_id_of_another_vault_key_is_a_conflict(world: KeyWorld) -> None:
    store = await world.ready()
    await store.perform(ensure("data"))
    assert (await store.perform(ensure("tokens"))).code == "Conflict"


@pytest.mark.parametrize("action", [ensure("nope"), ensure("data", vault="nope")])
async def test_artefact_key_needs_its_vault_key(world: KeyWorld, action: Any) -> None:
    store = await world.ready()
    assert (await store.perform(action)).code == "Missing"
    assert world.names("artefact-") == []


async def test_pair_is_found_by_id_and_by_fingerprint(world: KeyWorld) -> None:
    store = await world.ready()
    info = (await store.perform(ensure("intake"))).result
    labels = world.secret(f"artefact-{KEY_ID}")["metadata"]["labels"]
    fingerprint = labels["leeward.dev/fingerprint"]
    assert await store.look(ArtefactKeyOf(fingerprint)) is None
    assert await store.look(ArtefactKeyOf(fingerprint, or_fingerprint=True)) == info
    assert await store.look(ArtefactKeyOf("00" * 16, or_fingerprint=True)) is None
    await store.perform(DeliverKeys(CLINIC, "lw-abc", OWNER, (("source", KEY_ID),)))
    pair = X25519PrivateKey.from_private_bytes(delivered(world).keys[0].raw())
    public = serialization.load_pem_public_key(info.public_key.encode())
    assert public.public_bytes_raw() == pair.public_key().public_bytes_raw()  # type: ignore[union-attr]


async def test_published_key_is_not_shredded(world: KeyWorld) -> None:
    store = await world.ready()
    await store.perform(ensure("data", artefact=on_volume("data", "x")))
    for _ in range(2):
        assert (await store.perform(PublishArtefactKey(KEY_ID, DATASET))).result.published
    assert (await store.perform(ShredArtefactKey(KEY_ID))).code == "Conflict"
    assert await store.look(ArtefactKeyOf(KEY_ID)) is not None


async def test_of_a_shredded_key_a_record_stays_that_is_no_key(world: KeyWorld) -> None:
    store = await world.ready()
    made = ensure("intake", artefact=on_volume("data", "x"), dataset="visits-masked")
    await store.perform(made)
    labels = world.secret(f"artefact-{KEY_ID}")["metadata"]["labels"]
    fingerprint = labels["leeward.dev/fingerprint"]
    (before,) = (await store.unpublished_keys()).keys
    for _ in range(2):
        assert (await store.perform(ShredArtefactKey(KEY_ID))).code == "Done"
    secret = world.secret(f"artefact-{KEY_ID}")
    assert document(secret, "artefact-key.json").keys().isdisjoint({"wrapped", "publicKey"})
    assert "leeward.dev/wrapped" not in secret["metadata"]["labels"]
    assert await store.unpublished_keys() == UnpublishedKeys(
        (replace(before, public_key=None),), ()
    )
    assert await store.look(ArtefactKeyOf(fingerprint, or_fingerprint=True)) is None
    assert await store.look(ArtefactKeyOf(KEY_ID)) is None
    assert (await store.perform(PublishArtefactKey(KEY_ID, DATASET))).code == "Missing"
    assert (await store.perform(AdoptArtefactKey(KEY_ID, DATASET, before.owner))).code == "Missing"
    assert (await store.perform(DELIVER)).code == "Missing"
    with pytest.raises(StaleWriteError):
        await store.perform(made)
    assert world.secret(f"artefact-{KEY_ID}") == secret


async def test_record_of_a_shredded_key_is_forgotten_and_no_other(world: KeyWorld) -> None:
    store = await world.ready()
    await store.perform(ensure("data", artefact=on_volume("data", "x")))
    assert (await store.perform(ForgetArtefactKey(KEY_ID))).code == "Conflict"
    assert (await store.perform(DELIVER)).code == "Done"
    await store.perform(ShredArtefactKey(KEY_ID))
    for _ in range(2):
        assert (await store.perform(ForgetArtefactKey(KEY_ID))).code == "Done"
    assert world.names("artefact-") == []
    assert (await store.perform(ShredArtefactKey(KEY_ID))).code == "Missing"


@pytest.mark.parametrize("action", [ShredArtefactKey(KEY_ID), ForgetArtefactKey(KEY_ID)])
async def test_record_that_was_put_there_meanwhile_is_not_removed(
    world: KeyWorld, action: Any
) -> None:
    store = await world.ready()
    await store.perform(ensure("data", artefact=on_volume("data", "x")))
    name = f"artefact-{KEY_ID}"
    good = world.secret(name)
    if isinstance(action, ForgetArtefactKey):
        await store.perform(ShredArtefactKey(KEY_ID))
    else:
        world.overwrite(good, {"artefact-key.json": "AAAA"})

    def restored_first(method: str, body: Manifest | None, place: Place) -> Answer | None:
        if method == "DELETE":
            world.api.refusals.clear()
            world.api.remove("Secret", OPERATOR, name)
            world.api.add(good)
        return None

    world.api.refusals.append(restored_first)
    with pytest.raises(StaleWriteError):
        await store.perform(action)
    assert world.secret(name)["data"] == good["data"]


async def test_of_publishing_and_shredding_one_wins(world: KeyWorld) -> None:
    store, other = await world.ready(), world.store()
    await store.perform(ensure("data", artefact=on_volume("data", "x")))
    name = f"artefact-{KEY_ID}"
    read = world.secret(name)

    def publish_first(method: str, body: Manifest | None, place: Place) -> Answer | None:
        if method == "PUT":
            world.api.refusals.clear()
            record = document(read, "artefact-key.json")
            record["published"] = True
            world.overwrite(world.secret(name), {"artefact-key.json": encoded(record)})
        return None

    world.api.refusals.append(publish_first)
    with pytest.raises(StaleWriteError):
        await other.perform(ShredArtefactKey(KEY_ID))
    assert (await other.perform(ShredArtefactKey(KEY_ID))).code == "Conflict"


async def test_published_key_belongs_to_its_dataset_and_to_no_other(world: KeyWorld) -> None:
    store = await world.ready()
    await store.perform(ensure("data", artefact=on_volume("data", "x")))
    assert (await store.perform(PublishArtefactKey(KEY_ID, DATASET))).result.owner == DATASET
    version = world.api.version
    assert (await store.perform(PublishArtefactKey(KEY_ID, DATASET))).code == "Done"
    assert world.api.version == version
    other = "Dataset/visits/uid-9"
    assert (await store.perform(PublishArtefactKey(KEY_ID, other))).code == "Conflict"
    again = "Dataset/visits-masked/uid-4"
    assert (await store.perform(PublishArtefactKey(KEY_ID, again))).result.owner == again
    assert world.secret(f"artefact-{KEY_ID}")["metadata"]["annotations"] == {
        "leeward.dev/owner": again
    }


async def test_key_is_adopted_once_and_still_opens(world: KeyWorld) -> None:
    store = await world.ready()
    await store.perform(ensure("data", owner=DATASET))
    other, third = "Dataset/visits/uid-9", "Dataset/third/uid-8"
    adopted = (await store.perform(AdoptArtefactKey(KEY_ID, other, DATASET))).result
    assert (adopted.owner, adopted.published) == (other, False)
    assert (await store.perform(AdoptArtefactKey(KEY_ID, other, DATASET))).code == "Done"
    assert (await store.perform(AdoptArtefactKey(KEY_ID, third, DATASET))).code == "Conflict"
    assert (await store.perform(DELIVER)).code == "Done"


async def test_damaged_key_is_neither_published_nor_left_when_it_is_shredded(
    world: KeyWorld,
) -> None:
    store = await world.ready()
    await store.perform(ensure("data", artefact=on_volume("data", "x")))
    world.overwrite(world.secret(f"artefact-{KEY_ID}"), {})
    assert (await store.perform(PublishArtefactKey(KEY_ID, DATASET))).code == "Missing"
    assert (await store.perform(ForgetArtefactKey(KEY_ID))).code == "Conflict"
    assert (await store.perform(ShredArtefactKey(KEY_ID))).code == "Done"
    assert world.names("artefact-") == []


async def test_the_record_of_a_key_says_where_its_file_is_to_lie(world: KeyWorld) -> None:
    store = await world.ready()
    in_bucket = S3.model_validate(
        {
            "endpoint": "https://s3.example",
            "bucket": "clinic",
            "path": "masked/x",
            "credentialsRef": {"name": "s3"},
            "caRef": {"name": "authorities"},
            "cidrs": ["203.0.113.0/24", "2001:db8::/32"],
        }
    )
    for place in (on_volume("data", "masked/x"), Location(s3=in_bucket)):
        key_id = f"{len(place.path) + bool(place.s3):032x}"
        await store.perform(ensure("data", key_id, artefact=place))
        found = {key.id: key for key in (await store.unpublished_keys()).keys}
        assert found[key_id].artefact == place


async def test_orphans_are_keys_of_files_that_were_not_published(world: KeyWorld) -> None:
    store = await world.ready()
    ids = [f"{n}{n}" * 16 for n in (1, 2, 3)]
    for key_id, artefact in zip(
        ids, (on_volume("data", "a"), on_volume("data", "b"), None), strict=True
    ):
        await store.perform(ensure("data", key_id, artefact=artefact))
    await store.perform(PublishArtefactKey(ids[1], DATASET))
    (orphan,) = (await store.unpublished_keys()).keys
    assert (orphan.id, orphan.artefact) == (ids[0], on_volume("data", "a"))
    assert orphan.owner == "MaskingJob/visits/uid-2"


@pytest.mark.parametrize(
    "record",
    [
        *(
            f"owner {lie}"
            for lie in ("x", "MaskingJob/a", "Pod/a/b", "MaskingJob/a/b/c", "Dataset//b")
        ),
        encoded({"formatVersion": 2}),
        base64.b64encode(b"[" * 100_000).decode(),
        base64.b64encode(b"\xff").decode(),
        "\u00e9",
        None,
    ],
)
async def test_record_that_cannot_be_read_is_told_and_left_alone(
    world: KeyWorld, record: str | None
) -> None:
    store = await world.ready()
    await store.perform(ensure("data", artefact=on_volume("data", "a")))
    name = f"artefact-{KEY_ID}"
    if record is not None and record.startswith("owner "):
        written = document(world.secret(name), "artefact-key.json")
        record = encoded({**written, "owner": record.removeprefix("owner ")})
    world.overwrite(world.secret(name), {"artefact-key.json": record})
    assert await store.unpublished_keys() == UnpublishedKeys((), (name,))
    assert world.names("artefact-") == [name]


async def test_vault_keys_are_held_and_not_opened_again(world: KeyWorld) -> None:
    store = await world.ready()
    await store.perform(ensure("data"))
    world.api.calls.clear()
    for _ in range(3):
        await store.look(KeysetOf(CLINIC, "vault"))
    assert len(world.api.calls) == 3
    assert not any("leeward-root-key" in path for _, path in world.api.calls)
