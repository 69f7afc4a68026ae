"""generalize.ipPrefix against the standard library, one address at a time."""

from ipaddress import IPv6Address, ip_address, ip_network

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from leeward.api.transforms import IpPrefix
from leeward_masking.transforms.ipprefix import IpPrefixMask

ADDRESSES = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.ip_addresses(v=6).map(lambda address: address.exploded.upper()),
    st.ip_addresses(v=4).map(lambda address: f"::ffff:{address}"),
    st.ip_addresses(v=4).map(lambda address: f"::{address}"),
    st.ip_addresses(v=6).map(lambda address: f"{address}%eth0"),
)
NEAR = st.text(alphabet="0123456789abcdefF.:%/+ \0é", max_size=24)


def network(text: str, rule: IpPrefix) -> str | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or IPv6Address(int(address))
    length = rule.v4 if address.version == 4 else rule.v6
    return str(ip_network(f"{address}/{length}", strict=False))


@given(
    st.lists(st.one_of(st.none(), ADDRESSES, NEAR), max_size=12),
    st.integers(1, 31),
    st.integers(1, 127),
)
@example(
    ["1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.256", "+1.2.3.4", "1.2.3.4 ", "٣.2.3.4", ""], 24, 48
)
@example(["::", "::1", "1:0:2::", "1:2:3:4:5:6:7::", "::1.2.3.4", "fe80::1%1", "1::2::3"], 31, 127)
@example(["0.0.0.1", "255.255.255.255"] * 3, 7, 1)
def test_as_the_standard_library(texts: list[str | None], v4: int, v6: int) -> None:
    rule = IpPrefix(v4=v4, v6=v6, unsuitable="Redact")
    found = IpPrefixMask(rule)(pl.Series("c", texts, pl.String))
    assert found.to_list() == [None if text is None else network(text, rule) for text in texts]
    assert found.name == "c"
