"""Tokens of the operator: got, renewed, replaced, on a server that does as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from leeward.keystore.providers.port import (
    ProviderForbiddenError,
    ProviderKeyUnsuitableError,
    ProviderLoginFailedError,
    ProviderProtocolError,
    ProviderUnreachableError,
)
from leeward.keystore.providers.transit.config import TransitAuth
from leeward.keystore.providers.transit.login import Token, token_file
from leeward.keystore.providers.transit.provider import TransitProvider
from openbao.certificates import Authority
from unit.keystore.providers.provider_world import (
    BY_CLUSTER,
    BY_ROLE,
    BY_TOKEN,
    MATERIAL,
    SECRET_ID,
    TOKEN,
    World,
    place,
)
from unit.keystore.providers.transit_fake import FakeTransit, answering, said, saying

Maker = Callable[[TransitAuth], TransitProvider]
LOOKUP = "GET auth/token/lookup-self"
RENEW = "POST auth/token/renew-self"
LOGIN = "POST auth/approle/login"


@pytest.fixture
async def by(fake: FakeTransit, authority: Authority, world: World) -> AsyncIterator[Maker]:
    """Makes providers that log in so."""
    made: list[TransitProvider] = []

    def make(auth: TransitAuth) -> TransitProvider:
        config = fake.config(auth, authority.pem)
        made.append(TransitProvider(config, world.sources, world.pace))
        return made[-1]

    fake.tokens["s.given"] = 600
    world.values |= {TOKEN: "s.given\n", SECRET_ID: "secret-id"}
    yield make
    for one in made:
        await one.close()


async def asks(provider: TransitProvider, fake: FakeTransit) -> list[str]:
    """What one more look at the key makes the provider ask, but for that itself."""
    before = len(fake.asked)
    await provider.check()
    return [path for path in fake.paths()[before:] if "transit/" not in path]


# --- logging in ----------------------------------------------------------------------------------


async def test_kubernetes_auth_sends_role_and_token_of_the_service_account(
    fake: FakeTransit, by: Maker, world: World
) -> None:
    await by(BY_CLUSTER).check()
    assert fake.asked[0] == (
        "POST auth/kubernetes/login",
        {"role": "leeward", "jwt": world.jwt},
    )


async def test_a_service_account_token_is_read_at_each_login(
    fake: FakeTransit, by: Maker, world: World
) -> None:
    provider = by(BY_CLUSTER)
    await provider.check()
    fake.tokens.clear()
    fake.jwt = world.jwt = "header.newer.signature"
    await provider.check()


async def test_app_role_sends_role_id_and_secret_id(fake: FakeTransit, by: Maker) -> None:
    await by(BY_ROLE).check()
    assert fake.asked[0] == (LOGIN, {"role_id": "role-id", "secret_id": "secret-id"})


async def test_callers_at_once_log_in_once(fake: FakeTransit, by: Maker) -> None:
    provider = by(BY_ROLE)
    here = place(await provider.key_id())
    await asyncio.gather(*(provider.wrap(MATERIAL, here) for _ in range(20)))
    assert fake.paths().count(LOGIN) == 1


async def test_a_refused_login_is_not_repeated_for_some_seconds(
    fake: FakeTransit, by: Maker, world: World
) -> None:
    provider = by(BY_ROLE)
    world.values[SECRET_ID] = "wrong"
    for _ in range(3):
        with pytest.raises(ProviderLoginFailedError, match="auth/approle"):
            await provider.check()
    assert fake.paths() == [LOGIN]
    world.values[SECRET_ID] = "secret-id"
    world.now += 5
    await provider.check()


async def test_missing_credentials_are_told(by: Maker, world: World) -> None:
    world.values.clear()
    world.jwt = None
    with pytest.raises(ProviderLoginFailedError, match="no Secret bao-token with a value token"):
        await by(BY_TOKEN).check()
    with pytest.raises(ProviderLoginFailedError, match="bao-approle"):
        await by(BY_ROLE).check()
    with pytest.raises(ProviderLoginFailedError, match="no service account token"):
        await by(BY_CLUSTER).check()


@pytest.mark.parametrize(
    "text", ["", "two words", "s.given\r\nX-Header: x", "ünicode", "x" * 70_000]
)
async def test_what_is_no_token_is_not_sent(
    fake: FakeTransit, by: Maker, world: World, text: str
) -> None:
    world.values[TOKEN] = text
    with pytest.raises(ProviderLoginFailedError, match="is no token") as caught:
        await by(BY_TOKEN).check()
    assert fake.asked == []
    assert not text or text not in f"{caught.value}{caught.value.remedy}"


async def test_a_login_that_gives_no_token_is_told(fake: FakeTransit, by: Maker) -> None:
    async def empty(request: object) -> object:
        return said(auth=None)

    fake.faults.append(empty)  # type: ignore[arg-type]
    with pytest.raises(ProviderProtocolError, match="gives no token"):
        await by(BY_ROLE).check()


async def test_a_server_that_fails_at_a_login_is_told(fake: FakeTransit, by: Maker) -> None:
    fake.faults.extend([answering(500, "could not load backend configuration")] * 30)
    with pytest.raises(ProviderUnreachableError, match="auth/kubernetes/login") as caught:
        await by(BY_CLUSTER).check()
    assert "auth method" in caught.value.remedy


# --- renewing ------------------------------------------------------------------------------------


async def test_a_token_is_renewed_at_two_thirds_of_its_life(
    fake: FakeTransit, by: Maker, world: World
) -> None:
    provider = by(BY_ROLE)
    await provider.check()
    world.now += 399
    assert await asks(provider, fake) == []
    world.now += 1
    assert await asks(provider, fake) == [RENEW]
    world.now += 399
    assert await asks(provider, fake) == []


async def test_tending_renews_without_anybody_asking(
    fake: FakeTransit, by: Maker, world: World
) -> None:
    provider = by(BY_TOKEN)
    await provider.tend()
    assert fake.asked == []
    await provider.check()
    world.now += 400
    await provider.tend()
    assert fake.paths()[-1] == RENEW


@pytest.mark.parametrize(
    ("renewable", "renews"), [(False, 600), (True, None), (True, 150)], ids=str
)
async def test_a_login_is_made_again_where_a_token_cannot_be_renewed_for_long(
    fake: FakeTransit, by: Maker, world: World, renewable: bool, renews: int | None
) -> None:
    fake.renewable, fake.renews = renewable, renews
    provider = by(BY_ROLE)
    await provider.check()
    world.now += 400
    assert (await asks(provider, fake))[-1] == LOGIN


async def test_a_given_token_is_kept_to_its_end_where_it_cannot_be_renewed(
    fake: FakeTransit, by: Maker, world: World
) -> None:
    fake.renews = None
    provider = by(BY_TOKEN)
    await provider.check()
    world.now += 400
    assert await asks(provider, fake) == [RENEW]
    world.now += 199
    assert await asks(provider, fake) == []
    world.now += 1
    assert await asks(provider, fake) == [LOOKUP]


async def test_a_renewal_that_fails_is_no_fault_while_the_token_works(
    fake: FakeTransit, by: Maker, world: World
) -> None:
    provider = by(BY_ROLE)
    await provider.check()
    world.now += 400
    fake.faults.extend([answering(500)] * 7)
    await provider.tend()
    assert RENEW in fake.paths()
    fake.faults.clear()
    world.now += 6
    assert await asks(provider, fake) == []
    world.now += 100
    assert await asks(provider, fake) == [RENEW]


async def test_a_token_that_never_runs_out_is_not_renewed_and_warned_of(
    fake: FakeTransit, by: Maker, world: World
) -> None:
    fake.tokens["s.given"], fake.renewable = 0, False
    provider = by(BY_TOKEN)
    assert await provider.check() == (
        "The operator's token never runs out: give it one with a period.",
    )
    world.now += 10**9
    assert await asks(provider, fake) == []


def test_a_token_is_not_shown() -> None:
    assert "s.given" not in repr(Token.made("s.given", 0.0, 60.0, True))


# --- being refused -------------------------------------------------------------------------------


async def test_a_refused_token_is_replaced_once(fake: FakeTransit, by: Maker) -> None:
    provider = by(BY_ROLE)
    await provider.check()
    fake.tokens.clear()
    assert await asks(provider, fake) == [LOOKUP, LOGIN]
    fake.allowed = False
    fake.tokens.clear()
    with pytest.raises(ProviderForbiddenError):
        await asks(provider, fake)
    assert fake.paths()[-4:] == [
        "GET transit/keys/leeward",
        LOOKUP,
        LOGIN,
        "GET transit/keys/leeward",
    ]


async def test_callers_whose_token_was_refused_at_once_log_in_once(
    fake: FakeTransit, by: Maker
) -> None:
    provider = by(BY_ROLE)
    here = place(await provider.key_id())
    wrapped = await provider.wrap(MATERIAL, here)
    fake.tokens.clear()
    await asyncio.gather(*(provider.unwrap(wrapped, here, 32) for _ in range(20)))
    assert fake.paths().count(LOGIN) == 2


async def test_a_policy_that_lacks_something_is_no_reason_to_log_in(
    fake: FakeTransit, by: Maker
) -> None:
    provider = by(BY_ROLE)
    await provider.check()
    fake.allowed = False
    with pytest.raises(ProviderForbiddenError):
        await provider.check()
    assert fake.paths().count(LOGIN) == 1


async def test_a_changed_secret_is_used_within_a_minute(
    fake: FakeTransit, by: Maker, world: World
) -> None:
    provider = by(BY_TOKEN)
    await provider.check()
    fake.tokens["s.newer"] = 600
    world.values[TOKEN] = "s.newer"
    world.now += 61
    await provider.check()
    assert fake.headers["X-Vault-Token"] == "s.newer"


async def test_a_secret_that_did_not_change_costs_no_login(
    fake: FakeTransit, by: Maker, world: World
) -> None:
    provider = by(BY_TOKEN)
    await provider.check()
    world.now += 61
    assert await asks(provider, fake) == []
    assert world.reads == 2
    assert await asks(provider, fake) == []
    assert world.reads == 2


async def test_a_secret_that_was_deleted_ends_the_use_of_its_token(by: Maker, world: World) -> None:
    provider = by(BY_TOKEN)
    await provider.check()
    world.values.clear()
    world.now += 61
    with pytest.raises(ProviderLoginFailedError):
        await provider.check()


# --- what servers hide ---------------------------------------------------------------------------


async def test_nothing_is_wrapped_by_a_server_that_ignores_associated_data(
    fake: FakeTransit, by: Maker
) -> None:
    fake.ignores_aad = True
    provider = by(BY_ROLE)
    with pytest.raises(ProviderKeyUnsuitableError, match="ignores associated_data"):
        await provider.wrap(MATERIAL, place(await provider.key_id()))


async def test_the_proof_is_given_once(fake: FakeTransit, by: Maker) -> None:
    provider = by(BY_ROLE)
    here = place(await provider.key_id())
    await provider.wrap(MATERIAL, here)
    before = len(fake.asked)
    await provider.wrap(MATERIAL, here)
    assert fake.paths()[before:] == ["POST transit/encrypt/leeward"]


async def test_the_state_of_the_key_is_known_for_a_minute(
    fake: FakeTransit, by: Maker, world: World
) -> None:
    provider = by(BY_ROLE)
    here = place(await provider.key_id())
    wrapped = await provider.wrap(MATERIAL, here)
    assert fake.key is not None
    fake.key["latest_version"] = 2
    assert await provider.is_current(wrapped, here.key_id)
    world.now += 61
    assert not await provider.is_current(wrapped, here.key_id)


@pytest.mark.parametrize("answer", ['{"data": {}}', '{"data": {"ciphertext": "vault:v0:AAAA"}}'])
async def test_an_answer_without_a_ciphertext_is_told(
    fake: FakeTransit, by: Maker, answer: str
) -> None:
    provider = by(BY_ROLE)
    await provider.check()
    fake.faults.append(saying(answer, 200, "application/json"))
    with pytest.raises(ProviderProtocolError, match="without a ciphertext"):
        await provider.wrap(MATERIAL, place(await provider.key_id()))


@pytest.mark.parametrize("answer", ['{"data": {}}', '{"data": {"plaintext": "!"}}'])
async def test_an_answer_without_a_plaintext_is_told(
    fake: FakeTransit, by: Maker, answer: str
) -> None:
    provider = by(BY_ROLE)
    here = place(await provider.key_id())
    wrapped = await provider.wrap(MATERIAL, here)
    fake.faults.append(saying(answer, 200, "application/json"))
    with pytest.raises(ProviderProtocolError, match="without a plaintext"):
        await provider.unwrap(wrapped, here, 32)


# --- the file of the service account -------------------------------------------------------------


async def test_a_projected_token_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "token"
    read = token_file(path)
    assert await read() is None
    for text in ("a.b.c", "d.e.f"):
        path.write_text(f"{text}\n")
        assert await read() == text
    path.write_bytes(b"\xff")
    assert await read() is None
