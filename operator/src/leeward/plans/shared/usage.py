"""What depends on versions of vault keys, and how often grants were used.

Part of ``plans.shared.model``. Names only: no key, and no id of one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class KeyUsageOf:
    """What depends on the keys of a vault: a ``KeyUsage``; None: it is not known yet.

    It is counted in memory: looking costs no call. Whoever has looked is woken when it changes.
    """

    namespace: str
    vault: str
    vault_id: str


@dataclass(frozen=True, slots=True, order=True)
class Dependent:
    """A resource for which artefact keys were made, or whose they are by now.

    Attributes:
        kind, namespace, name: The resource; it may be gone.
    """

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class VersionUsage:
    """What depends on one version of a vault key.

    Attributes:
        artefact_keys: How many artefact keys it wraps.
        dependents: Whose they are, with how many: the first few by name.
        resources: How many such resources there are.
    """

    artefact_keys: int
    dependents: tuple[tuple[Dependent, int], ...]
    resources: int


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """What depends on the keys of one vault.

    Attributes:
        versions: (key, version) -> its use; left out: nothing depends on it.
    """

    versions: Mapping[tuple[str, int], VersionUsage] = field(default_factory=dict)

    def of(self, key: str, version: int) -> VersionUsage:
        """The use of one version."""
        return self.versions.get((key, version), VersionUsage(0, (), 0))


@dataclass(frozen=True, slots=True)
class LaterVersion:
    """Artefact keys under a version that their vault key has not come to.

    Attributes:
        key: Name of the vault key.
        version: That version.
        known: The highest version that there is.
        count: How many artefact keys name it.
    """

    key: str
    version: int
    known: int
    count: int


@dataclass(frozen=True, slots=True)
class GrantUseOf:
    """How often a grant with maxDeliveries was used: a ``GrantUse``.

    Attributes:
        vault_id, key, grant: The grant.
        uid: UID of the workload that asks.
    """

    vault_id: str
    key: str
    grant: str
    uid: str


@dataclass(frozen=True, slots=True)
class GrantUse:
    """How often a grant was used.

    Attributes:
        given: To how many workloads.
        counted: Whether the one that asks is among them.
        damaged: Name of the Secret that should say so, where it does not.
    """

    given: int
    counted: bool
    damaged: str | None = None
