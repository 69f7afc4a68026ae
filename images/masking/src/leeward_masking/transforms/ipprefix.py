"""generalize.ipPrefix: IP addresses cut to the network that they are in."""

import socket
from ipaddress import IPv6Address, ip_address
from typing import Final

import numpy as np
import polars as pl

from leeward.api.transforms import IpPrefix
from leeward_masking.errors import JobError
from leeward_masking.values.canonical import column_type, unsuitable

_OCTETS: Final = 4
_SIZE: Final = 16
_OF_VERSION_4: Final = (bytes(12), bytes(10) + b"\xff\xff")
"""How IPv6 addresses begin that hold one of IPv4."""


class IpPrefixMask:
    """Networks in CIDR notation (RFC 4632, RFC 5952): ``192.0.2.17`` becomes ``192.0.2.0/24``.

    IPv4 addresses that are mapped into IPv6 (``::ffff:192.0.2.17``, RFC 4291) are taken for what
    they are. IPv4 is read in columns: what gives the same text again when it is put together from
    four numbers up to 255 is an address. IPv6 is read by the C library; what it does not know (a
    zone, say) is left to the standard library, which takes twenty times as long.

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
        if 2 * len(known) > len(texts):
            masked = self._networks(texts)
        else:
            masked = texts.replace_strict(
                known, self._networks(known), default=None, return_dtype=pl.String
            )
        strange = (masked.is_null() & texts.is_not_null()).arg_true()
        if len(strange) and self._rule.unsuitable == "Fail":
            raise JobError(
                "UnsuitableColumn",
                f'the value in column "{values.name}" is no IP address',
                "correct the source, set ipPrefix.unsuitable to Redact, or redact the column",
                row=int(strange[0]) + 1,
                column=values.name,
            )
        return masked.alias(values.name)

    def _networks(self, texts: pl.Series) -> pl.Series:
        """The network of each text; null for what is no address."""
        networks = self._of_version_4(texts)
        left = (networks.is_null() & texts.is_not_null()).arg_true()
        if not len(left):
            return networks
        others = pl.Series(self._others(texts.gather(left).to_list()), dtype=pl.String)
        return networks.scatter(left, others)

    def _of_version_4(self, texts: pl.Series) -> pl.Series:
        """Networks of IPv4 addresses; null for everything else."""
        text = pl.col("text")
        parts = text.str.split_exact(".", _OCTETS - 1).struct.unnest()
        frame = texts.alias("text").to_frame()
        octets = frame.select(parts).cast(pl.UInt8, strict=False)
        names = octets.columns
        dots = pl.concat_str(names, separator=".")
        return (
            pl.concat([frame, octets], how="horizontal")
            .select(
                pl.when(dots == text).then(
                    pl.concat_str([self._cut(n, i) for i, n in enumerate(names)], separator=".")
                    + f"/{self._rule.v4}"
                )
            )
            .to_series()
        )

    def _cut(self, name: str, place: int) -> pl.Expr:
        kept = min(max(self._rule.v4 - 8 * place, 0), 8)
        return pl.col(name) & pl.lit(0xFF << (8 - kept) & 0xFF, pl.UInt8)

    def _others(self, texts: list[str]) -> list[str | None]:
        """Networks of texts; None for what is no address."""
        packed = [_packed(text) for text in texts]
        known = b"".join(address for address in packed if address is not None)
        addresses = np.frombuffer(known, np.uint8).reshape(-1, _SIZE)
        kept = (1 << _SIZE * 8) - (1 << _SIZE * 8 - self._rule.v6)
        cut = (addresses & np.frombuffer(kept.to_bytes(_SIZE), np.uint8)).tobytes()
        ends = range(_SIZE, len(cut) + 1, _SIZE)
        networks = iter([socket.inet_ntop(socket.AF_INET6, cut[e - _SIZE : e]) for e in ends])
        return [
            self._network(text) if address is None else f"{next(networks)}/{self._rule.v6}"
            for text, address in zip(texts, packed, strict=True)
        ]

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


def _packed(text: str) -> bytes | None:
    """The bytes of an IPv6 address; None for IPv4 inside of it, and for all other texts."""
    try:
        address = socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError):
        return None
    # The C library writes the ones without a network as IPv4, which RFC 5952 leaves open.
    return None if address.startswith(_OF_VERSION_4) else address
