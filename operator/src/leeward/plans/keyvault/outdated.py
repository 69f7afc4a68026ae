"""A keyset that is older than artefact keys under it: it was restored from an old backup.

Another version of the number that those keys name would hide that they do not open. So nothing is
rotated, and the conditions say what to do.
"""

from leeward.plans.shared.conditions import StatusDraft, condition_of
from leeward.plans.shared.model import KeysetInfo, KeyUsage, LaterVersion

REASON = "KeysetOutdated"


def later_version(info: KeysetInfo, usage: KeyUsage) -> LaterVersion | None:
    """An artefact key's version that its vault key has not come to; None: there is none."""
    for (key, version), used in sorted(usage.versions.items(), reverse=True):
        known = max((v.version for v in info.history.get(key, ())), default=0)
        if known and version > known:
            return LaterVersion(key, version, known, used.artefact_keys)
    return None


def described(found: LaterVersion, vault_id: str) -> str:
    """What is wrong, and what an administrator does about it."""
    count = "one artefact key is" if found.count == 1 else f"{found.count} artefact keys are"
    return (
        f"{count} wrapped by version {found.version} of key {found.key}, and this keyset comes to"
        f" version {found.known}: it was restored from a backup of before, and nothing is rotated"
        " while that is so. An administrator keeps a copy of the keyset's Secret in the operator's"
        " namespace, deletes it, and restores a newer backup (leeward keys restore). Where there is"
        " none, what is sealed with these keys is lost: delete them there (kubectl delete secrets"
        f" -l leeward.dev/vault-id={vault_id},leeward.dev/vault-key={found.key},"
        f"leeward.dev/vault-key-version={found.version})"
    )


def say_outdated(draft: StatusDraft, info: KeysetInfo, usage: KeyUsage | None) -> bool:
    """Say so in the status where it is so, and return whether that stands there.

    Where nothing new was counted, what was said stays.
    """
    if usage is None:
        told = condition_of(draft.status, "RotationComplete")
        return told is not None and told["reason"] == REASON
    found = later_version(info, usage)
    if found is None:
        return False
    draft.set("RotationComplete", False, REASON, described(found, info.vault_id))
    return True
