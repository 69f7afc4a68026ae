"""A change of a resource that is read, edited and put back, whoever else changes it meanwhile."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Final

from leeward.cli.errors import CONFLICT, ApiError, CliError
from leeward.cli.port import ApiResource, Cluster, Manifest

_TRIES: Final = 5


def change(
    cluster: Cluster,
    resource: ApiResource,
    label: str,
    find: Callable[[], Manifest],
    edit: Callable[[Manifest], None],
) -> Manifest:
    """Edit a resource as it is now.

    Args:
        cluster: The cluster.
        resource: Its kind.
        label: What it is called in the error.
        find: Reads it.
        edit: Changes a copy of it, once for each try.

    Returns:
        The resource as it is stored then.

    Raises:
        CliError: Others change it all the time; or what ``find``, ``edit`` and the API server say.
    """
    for _ in range(_TRIES):
        changed = copy.deepcopy(find())
        edit(changed)
        try:
            return cluster.replace(resource, changed)
        except ApiError as error:
            if error.status != CONFLICT:
                raise
    raise CliError(f"{label} is being changed by others all the time", "try again")
