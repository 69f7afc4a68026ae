"""Which storage a config means."""

from functools import lru_cache

from leeward.formats.jobconfig import S3Store
from leeward_masking.storage.port import Storage
from leeward_masking.storage.volume import VolumeStorage


def storage_of(store: S3Store | None) -> Storage:
    """The bucket, or the mounted volumes where none is named.

    Raises:
        JobError: What the bucket needs is not there.
    """
    if store is None:
        return VolumeStorage()
    return _bucket(store)


@lru_cache(maxsize=2)
def _bucket(store: S3Store) -> Storage:
    # Jobs on volumes do without the client: it takes 0.3 s and 25 MiB to load.
    from leeward_masking.storage.s3.storage import S3Storage

    return S3Storage(store)
