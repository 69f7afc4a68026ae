"""KeyVault: keys, their versions, and who may use them."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from leeward.api.meta import (
    AGE,
    IMMUTABLE,
    READY,
    REASON,
    Cel,
    Column,
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

Operation = Literal["Seal", "Open", "Mask"]
WorkloadKind = Literal["MaskingJob", "DatasetPreview"]

OPERATIONS_BY_ALGORITHM: Final[dict[str, frozenset[str]]] = {
    "AES256_GCM": frozenset({"Seal", "Open", "Mask"}),
    "HPKE_X25519": frozenset({"Seal", "Open"}),
    "AES256_SIV": frozenset({"Mask"}),
    "HMAC_SHA256": frozenset({"Mask"}),
}
"""What a key may be used for. Sealing is of files; masking is of values in columns."""

_SWEET32: Final = "its 64-bit block leaks after 32 GiB (Sweet32); use AES256_GCM"

BANNED_ALGORITHMS: Final[dict[str, str]] = {
    "ECB": "equal blocks stay visible; use AES256_GCM, or AES256_SIV for equal tokens",
    "^([23]?TDE[AS]|3DES|DESEDE|DES3|TRIPLEDES)": _SWEET32,
    "^DES": "its 56-bit key is found in hours; use AES256_GCM",
    "^(BLOWFISH|CAST5|CAST128|IDEA)": _SWEET32,
    "^A?RC2": "its short keys and 64-bit block are broken; use AES256_GCM",
    "^(A?RC4|ARCFOUR)": "its key stream is biased (RFC 7465); use AES256_GCM",
    "^HMAC.*MD[245]|MD[245].*HMAC": "MD5 is broken as a hash; use HMAC_SHA256",
    "^HMACSHA1?$": "SHA-1 is withdrawn by NIST; use HMAC_SHA256",
    "MD[245]": "collisions are made in seconds; use HMAC_SHA256",
    "SHA1?$": "collisions are practical (SHAttered); use HMAC_SHA256",
    "^AES[0-9]*(CBC|CFB|OFB|CTR)": "it is not authenticated; use AES256_GCM",
    "^RSA.*PKCS1(PADDING|V?15)?$|^RSA(ES)?15$": (
        "padding oracles recover plaintexts (Bleichenbacher); use HPKE_X25519"
    ),
    "^RSA[A-Z]*(768|1024)([^0-9]|$)": "RSA of 1024 bits can be factored; use HPKE_X25519",
    "^RSA[A-Z]*(1536|2048)([^0-9]|$)": (
        "RSA below 3072 bits is below 128-bit strength; use HPKE_X25519"
    ),
    "^FF3V?1": "withdrawn by NIST (SP 800-38G Rev. 1, 2025); use AES256_SIV tokens",
    "^FF3": "broken (Durak and Vaudenay, 2017); use AES256_SIV tokens",
}
"""Refused with the reason and the replacement (checked by CEL at apply).

A name is compared in capitals, letters and digits only: ``aes-128/ecb`` is AES128ECB. The first
regular expression (RE2) that finds something in it says why.
"""

ALGORITHMS: Final = tuple(OPERATIONS_BY_ALGORITHM)
_USES: Final = ", ".join(
    f"{name} ({', '.join(sorted(uses))})" for name, uses in OPERATIONS_BY_ALGORITHM.items()
)


class EmbeddedProvider(Model):
    """Keys are wrapped by the operator's own root key."""


class Provider(Model):
    """Who wraps the vault's keys. Exactly one member."""

    embedded: EmbeddedProvider | None = Field(
        default=None, description="The operator's own root key, a Secret in its namespace."
    )
    cel: ClassVar = (Cel("has(self.embedded)", "name one provider: embedded: {}"),)


class Origin(Model):
    """Where the key material comes from. Exactly one member."""

    generate: Empty | None = Field(default=None, description="Made at random by the operator.")
    cel: ClassVar = (Cel("has(self.generate)", "name one origin: generate: {}"),)


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
        description="What they may do: Seal and Open files, Mask values. A preview only opens."
    )
    not_after: Moment | None = Field(
        default=None, description="The grant ends at this time. Left out: it does not end."
    )
    cel: ClassVar = (
        Cel(
            "self.kinds.exists(k, k != 'DatasetPreview') || self.operations.all(o, o == 'Open')",
            "a DatasetPreview only opens files: remove the other operations, or grant them to"
            " another kind",
            field_path=".operations",
        ),
    )


