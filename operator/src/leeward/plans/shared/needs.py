"""What a plan may ask to see, and what is told of keys. Part of ``plans.shared.model``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

from leeward.api.dataset import Location
from leeward.formats.provider import TransitSettings
from leeward.plans.shared.destruction import ArtefactKeysOf, KeysetRecordOf, KnownBackupsOf
from leeward.plans.shared.usage import GrantUseOf, KeyUsageOf


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One API object, by name. Reading it yields its manifest, or None where it does not exist."""

    api_version: str
    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class PodsOf:
    """The pods of one Job. Reading it yields a list of manifests."""

    namespace: str
    job: str


@dataclass(frozen=True, slots=True)
class PodsHolding:
    """The pods that name a Secret, whatever labels they have. It yields a list of manifests."""

    namespace: str
    secret: str


@dataclass(frozen=True, slots=True)
class KeysOf:
    """``/keys`` of a running pod. Reading it yields a document, or None without an answer."""

    namespace: str
    pod: str
    ip: str
    port: int


@dataclass(frozen=True, slots=True)
class DeliveriesOf:
    """The KeyDeliveries that name a Dataset or a KeyVault. It yields a list of manifests.

    They are as they stood when this was asked, or later.
    """

    target: ObjectRef


@dataclass(frozen=True, slots=True)
class ProgressOf:
    """``/progress`` of a running pod. Reading it yields a document, or None without an answer."""

    namespace: str
    pod: str
    ip: str


@dataclass(frozen=True, slots=True)
class ResultOf:
    """``/result`` of a pod whose result is too large for its termination message.

    Reading it yields the document with that digest, or None if it does not answer (yet).
    """

    namespace: str
    pod: str
    ip: str
    digest: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Objects of a kind in a namespace, of which one field has a value.

    Reading it yields a list of manifests, as they are when it is asked: from no cache.

    Attributes:
        field: One that the API server selects by, without a dot in front.
    """

    api_version: str
    kind: str
    namespace: str
    field: str
    value: str


@dataclass(frozen=True, slots=True)
class KeysetOf:
    """What is known of a vault's keyset, without material: a ``KeysetInfo``, or None."""

    namespace: str
    vault: str


@dataclass(frozen=True, slots=True)
class ArtefactKeyOf:
    """What is known of an artefact key, without material: an ``ArtefactKeyInfo``, or None.

    Attributes:
        id: 32 hexadecimal digits.
        or_fingerprint: Whether the id may be the fingerprint of a public half instead.
    """

    id: str
    or_fingerprint: bool = False


KeyFault = Literal["RootKeyLost", "RootKeyReplaced", "Damaged"]
"""Why wrapped keys do not open: no root key, another one, or the wrapped bytes are damaged."""


@dataclass(frozen=True, slots=True)
class ProviderFault:
    """Why the provider of a keyset does not wrap or unwrap now.

    Attributes:
        reason: Of the condition (``keystore.providers.port.ProviderReason``).
        message: What is wrong, without a full stop.
        remedy: What to do.
    """

    reason: str
    message: str
    remedy: str


KeyNeed: TypeAlias = (
    KeysetOf
    | ArtefactKeyOf
    | KeyUsageOf
    | GrantUseOf
    | KnownBackupsOf
    | KeysetRecordOf
    | ArtefactKeysOf
)
"""Looked at by the key store."""

Need: TypeAlias = (
    ObjectRef
    | Listing
    | PodsOf
    | PodsHolding
    | DeliveriesOf
    | ProgressOf
    | ResultOf
    | KeysOf
    | KeyNeed
)


VersionState = Literal["Primary", "Enabled", "Disabled", "Destroyed"]


OriginReason = Literal[
    "SecretMissing",
    "InvalidSecret",
    "SecretUnchanged",
    "WeakPassphrase",
    "InvalidPassphrase",
    "InvalidImport",
    "NotDerivable",
]
"""Why a key cannot be had from its origin: reasons of conditions."""
ORIGIN_REASONS: Final[frozenset[str]] = frozenset(get_args(OriginReason))


@dataclass(frozen=True, slots=True)
class OriginRefusal:
    """Why a key, or a new version of one, could not be had from its origin.

    Attributes:
        reason: Of the condition.
        message: What is wrong and what to do, without values.
    """

    reason: OriginReason
    message: str


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """One version of a vault key: no material.

    Attributes:
        version: Its number.
        state: What it is good for.
        created_at: When it was made (RFC 3339).
        drained: Whether no artefact key was found that it wraps, since it is no longer primary.
        fixed: Whether it has a key of its own: artefact keys made under it are copies of that,
            unless it signs.
        public_key: PEM of the public half of its fixed key, where that is a pair.
        derivation: JSON that says how its fixed key was made from a passphrase or another key.
        certificate: PEM of the certificate authority that it is, if it is one.
    """

    version: int
    state: VersionState
    created_at: str
    drained: bool = False
    fixed: bool = False
    public_key: str | None = None
    derivation: str | None = None
    certificate: str | None = None


@dataclass(frozen=True, slots=True)
class KeysetInfo:
    """A vault's keyset as the key store sees it: no material.

    Attributes:
        vault_id: Its random id, 32 hexadecimal digits.
        owner_uid: UID of the KeyVault that it belongs to.
        versions: Key name -> (algorithm, primary version, RFC 3339 time of its creation).
        readable: Whether the root key, or its provider, opens it.
        fault: Why not, where it is not readable.
        history: Key name -> its versions, in order.
        transit: The Transit key that wraps it; None: the root key does.
        made: Names of the keys that were made just now.
        refused: Keys that could not be made just now, by name.
    """

    vault_id: str
    owner_uid: str
    versions: Mapping[str, tuple[str, int, str]]
    readable: bool = True
    fault: KeyFault | ProviderFault | None = None
    history: Mapping[str, tuple[VersionInfo, ...]] = field(default_factory=dict)
    transit: TransitSettings | None = None
    made: tuple[str, ...] = ()
    refused: Mapping[str, OriginRefusal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RewrapResult:
    """How far the artefact keys of a vault key are moved to its primary version.

    Attributes:
        info: The keyset as it is now.
        moved: How many were moved just now.
        left: How many are still to be moved.
        stuck: Names of Secrets that cannot be read or opened.
    """

    info: KeysetInfo
    moved: int
    left: int
    stuck: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TendResult:
    """How a keyset stands with its Transit key.

    Attributes:
        info: The keyset as it is now.
        left: How many vault keys are still wrapped by an older version of the Transit key.
        warnings: What works, and ought to be different: sentences.
    """

    info: KeysetInfo
    left: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ArtefactKeyInfo:
    """An artefact key as the key store sees it: no material.

    Attributes:
        id: 32 hexadecimal digits.
        vault_id: The vault whose key wraps it.
        key: Name of that key.
        version: Version of that key.
        algorithm: Its own algorithm.
        namespace: Namespace of the vault's user for which it was made.
        owner: ``Kind/name/uid`` of the resource for which it was made.
        public_key: PEM of the public half, for asymmetric algorithms.
        published: Whether the artefact that it opens has been published.
        artefact: The file that a workload writes with it; None for other keys.
        dataset: Name of the Dataset that this file is to become; None: it does not seal the file.
        created_at: RFC 3339 time of its creation.
        retired: Whether it is given to nobody but its Dataset's own pods any more.
    """

    id: str
    vault_id: str
    key: str
    version: int
    algorithm: str
    namespace: str
    owner: str
    public_key: str | None = None
    published: bool = False
    artefact: Location | None = None
    dataset: str | None = None
    created_at: str = ""
    retired: bool = False
