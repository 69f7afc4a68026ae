"""KeyVault: keys, their versions, and who may use them."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from leeward.api.algorithms import (
    ALGORITHMS,
    OPERATIONS_BY_ALGORITHM,
    Operation,
    Profile,
    algorithm_rules,
    profile_rules,
    quoted,
)
from leeward.api.authority import Authority
from leeward.api.keyorigin import Origin
from leeward.api.keyprovider import EmbeddedProvider, Provider
from leeward.api.meta import (
    AGE,
    READY,
    REASON,
    Cel,
    Column,
    Duration,
    Empty,
    Hex128,
    Kind,
    ListMap,
    Model,
    Moment,
    Name,
    Rules,
    Status,
    StatusModel,
    Timestamp,
)

WorkloadKind = Literal["MaskingJob", "DatasetPreview", "KeyDelivery"]
VersionState = Literal["Pending", "Primary", "Enabled", "Disabled", "Destroyed"]

_USES: Final = ", ".join(
    f"{name} ({', '.join(sorted(uses))})" for name, uses in OPERATIONS_BY_ALGORITHM.items()
)


class Rotation(Model):
    """When a key gets a new version, and what becomes of the old ones."""

    every: Duration | None = Field(
        default=None, description="Age of the primary version at which a new one takes its place."
    )
    retire_after: Duration | None = Field(
        default=None,
        description="Age at which a version that is not primary any more is disabled, as soon as"
        " no artefact key is wrapped by it.",
    )
    destroy_after: Duration | None = Field(
        default=None,
        description="Age at which a disabled version is destroyed, for good.",
    )
    renewed_after: Moment | None = Field(
        default=None,
        description="The primary version is to be made after this time: leeward keys rotate sets"
        " it to now. A time to come rotates then, once.",
    )
    cel: ClassVar = (
        Cel(
            "!has(self.every) || !self.every.endsWith('s')",
            "every rotation is work for all that use the key: give at least one minute (1m); 90d is"
            " usual",
            field_path=".every",
        ),
    )


class KeyGrant(Model):
    """Leave to use a key. What no grant names is denied."""

    name: Name = Field(description="Name of this grant, shown in events.")
    kinds: Annotated[list[WorkloadKind], Field(min_length=1, max_length=16)] = Field(
        description="Kinds of workload that may use the key."
    )
    namespaces: Annotated[list[Name], Field(min_length=1, max_length=32)] | None = Field(
        default=None,
        description="Namespaces of those workloads. Left out: the KeyVault's own namespace.",
    )
    names: Annotated[list[Name], Field(min_length=1, max_length=32)] | None = Field(
        default=None, description="Names of those workloads. Left out: any name."
    )
    operations: Annotated[list[Operation], Field(min_length=1, max_length=8)] = Field(
        description="What they may do: Seal and Open files, Mask and Unmask values, Sign with a"
        " certified key of their own, Verify by the vault's public half, Issue certificates to"
        " them. A preview only opens. With a symmetric key Seal and Open are one; so are Mask and"
        " Unmask to who has read it, but the operator leads back only for who is granted Unmask.",
    )
    not_after: Moment | None = Field(
        default=None, description="The grant ends at this time. Left out: it does not end."
    )
    max_deliveries: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        default=None,
        description="To how many workloads the key is given by this grant, ever. Left out: to any"
        " number.",
    )
    cel: ClassVar = (
        Cel(
            "self.kinds.exists(k, k != 'DatasetPreview') || self.operations.all(o, o == 'Open')",
            "a DatasetPreview only opens files: remove the other operations, or grant them to"
            " another kind",
            field_path=".operations",
        ),
        Cel(
            "!('KeyDelivery' in self.kinds) || 'MaskingJob' in self.kinds"
            " || !self.operations.exists(o, o in ['Seal', 'Mask', 'Unmask'])",
            "a KeyDelivery neither seals nor masks: remove Seal and Mask (and Unmask), or grant"
            " them to a MaskingJob",
            field_path=".operations",
        ),
    )


def _usage_rules() -> tuple[Cel, ...]:
    by_operations: dict[frozenset[Operation], list[str]] = {}
    for algorithm, operations in OPERATIONS_BY_ALGORITHM.items():
        by_operations.setdefault(operations, []).append(algorithm)
    usable = tuple(
        Cel(
            f"!(self.algorithm in [{quoted(algorithms)}]) || !has(self.grants)"
            f" || self.grants.all(g, g.operations.all(o, o in [{quoted(sorted(operations))}]))",
            f"a key with algorithm {' or '.join(algorithms)} can be granted for"
            f" {', '.join(sorted(operations))} only: remove the other operations, or use a key with"
            " another algorithm",
            field_path=".grants",
        )
        for operations, algorithms in by_operations.items()
    )
    symmetric = [name for name, known in ALGORITHMS.items() if known.key_class == "Symmetric"]
    signing = [name for name, known in ALGORITHMS.items() if known.key_class == "Signing"]
    return (
        *usable,
        Cel(
            f"!(self.algorithm in [{quoted(symmetric)}]) || !has(self.grants)"
            " || self.grants.all(g, !('Seal' in g.operations) || 'Open' in g.operations)",
            "Seal without Open needs a public-key algorithm, since a symmetric key that seals also"
            " opens: add Open to the operations, or use HPKE_X25519",
            field_path=".grants",
        ),
        Cel(
            f"!has(self.authority) || self.algorithm in [{quoted(signing)}]",
            "an authority signs certificates: remove authority, or use a key with algorithm"
            f" {' or '.join(signing)}",
            field_path=".authority",
        ),
    )


def _origin_rules() -> tuple[Cel, ...]:
    given = "(has(self.origin) && (has(self.origin.passphrase) || has(self.origin.__import__)))"
    pairs = [
        name for name in ALGORITHMS if name.startswith(("RSA", "ECDSA")) or name == "HPKE_P256"
    ]
    return (
        Cel(
            f"!{given} || !has(self.rotation) || !has(self.rotation.every)",
            "a key from a passphrase or an import cannot be renewed by the operator: leave"
            " rotation.every out, put the new secret in the Secret, and run leeward keys rotate",
            field_path=".rotation",
        ),
        Cel(
            "!has(self.origin) || !(has(self.origin.passphrase) || has(self.origin.derive))"
            f" || !(self.algorithm in [{quoted(pairs)}])",
            "a key of this algorithm cannot be made from a passphrase or another key: use origin"
            " generate or import, or algorithm HPKE_X25519 or ED25519",
            field_path=".origin",
        ),
    )


def _origins_rules() -> tuple[Cel, ...]:
    """What holds of the origins of all keys of a vault."""
    derives = "has({0}.origin) && has({0}.origin.derive)"
    stretches = "has(k.origin) && has(k.origin.passphrase) && has(k.origin.passphrase.kdf)"
    return (
        Cel(
            f"self.keys.all(k, !({derives.format('k')}) || self.keys.exists(o,"
            f" o.name == k.origin.derive.from && o.name != k.name && !({derives.format('o')})))",
            "derive.from names another key of this vault that is not derived itself: use the name"
            " of such a key",
            field_path=".keys",
        ),
        Cel(
            "!has(self.profile) || self.profile != 'Approved'"
            f" || self.keys.all(k, !({stretches}) || k.origin.passphrase.kdf == 'PBKDF2_SHA256')",
            "profile Approved has the key derivation function PBKDF2_SHA256 only: set kdf to it, or"
            " take another profile",
            field_path=".keys",
        ),
    )


class VaultKey(Model):
    """One key of the vault: a purpose, an algorithm, and the workloads that may use it."""

    name: Name = Field(description="Name of the key within the vault.")
    algorithm: Annotated[str, Field(max_length=64)] = Field(
        description=f"Algorithm of the artefact keys made under it, and its operations: {_USES}.",
    )
    origin: Annotated[
        Origin,
        Rules(
            (
                Cel(
                    "self == oldSelf",
                    "the origin of a key cannot be changed: add a key with another name",
                ),
            )
        ),
    ] = Field(default=Origin(generate=Empty()), description="Where the key comes from.")
    rotation: Rotation | None = Field(
        default=None, description="When it is renewed. Left out: on demand only."
    )
    minimum_version: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Versions below this one are disabled, as soon as no artefact key is wrapped"
        " by them. It cannot go down.",
    )
    shred_below: Annotated[int, Field(ge=2)] | None = Field(
        default=None,
        description="Versions below this one are destroyed, whatever their age, as soon as no"
        " artefact key is wrapped by them, no backup of the vault is known, and annotation"
        " leeward.dev/confirm-shred holds UID/KEY/NUMBER: the UID of the KeyVault, the name of the"
        " key, and this number.",
    )
    authority: Authority | None = Field(
        default=None, description="For grants to Sign and Issue: what it certifies."
    )
    grants: Annotated[list[KeyGrant], Field(max_length=32), ListMap()] = Field(
        default=[], description="Who may use the key. None: nobody."
    )
    cel: ClassVar = (
        *algorithm_rules(),
        *_usage_rules(),
        *_origin_rules(),
        Cel(
            "self.algorithm == oldSelf.algorithm",
            "the algorithm of a key cannot be changed: add a key with another name",
            field_path=".algorithm",
        ),
        Cel(
            "!has(oldSelf.minimumVersion) || (has(self.minimumVersion)"
            " && self.minimumVersion >= oldSelf.minimumVersion)",
            "minimumVersion cannot go down or be removed: what it disabled may be destroyed",
            field_path=".minimumVersion",
        ),
        Cel(
            "!has(self.grants) || has(self.authority)"
            " || self.grants.all(g, !('Issue' in g.operations) && !('Sign' in g.operations))",
            "grants to Sign or Issue need authority: give the key authority.trustDomain",
            field_path=".authority",
        ),
    )


class KeyVaultSpec(Model):
    """What the user asks for."""

    provider: Provider = Field(
        default=Provider(embedded=EmbeddedProvider()), description="Who wraps the keys."
    )
    profile: Profile = Field(
        default="Modern",
        description="Which algorithms are allowed. Modern: those to choose today. Approved: those"
        " approved by NIST (the module itself is not validated). Compatible: all that are not"
        " banned.",
    )
    deletion_policy: Literal["Retain", "Shred"] = Field(
        default="Retain",
        description="What becomes of the keys when the KeyVault is deleted. Retain: they stay."
        " Shred: they are destroyed, and all that they sealed with them, once annotation"
        " leeward.dev/confirm-shred holds the UID of the KeyVault and no backup of them is known.",
    )
    keys: Annotated[
        list[VaultKey],
        Field(min_length=1, max_length=32),
        ListMap(),
        Rules(
            (
                Cel(
                    "oldSelf.all(o, self.exists(k, k.name == o.name))",
                    "a key cannot be removed while artefacts may depend on it: keep it, and take"
                    " away its grants instead",
                ),
            )
        ),
    ] = Field(description="The keys.")
    cel: ClassVar = (*profile_rules(), *_origins_rules())


class KeyDependent(StatusModel):
    """A resource for which artefact keys were made, or whose they are by now."""

    kind: str = Field(max_length=63, description="Its kind.")
    namespace: str = Field(max_length=63, description="Its namespace.")
    name: str = Field(max_length=253, description="Its name. It may be gone by now.")
    artefact_keys: int = Field(ge=1, description="How many artefact keys it has.")


class VersionStatus(StatusModel):
    """One version of a key."""

    version: int = Field(ge=1, description="Its number.")
    state: VersionState = Field(description="What it is good for now.")
    created_at: Timestamp = Field(description="When it was made.")
    artefact_keys: int = Field(
        default=0, ge=0, description="How many artefact keys are wrapped by it."
    )
    resources: int = Field(default=0, ge=0, description="How many resources have these keys.")
    dependents: Annotated[list[KeyDependent], Field(max_length=8)] = Field(
        default=[], description="The first few of those resources."
    )
    derivation: Annotated[str, Field(max_length=1024)] | None = Field(
        default=None,
        description="How it was made from a passphrase or another key, of versions before the"
        " primary one.",
    )


class KeyState(StatusModel):
    """One key as it stands."""

    name: Name = Field(description="Name of the key.")
    algorithm: str = Field(max_length=32, description="Its algorithm.")
    primary_version: int = Field(
        ge=1, description="The version that new artefact keys and certificates use."
    )
    created_at: Timestamp = Field(description="When it was made.")
    rotated_at: Timestamp | None = Field(
        default=None, description="When the primary version was made."
    )
    next_rotation_at: Timestamp | None = Field(
        default=None, description="When the next version is due."
    )
    minimum_version: int = Field(default=1, ge=1, description="Versions below are disabled.")
    shredded_below: int | None = Field(
        default=None, ge=2, description="Versions below are destroyed, and that is recorded."
    )
    versions: Annotated[list[VersionStatus], Field(max_length=32)] = Field(
        default=[], description="The newest versions, the newest first."
    )
    derivation: Annotated[str, Field(max_length=1024)] | None = Field(
        default=None,
        description="How the primary version was made from a passphrase or another key (KDF,"
        " parameters, salt), so that it can be made again elsewhere. It is no secret.",
    )


class KeyVaultStatus(Status):
    """What the operator found and did."""

    vault_id: Hex128 | None = Field(
        default=None, description="Random id of this vault's keyset. Adopting it names this id."
    )
    provider: str | None = Field(default=None, max_length=16, description="Who wraps the keys.")
    key_count: int | None = Field(default=None, ge=0, description="How many keys there are.")
    oldest_key_at: Timestamp | None = Field(
        default=None, description="When the oldest primary version was made."
    )
    keys: Annotated[list[KeyState], Field(max_length=32), ListMap()] = Field(
        default=[], description="The keys as they stand."
    )


ADOPT_ANNOTATION: Final = "leeward.dev/adopt"
"""Set to the id of a retained keyset, it gives that keyset to a vault that was made again."""
CONFIRM_SHRED_ANNOTATION: Final = "leeward.dev/confirm-shred"
"""Confirms that keys are to be destroyed: the UID of the resource, for versions UID/KEY/NUMBER."""
SHRED_REQUESTER_ANNOTATION: Final = "leeward.dev/shred-requested-by"
"""Who asked for it, as they say; the record of destruction repeats it."""

KEYVAULT: Final = Kind(
    kind="KeyVault",
    plural="keyvaults",
    short_names=("kv",),
    spec=KeyVaultSpec,
    status=KeyVaultStatus,
    description="Keys, their versions and who may use them.",
    columns=(
        Column("Provider", "string", ".status.provider"),
        Column("Keys", "integer", ".status.keyCount"),
        Column("Oldest", "date", ".status.oldestKeyAt"),
        READY,
        REASON,
        AGE,
    ),
)
