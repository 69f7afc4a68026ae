"""Which Transit key wraps a keyset, as it is recorded with that keyset: names only, no secret.

Where nothing is recorded, the keyset is wrapped by the root key.
"""

from typing import Literal, Self

from leeward.api.keyprovider import Provider, TransitAuth
from leeward.formats.document import Document


class TransitLogin(Document):
    """How the operator logs in.

    Attributes:
        method: Which of the three.
        mount: Where the auth method is mounted; None: token, which has none.
        role: Of Kubernetes auth; of AppRole the role id.
        secret: Name of the Secret with the token or the secret id, in the operator's namespace.
        secret_key: Which of its values.
    """

    method: Literal["token", "appRole", "kubernetes"]
    mount: str | None = None
    role: str | None = None
    secret: str | None = None
    secret_key: str | None = None


class CaReference(Document):
    """Certificate authorities in a ConfigMap of the KeyVault's namespace.

    Attributes:
        config_map: Its name.
        key: Which of its values.
    """

    config_map: str
    key: str


class TransitSettings(Document):
    """A Transit key, where it is, and how to get there.

    Attributes:
        address: ``https://`` host and port.
        mount, key: The key.
        namespace: Of the server; None: it has none.
        login: How to log in.
        ca: Who may have certified the server; None: whom the operator's image trusts.
    """

    address: str
    mount: str
    key: str
    namespace: str | None = None
    login: TransitLogin
    ca: CaReference | None = None

    @classmethod
    def of(cls, provider: Provider) -> Self | None:
        """What a KeyVault asks for; None: the root key."""
        transit = provider.transit
        if transit is None:
            return None
        bundle = transit.ca_bundle
        return cls(
            address=transit.address.rstrip("/"),
            mount=transit.mount,
            key=transit.key,
            namespace=transit.namespace,
            login=_login(transit.auth),
            ca=CaReference(config_map=bundle.config_map, key=bundle.key) if bundle else None,
        )

    @property
    def place(self) -> str:
        """The key in words, for people."""
        where = f" (namespace {self.namespace})" if self.namespace else ""
        return f"{self.mount}/keys/{self.key} of {self.address}{where}"


def _login(auth: TransitAuth) -> TransitLogin:
    if auth.kubernetes is not None:
        by_cluster = auth.kubernetes
        return TransitLogin(method="kubernetes", mount=by_cluster.mount, role=by_cluster.role)
    if auth.app_role is not None:
        by_role = auth.app_role
        return TransitLogin(
            method="appRole",
            mount=by_role.mount,
            role=by_role.role_id,
            secret=by_role.secret_ref.name,
            secret_key=by_role.secret_ref.key,
        )
    if auth.token is None:
        raise ValueError("no way to log in is named")
    ref = auth.token.secret_ref
    return TransitLogin(method="token", secret=ref.name, secret_key=ref.key)
