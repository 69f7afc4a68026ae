"""Grants: what no grant names is denied, and the refusal says which grant came near."""

import datetime
from collections.abc import Iterable, Sequence

from leeward.api.dataset import DataGrant
from leeward.api.keyvault import KeyGrant
from leeward.plans.shared.conditions import parse_timestamp
from leeward.plans.shared.names import Owner

_SHOWN = 3


def data_gap(
    grants: Sequence[DataGrant], home: str, owner: Owner, purpose: str, now: datetime.datetime
) -> str | None:
    """Why none of a Dataset's grants lets the workload use it; None: one does.

    Args:
        grants: Of the Dataset.
        home: Its namespace, which a grant without namespaces means.
        owner: The workload.
        purpose: What the workload says that it is for.
        now: Grants may have ended.
    """
    return _gap((grant.name, _data_misfit(grant, home, owner, purpose, now)) for grant in grants)


def fitting_grants(
    grants: Sequence[KeyGrant], home: str, owner: Owner, operation: str, now: datetime.datetime
) -> tuple[KeyGrant, ...] | str:
    """The grants of a key that let the workload do this with it; else why there is none.

    How often they may be used is another matter. Who asks from another namespace is told of no
    grant that is not for that namespace.
    """
    if owner.namespace != home:
        grants = [grant for grant in grants if owner.namespace in (grant.namespaces or ())]
        if not grants:
            return f"no grant is for namespace {owner.namespace}"
    misfits = [(grant, _key_misfit(grant, home, owner, operation, now)) for grant in grants]
    fitting = tuple(grant for grant, misfit in misfits if misfit is None)
    return fitting or _told((grant.name, misfit) for grant, misfit in misfits)


def data_grant_end(
    grants: Sequence[DataGrant], home: str, owner: Owner, purpose: str, now: datetime.datetime
) -> datetime.datetime | None:
    """When the first of the grants ends that let the workload use a Dataset; None: none does."""
    return _end(
        grant.not_after
        for grant in grants
        if _data_misfit(grant, home, owner, purpose, now) is None
    )


def key_grant_end(
    grants: Sequence[KeyGrant], home: str, owner: Owner, operation: str, now: datetime.datetime
) -> datetime.datetime | None:
    """When the first of the grants ends that let the workload do this; None: none does.

    The others may be used up by then, which is not asked here.
    """
    return _end(
        grant.not_after
        for grant in grants
        if _key_misfit(grant, home, owner, operation, now) is None
    )


def _end(moments: Iterable[str | None]) -> datetime.datetime | None:
    ends = (parse_timestamp(moment.upper()) for moment in moments if moment is not None)
    return min(ends, default=None)


def _gap(misfits: Iterable[tuple[str, str | None]]) -> str | None:
    found = list(misfits)
    return _told(found) if all(misfit is not None for _, misfit in found) else None


def _told(misfits: Iterable[tuple[str, str | None]]) -> str:
    shown = [f"grant {name} {misfit}" for name, misfit in misfits][:_SHOWN]
    return "; ".join(shown) or "it has no grants"


def _data_misfit(
    grant: DataGrant, home: str, owner: Owner, purpose: str, now: datetime.datetime
) -> str | None:
    misfit = _misfit(grant, home, owner, now)
    if misfit is None and grant.purposes is not None and purpose not in grant.purposes:
        return f"is not for purpose {purpose}"
    return misfit


def _key_misfit(
    grant: KeyGrant, home: str, owner: Owner, operation: str, now: datetime.datetime
) -> str | None:
    misfit = _misfit(grant, home, owner, now)
    if misfit is not None:
        return misfit
    if grant.names is not None and owner.name not in grant.names:
        return f"is not for the name {owner.name}"
    if operation not in grant.operations:
        return f"is not for operation {operation}"
    return None


def _misfit(
    grant: DataGrant | KeyGrant, home: str, owner: Owner, now: datetime.datetime
) -> str | None:
    if owner.kind not in grant.kinds:
        return f"is not for kind {owner.kind}"
    if owner.namespace not in (grant.namespaces or [home]):
        return f"is not for namespace {owner.namespace}"
    if grant.not_after is not None and _is_past(grant.not_after, now):
        return f"ended at {grant.not_after}"
    return None


def _is_past(moment: str, now: datetime.datetime) -> bool:
    """Whether a time of a manifest is over; one that is none in this calendar is taken for over."""
    try:
        return parse_timestamp(moment.upper()) < now
    except ValueError:
        return True
