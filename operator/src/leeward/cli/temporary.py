"""An object that a command makes for itself, and takes away when it ends, however it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from leeward.cli.errors import ApiError
from leeward.cli.port import ApiResource, Cluster, Manifest


@contextmanager
def temporary(cluster: Cluster, resource: ApiResource, manifest: Manifest) -> Iterator[None]:
    """Create it, and delete it at the end.

    Raises:
        ApiError: It could not be created, or not be deleted.
    """
    namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
    try:
        cluster.create(resource, manifest)
    except BaseException as error:
        if not _is_refusal(error):
            # It may be there, and only the answer was not waited for.
            with suppress(ApiError):
                cluster.delete(resource, namespace, name)
        raise
    try:
        yield
    finally:
        cluster.delete(resource, namespace, name)


def _is_refusal(error: BaseException) -> bool:
    return isinstance(error, ApiError) and 400 <= error.status < 500
