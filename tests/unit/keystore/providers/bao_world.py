"""A Transit mount on a real server, with what an administrator does there."""

from __future__ import annotations

import time
from typing import Any

from leeward.keystore.providers.transit.config import (
    AppRoleAuth,
    KubernetesAuth,
    TokenAuth,
    TransitAuth,
    TransitConfig,
)
from leeward.keystore.providers.transit.provider import TransitProvider
from leeward.keystore.providers.transit.surroundings import Limits
from openbao.server import OpenBao
from unit.keystore.providers.provider_world import SECRET_ID, TOKEN, World

QUICK = Limits(request=2.0, deadline=4.0, backoff=0.01, cool_down=0.0)


class BaoWorld:
    """One mount with one key, and the policy that the guide tells to make."""

    def __init__(self, server: OpenBao, mount: str) -> None:
        self.server = server
        self.mount = mount
        self.world = World()
        self._made: list[TransitProvider] = []
        server.call("POST", f"sys/mounts/{mount}", {"type": "transit"})
        self.make_key()
        self.allow(self.config(TokenAuth(TOKEN)).policy())

    def make_key(self, **settings: Any) -> None:
        self.server.call("POST", f"{self.mount}/keys/leeward", settings)

    def allow(self, policy: str) -> None:
        """Give whoever logs in that policy, and no other."""
        self.server.call("PUT", f"sys/policies/acl/{self.mount}", {"policy": policy})

    def token(self, **settings: Any) -> str:
        """A token with that policy, which is put into the Secret."""
        made = self.server.call("POST", "auth/token/create", {"policies": [self.mount], **settings})
        token: str = made["auth"]["client_token"]
        self.world.values[TOKEN] = token
        return token

    def wait_for_expiry(self, token: str) -> None:
        """Until the server no longer takes that token for one."""
        end = time.monotonic() + 20
        while self.server.ask("POST", "auth/token/lookup", {"token": token})[0] == 200:
            assert time.monotonic() < end, "a token did not expire"
            time.sleep(0.05)

    def app_role(self, **settings: Any) -> AppRoleAuth:
        """A role with that policy, of which the secret id is put into the Secret."""
        path = f"auth/{self.mount}-roles"
        self.server.call("POST", f"sys/{path}", {"type": "approle"})
        self.server.call(
            "POST", f"{path}/role/leeward", {"token_policies": [self.mount], **settings}
        )
        role = self.server.call("GET", f"{path}/role/leeward/role-id")["data"]["role_id"]
        secret = self.server.call("POST", f"{path}/role/leeward/secret-id")["data"]["secret_id"]
        self.world.values[SECRET_ID] = secret
        return AppRoleAuth(role, SECRET_ID, f"{self.mount}-roles")

    def kubernetes_auth(self, api_server: str, ca_pem: str) -> KubernetesAuth:
        """A role that is bound to the operator's service account, as in the guide."""
        path = f"{self.mount}-cluster"
        self.server.call("POST", f"sys/auth/{path}", {"type": "kubernetes"})
        reviewer = {"token_reviewer_jwt": "reviewer", "disable_local_ca_jwt": True}
        cluster = {"kubernetes_host": api_server, "kubernetes_ca_cert": ca_pem}
        self.server.call("POST", f"auth/{path}/config", reviewer | cluster)
        role = {
            "bound_service_account_names": ["leeward"],
            "bound_service_account_namespaces": ["leeward-system"],
            "audience": "leeward-transit",
            "token_policies": [self.mount],
        }
        self.server.call("POST", f"auth/{path}/role/leeward", role)
        return KubernetesAuth("leeward", path)

    def config(self, auth: TransitAuth | None = None, **changes: Any) -> TransitConfig:
        fields: dict[str, Any] = {
            "address": self.server.address,
            "mount": self.mount,
            "key": "leeward",
            "ca_pem": self.server.ca_pem,
            **changes,
        }
        return TransitConfig(auth=auth or TokenAuth(TOKEN), **fields)

    def provider(
        self, auth: TransitAuth | None = None, limits: Limits = QUICK, **changes: Any
    ) -> TransitProvider:
        """A provider by a token, unless told otherwise."""
        if auth is None and TOKEN not in self.world.values:
            self.token()
        config = self.config(auth, **changes)
        made = TransitProvider(config, self.world.sources, self.world.pace, limits)
        self._made.append(made)
        return made

    def rotate(self) -> None:
        self.server.call("POST", f"{self.mount}/keys/leeward/rotate", {})

    def configure(self, **settings: Any) -> None:
        self.server.call("POST", f"{self.mount}/keys/leeward/config", settings)

    async def close(self) -> None:
        for provider in self._made:
            await provider.close()
