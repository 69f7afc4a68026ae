"""When a vault key gets a new version, and what becomes of the old ones.

    made ─▶ Primary ─▶ Enabled ─▶ artefact keys moved to the primary ─▶ Disabled ─▶ Destroyed
             renewedAfter, every              (drained)                retireAfter,    destroyAfter,
                                                                       minimumVersion  shredBelow

Everything is decided by what the keyset says and the time, one step at a time, so that a crash
between two steps changes nothing. No second rotation begins before the first has moved everything:
however often somebody asks, there are few versions.
"""

import datetime
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from leeward.api.keyvault import KeyVaultSpec, VaultKey
from leeward.plans.keyvault.origins import origin_of
from leeward.plans.shared.conditions import parse_timestamp
from leeward.plans.shared.durations import whole_seconds
from leeward.plans.shared.model import (
    KeysetInfo,
    RetireVersion,
    RewrapArtefactKeys,
    RotateVaultKey,
    VersionInfo,
)
from leeward.plans.shared.names import Owner

RotationStep = RotateVaultKey | RewrapArtefactKeys | RetireVersion


@dataclass(frozen=True, slots=True)
class Due:
    """One step, and when it is due.

    Attributes:
        step: What is to be done.
        at: When.
    """

    step: RotationStep
    at: datetime.datetime


def steps(
    owner: Owner,
    spec: KeyVaultSpec,
    info: KeysetInfo,
    now: datetime.datetime,
    shreddable: Collection[str] = (),
) -> tuple[Due, ...]:
    """What is to be done next for each key, the earliest first; each may be due later only.

    Args:
        owner: The KeyVault.
        spec: Its spec.
        info: Its keyset.
        now: Time now.
        shreddable: Keys of which versions below shredBelow may be destroyed now.
    """
    found = [
        due
        for key in spec.keys
        for due in _of_key(owner, spec, key, info, now, shreddable=key.name in shreddable)
    ]
    return tuple(sorted(found, key=lambda due: due.at))


def next_rotation(key: VaultKey, primary: VersionInfo) -> datetime.datetime | None:
    """When the key gets its next version; None: when somebody asks for it."""
    rotation = key.rotation
    made = parse_timestamp(primary.created_at)
    times = []
    generates = key.origin.generate is not None
    if key.authority is not None and generates and primary.certificate is not None:
        # What it issues at the end of its life would live for too short a time. One that could not
        # be certified is no authority, and another one would fare no better.
        times.append(made + _span(key.authority.lifetime) * 2 / 3)
    if rotation is None:
        return min(times, default=None)
    if rotation.every is not None:
        times.append(made + _span(rotation.every))
    if rotation.renewed_after is not None:
        # Versions are dated to the second: what is made at that moment is not to count as older.
        asked = _ceiling(parse_timestamp(rotation.renewed_after.upper()))
        if asked > made:
            times.append(asked)
    return min(times, default=None)


def beyond_primary(owner: Owner, spec: KeyVaultSpec, info: KeysetInfo) -> str | None:
    """What to say where minimumVersion of a key names a version that there is not yet."""
    for key in spec.keys:
        if key.name not in info.versions:
            continue
        primary, least = info.versions[key.name][1], key.minimum_version or 1
        if primary < least:
            return (
                f"minimumVersion {least} of key {key.name} is above its primary version {primary},"
                " which stays in use all the same: until there are as many, run: leeward keys"
                f" rotate {owner.name} {key.name} -n {owner.namespace}"
            )
    return None


def _of_key(
    owner: Owner,
    spec: KeyVaultSpec,
    key: VaultKey,
    info: KeysetInfo,
    now: datetime.datetime,
    *,
    shreddable: bool,
) -> Iterator[Due]:
    versions = info.history.get(key.name, ())
    primary = next((version for version in versions if version.state == "Primary"), None)
    if primary is None:
        return
    place = (owner.namespace, owner.name, key.name)
    full = [version for version in versions if version.state in ("Enabled", "Disabled")]
    undrained = [version for version in full if not version.drained]
    if undrained:
        yield Due(RewrapArtefactKeys(*place, primary.version), now)
        return
    for version in full:
        due = _retirement(key, version, shreddable=shreddable)
        if due is not None:
            state, at = due
            yield Due(RetireVersion(*place, version.version, state), at)
    rotates_at = next_rotation(key, primary)
    if rotates_at is not None:
        rotate = RotateVaultKey(*place, primary.version, origin_of(spec, key))
        yield Due(rotate, rotates_at)


def _retirement(
    key: VaultKey, version: VersionInfo, *, shreddable: bool
) -> tuple[str, datetime.datetime] | None:
    """What becomes of a version that wraps nothing any more, and when; None: nothing."""
    made = parse_timestamp(version.created_at)
    rotation = key.rotation
    retires = rotation.retire_after if rotation else None
    destroys = rotation.destroy_after if rotation else None
    shredding = version.version < (key.shred_below or 1)
    if shredding and shreddable and version.state == "Disabled":
        return "Destroyed", made
    if version.state == "Enabled":
        if shredding or version.version < (key.minimum_version or 1):
            return "Disabled", made
        spans = [_span(span) for span in (retires, destroys) if span is not None]
        return ("Disabled", made + min(spans)) if spans else None
    return ("Destroyed", made + _span(destroys)) if destroys is not None else None


def _ceiling(moment: datetime.datetime) -> datetime.datetime:
    whole = moment.replace(microsecond=0)
    return whole if whole == moment else whole + datetime.timedelta(seconds=1)


def _span(duration: str) -> datetime.timedelta:
    return datetime.timedelta(seconds=whole_seconds(duration))
