"""keys shred."""

from leeward.api.dataset import DATASET
from leeward.api.keyvault import KEYVAULT
from leeward.cli.kinds import resource_of
from leeward.cli.port import Manifest
from unit.cli.fake_cluster import FakeCluster, condition, leeward, resource
from unit.cli.test_usage import key, version

VAULT = resource_of(KEYVAULT)
PATH = VAULT.path("clinic", "vault")


def vault(*conditions: Manifest, **metadata: object) -> Manifest:
    made = resource(
        "KeyVault",
        "vault",
        *conditions,
        spec={"keys": [{"name": "data"}]},
        keys=[key("data", version(2, "Primary", 3), version(1, "Enabled", 0))],
    )
    made["metadata"] |= {"uid": "uid-1", **metadata}
    return made


class Shredding(FakeCluster):
    """What is replaced is kept, and shown with what the operator has made of it by then."""

    def __init__(self, *after: Manifest) -> None:
        super().__init__()
        self.asked: list[Manifest] = []
        self.after = list(after)
        self.deleted = False
        self.put(VAULT, vault())

    def replace(self, resource: object, manifest: Manifest) -> Manifest:
        self.asked.append(manifest)
        self.states[PATH] = [*self.after]
        return manifest

    def delete(self, resource: object, namespace: str | None, name: str) -> bool:
        self.deleted = True
        self.states[PATH] = [m for m in self.states[PATH] if "deletionTimestamp" in m["metadata"]]
        return True


MARKED = vault(finalizers=["leeward.dev/shred"])
GOING = {"finalizers": ["leeward.dev/shred"], "deletionTimestamp": "2027-03-01T12:00:00Z"}
WAITS = vault(condition("ShredPending", "True", "BackupsKnown", "backups hold these keys"), **GOING)


def test_a_vault_is_deleted_when_its_name_was_typed_and_the_operator_knows() -> None:
    cluster = Shredding(vault(), MARKED, WAITS)
    result = leeward("keys", "shred", "keyvault/vault", cluster=cluster, answers=["vault\n"])
    assert result.exit_code == 0
    assert "3 artefact keys" in result.stderr
    assert "backups hold these keys" in result.stderr
    (asked,) = cluster.asked
    assert asked["spec"]["deletionPolicy"] == "Shred"
    annotations = asked["metadata"]["annotations"]
    assert annotations["leeward.dev/confirm-shred"] == "uid-1"
    assert "leeward.dev/shred-requested-by" in annotations
    assert cluster.deleted


def test_it_is_said_when_it_is_done() -> None:
    cluster = Shredding(MARKED)
    result = leeward("keys", "shred", "keyvault/vault", "--confirm", "vault", cluster=cluster)
    assert (result.exit_code, cluster.deleted) == (0, True)
    assert "destroyed; the record: kubectl get configmaps" in result.stdout


def test_another_name_or_no_terminal_destroys_nothing() -> None:
    for answers in (["valt\n"], []):
        cluster = Shredding()
        result = leeward("keys", "shred", "keyvault/vault", cluster=cluster, answers=answers)
        assert result.exit_code == 1
        assert cluster.asked == []
    assert "--confirm vault" in result.stderr


def test_a_vault_that_no_operator_has_seen_is_not_deleted() -> None:
    cluster = Shredding(vault())
    result = leeward("keys", "shred", "keyvault/vault", "--confirm", "vault", cluster=cluster)
    assert result.exit_code == 1
    assert "nothing is destroyed" in result.stderr
    assert not cluster.deleted


def test_old_versions_are_confirmed_by_key_and_number_beside_what_was_confirmed_before() -> None:
    done = vault()
    done["status"]["keys"][0]["shreddedBelow"] = 2
    cluster = Shredding(vault(), done)
    cluster.put(VAULT, vault(annotations={"leeward.dev/confirm-shred": "uid-1/old/3"}))
    args = ("keys", "shred", "keyvault/vault", "--key", "data", "--below", "2")
    result = leeward(*args, "--confirm", "vault", cluster=cluster)
    assert result.exit_code == 0
    (asked,) = cluster.asked
    assert asked["spec"] == {"keys": [{"name": "data", "shredBelow": 2}]}
    confirmed = asked["metadata"]["annotations"]["leeward.dev/confirm-shred"]
    assert confirmed == "uid-1/old/3,uid-1/data/2"
    assert not cluster.deleted
    assert "destroyed" in result.stdout


def test_what_has_no_key_of_its_own_is_not_shredded() -> None:
    cluster = Shredding()
    plain = resource("Dataset", "plain", spec={})
    cluster.put(resource_of(DATASET), plain)
    for args in (
        ("maskingjob/x",),
        ("keyvault/vault", "--key", "data"),
        ("dataset/plain", "--key", "data", "--below", "2"),
        ("dataset/plain",),
        ("keyvault/nobody",),
    ):
        result = leeward("keys", "shred", *args, "--confirm", "x", cluster=cluster)
        assert result.exit_code in (1, 2), args
        assert cluster.asked == []
