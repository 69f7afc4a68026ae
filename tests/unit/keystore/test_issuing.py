"""Authorities in a keyset, and certificates whose keys are derived and stand nowhere."""

from __future__ import annotations

import base64
import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from leeward.formats.certificates import (
    CertificatePair,
    LeafRequest,
    SignerRequest,
    workload_id,
)
from leeward.keystore.store import EmbeddedKeyStore
from leeward.plans.shared.model import (
    EnsureAuthority,
    EnsureKeyset,
    IssuedLeaf,
    IssueLeaf,
    KeysetInfo,
    KeysetOf,
    LeafEntry,
    LeafKey,
    NewKey,
    PutKeys,
    RetireVersion,
    RotateVaultKey,
    TrustEntry,
)
from unit.keystore.keystore_world import CLINIC, OWNER, KeyWorld, delivered

SIGNING = ("ECDSA_P256", "ECDSA_P384", "ED25519", "RSA_PSS", "ML_DSA_65")
DRAW = "ab" * 16
WARD = workload_id("clinic.example", CLINIC, "kd", "ward")
REQUEST = LeafRequest("KeyDelivery clinic/ward", ("ward.clinic.svc",), WARD)


def signer(algorithm: str) -> SignerRequest:
    return SignerRequest(
        *("clinic.example", CLINIC, "mesh", "ca", "kd", CLINIC, "ward", "uid-2"),
        algorithm,  # type: ignore[arg-type]
    )


async def authority(world: KeyWorld, algorithm: str = "ED25519") -> EmbeddedKeyStore:
    """A vault with a signing key that is an authority."""
    store = world.store()
    await store.ensure_root_key()
    await store.perform(
        EnsureKeyset(CLINIC, "mesh", "uid-1", "aa" * 16, (NewKey("ca", algorithm),))
    )
    assert (await store.perform(ensure())).code == "Done"
    return store


def ensure(**changes: object) -> EnsureAuthority:
    lifetime = changes.get("lifetime", 365 * 86400)
    assert isinstance(lifetime, int)
    return EnsureAuthority(CLINIC, "mesh", "ca", "clinic.example", ("wards.example",), lifetime)


def issue(
    world: KeyWorld,
    request: LeafRequest | SignerRequest = REQUEST,
    version: int = 1,
    draw: str = DRAW,
) -> IssueLeaf:
    key = LeafKey(CLINIC, "mesh", "ca", version, request.algorithm, draw)
    return IssueLeaf(key, request, world.now)


async def issued(store: EmbeddedKeyStore, action: IssueLeaf) -> IssuedLeaf:
    outcome = await store.perform(action)
    assert outcome.code == "Done", outcome
    assert isinstance(outcome.result, IssuedLeaf)
    return outcome.result


async def history(store: EmbeddedKeyStore) -> KeysetInfo:
    info = await store.look(KeysetOf(CLINIC, "mesh"))
    assert isinstance(info, KeysetInfo)
    return info


@pytest.fixture
def world() -> KeyWorld:
    return KeyWorld()


@pytest.mark.parametrize("algorithm", SIGNING)
async def test_every_signing_key_can_be_an_authority(world: KeyWorld, algorithm: str) -> None:
    store = await authority(world, algorithm)
    leaf = await issued(store, issue(world))
    (version,) = (await history(store)).history["ca"]
    assert version.certificate is not None
    root = x509.load_pem_x509_certificate(version.certificate.encode())
    certificate = x509.load_pem_x509_certificate(leaf.certificate.encode())
    certificate.verify_directly_issued_by(root)
    assert leaf.renew_at < leaf.not_after


async def test_an_authority_is_made_once(world: KeyWorld) -> None:
    store = await authority(world)
    (before,) = (await history(store)).history["ca"]
    world.now += datetime.timedelta(days=1)
    await world.store().perform(ensure())
    (after,) = (await history(store)).history["ca"]
    assert before.certificate == after.certificate is not None


