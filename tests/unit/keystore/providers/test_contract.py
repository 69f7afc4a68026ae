"""What every provider does, on the root key and on a real OpenBao server."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from pydantic import TypeAdapter

from leeward.formats.wrapped import AnyWrapped, TransitWrapped, UnwrapError, Wrapped
from leeward.keystore.providers.embedded import EmbeddedProvider
from leeward.keystore.providers.port import Binding, KeyProvider, ProviderKeyReplacedError
from leeward.keystore.rootkey import RootKeyCustodian
from leeward.kube.client import KubeClient
from unit.keystore.keystore_world import OPERATOR, Free, Immediate, KeyWorld
from unit.keystore.providers.bao_world import BaoWorld
from unit.keystore.providers.provider_world import MATERIAL, place


@dataclass(frozen=True)
class Subject:
    """One provider, and what else the tests need of its kind."""

    provider: KeyProvider
    restarted: Callable[[], KeyProvider]
    of_other_kind: AnyWrapped


class KeyProviderContract:
    """The contract of ``KeyProvider``; a fixture ``subject`` of each kind is added below."""

    async def test_a_key_comes_back(self, subject: Subject) -> None:
        provider = subject.provider
        here = place(await provider.key_id())
        for size in (32, 64, 2400):
            material = bytes(itertools.islice(itertools.cycle(range(256)), size))
            wrapped = await provider.wrap(material, here)
            assert await provider.unwrap(wrapped, here, size) == material

    async def test_it_opens_after_a_restart(self, subject: Subject) -> None:
        here = place(await subject.provider.key_id())
        wrapped = await subject.provider.wrap(MATERIAL, here)
        again = subject.restarted()
        assert await again.key_id() == here.key_id
        assert await again.unwrap(wrapped, here, 32) == MATERIAL

    async def test_it_opens_in_its_place_only(self, subject: Subject) -> None:
        here = place(await subject.provider.key_id())
        wrapped = await subject.provider.wrap(MATERIAL, here)
        for elsewhere in ("data/2", ""):
            with pytest.raises(UnwrapError):
                await subject.provider.unwrap(wrapped, place(here.key_id, elsewhere), 32)

    async def test_two_of_one_key_differ_and_read_as_they_were_stored(
        self, subject: Subject
    ) -> None:
        here = place(await subject.provider.key_id())
        first = await subject.provider.wrap(MATERIAL, here)
        second = await subject.provider.wrap(MATERIAL, here)
        assert first != second
        assert TypeAdapter[AnyWrapped](AnyWrapped).validate_json(first.canonical()) == first

    async def test_a_damaged_one_does_not_open(self, subject: Subject) -> None:
        here = place(await subject.provider.key_id())
        wrapped = await subject.provider.wrap(MATERIAL, here)
        text = wrapped.ciphertext
        middle = len(text) // 2
        other = "A" if text[middle] != "A" else "B"
        damaged = text[:middle] + other + text[middle + 1 :]
        with pytest.raises(UnwrapError):
            await subject.provider.unwrap(
                wrapped.model_copy(update={"ciphertext": damaged}), here, 32
            )

    async def test_a_key_of_another_size_is_refused(self, subject: Subject) -> None:
        here = place(await subject.provider.key_id())
        wrapped = await subject.provider.wrap(MATERIAL, here)
        with pytest.raises(UnwrapError):
            await subject.provider.unwrap(wrapped, here, 64)

    async def test_what_another_kind_wrapped_is_refused(self, subject: Subject) -> None:
        key_id = await subject.provider.key_id()
        with pytest.raises(UnwrapError):
            await subject.provider.unwrap(subject.of_other_kind, place(key_id), 32)
        assert not await subject.provider.is_current(subject.of_other_kind, key_id)

    async def test_another_key_is_told_from_damage(self, subject: Subject) -> None:
        wrapped = await subject.provider.wrap(MATERIAL, place(await subject.provider.key_id()))
        other = "ab" * 16
        with pytest.raises(ProviderKeyReplacedError):
            await subject.provider.unwrap(wrapped, place(other), 32)
        with pytest.raises(ProviderKeyReplacedError):
            await subject.provider.wrap(MATERIAL, place(other))
        assert not await subject.provider.is_current(wrapped, other)

    async def test_rewrapping_keeps_the_key_and_changes_its_place(self, subject: Subject) -> None:
        old = place(await subject.provider.key_id())
        new = Binding(old.key_id, b"data/2")
        wrapped = await subject.provider.wrap(MATERIAL, old)
        again = await subject.provider.rewrap(wrapped, old, new, 32)
        assert await subject.provider.is_current(again, new.key_id)
        assert await subject.provider.unwrap(again, new, 32) == MATERIAL
        with pytest.raises(UnwrapError):
            await subject.provider.unwrap(again, old, 32)

    async def test_a_check_of_what_works_finds_nothing(self, subject: Subject) -> None:
        assert await subject.provider.check() == ()


class TestEmbedded(KeyProviderContract):
    @pytest.fixture
    async def subject(self) -> Subject:
        keys = KeyWorld()

        def made() -> tuple[RootKeyCustodian, EmbeddedProvider]:
            client = KubeClient(Immediate(keys.api), Free(), Free())
            root = RootKeyCustodian(client, OPERATOR, keys.random, lambda: keys.now)
            return root, EmbeddedProvider(root, keys.random)

        root, provider = made()
        await root.ensure()
        return Subject(provider, lambda: made()[1], TransitWrapped(ciphertext="vault:v1:AAAA"))


class TestTransit(KeyProviderContract):
    @pytest.fixture
    def subject(self, bao: BaoWorld) -> Subject:
        return Subject(bao.provider(), bao.provider, Wrapped(nonce="AAAA", ciphertext="AAAA"))
