"""A place in a bucket of an S3-compatible object store."""

from typing import Annotated, Final

from pydantic import Field

from leeward.api.keyorigin import SecretKeyName
from leeward.api.meta import Model, ObjectName, Text

ACCESS_KEY_ID: Final = "accessKeyId"
SECRET_ACCESS_KEY: Final = "secretAccessKey"  # noqa: S105 - the name of a value, not one
SESSION_TOKEN: Final = "sessionToken"  # noqa: S105
HTTPS_PORT: Final = 443

_ENDPOINT = Text(
    r"^https://([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:.]+\])"
    r"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?/?$",
    "must begin with https:// and hold host and port only, with a port up to 65535, as"
    " https://s3.example:9000",
)
_BUCKET = Text(
    r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
    "must be the name of a bucket: 3 to 63 lower-case letters, digits, '.' and '-', as clinic-data",
)
_REGION = Text(
    r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
    "must be a region: lower-case letters, digits and '-', as eu-central-1",
)
KEY_PATTERN: Final = r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*/?$"
_KEY = Text(
    KEY_PATTERN,
    "must be the name of an object, without '/' at its start and without '..', made of letters,"
    " digits, '.', '_', '-' and '/', as raw/visits.csv",
)
Cidr = Annotated[
    str,
    Field(max_length=43, description="A range of addresses: 10.20.0.0/16, 2001:db8::/32."),
    Text(
        r"^[0-9a-fA-F:.]{2,39}/[0-9]{1,3}$",
        "must be a range of addresses (CIDR), as 10.20.0.0/16 or 203.0.113.7/32",
        also="isCIDR(self)",
    ),
]


class CredentialsRef(Model):
    """A Secret with credentials for S3."""

    name: ObjectName = Field(
        description=f"Name of the Secret, in the namespace of the pods that use it. Its values:"
        f" {ACCESS_KEY_ID}, {SECRET_ACCESS_KEY} and, of temporary ones, {SESSION_TOKEN}."
    )


class CaRef(Model):
    """Certificate authorities in PEM."""

    name: ObjectName = Field(
        description="Name of the ConfigMap, in the namespace of the pods that use it."
    )
    key: SecretKeyName = Field(default="ca.crt", description="Which of its values.")


class S3(Model):
    """A place in a bucket of an S3-compatible object store."""

    endpoint: Annotated[str, Field(max_length=512), _ENDPOINT] = Field(
        description="Address of the store, as https://s3.example:9000."
    )
    bucket: Annotated[str, Field(max_length=63), _BUCKET] = Field(description="Name of the bucket.")
    path: Annotated[str, Field(max_length=512), _KEY] = Field(
        description="Name of the object in the bucket, without '/' at its start."
    )
    region: Annotated[str, Field(max_length=63), _REGION] = Field(
        default="us-east-1", description="Region that requests are signed for."
    )
    credentials_ref: CredentialsRef = Field(description="Credentials, mounted as files.")
    ca_ref: CaRef | None = Field(
        default=None,
        description="Who may have certified the endpoint. Left out: the public authorities.",
    )
    cidrs: Annotated[tuple[Cidr, ...], Field(min_length=1, max_length=16)] = Field(
        description="Addresses of the store. The NetworkPolicy of the pods lets them reach these,"
        " on the endpoint's port, and no others."
    )
    path_style: bool = Field(
        default=True,
        description="Whether the bucket stands in the path of requests. False: before the host's"
        " name, as bucket.s3.example.",
    )

    @property
    def port(self) -> int:
        """TCP port of the endpoint."""
        host = self.endpoint.removeprefix("https://").rstrip("/")
        _, colon, number = host.rpartition(":")
        return int(number) if colon and not number.endswith("]") else HTTPS_PORT
