"""Keys from passphrases, other keys and elsewhere, as the key store makes and keeps them."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from golden.rsa.keys import rsa_key
from leeward.api.keyorigin import Origin
from leeward.formats.material import generate, private_pem
from leeward.keystore.store import EmbeddedKeyStore
from leeward.plans.shared.model import (
    GENERATED,
    DeliverKeys,
    KeysetInfo,
    KeysetOf,
    NewKey,
    Outcome,
    RetireVersion,
    RewrapArtefactKeys,
    RotateVaultKey,
)
from unit.keystore.keystore_world import (
    CLINIC,
    ENSURE,
    OPERATOR,
    OWNER,
    KeyWorld,
    delivered,
    ensure,
)

WORDS = b"glacier mandolin copper thistle harbour quilt\n"
OTHER_WORDS = b"velvet anchor sparrow domino kettle fjord\n"
RAW = bytes(range(100, 132))
OTHER_RAW = bytes(range(140, 172))


def given(world: KeyWorld, values: dict[str, bytes], vault: str = "clinic/vault") -> None:
    """A steward puts a Secret into the operator's namespace, or changes it."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "given",
            "namespace": OPERATOR,
            "annotations": {"leeward.dev/for": vault},
        },
        "data": {name: base64.b64encode(value).decode() for name, value in values.items()},
    }
    if world.api.one("Secret", OPERATOR, "given") is None:
        world.api.handle("POST", f"/api/v1/namespaces/{OPERATOR}/secrets", secret, "")
    else:
        world.api.edit(world.secret("given") | {"data": secret["data"]})


def origin(**member: object) -> Origin:
    return Origin.model_validate(member)


def passphrase(kdf: str = "PBKDF2_SHA256", **more: object) -> Origin:
    ref = {"name": "given", "key": "words"}
    return origin(passphrase={"secretRef": ref, "kdf": kdf, **more})


def imported(format: str = "Raw", **more: object) -> Origin:
    ref = {"name": "given", "key": "key"}
    return Origin.model_validate({"import": {"secretRef": ref, "format": format, **more}})


def derived(parent: str) -> Origin:
    return origin(derive={"from": parent, "info": "exports"})


async def made(world: KeyWorld, *keys: NewKey) -> tuple[EmbeddedKeyStore, KeysetInfo]:
    store = world.store()
    await store.ensure_root_key()
    outcome = await store.perform(dataclasses.replace(ENSURE, keys=keys))
    assert outcome.code == "Done"
    return store, outcome.result


async def pod_key(world: KeyWorld, store: EmbeddedKeyStore, key: str, number: int = 1) -> bytes:
    """Material that a pod is given under this vault key."""
    key_id = f"{number:032x}"
    made = await store.perform(ensure(key, key_id))
    assert made.code == "Done", made
    name = f"lw-{number}"
    await store.perform(DeliverKeys(CLINIC, name, OWNER, (("output", key_id),)))
    (only,) = delivered(world, name).keys
    return only.raw()


@pytest.fixture
def world() -> KeyWorld:
    return KeyWorld()


async def test_a_passphrase_makes_what_another_program_makes_of_it(world: KeyWorld) -> None:
    given(world, {"words": WORDS})
    store, info = await made(world, NewKey("archive", "AES256_GCM", passphrase(iterations=600_001)))
    (version,) = info.history["archive"]
    assert version.derivation is not None
    how = json.loads(version.derivation)
    assert (how["kdf"], how["iterations"]) == ("PBKDF2_SHA256", 600_001)
    salt = base64.b64decode(how["salt"])
    expected = hashlib.pbkdf2_hmac("sha256", WORDS.strip(), salt, how["iterations"])
    assert await pod_key(world, store, "archive") == expected
    assert info.made == ("archive",)
    assert WORDS.strip() not in str(world.api.find("Secret", CLINIC)).encode()


async def test_every_artefact_key_is_a_copy_and_has_an_id_of_its_own(world: KeyWorld) -> None:
    given(world, {"key": RAW})
    store, _ = await made(
        world, NewKey("partner", "AES256_GCM", imported()), NewKey("data", "AES256_GCM")
    )
    first, second = [await pod_key(world, store, "partner", n) for n in (1, 2)]
    assert first == second == RAW
    drawn, other = [await pod_key(world, store, "data", n) for n in (3, 4)]
    assert len({drawn, other, RAW}) == 3


