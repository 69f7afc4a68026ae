"""What plans may ask to be done for long-lived pods. Part of ``plans.shared.model``."""

import datetime
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from leeward.formats.certificates import LeafRequest, SignerRequest

Manifest: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ArtefactEntry:
    """An artefact key in ``keyset.json``.

    Attributes:
        role: What the pod uses it for.
        id: Its id.
        version: As it is told to the pod: that of the vault key when it was first delivered, since
            rotating a vault key touches no pod.
    """

    role: str
    id: str
    version: int


@dataclass(frozen=True, slots=True)
class LeafKey:
    """The private key of a certificate, which is derived whenever it is needed.

    Attributes:
        vault_namespace, vault, key, version: The authority.
        algorithm: Of the pair.
        draw: What tells it from every other pair under this authority. It is no secret.
    """

    vault_namespace: str
    vault: str
    key: str
    version: int
    algorithm: str
    draw: str


@dataclass(frozen=True, slots=True)
class LeafEntry:
    """A private key with its certificate in ``keyset.json``, and in files for TLS servers.

    Attributes:
        role: What the pod uses it for.
        id: Of the certificate.
        leaf: Its private key.
        certificate: PEM.
        trust: PEM of the authorities of its peers, where the pair is for TLS.
    """

    role: str
    id: str
    leaf: LeafKey
    certificate: str = field(repr=False)
    trust: str | None = field(default=None, repr=False)

    @property
    def version(self) -> int:
        """That of the authority."""
        return self.leaf.version


@dataclass(frozen=True, slots=True)
class TrustEntry:
    """Public halves in ``keyset.json``: certificates of authorities, or bare keys.

    Attributes:
        role: What the pod uses them for.
        id: Of all of them.
        version: The newest of the authority, or of the key.
        algorithm: ``X509_TRUST`` or ``SPKI``.
        pem: One after the other.
    """

    role: str
    id: str
    version: int
    algorithm: str
    pem: str = field(repr=False)


PodEntry: TypeAlias = ArtefactEntry | LeafEntry | TrustEntry


@dataclass(frozen=True, slots=True)
class EnsureAuthority:
    """Make the versions of a signing key certificate authorities. Yields a KeysetInfo.

    A version that is one already stays as it is. Invalid where that cannot be.

    Attributes:
        namespace, vault, key: The key.
        trust_domain, dns_suffixes: What it may name.
        lifetime: Seconds.
    """

    namespace: str
    vault: str
    key: str
    trust_domain: str
    dns_suffixes: tuple[str, ...]
    lifetime: int


@dataclass(frozen=True, slots=True)
class IssueLeaf:
    """Issue a certificate; nothing is stored. Yields an IssuedLeaf.

    Attributes:
        leaf: Its key.
        request: What it is to say.
        at: When.
    """

    leaf: LeafKey
    request: LeafRequest | SignerRequest
    at: datetime.datetime


@dataclass(frozen=True, slots=True)
class PutKeys:
    """Make or replace a Secret of long-lived pods, which is never read. Yields a WrittenSecret.

    Conflict with no result where somebody else's Secret has its name: it stays as it is. Conflict
    with result ``Changed`` where it is not the one that was written last.

    Attributes:
        namespace, name: The Secret.
        type: Tells this owner's Secret from any other: a type cannot be changed.
        owner: ownerReference of the Secret.
        entries: What it holds.
        labels: Labels of the Secret.
        over: resourceVersion that it was last written as; None: whatever there is of this type.
    """

    namespace: str
    name: str
    type: str
    owner: Manifest = field(hash=False)
    entries: tuple[PodEntry, ...]
    labels: Manifest = field(default_factory=dict, hash=False)
    over: str | None = None


@dataclass(frozen=True, slots=True)
class RemoveKeys:
    """Empty and delete a Secret of this type; Conflict where it is of another, which stays."""

    namespace: str
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class WrittenKeys:
    """A Secret of long-lived pods, as it was written.

    Attributes:
        resource_version: What the API server calls this version of it.
    """

    resource_version: str


@dataclass(frozen=True, slots=True)
class IssuedLeaf:
    """A certificate that was issued.

    Attributes:
        id: Of the certificate.
        certificate: PEM.
        not_after, renew_at: When it ends, and when it is to be renewed (RFC 3339).
    """

    id: str
    certificate: str
    not_after: str
    renew_at: str
