"""Transit on a real OpenBao server: keys, policies, logins, and everything that goes wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from leeward.formats.wrapped import UnwrapError
from leeward.keystore.providers.port import (
    ProviderCertificateError,
    ProviderError,
    ProviderForbiddenError,
    ProviderKeyMissingError,
    ProviderKeyUnsuitableError,
    ProviderLoginFailedError,
    ProviderSealedError,
    ProviderThrottledError,
    ProviderUnreachableError,
)
from leeward.keystore.providers.transit.config import AppRoleAuth, KubernetesAuth
from leeward.keystore.providers.transit.provider import TransitProvider
from leeward.keystore.providers.transit.surroundings import Limits
from openbao.certificates import Authority, ServerFiles
from openbao.proxy import Proxy
from openbao.server import OpenBao
from unit.keystore.providers.bao_world import QUICK, BaoWorld
from unit.keystore.providers.provider_world import MATERIAL, SECRET_ID, TOKEN, place
from unit.keystore.providers.tokenreview_fake import TokenReviews

IMPATIENT = Limits(request=0.1, deadline=0.3, backoff=0.01, cool_down=0.0)


async def wrapped_by(provider: TransitProvider) -> tuple[object, ...]:
    here = place(await provider.key_id())
    return here, await provider.wrap(MATERIAL, here)


# --- the key -------------------------------------------------------------------------------------


async def test_a_rotated_key_opens_old_ones_and_wraps_new_ones(bao: BaoWorld) -> None:
    provider = bao.provider()
    here = place(await provider.key_id())
    old = await provider.wrap(MATERIAL, here)
    assert await provider.is_current(old, here.key_id)
    bao.rotate()
    bao.world.now += 61
    assert not await provider.is_current(old, here.key_id)
    assert await provider.unwrap(old, here, 32) == MATERIAL
    new = await provider.rewrap(old, here, here, 32)
    assert (old.key_version, new.key_version) == (1, 2)
    assert await provider.is_current(new, here.key_id)
    bao.configure(min_decryption_version=2)
    assert await provider.unwrap(new, here, 32) == MATERIAL


@pytest.mark.parametrize("trimmed", [False, True])
async def test_a_version_that_may_not_decrypt_is_named(bao: BaoWorld, trimmed: bool) -> None:
    provider = bao.provider()
    here = place(await provider.key_id())
    old = await provider.wrap(MATERIAL, here)
    bao.rotate()
    bao.configure(min_decryption_version=2, min_encryption_version=2)
    if trimmed:
        path = f"{bao.mount}/keys/leeward/trim"
        bao.server.call("POST", path, {"min_available_version": 2})
    with pytest.raises(ProviderKeyMissingError, match="version 1 of the key") as caught:
        await provider.unwrap(old, here, 32)
    assert ("backup" if trimmed else "min_decryption_version=1") in caught.value.remedy


async def test_a_key_that_was_made_again_does_not_open_newer_ones(bao: BaoWorld) -> None:
    provider = bao.provider()
    here = place(await provider.key_id())
    bao.rotate()
    new = await provider.wrap(MATERIAL, here)
    bao.configure(deletion_allowed=True)
    bao.server.call("DELETE", f"{bao.mount}/keys/leeward")
    bao.make_key()
    with pytest.raises(ProviderKeyMissingError, match="version 2 of the key"):
        await provider.unwrap(new, here, 32)
    bao.rotate()
    with pytest.raises(UnwrapError):
        await provider.unwrap(new, here, 32)


async def test_a_missing_key_is_made_where_nothing_was_wrapped_and_the_policy_lets(
    bao: BaoWorld,
) -> None:
    provider = bao.provider(key="other")
    path = f"{bao.mount}/keys/other"
    bao.allow(bao.config(key="other").policy())
    with pytest.raises(ProviderKeyMissingError) as caught:
        await wrapped_by(provider)
    assert f"bao write -f {path} type=aes256-gcm96" in caught.value.remedy
    right = bao.config(key="other").policy().replace('"read"', '"read", "create", "update"')
    bao.allow(right)
    bao.world.unused = False
    with pytest.raises(ProviderKeyMissingError, match="there is no key other"):
        await wrapped_by(provider)
    assert bao.server.ask("GET", path)[0] == 404
    bao.world.unused = True
    await wrapped_by(provider)
    made = bao.server.call("GET", path)["data"]
    assert made["type"] == "aes256-gcm96"
    for setting in ("exportable", "deletion_allowed", "allow_plaintext_backup", "derived"):
        assert made[setting] is False


async def test_a_missing_mount_is_told_from_a_missing_key(bao: BaoWorld) -> None:
    bao.world.values[TOKEN] = bao.server.root_token
    nowhere = bao.provider(mount="nowhere")
    with pytest.raises(ProviderKeyMissingError, match="nothing is mounted at nowhere"):
        await nowhere.check()


async def test_a_key_marked_as_deleted_is_told(bao: BaoWorld) -> None:
    provider = bao.provider()
    here = place(await provider.key_id())
    wrapped = await provider.wrap(MATERIAL, here)
    bao.server.call("DELETE", f"{bao.mount}/keys/leeward/soft-delete")
    for work in (provider.unwrap(wrapped, here, 32), provider.check()):
        with pytest.raises(ProviderKeyMissingError, match="marked as deleted"):
            await work


@pytest.mark.parametrize("settings", [{"type": "rsa-3072"}, {"type": "ed25519"}, {"derived": True}])
async def test_a_key_that_cannot_bind_is_refused(
    bao: BaoWorld, settings: dict[str, object]
) -> None:
    bao.server.call("POST", f"{bao.mount}/keys/odd", settings)
    bao.allow(bao.config(key="odd").policy())
    provider = bao.provider(key="odd")
    with pytest.raises(ProviderKeyUnsuitableError) as caught:
        await wrapped_by(provider)
    assert "type=aes256-gcm96" in caught.value.remedy


@pytest.mark.parametrize("kind", ["aes128-gcm96", "chacha20-poly1305", "xchacha20-poly1305"])
async def test_other_ciphers_that_bind_do_as_well(bao: BaoWorld, kind: str) -> None:
    bao.server.call("POST", f"{bao.mount}/keys/other", {"type": kind})
    bao.allow(bao.config(key="other").policy())
    assert await bao.provider(key="other").check() == ()


async def test_a_key_that_can_leave_the_server_is_warned_of(bao: BaoWorld) -> None:
    bao.configure(exportable=True, allow_plaintext_backup=True, deletion_allowed=True)
    warnings = await bao.provider().check()
    assert [w.split(" has ")[1].split(":")[0] for w in warnings] == [
        "exportable",
        "allow_plaintext_backup",
        "deletion_allowed",
    ]


# --- policies and logins -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "capability"), [("keys", "read"), ("encrypt", "update"), ("decrypt", "update")]
)
async def test_a_policy_that_lacks_something_is_told_what(
    bao: BaoWorld, part: str, capability: str
) -> None:
    lines = bao.config().policy().splitlines()
    bao.allow("\n".join(line for line in lines if f"/{part}/" not in line))
    with pytest.raises(ProviderForbiddenError) as caught:
        await bao.provider().check()
    assert f"capability {capability} on {bao.mount}/{part}/leeward" in str(caught.value)
    # What the remedy says is all that it takes.
    bao.allow(caught.value.remedy.partition("\n")[2])
    assert await bao.provider().check() == ()


async def test_app_role_logs_in_once_for_many(bao: BaoWorld) -> None:
    auth = bao.app_role(token_ttl="60s")
    provider = bao.provider(auth)
    here = place(await provider.key_id())
    await asyncio.gather(*(provider.wrap(MATERIAL, here) for _ in range(8)))
    assert bao.world.reads == 1


async def test_a_revoked_login_is_made_again(bao: BaoWorld) -> None:
    auth = bao.app_role()
    provider = bao.provider(auth)
    here = place(await provider.key_id())
    wrapped = await provider.wrap(MATERIAL, here)
    bao.server.call("POST", f"sys/leases/revoke-prefix/auth/{bao.mount}-roles")
    assert await provider.unwrap(wrapped, here, 32) == MATERIAL
    assert bao.world.reads == 2


async def test_a_login_without_the_right_to_look_itself_up_ends_as_forbidden(bao: BaoWorld) -> None:
    auth = bao.app_role(token_no_default_policy=True)
    bao.allow('path "nothing" { capabilities = ["read"] }')
    with pytest.raises(ProviderForbiddenError):
        await bao.provider(auth).check()


async def test_a_wrong_login_is_told(bao: BaoWorld) -> None:
    auth = bao.app_role()
    wrong_role = AppRoleAuth("no-such-role", SECRET_ID, auth.mount)
    wrong_mount = AppRoleAuth(auth.role_id, SECRET_ID, "nowhere")
    for wrong in (wrong_role, wrong_mount):
        with pytest.raises(ProviderLoginFailedError, match=f"login at auth/{wrong.mount}"):
            await bao.provider(wrong).check()
    secret_id = bao.world.values[SECRET_ID]
    bao.world.values[SECRET_ID] = "11111111-2222-3333-4444-555555555555"
    with pytest.raises(ProviderLoginFailedError):
        await bao.provider(auth).check()
    bao.world.values[SECRET_ID] = secret_id
    assert await bao.provider(auth).check() == ()


async def test_kubernetes_auth_logs_in_by_the_operators_service_account(
    bao: BaoWorld, files: ServerFiles, authority: Authority
) -> None:
    token = service_account_token("leeward-system", "leeward")
    async with TokenReviews(files, token, "leeward-transit") as reviews:
        auth = bao.kubernetes_auth(reviews.address, authority.pem)
        bao.world.jwt = token
        assert await bao.provider(auth).check() == ()
        assert reviews.audiences == [["leeward-transit"]]
        others = service_account_token("clinic", "somebody")
        for wrong in (others, token[:-4] + "AAAA", "no-token"):
            bao.world.jwt = wrong
            with pytest.raises(ProviderLoginFailedError, match=f"login at auth/{auth.mount}"):
                await bao.provider(auth).check()
        with pytest.raises(ProviderLoginFailedError) as caught:
            await bao.provider(KubernetesAuth("no-such-role", auth.mount)).check()
        assert "role no-such-role" in caught.value.remedy


def service_account_token(namespace: str, name: str) -> str:
    """As a cluster makes them (RFC 7519); the TokenReview alone decides whether it is good."""
    claims = {
        "iss": "https://kubernetes.default.svc",
        "sub": f"system:serviceaccount:{namespace}:{name}",
        "aud": ["leeward-transit"],
        "iat": int(time.time()),
        "nbf": int(time.time()),
        "exp": int(time.time()) + 3600,
        "kubernetes.io": {
            "namespace": namespace,
            "serviceaccount": {"name": name, "uid": "uid-1"},
        },
    }
    return jwt.encode({"alg": "ES256"}, claims, ECKey.generate_key("P-256"))


async def test_an_expired_token_is_told_until_the_secret_holds_another(bao: BaoWorld) -> None:
    bao.token(ttl="1s", explicit_max_ttl="1s")
    provider = bao.provider()
    here = place(await provider.key_id())
    wrapped = await provider.wrap(MATERIAL, here)
    bao.wait_for_expiry(bao.world.values[TOKEN])
    with pytest.raises(ProviderLoginFailedError, match="bao-token"):
        await provider.unwrap(wrapped, here, 32)
    bao.token()
    assert await provider.unwrap(wrapped, here, 32) == MATERIAL


async def test_a_token_is_renewed_at_two_thirds_of_its_life(bao: BaoWorld) -> None:
    token = bao.token(ttl="1m", period="1m")
    provider = bao.provider()
    await provider.check()
    before = bao.server.call("POST", "auth/token/lookup", {"token": token})["data"]
    assert "last_renewal_time" not in before
    bao.world.now += 41
    await provider.tend()
    after = bao.server.call("POST", "auth/token/lookup", {"token": token})["data"]
    assert after["last_renewal_time"] > 0
    assert await provider.check() == ()


async def test_a_token_that_cannot_be_renewed_is_warned_of(bao: BaoWorld) -> None:
    bao.token(renewable=False, ttl="1h")
    assert await bao.provider().check() == (
        "The operator's token cannot be renewed: replace it before it runs out.",
    )


async def test_everything_works_in_a_namespace(bao: BaoWorld) -> None:
    team = f"team-{bao.mount}"
    server = bao.server
    server.call("POST", f"sys/namespaces/{team}", {})
    server.call("POST", f"sys/mounts/{bao.mount}", {"type": "transit"}, namespace=team)
    server.call("POST", f"{bao.mount}/keys/leeward", {}, namespace=team)
    policy = {"policy": bao.config().policy()}
    server.call("PUT", "sys/policies/acl/leeward", policy, namespace=team)
    made = server.call("POST", "auth/token/create", {"policies": ["leeward"]}, namespace=team)
    bao.world.values[TOKEN] = made["auth"]["client_token"]
    inside, outside = bao.provider(namespace=team), bao.provider()
    here = place(await inside.key_id())
    assert here.key_id != await outside.key_id()
    assert await inside.unwrap(await inside.wrap(MATERIAL, here), here, 32) == MATERIAL
    with pytest.raises(ProviderError):
        await outside.check()
    bao.world.values[TOKEN] = server.root_token
    with pytest.raises(ProviderKeyMissingError, match="no namespace nowhere"):
        await bao.provider(namespace="nowhere").check()


# --- the server and the network ------------------------------------------------------------------


async def test_a_sealed_server_is_told_and_works_again_once_unsealed(bao: BaoWorld) -> None:
    provider = bao.provider()
    here = place(await provider.key_id())
    wrapped = await provider.wrap(MATERIAL, here)
    bao.server.seal()
    try:
        for one in (provider, bao.provider(bao_role(bao))):
            with pytest.raises(ProviderSealedError) as caught:
                await one.unwrap(wrapped, here, 32)
            assert caught.value.passing
    finally:
        bao.server.unseal()
    assert await provider.unwrap(wrapped, here, 32) == MATERIAL


def bao_role(bao: BaoWorld) -> AppRoleAuth:
    bao.world.values[SECRET_ID] = "any"
    return AppRoleAuth("any", SECRET_ID)


async def test_a_certificate_of_another_authority_is_refused(bao: BaoWorld) -> None:
    stranger = bao.provider(ca_pem=Authority("another").pem)
    with pytest.raises(ProviderCertificateError, match="no authority that is trusted"):
        await stranger.check()
    machine = bao.provider(ca_pem=None)
    with pytest.raises(ProviderCertificateError) as caught:
        await machine.check()
    assert "caBundle" in caught.value.remedy


async def test_a_rate_limit_is_waited_for_and_then_told(bao: BaoWorld) -> None:
    provider = bao.provider()
    await provider.check()
    path = f"sys/quotas/rate-limit/{bao.mount}"
    bao.server.call("POST", path, {"path": f"{bao.mount}/", "rate": 0.001})
    try:
        with pytest.raises(ProviderThrottledError):
            await asyncio.gather(*(provider.check() for _ in range(3)))
        assert sum(bao.world.pauses) > 0
    finally:
        bao.server.call("DELETE", path)


@pytest.fixture
async def proxy(openbao: OpenBao) -> AsyncIterator[Proxy]:
    async with Proxy(openbao.port) as made:
        yield made


async def test_a_connection_cut_in_the_middle_of_a_rotation_loses_nothing(
    bao: BaoWorld, proxy: Proxy
) -> None:
    provider = bao.provider(address=proxy.address)
    here = place(await provider.key_id())
    old = await provider.wrap(MATERIAL, here)
    bao.rotate()
    before = proxy.connections
    proxy.cuts = 2
    new = await provider.rewrap(old, here, here, 32)
    assert proxy.connections > before
    assert new.key_version == 2
    for one in (old, new):
        assert await provider.unwrap(one, here, 32) == MATERIAL


async def test_a_network_that_stays_cut_is_told(bao: BaoWorld, proxy: Proxy) -> None:
    provider = bao.provider(address=proxy.address)
    await provider.check()
    proxy.cuts = 1_000
    with pytest.raises(ProviderUnreachableError) as caught:
        await provider.check()
    assert caught.value.passing
    proxy.cuts = 0
    assert await provider.check() == ()


async def test_a_slow_server_is_given_up_and_asked_again(bao: BaoWorld, proxy: Proxy) -> None:
    provider = bao.provider(address=proxy.address, limits=IMPATIENT)
    proxy.held.clear()
    with pytest.raises(ProviderUnreachableError, match="does not answer in time"):
        await provider.check()
    proxy.held.set()
    patient = bao.provider(address=proxy.address, limits=QUICK)
    assert await patient.check() == ()