async def test_what_a_pod_is_given_is_the_same_whenever_it_is_written(world: KeyWorld) -> None:
    store = await authority(world)
    action = issue(world)
    leaf = await issued(store, action)
    (version,) = (await history(store)).history["ca"]
    bundle = version.certificate or ""
    put = PutKeys(
        *(CLINIC, "ward-keys", "leeward.dev/keys.uid-2", OWNER),
        (
            LeafEntry("mesh", leaf.id, action.leaf, leaf.certificate, bundle),
            TrustEntry("mesh-trust", "cd" * 16, 1, "X509_TRUST", bundle),
        ),
        {},
    )
    seen = set()
    for process in (store, world.store()):
        assert (await process.perform(put)).code == "Done"
        secret = world.api.one("Secret", CLINIC, "ward-keys")
        assert secret is not None
        seen.add(secret["data"]["keyset.json"])
        files = {name: base64.b64decode(data) for name, data in secret["data"].items()}
        pair = CertificatePair.from_material(delivered(world, "ward-keys").by_role("mesh").raw())
        assert files["tls.key"].decode() == pair.private_key_pem
        assert files["tls.crt"].decode() == leaf.certificate
        assert files["ca.crt"].decode() == bundle
    assert len(seen) == 1
    stored = [str(world.secret(name)) for name in world.names("")]
    key = base64.b64encode(pair.private_key_pem.encode()).decode()
    assert not any(key[:60] in text for text in stored)


async def test_every_draw_is_another_key(world: KeyWorld) -> None:
    store = await authority(world)
    asked: tuple[tuple[LeafRequest | SignerRequest, str], ...] = (
        (REQUEST, DRAW),
        (REQUEST, "ba" * 16),
        (signer("ED25519"), DRAW),
    )
    keys = set()
    for request, draw in asked:
        leaf = await issued(store, issue(world, request, draw=draw))
        certificate = x509.load_pem_x509_certificate(leaf.certificate.encode())
        spki = certificate.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        keys.add(spki)
    assert len(keys) == 3


async def test_a_key_of_another_certificate_is_not_delivered(world: KeyWorld) -> None:
    store = await authority(world)
    one, other = issue(world), issue(world, draw="ba" * 16)
    leaf = await issued(store, one)
    mixed = LeafEntry("mesh", leaf.id, other.leaf, leaf.certificate)
    put = PutKeys(CLINIC, "ward-keys", "leeward.dev/keys.uid-2", OWNER, (mixed,), {})
    assert (await store.perform(put)).code == "Unreadable"
    assert world.api.one("Secret", CLINIC, "ward-keys") is None


async def test_a_new_version_is_an_authority_of_its_own_and_a_destroyed_one_is_none(
    world: KeyWorld,
) -> None:
    store = await authority(world)
    await store.perform(RotateVaultKey(CLINIC, "mesh", "ca", 1))
    assert (await store.perform(issue(world, version=2))).code == "Invalid"
    await store.perform(ensure())
    assert (await store.perform(issue(world, version=2))).code == "Done"
    for state in ("Disabled", "Destroyed"):
        await store.perform(RetireVersion(CLINIC, "mesh", "ca", 1, state))
    first, second = (await history(store)).history["ca"]
    assert (first.state, first.certificate) == ("Destroyed", None)
    assert second.certificate is not None
    assert (await store.perform(issue(world, version=1))).code == "Missing"


async def test_what_cannot_be_is_said(world: KeyWorld) -> None:
    store = await authority(world)
    abroad = LeafRequest("KeyDelivery clinic/ward", ("ward.example",), WARD)
    outcome = await store.perform(issue(world, abroad))
    assert outcome.code == "Invalid"
    assert "dnsNames[0]" in outcome.message
    world.now += datetime.timedelta(days=400)
    outcome = await store.perform(issue(world))
    assert (outcome.code, "rotate the key" in outcome.message) == ("Invalid", True)
    other = KeyWorld()
    store = other.store()
    await store.ensure_root_key()
    await store.perform(
        EnsureKeyset(CLINIC, "mesh", "uid-1", "aa" * 16, (NewKey("ca", "ED25519"),))
    )
    outcome = await store.perform(ensure(lifetime=60))
    assert (outcome.code, "lifetime" in outcome.message) == ("Invalid", True)
