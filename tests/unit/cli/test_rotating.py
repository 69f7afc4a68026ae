"""keys rotate: what it waits for, and what it does not."""

from typing import Any

from leeward.api.keyvault import KEYVAULT
from leeward.cli.kinds import resource_of
from leeward.cli.port import ApiResource, Manifest
from unit.cli.fake_cluster import FakeCluster, condition, leeward, resource

MADE = "2027-03-01T11:00:00Z"


def vault(primary: int, *conditions: Manifest) -> Manifest:
    state = {
        "name": "partner",
        "algorithm": "AES256_GCM",
        "primaryVersion": primary,
        "createdAt": MADE,
        "rotatedAt": MADE,
        "versions": [{"version": primary, "state": "Primary", "createdAt": MADE}],
    }
    return resource(
        "KeyVault",
        "vault",
        *conditions,
        spec={"keys": [{"name": "partner", "algorithm": "AES256_GCM"}]},
        keys=[state],
    )


class Answering(FakeCluster):
    """Its operator comes to it at once: the states after the request."""

    after: tuple[Manifest, ...] = ()

    def replace(self, resource: ApiResource, manifest: Manifest) -> Manifest:
        made = super().replace(resource, manifest)
        self.put(resource, *self.after)
        return made


def rotated(*after: Manifest) -> Any:
    cluster = Answering()
    cluster.put(resource_of(KEYVAULT), vault(1, condition("Ready", "True", "KeysReady")))
    cluster.after = after
    return leeward("keys", "rotate", "vault", "partner", "--timeout", "30s", cluster=cluster)


def test_a_rotation_is_waited_for() -> None:
    result = rotated(vault(1), vault(2, condition("RotationComplete", "True", "Complete")))
    assert result.exit_code == 0
    assert "is at version 2" in result.stderr


def test_a_secret_that_holds_no_new_key_is_told_at_once() -> None:
    refused = condition("RotationComplete", "False", "SecretUnchanged", "put the new one there")
    result = rotated(vault(1, refused))
    assert result.exit_code != 0
    assert "key partner was not rotated (yet)" in result.stderr
    assert "put the new one there" in result.stderr