async def test_the_secret_is_not_needed_again(world: KeyWorld) -> None:
    given(world, {"key": RAW})
    await made(world, NewKey("partner", "AES256_GCM", imported()))
    world.api.handle("DELETE", f"/api/v1/namespaces/{OPERATOR}/secrets/given", None, "")
    later = world.store()
    assert await pod_key(world, later, "partner") == RAW
    info = await later.look(KeysetOf(CLINIC, "vault"))
    assert isinstance(info, KeysetInfo)
    assert info.readable


async def test_an_imported_pair(world: KeyWorld) -> None:
    key = rsa_key("3072")
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"open sesame"),
    )
    given(world, {"key": pem, "word": b"open sesame\n"})
    store, info = await made(
        world, NewKey("partner", "RSA3072_OAEP", imported("Auto", passphraseKey="word"))
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert info.history["partner"][0].public_key == public.decode()
    outcome = await store.perform(ensure("partner"))
    assert outcome.result.public_key == public.decode()


async def test_an_imported_signing_key_is_no_artefact_key(world: KeyWorld) -> None:
    material = generate("ED25519", lambda size: bytes(range(size)))
    given(world, {"key": private_pem("ED25519", material).encode()})
    _, info = await made(world, NewKey("signing", "ED25519", imported("Auto")))
    assert info.history["signing"][0].public_key is not None


@pytest.mark.parametrize("parent", [GENERATED, imported()], ids=["generate", "import"])
async def test_a_key_derived_from_another(world: KeyWorld, parent: Origin) -> None:
    given(world, {"key": RAW})
    keys = (NewKey("exports", "AES256_SIV", derived("data")), NewKey("data", "AES256_GCM", parent))
    store, info = await made(world, *keys)
    (version,) = info.history["exports"]
    assert version.derivation is not None
    assert json.loads(version.derivation) == {
        "formatVersion": 1,
        "kdf": "HKDF_SHA256",
        "from": "data",
        "fromVersion": 1,
        "info": "exports",
    }
    key = await pod_key(world, store, "exports")
    assert len(key) == 64
    assert await pod_key(world, world.store(), "exports", 2) == key


@pytest.mark.parametrize(
    ("algorithm", "source", "values", "reason", "said"),
    [
        ("AES256_GCM", passphrase(), {"words": b"hunter2"}, "WeakPassphrase", "guesses"),
        ("AES256_GCM", passphrase(), {"words": b"\xff" * 40}, "InvalidPassphrase", "UTF-8"),
        ("AES256_GCM", passphrase(), {"other": WORDS}, "SecretMissing", "leeward.dev/for"),
        ("AES256_GCM", passphrase(), {"words": b""}, "InvalidSecret", "is empty"),
        ("AES256_GCM", imported(), {"key": RAW[:16]}, "InvalidImport", "16 bytes"),
        ("AES256_GCM", imported("Auto"), {"key": b'{"kty":"oct","k'}, "InvalidImport", "JSON"),
        ("RSA3072_OAEP", passphrase(), {"words": WORDS}, "NotDerivable", "origin generate"),
        ("AES256_GCM", derived("nobody"), {}, "NotDerivable", "nobody"),
    ],
)
async def test_what_is_refused_holds_up_no_other_key(
    world: KeyWorld,
    algorithm: str,
    source: Origin,
    values: dict[str, bytes],
    reason: str,
    said: str,
) -> None:
    given(world, values)
    store, info = await made(
        world, NewKey("partner", algorithm, source), NewKey("data", "AES256_GCM")
    )
    assert info.versions.keys() == {"data"}
    assert info.made == ("data",)
    refusal = info.refused["partner"]
    assert refusal.reason == reason
    assert said in refusal.message
    assert "hunter2" not in refusal.message
    assert len(await pod_key(world, store, "data")) == 32


async def test_a_secret_for_another_vault_is_as_good_as_none(world: KeyWorld) -> None:
    given(world, {"key": RAW}, "other/vault")
    _, info = await made(world, NewKey("partner", "AES256_GCM", imported()))
    for_other = info.refused["partner"]
    absent = KeyWorld()
    _, without = await made(absent, NewKey("partner", "AES256_GCM", imported()))
    assert for_other == without.refused["partner"]
    assert for_other.reason == "SecretMissing"


async def test_a_refused_key_is_made_when_its_secret_is_mended(world: KeyWorld) -> None:
    store, info = await made(world, NewKey("partner", "AES256_GCM", imported()))
    assert info.refused
    given(world, {"key": RAW})
    again = dataclasses.replace(ENSURE, keys=(NewKey("partner", "AES256_GCM", imported()),))
    outcome = await store.perform(again)
    assert outcome.result.refused == {}
    assert outcome.result.made == ("partner",)
    assert (await store.perform(again)).result.made == ()


async def test_a_key_that_is_there_is_not_made_again_while_another_is_refused(
    world: KeyWorld,
) -> None:
    given(world, {"words": WORDS})
    keys = (NewKey("archive", "AES256_GCM", passphrase()), NewKey("exports", "AES256_GCM"))
    store, _ = await made(world, *keys)
    world.api.calls.clear()
    refused = (*keys, NewKey("partner", "AES256_GCM", imported()))
    outcome = await store.perform(dataclasses.replace(ENSURE, keys=refused))
    assert outcome.result.refused.keys() == {"partner"}
    read = [path for _, path in world.api.calls if path.endswith("/secrets/given")]
    assert len(read) == 1, "the Secret was read for the key that is there, too"
    assert {verb for verb, _ in world.api.calls} == {"GET"}


def rotate(key: str, source: Origin, primary: int = 1) -> RotateVaultKey:
    return RotateVaultKey(CLINIC, "vault", key, primary, source)


@pytest.mark.parametrize(
    ("name", "source", "old", "new"),
    [("words", passphrase(), WORDS, OTHER_WORDS), ("key", imported(), RAW, OTHER_RAW)],
    ids=["passphrase", "import"],
)
async def test_a_rotation_wants_another_secret(
    world: KeyWorld, name: str, source: Origin, old: bytes, new: bytes
) -> None:
    given(world, {name: old})
    store, _ = await made(world, NewKey("shared", "AES256_GCM", source))
    before = await pod_key(world, store, "shared")
    refused = await store.perform(rotate("shared", source))
    assert refused.code == "Refused"
    assert refused.result.reason == "SecretUnchanged"
    assert "put the new one there" in refused.message
    given(world, {name: new})
    rotated = await store.perform(rotate("shared", source))
    first, second = rotated.result.history["shared"]
    assert (first.state, second.state) == ("Enabled", "Primary")
    assert await pod_key(world, store, "shared", 2) != before
    await moved(store, "shared")
    name = "lw-again"
    await store.perform(DeliverKeys(CLINIC, name, OWNER, (("output", f"{1:032x}"),)))
    assert delivered(world, name).keys[0].raw() == before


async def moved(store: EmbeddedKeyStore, key: str) -> None:
    """Artefact keys are wrapped by the second version, and the first is destroyed."""
    place = (CLINIC, "vault", key)
    outcome: Outcome = await store.perform(RewrapArtefactKeys(*place, 2))
    assert outcome.result.left == 0
    for state in ("Disabled", "Destroyed"):
        outcome = await store.perform(RetireVersion(*place, 1, state))
        assert outcome.code == "Done"
    assert not outcome.result.history[key][0].fixed


async def test_a_derived_key_follows_the_primary_version_of_its_parent(world: KeyWorld) -> None:
    keys = (NewKey("data", "AES256_GCM"), NewKey("exports", "AES256_GCM", derived("data")))
    store, _ = await made(world, *keys)
    before = await pod_key(world, store, "exports")
    await store.perform(rotate("data", GENERATED))
    outcome = await store.perform(rotate("exports", derived("data")))
    derivation = outcome.result.history["exports"][1].derivation
    assert json.loads(derivation)["fromVersion"] == 2
    assert await pod_key(world, store, "exports", 2) != before


async def test_a_pair_on_another_curve_is_refused(world: KeyWorld) -> None:
    other = ec.generate_private_key(ec.SECP384R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    given(world, {"key": other})
    _, info = await made(world, NewKey("signing", "ECDSA_P256", imported("Auto")))
    assert info.refused["signing"].reason == "InvalidImport"
    assert "P-384" in info.refused["signing"].message
