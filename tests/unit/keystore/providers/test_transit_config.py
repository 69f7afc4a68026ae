"""Which Transit key: names that lead nowhere else, and an identity that outlives a move."""

from __future__ import annotations

import pytest

from leeward.keystore.providers.transit.config import (
    AppRoleAuth,
    InvalidTransitConfigError,
    TransitConfig,
)
from unit.keystore.providers.provider_world import BY_TOKEN, SECRET_ID

FIELDS = {"address": "https://bao.example:8200", "key": "leeward", "namespace": "team/a"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("address", "http://bao.example"),
        ("address", "https://user:secret@bao.example"),
        ("address", "https://bao.example/v1"),
        ("address", "https://bao.example:8200\n"),
        ("address", "https://"),
        ("address", "https://[::1"),
        ("address", "https://[1:2]"),
        ("address", "https://bao:65536"),
        ("address", "https://-bao"),
        ("address", f"https://{'b' * 64}.example"),
        ("mount", "../sys"),
        ("mount", "transit/../sys"),
        ("mount", "/transit"),
        ("mount", "transit?x"),
        ("mount", "a%2fb"),
        ("key", "a/b"),
        ("key", ".."),
        ("key", ""),
        ("namespace", "team/"),
        ("namespace", "te am"),
    ],
)
def test_a_field_that_would_lead_elsewhere_is_refused_by_name(field: str, value: str) -> None:
    with pytest.raises(InvalidTransitConfigError, match=f"transit.{field} must be"):
        TransitConfig(auth=BY_TOKEN, **{**FIELDS, field: value})


def test_the_mount_of_the_auth_method_is_checked_too() -> None:
    with pytest.raises(InvalidTransitConfigError, match=r"auth\.mount"):
        TransitConfig(auth=AppRoleAuth("r", SECRET_ID, "../sys"), **FIELDS)


@pytest.mark.parametrize(
    "address", ["https://bao", "https://10.0.0.1:8200", "https://[fd00::1]:65535"]
)
def test_addresses_of_every_form_do(address: str) -> None:
    assert TransitConfig(auth=BY_TOKEN, **{**FIELDS, "address": address}).address == address


def test_a_key_is_its_namespace_mount_and_name_wherever_the_server_is() -> None:
    key = TransitConfig(auth=BY_TOKEN, **FIELDS)
    assert key.key_id == "73287796ff2d256816ca6bb22dce776c"
    moved = TransitConfig(auth=BY_TOKEN, **{**FIELDS, "address": "https://other"})
    assert moved.key_id == key.key_id
    for field in ("mount", "key", "namespace"):
        assert TransitConfig(auth=BY_TOKEN, **{**FIELDS, field: "x"}).key_id != key.key_id


def test_the_policy_allows_three_things() -> None:
    assert TransitConfig(auth=BY_TOKEN, mount="team/transit", **FIELDS).policy().splitlines() == [
        'path "team/transit/keys/leeward" { capabilities = ["read"] }',
        'path "team/transit/encrypt/leeward" { capabilities = ["update"] }',
        'path "team/transit/decrypt/leeward" { capabilities = ["update"] }',
    ]
