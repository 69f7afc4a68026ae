"""What a bucket, or the way to it, says: as errors of a job."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)

from leeward_masking.errors import SOURCE, JobError

GONE: Final = frozenset({"NoSuchKey", "404"})
"""There is no object of that name."""
_KNOWN_CODE: Final = re.compile(r"[A-Za-z0-9]{1,64}")
_CREDENTIALS: Final = frozenset(
    {
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "InvalidToken",
        "TokenRefreshRequired",
        "InvalidSecurity",
        "XAdminUserNotFound",
    }
)
_DENIED: Final = frozenset({"AccessDenied", "AllAccessDisabled", "AccountProblem", "403", "401"})
_FULL: Final = frozenset({"QuotaExceeded", "EntityTooLarge", "XMinioStorageFull", "507"})
_CHANGED: Final = frozenset({"PreconditionFailed", "InvalidRange", "412", "416"})
_RIGHTS: Final = {
    True: "s3:GetObject, and s3:ListBucket to be told what is missing",
    False: "s3:PutObject, s3:GetObject, s3:DeleteObject, s3:AbortMultipartUpload and"
    " s3:ListBucketMultipartUploads",
}


def code_of(error: ClientError) -> str:
    """The code that the store gives, where it is one: anything else may quote data."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return code if _KNOWN_CODE.fullmatch(code) else "unknown error"


def status_of(error: ClientError) -> int:
    """Status of the HTTP response."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@contextmanager
def s3_errors(what: str) -> Iterator[None]:
    """Turn what a store says about ``what`` into a ``JobError``."""
    try:
        yield
    except ClientError as error:
        raise _refused(error, what) from None
    except (BotoCoreError, OSError) as error:
        raise _away(error, what) from None


def _refused(error: ClientError, what: str) -> JobError:
    code, status = code_of(error), status_of(error)
    if code in _CREDENTIALS:
        return JobError(
            "CredentialsRefused",
            f"the S3 endpoint of {what} does not take the credentials ({code})",
            "put valid ones into the Secret that credentialsRef names; where they are right, check"
            " region and endpoint",
        )
    if code == "NoSuchBucket":
        return JobError(
            "BucketMissing",
            f"the bucket of {what} does not exist",
            "create it, or correct location.s3.bucket",
        )
    if code in _FULL or status == 507:
        return JobError(
            "VolumeFull",
            f"the bucket of {what} takes no more ({code})",
            "free space in the bucket, or have its quota raised",
        )
    if code in _DENIED or status in (401, 403):
        return JobError(
            "CredentialsRefused",
            f"the credentials may not do with {what} what is needed ({code})",
            f"allow them {_RIGHTS[what == SOURCE]}",
        )
    if what == SOURCE and code in GONE:
        return JobError(
            "FileMissing",
            "there is no object at the path of the source",
            "put the file at the Dataset's path in the bucket",
        )
    if what == SOURCE and code in _CHANGED:
        return JobError(
            "SourceChanged",
            "the source was replaced while it was read",
            "let the Dataset be inspected again (annotation leeward.dev/inspect), then run a new"
            " job",
        )
    if status >= 500 or code in ("SlowDown", "RequestTimeout"):
        return JobError(
            "StoreUnavailable",
            f"the S3 endpoint of {what} does not work now ({code})",
            "it is tried again; if it goes on, look after the endpoint",
        )
    return JobError(
        "StoreRefused",
        f"the S3 endpoint of {what} refuses a request ({code})",
        "check endpoint, region and pathStyle of location.s3 with who runs it",
    )


def _away(error: BotoCoreError | OSError, what: str) -> JobError:
    if isinstance(error, SSLError):
        return JobError(
            "StoreNotTrusted",
            f"the certificate of the S3 endpoint of {what} is not trusted, or not for its name",
            "let caRef name a ConfigMap with the authority that certified it, and endpoint the name"
            " in the certificate",
        )
    if isinstance(error, EndpointConnectionError | ConnectTimeoutError):
        how = "cannot be reached"
    elif isinstance(error, ReadTimeoutError):
        how = "does not answer in time"
    elif isinstance(error, HTTPClientError | OSError):
        how = "broke the connection off"
    else:
        return JobError(
            "StoreRefused",
            f"a request to the S3 endpoint of {what} cannot be made ({type(error).__name__})",
            "check location.s3, and the Secret that credentialsRef names",
        )
    return JobError(
        "StoreUnavailable",
        f"the S3 endpoint of {what} {how}",
        "it is tried again; check endpoint and cidrs of location.s3, the name service, and the"
        " network policies of the namespace",
    )
