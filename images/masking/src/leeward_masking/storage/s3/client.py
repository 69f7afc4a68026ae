"""The client for a bucket: botocore, with credentials from mounted files alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypedDict, cast

from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, Credentials
from botocore.session import Session

from leeward.api.s3 import ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN
from leeward.formats.jobconfig import S3Store
from leeward_masking.errors import JobError

_CONNECTIONS = 8


class Body(Protocol):
    """What is read of an object."""

    def read(self) -> bytes:
        """All of it."""
        ...


class Got(TypedDict):
    """Answer of GetObject with a range."""

    Body: Body
    ContentRange: str
    ETag: str


class S3Client(Protocol):
    """The operations that are used, by their names in the S3 API."""

    def get_object(self, **request: str) -> Got:
        """A range of an object."""
        ...

    def head_object(self, **request: str) -> Mapping[str, Any]:
        """What an object is, without it."""
        ...

    def create_multipart_upload(self, **request: object) -> Mapping[str, str]:
        """Begin an object of parts."""
        ...

    def upload_part(self, **request: object) -> Mapping[str, str]:
        """Send a part."""
        ...

    def complete_multipart_upload(self, **request: object) -> Mapping[str, str]:
        """Make one object of the parts."""
        ...

    def abort_multipart_upload(self, **request: str) -> object:
        """Forget the parts."""
        ...

    def list_multipart_uploads(self, **request: str) -> Mapping[str, Any]:
        """Uploads that were begun and not ended."""
        ...

    def list_objects_v2(self, **request: str) -> Mapping[str, Any]:
        """Objects whose names begin in one way."""
        ...

    def delete_object(self, **request: str) -> object:
        """Remove an object."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a store is waited for.

    Attributes:
        connect, read: Seconds for a connection, and between two pieces of an answer.
        attempts: How often a request is made in all.
    """

    connect: float = 5.0
    read: float = 60.0
    attempts: int = 4


class _MountedCredentials(Credentials):  # type: ignore[misc]
    """Credentials that are read anew for each request: the kubelet replaces the files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        super().__init__(*self._values())

    def get_frozen_credentials(self) -> object:
        return Credentials(*self._values()).get_frozen_credentials()

    def _values(self) -> tuple[str, str, str | None]:
        token = self._value(SESSION_TOKEN)
        return self._needed(ACCESS_KEY_ID), self._needed(SECRET_ACCESS_KEY), token

    def _needed(self, name: str) -> str:
        value = self._value(name)
        if not value:
            raise JobError(
                "CredentialsMissing",
                f"the Secret that credentialsRef names is not there, or has no value {name}",
                f"create it, with {ACCESS_KEY_ID} and {SECRET_ACCESS_KEY}, in the namespace of this"
                " pod",
            )
        return value

    def _value(self, name: str) -> str | None:
        try:
            return (self._folder / name).read_text("ascii").strip()
        except FileNotFoundError:
            return None
        except ValueError:
            raise JobError(
                "CredentialsMissing",
                f"the value {name} of the Secret that credentialsRef names is not ASCII text",
                "put the credential itself there, without an encoding of its own",
            ) from None


class _Mounted(CredentialProvider):  # type: ignore[misc]
    """The only provider: nothing is taken from the environment, a home folder or a network."""

    METHOD = "mounted"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def load(self) -> _MountedCredentials:
        return _MountedCredentials(self._folder)


def s3_client(store: S3Store, patience: Patience) -> S3Client:
    """A client for the store of a bucket.

    Raises:
        JobError: ``CredentialsMissing``, or ``StoreNotTrusted`` where the authority is missing.
    """
    if store.ca is not None and not Path(store.ca).is_file():
        raise JobError(
            "StoreNotTrusted",
            "the ConfigMap that caRef names is not there, or has no such value",
            "create it, with the certificate authority in PEM, in the namespace of this pod",
        )
    session = Session()
    resolver = CredentialResolver([_Mounted(Path(store.credentials))])
    session.register_component("credential_provider", resolver)
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if store.path_style else "virtual"},
        retries={"mode": "standard", "total_max_attempts": patience.attempts},
        connect_timeout=patience.connect,
        read_timeout=patience.read,
        max_pool_connections=_CONNECTIONS,
        tcp_keepalive=True,
        # Checksums in trailers are of AWS alone; each part has its MD5, which all stores check.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    client = session.create_client(
        "s3",
        region_name=store.region,
        endpoint_url=store.endpoint,
        verify=store.ca or True,
        config=config,
    )
    return cast(S3Client, client)
