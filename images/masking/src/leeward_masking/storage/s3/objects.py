"""Objects under the name of an output: whose one is, and removing none but one's own."""

import hashlib
import os
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from botocore.exceptions import ClientError

from leeward_masking.errors import OUTPUT, JobError
from leeward_masking.storage.s3.client import S3Client
from leeward_masking.storage.s3.errors import code_of, s3_errors, status_of

MARK: Final = "leeward-upload"
"""Name of the metadata that says which upload made an object."""
_UNSEEN: Final = frozenset({403, 404})
"""Without ``s3:ListBucket`` a store does not tell an object that is not there from one that may not
be seen."""
_NO_CONDITIONS: Final = frozenset({"NotImplemented", "InvalidArgument", "InvalidRequest", "501"})
"""What a store answers that knows none. Of a request that is wrong for another reason it is said
again when it is made without."""
_OTHER: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})

Removal: TypeAlias = Literal["Removed", "Gone", "Other", "Left"]
"""What became of an object: removed; it was gone already; another one stands there, which is left;
left, for the store removes none on a condition."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The object that stands under a name.

    Attributes:
        etag: Its ETag.
        mark: Which upload made it; empty: none of ours.
    """

    etag: str
    mark: str

    def is_for(self, key: str) -> bool:
        """Whether an upload of ours to that very name made it."""
        return self.mark.startswith(_name_mark(key))


def new_mark(key: str) -> str:
    """What an upload to that name is known by."""
    return _name_mark(key) + os.urandom(16).hex()


def _name_mark(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32] + "-"


def standing(client: S3Client, bucket: str, key: str) -> Standing | None:
    """What stands under a name; None: nothing that can be seen.

    Raises:
        JobError: The store refuses, or is away.
    """
    with s3_errors(OUTPUT):
        try:
            found = client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if status_of(error) in _UNSEEN:
                return None
            raise
    return Standing(found["ETag"], found.get("Metadata", {}).get(MARK, ""))


def taken() -> JobError:
    """Under the name of the output stands what this job did not write."""
    return JobError(
        "OutputPathTaken",
        "somebody else wrote, or removed, an object under the name of the output meanwhile; what"
        " stands there is left as it is",
        "find out who writes into the folder of the output in the bucket, then run the job again",
    )


def refuses_for_another(error: ClientError) -> bool:
    """Whether the store says that another object stands there."""
    return code_of(error) in _OTHER


def knows_no_conditions(error: ClientError) -> bool:
    """Whether the store seems to refuse a request for its condition."""
    return code_of(error) in _NO_CONDITIONS


def remove_object(client: S3Client, bucket: str, key: str, etag: str) -> Removal:
    """Remove an object, if it still is the one with that ETag.

    It is looked at before, for stores that pass over the condition.

    Raises:
        JobError: The store refuses, or is away.
    """
    found = standing(client, bucket, key)
    if found is None:
        return "Gone"
    if found.etag != etag:
        return "Other"
    with s3_errors(OUTPUT):
        try:
            client.delete_object(Bucket=bucket, Key=key, IfMatch=etag)
        except ClientError as error:
            if code_of(error) == "NoSuchKey":
                return "Gone"
            if refuses_for_another(error):
                return "Other"
            if knows_no_conditions(error):
                return "Left"
            raise
    return "Removed"
