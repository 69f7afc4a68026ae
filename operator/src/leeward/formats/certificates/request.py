"""What is asked of a certificate authority: a leaf for TLS, or one for signatures.

A request that could be made is one that can be fulfilled, so far as names and times go; plans make
it to tell the user what is wrong before a key is touched.
"""

import datetime
from dataclasses import dataclass
from typing import Final, Literal

from leeward.formats.certificates.names import (
    CertificateRefusedError,
    SpiffeId,
    check_dns_name,
    check_trust_domain,
)

Usage = Literal["server", "client"]
LeafAlgorithm = Literal["ECDSA_P256", "ED25519"]
SigningAlgorithm = Literal["RSA_PSS", "ECDSA_P256", "ECDSA_P384", "ED25519", "ML_DSA_65"]

MIN_DURATION: Final = datetime.timedelta(minutes=10)
MAX_DURATION: Final = datetime.timedelta(days=90)
DEFAULT_DURATION: Final = datetime.timedelta(hours=24)
MAX_DNS_NAMES: Final = 100

TOLERANT_DURATION: Final = datetime.timedelta(hours=7)
"""The shortest life of a leaf that outlasts clocks one hour off, the operator's and its peers'.

A leaf is renewed at two thirds of its life at the latest. The third that is left covers two clocks
that are two hours apart, and some minutes for delivery.
"""


@dataclass(frozen=True, slots=True)
class LeafRequest:
    """A short-lived certificate for TLS.

    Attributes:
        subject: For people to read, such as ``KeyDelivery clinic/ward``; cut to 64 characters. With
            its blank no verifier takes it for a host name.
        dns_names: DNS names, see ``check_dns_name``.
        spiffe_id: The workload's; a certificate has one at most (X509-SVID 2).
        usages: As what it may stand in a TLS handshake.
        duration: From issue to end, 10 minutes to 90 days.
        algorithm: Of the new key pair.
        wildcards: Whether ``*.`` may begin a DNS name.

    Raises:
        CertificateRefusedError: Field ``subject``, ``dnsNames[INDEX]``, ``spiffeId``, ``usages``,
            ``duration``.
    """

    subject: str
    dns_names: tuple[str, ...] = ()
    spiffe_id: SpiffeId | None = None
    usages: frozenset[Usage] = frozenset({"server", "client"})
    duration: datetime.timedelta = DEFAULT_DURATION
    algorithm: LeafAlgorithm = "ECDSA_P256"
    wildcards: bool = False

    def __post_init__(self) -> None:
        if not (self.subject.isascii() and self.subject.isprintable() and " " in self.subject):
            raise CertificateRefusedError("subject", "must read KIND NAMESPACE/NAME, in ASCII")
        if len(self.dns_names) > MAX_DNS_NAMES:
            raise CertificateRefusedError("dnsNames", f"at most {MAX_DNS_NAMES}: remove some")
        for index, name in enumerate(self.dns_names):
            check_dns_name(f"dnsNames[{index}]", name, wildcards=self.wildcards)
            if name in self.dns_names[:index]:
                raise CertificateRefusedError(f"dnsNames[{index}]", "stands there twice: remove it")
        if self.spiffe_id is not None and not self.spiffe_id.segments:
            raise CertificateRefusedError(
                "spiffeId", "names a trust domain, not a workload: add a path"
            )
        if not self.dns_names and self.spiffe_id is None:
            raise CertificateRefusedError("dnsNames", "no name at all: give one, or a spiffeId")
        if not self.usages:
            raise CertificateRefusedError("usages", "none: give server, client or both")
        if not MIN_DURATION <= self.duration <= MAX_DURATION:
            raise CertificateRefusedError("duration", "must be 10m to 90d: choose one in between")


@dataclass(frozen=True, slots=True)
class SignerRequest:
    """A pair with which one workload signs, certified by the vault's signing key.

    Attributes:
        trust_domain: Of the vault.
        vault_namespace, vault, key: The vault's signing key.
        kind, namespace, name, uid: The workload; its kind in lower case.
        algorithm: Of the new key pair: that of the vault key.
        duration: From issue to end; None: as long as the authority, since a signature is checked
            for as long as what it signs is used. The private key lives no longer than its Secret.

    Raises:
        CertificateRefusedError: Field ``trustDomain``, or ``spiffeId`` for one of the names.
    """

    trust_domain: str
    vault_namespace: str
    vault: str
    key: str
    kind: str
    namespace: str
    name: str
    uid: str
    algorithm: SigningAlgorithm
    duration: datetime.timedelta | None = None

    def __post_init__(self) -> None:
        check_trust_domain("trustDomain", self.trust_domain)
        _ = self.spiffe_id
        if self.duration is not None and self.duration < MIN_DURATION:
            raise CertificateRefusedError("duration", "must be 10m or more: choose a longer one")

    @property
    def spiffe_id(self) -> SpiffeId:
        """Names workload and key: ``signer/ns/NS/KIND/NAME/UID/vault/NS/VAULT/KEY``.

        It begins with ``signer``, so that it is below no path under which workloads are let in:
        some validators of SPIFFE IDs do not look at the extended key usage.
        """
        workload = ("ns", self.namespace, self.kind, self.name, self.uid)
        vault = ("vault", self.vault_namespace, self.vault, self.key)
        return SpiffeId.of("spiffeId", self.trust_domain, "signer", *workload, *vault)

    @property
    def subject(self) -> str:
        """For people to read."""
        return f"{self.kind} {self.namespace}/{self.name} by {self.vault}/{self.key}"
