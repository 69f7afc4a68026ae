"""generalize.ipPrefix: IP addresses cut to the network that they are in."""

from ipaddress import IPv6Address, ip_address

import polars as pl

from leeward.api.transforms import IpPrefix
from leeward_masking.canonical import column_type, unsuitable
from leeward_masking.errors import JobError


class IpPrefixMask:
    """Networks in CIDR notation (RFC 4632, RFC 5952): ``192.0.2.17`` becomes ``192.0.2.0/24``.

    IPv4 addresses that are mapped into IPv6 (``::ffff:192.0.2.17``, RFC 4291) are taken for what
    they are. The library reads one address at a time, each that occurs in a block once.

    Args:
        rule: The parameters.
    """

    def __init__(self, rule: IpPrefix) -> None:
        self._rule = rule

    def __call__(self, values: pl.Series) -> pl.Series:
        """Text; null stays null.

        Raises:
            JobError: ``UnsuitableColumn``: no column of text; or a value is no address, and is not
                to be removed; its row is counted from the first one of the block.
        """
        if column_type(values.dtype) != "String":
            raise unsuitable(values.name, "holds no text: ipPrefix needs IP addresses")
        texts = values.cast(pl.String)
        known = texts.drop_nulls().unique()
        networks = pl.Series([self._network(text) for text in known], dtype=pl.String)
        masked = texts.replace_strict(known, networks, default=None, return_dtype=pl.String)
        strange = (masked.is_null() & texts.is_not_null()).arg_true()
        if len(strange) and self._rule.unsuitable == "Fail":
            raise JobError(
                "UnsuitableColumn",
                f'the value in column "{values.name}" is no IP address',
                "correct the source, set ipPrefix.unsuitable to Redact, or redact the column",
                row=int(strange[0]) + 1,
                column=values.name,
            )
        return masked

    def _network(self, text: str) -> str | None:
        try:
            address = ip_address(text)
        except ValueError:
            return None
        if isinstance(address, IPv6Address):
            address = address.ipv4_mapped or address
        length = self._rule.v4 if address.version == 4 else self._rule.v6
        shift = address.max_prefixlen - length
        return f"{type(address)(int(address) >> shift << shift)}/{length}"
