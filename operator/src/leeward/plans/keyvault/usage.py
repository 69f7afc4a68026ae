"""What depends on each version of a vault key, in the status of the vault."""

from leeward.plans.shared.model import KeyUsage, Manifest, VersionUsage

_FIELDS = ("artefactKeys", "resources", "dependents")


def show_usage(state: Manifest, usage: KeyUsage | None, before: Manifest) -> None:
    """Fill in what depends on the versions of one key, and what was said of it before.

    Args:
        state: The key, in the status as it shall be.
        usage: None: nothing was counted yet, so what stands there stays.
        before: The key, in the status as it is.
    """
    if "shreddedBelow" in before:
        state["shreddedBelow"] = before["shreddedBelow"]
    known = {version["version"]: version for version in before.get("versions", ())}
    for version in state["versions"]:
        number = version["version"]
        if usage is None:
            shown = known.get(number, {})
            version.update({name: shown[name] for name in _FIELDS if name in shown})
        else:
            version.update(_shown(usage.of(state["name"], number)))


def _shown(used: VersionUsage) -> Manifest:
    return {
        "artefactKeys": used.artefact_keys,
        "resources": used.resources,
        "dependents": [
            {
                "kind": dependent.kind,
                "namespace": dependent.namespace,
                "name": dependent.name,
                "artefactKeys": count,
            }
            for dependent, count in used.dependents
        ],
    }