def _algorithm_rules() -> tuple[Cel, ...]:
    known = f"use one of {', '.join(ALGORITHMS)}"
    spelled = "self.algorithm.upperAscii()"
    for mark in "_-/. ":
        spelled += f".replace('{mark}', '')"
    is_known = f"self.algorithm in [{', '.join(repr(name) for name in ALGORITHMS)}]"
    is_banned = f"{spelled}.matches('{'|'.join(BANNED_ALGORITHMS)}')"
    reasons = " : ".join(
        f"s.matches('{pattern}') ? '{why}'" for pattern, why in BANNED_ALGORITHMS.items()
    )
    return (
        Cel(
            f"{is_known} || !{is_banned}",
            f"this algorithm is banned: {known}",
            "'algorithm ' + self.algorithm + ' is banned: '"
            f" + [{spelled}].map(s, {reasons} : '')[0]",
            field_path=".algorithm",
        ),
        Cel(
            f"{is_known} || {is_banned}",
            f"unknown algorithm: {known}",
            f"'unknown algorithm ' + self.algorithm + ': {known}'",
            field_path=".algorithm",
        ),
    )


def _usage_rules() -> tuple[Cel, ...]:
    return tuple(
        Cel(
            f"self.algorithm != '{algorithm}' || !has(self.grants) || self.grants.all(g, "
            f"g.operations.all(o, o in [{', '.join(repr(o) for o in sorted(operations))}]))",
            f"a key with algorithm {algorithm} can be granted for {', '.join(sorted(operations))}"
            " only: remove the other operations, or use a key with another algorithm",
            field_path=".grants",
        )
        for algorithm, operations in OPERATIONS_BY_ALGORITHM.items()
    )


class VaultKey(Model):
    """One key of the vault: a purpose, an algorithm, and the workloads that may use it."""

    name: Name = Field(description="Name of the key within the vault.")
    algorithm: Annotated[str, Field(max_length=64)] = Field(
        description=f"Algorithm of the artefact keys made under it, and its operations: {_USES}.",
    )
    origin: Origin = Field(
        default=Origin(generate=Empty()), description="Where the key comes from."
    )
    grants: Annotated[list[KeyGrant], Field(max_length=32), ListMap()] = Field(
        default=[], description="Who may use the key. None: nobody."
    )
    cel: ClassVar = (
        *_algorithm_rules(),
        *_usage_rules(),
        Cel(
            "self.algorithm == oldSelf.algorithm",
            "the algorithm of a key cannot be changed: add a key with another name",
            field_path=".algorithm",
        ),
    )


class KeyVaultSpec(Model):
    """What the user asks for."""

    provider: Annotated[Provider, IMMUTABLE] = Field(
        default=Provider(embedded=EmbeddedProvider()), description="Who wraps the keys."
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


class KeyState(StatusModel):
    """One key as it stands."""

    name: Name = Field(description="Name of the key.")
    algorithm: str = Field(max_length=32, description="Its algorithm.")
    primary_version: int = Field(ge=1, description="The version that new artefact keys use.")
    created_at: Timestamp = Field(description="When it was made.")


class KeyVaultStatus(Status):
    """What the operator found and did."""

    vault_id: Hex128 | None = Field(
        default=None, description="Random id of this vault's keyset. Adopting it names this id."
    )
    provider: str | None = Field(default=None, max_length=16, description="Who wraps the keys.")
    key_count: int | None = Field(default=None, ge=0, description="How many keys there are.")
    oldest_key_at: Timestamp | None = Field(default=None, description="When the oldest was made.")
    keys: Annotated[list[KeyState], Field(max_length=32), ListMap()] = Field(
        default=[], description="The keys as they stand."
    )


ADOPT_ANNOTATION: Final = "leeward.dev/adopt"
"""Set to the id of a retained keyset, it gives that keyset to a vault that was made again."""

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
