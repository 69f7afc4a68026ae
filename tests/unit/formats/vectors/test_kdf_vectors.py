"""Keys derived from keys: RFC 5869, RFC 4231."""

from __future__ import annotations

from leeward.formats.sealed.schedule import KEY_SIZE, FileKeys, derive
from unit.formats.vectors.published import cases, raw


def test_hkdf_as_rfc_5869_says() -> None:
    """The first 32 bytes of an output are those of one of that length."""
    found = list(cases("KDF/rfc-5869-HKDF-SHA256.txt", first="COUNT"))
    found += cases("KDF/hkdf-generated.txt", first="COUNT")
    assert len(found) >= 4
    for case in found:
        made = derive(raw(case["IKM"]), raw(case["salt"]), raw(case["info"]))
        assert made == raw(case["OKM"])[:KEY_SIZE]


def test_hmac_as_rfc_4231_says() -> None:
    found = list(cases("HMAC/rfc-4231-sha256.txt", first="Len"))
    assert len(found) >= 5
    for case in found:
        keys = FileKeys(b"", b"", b"", slot_mac_key=raw(case["Key"]))
        mac = raw(case["MD"])
        assert keys.slot_mac(raw(case["Msg"]))[: len(mac)] == mac
