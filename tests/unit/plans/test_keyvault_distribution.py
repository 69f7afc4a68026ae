"""A new version of an authority is pending until every pod that verifies trusts it."""

from typing import Any

from leeward.api.keyvault import KEYVAULT, KeyVaultSpec
from leeward.api.meta import API_VERSION
from leeward.plans.keyvault.authorities import unused
from leeward.plans.keyvault.distribution import Distribution, distribution, show_pending
from leeward.plans.keyvault.rotation import Due
from leeward.plans.shared.conditions import StatusDraft
from leeward.plans.shared.model import (
    Context,
    DeliveriesOf,
    KeysetInfo,
    Manifest,
    ObjectRef,
    Observed,
    RetireVersion,
    VersionInfo,
    VersionState,
)
from leeward.plans.shared.names import Owner
from unit.plans.keyworld import NOW

VAULT = {
    "apiVersion": API_VERSION,
    "kind": KEYVAULT.kind,
    "metadata": {"name": "vault", "namespace": "clinic", "uid": "u", "generation": 1},
    "spec": {},
}
OWNER = Owner.of(VAULT)
SPEC = KeyVaultSpec.model_validate(
    {
        "keys": [
            {
                "name": "mesh",
                "algorithm": "ECDSA_P256",
                "authority": {"trustDomain": "clinic.example"},
            },
            {"name": "data", "algorithm": "AES256_GCM"},
        ]
    }
)


def info(*states: VersionState) -> KeysetInfo:
    history = tuple(
        VersionInfo(number, state, "2027-01-01T00:00:00Z", certificate="PEM")
        for number, state in enumerate(states, 1)
    )
    return KeysetInfo(
        vault_id="0" * 32,
        owner_uid="u",
        versions={"mesh": ("ECDSA_P256", len(states), "2027-01-01T00:00:00Z")},
        history={"mesh": history, "data": history},
    )


def delivery(name: str, *, trusts: list[int], shows: list[int], said: bool = True) -> Manifest:
    named = {"vault": {"name": "vault"}, "key": "mesh"}
    return {
        "metadata": {"name": name, "namespace": "clinic"},
        "spec": {"items": [{"name": "tls", "certificate": named}]},
        "status": {
            "secret": {},
            "items": [
                {
                    "name": "tls",
                    "trust": {"versions": trusts, "acknowledged": said},
                    "certificate": {"versions": shows},
                }
            ],
        },
    }


def seen(*deliveries: Manifest) -> Observed:
    ref = ObjectRef(API_VERSION, KEYVAULT.kind, "clinic", "vault")
    return Observed(seen={DeliveriesOf(ref): list(deliveries)})


def shown(known: Distribution) -> list[dict[str, Any]]:
    states = [
        {
            "name": name,
            "primaryVersion": 2,
            "versions": [{"version": 2, "state": "Primary"}, {"version": 1, "state": "Enabled"}],
        }
        for name in ("mesh", "data")
    ]
    draft = StatusDraft(VAULT, Context(NOW, bytes, "leeward-system", "masking"))
    draft.put(keys=states)
    show_pending(draft, known)
    return list(draft.status["keys"])


def test_nobody_is_asked_where_there_is_one_version() -> None:
    assert distribution(OWNER, SPEC, info("Primary"), Observed()) == Distribution()
    assert distribution(OWNER, SPEC, info("Destroyed", "Primary"), Observed()) == Distribution()


def test_who_does_not_trust_the_new_version_is_named() -> None:
    both, late = [1, 2], delivery("late", trusts=[1], shows=[1])
    silent = delivery("silent", trusts=both, shows=[1], said=False)
    done = delivery("done", trusts=both, shows=[1])
    known = distribution(OWNER, SPEC, info("Enabled", "Primary"), seen(done, late, silent))
    assert known.issuing == {"mesh": 1}
    assert "clinic/late, clinic/silent" in known.messages[0]
    assert "clinic/done" not in known.messages[0]
    mesh, data = shown(known)
    assert mesh["primaryVersion"] == 1
    assert [version["state"] for version in mesh["versions"]] == ["Pending", "Primary"]
    assert [version["state"] for version in data["versions"]] == ["Primary", "Enabled"]


def test_when_everybody_trusts_it_it_issues() -> None:
    done = [delivery(name, trusts=[1, 2], shows=[1]) for name in ("one", "two")]
    assert distribution(OWNER, SPEC, info("Enabled", "Primary"), seen(*done)) == Distribution()


def test_a_pod_that_comes_later_does_not_make_it_pending_again() -> None:
    done = delivery("done", trusts=[1, 2], shows=[2])
    new = delivery("new", trusts=[], shows=[])
    assert distribution(OWNER, SPEC, info("Enabled", "Primary"), seen(done, new)) == Distribution()


def test_a_version_that_pods_show_or_rely_on_is_not_disabled() -> None:
    due = [Due(RetireVersion("clinic", "vault", "mesh", 1, "Disabled"), NOW)]
    shows = delivery("shows", trusts=[1, 2], shows=[1])
    relies = delivery("relies", trusts=[1, 2], shows=[2])
    done = delivery("done", trusts=[2], shows=[2])
    kept = unused(OWNER, SPEC, due, seen(shows, relies, done))
    assert (kept.free, kept.waiting[0].users) == ([], ("clinic/shows", "clinic/relies"))
    assert "version 1 of key mesh is not disabled yet" in kept.waiting[0].message
    assert unused(OWNER, SPEC, due, seen(done)).free == due
