"""Who wraps the keys of a vault."""

from typing import Annotated, ClassVar

from pydantic import Field

from leeward.api.keyorigin import SecretKeyName, SecretRef
from leeward.api.meta import Cel, Model, ObjectName, Text

_PATH = Text(
    r"^[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*$",
    "must be a path of letters, digits, '-', '_' and '.', as transit or team/transit",
)
_KEY = Text(
    r"^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$",
    "must be a name of letters, digits, '-', '_' and '.'",
)
ServerPath = Annotated[str, Field(min_length=1, max_length=128), _PATH]


class EmbeddedProvider(Model):
    """Keys are wrapped by the operator's own root key."""


class TokenAuth(Model):
    """A token that somebody else renews or replaces."""

    secret_ref: SecretRef = Field(description="The token.")


class AppRoleAuth(Model):
    """AppRole."""

    mount: ServerPath = Field(default="approle", description="Where the auth method is mounted.")
    role_id: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        description="The role id, which is no secret."
    )
    secret_ref: SecretRef = Field(description="The secret id.")


class KubernetesAuth(Model):
    """The operator's own service account, with a token made for the server alone."""

    mount: ServerPath = Field(default="kubernetes", description="Where the auth method is mounted.")
    role: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        description="The role there that is bound to the operator's service account."
    )


class TransitAuth(Model):
    """How the operator logs in. Exactly one member."""

    token: TokenAuth | None = Field(default=None, description="By a token.")
    app_role: AppRoleAuth | None = Field(default=None, description="By AppRole.")
    kubernetes: KubernetesAuth | None = Field(
        default=None, description="By the operator's service account."
    )
    cel: ClassVar = (
        Cel(
            "[has(self.token), has(self.appRole), has(self.kubernetes)].filter(x, x).size() == 1",
            "name exactly one way to log in: token, appRole or kubernetes",
        ),
    )


class CaBundle(Model):
    """The certificate authorities that the server's certificate may come from, in PEM."""

    config_map: ObjectName = Field(description="Name of a ConfigMap in the KeyVault's namespace.")
    key: SecretKeyName = Field(default="ca.crt", description="Which of its values.")


class TransitProvider(Model):
    """Keys are wrapped by the Transit engine of HashiCorp Vault or OpenBao."""

    address: Annotated[str, Field(max_length=512)] = Field(
        description="Address of the server, as https://bao.example:8200. The operator's setting"
        " transitAddresses (of the Helm chart) must list it."
    )
    mount: ServerPath = Field(default="transit", description="Where the engine is mounted.")
    key: Annotated[str, Field(min_length=1, max_length=128), _KEY] = Field(
        description="Name of the wrapping key there, of type aes256-gcm96."
    )
    namespace: ServerPath | None = Field(
        default=None, description="Namespace of the server, where it has them."
    )
    auth: TransitAuth = Field(description="How the operator logs in.")
    ca_bundle: CaBundle | None = Field(
        default=None,
        description="Who may have certified the server. Left out: the authorities that the"
        " operator's image trusts.",
    )
    cel: ClassVar = (
        Cel(
            "self.address.matches('^https://[^/@?#]+/?$')",
            "address must begin with https:// and hold host and port only, as"
            " https://bao.example:8200",
            field_path=".address",
        ),
        Cel(
            "self.mount == oldSelf.mount && self.key == oldSelf.key"
            " && has(self.__namespace__) == has(oldSelf.__namespace__)"
            " && (!has(self.__namespace__) || self.__namespace__ == oldSelf.__namespace__)",
            "mount, key and namespace cannot be changed, for they make another wrapping key: make"
            " another KeyVault for that",
        ),
    )


class Provider(Model):
    """Who wraps the vault's keys. Exactly one member."""

    embedded: EmbeddedProvider | None = Field(
        default=None, description="The operator's own root key, a Secret in its namespace."
    )
    transit: TransitProvider | None = Field(
        default=None, description="The Transit engine of HashiCorp Vault or OpenBao."
    )
    cel: ClassVar = (
        Cel(
            "has(self.embedded) != has(self.transit)",
            "name exactly one provider: embedded: {} or transit",
        ),
        Cel(
            "has(self.transit) == has(oldSelf.transit)",
            "a KeyVault stays with the root key or with Transit: make another KeyVault for that",
        ),
    )

    @property
    def name(self) -> str:
        """As in a manifest."""
        return "embedded" if self.transit is None else "transit"
