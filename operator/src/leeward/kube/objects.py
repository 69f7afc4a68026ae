"""API objects as the engine sees them (``engine.ports.Objects``): answers become outcomes.

Children are applied without force first. Where another field manager holds a field with another
value, the object is looked at: one that carries our owner's UID was edited by hand and is put back
with force; anybody else's is left alone.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from leeward.api.keydelivery import KEYDELIVERY
from leeward.kube.client import KubeClient
from leeward.kube.errors import (
    AlreadyExistsError,
    InvalidError,
    NotFoundError,
    RefusedError,
    outcome_of,
)
from leeward.kube.register import DeliveryRegister
from leeward.kube.resources import ref_of
from leeward.plans.shared.faults import DeniedError, StaleWriteError, TransientError
from leeward.plans.shared.holders import names_secret
from leeward.plans.shared.model import (
    DeliveriesOf,
    Listing,
    Manifest,
    MarkPod,
    ObjectRef,
    Outcome,
    PodsHolding,
    PodsOf,
    SetFinalizer,
)
from leeward.plans.shared.names import UID_ANNOTATION


class ObjectStore:
    """Reads and writes API objects by name."""

    def __init__(self, client: KubeClient, namespaces: Sequence[str] = ()) -> None:
        """Make one.

        Args:
            client: The API server.
            namespaces: Those that are watched; none: all.
        """
        self._client = client
        self._deliveries = DeliveryRegister(client, namespaces)

    async def get(self, ref: ObjectRef, *, fresh: bool = False) -> Manifest | None:
        """The object, or None where there is none.

        Only the API server's own word that there is no such object counts: of a kind that is not
        served (now, or in this version) nobody knows what there is, and what is taken for gone has
        its keys destroyed.
        """
        try:
            return self._told(await self._client.get(ref, fresh=fresh))
        except NotFoundError as error:
            if error.reason != "NotFound":
                raise TransientError(f"{ref.kind} in {ref.api_version} is not served") from None
            return None
        except RefusedError as error:
            raise DeniedError(str(error)) from None

    def shown(self, body: Manifest, *, gone: bool) -> None:
        """A watch showed an object, or that it is gone: nobody is told older news from now on."""
        self._client.recent.shown(ref_of(body), body["metadata"]["resourceVersion"])
        self._told(body, gone=gone)

    def _told(self, body: Manifest, *, gone: bool = False) -> Manifest:
        if body["kind"] == KEYDELIVERY.kind:
            self._deliveries.told(body, gone=gone)
        return body

    def forget(self) -> None:
        """Whatever is asked for from now on is told as it is then, or later."""
        self._client.recent.clear()
        self._deliveries.clear()

    async def listing(self, need: Listing) -> list[Manifest]:
        """Objects that a field selector selects.

        An API server does not know a field at once that a new CRD lets it select by: until it does,
        all are read.
        """
        place = (need.api_version, need.kind, need.namespace)
        try:
            try:
                return await self._client.list(*place, fields=f"{need.field}={need.value}")
            except InvalidError:
                found = await self._client.list(*place)
        except RefusedError as error:
            raise DeniedError(str(error)) from None
        return [each for each in found if _field(each, need.field) == need.value]

    async def pods_of(self, need: PodsOf | PodsHolding) -> list[Manifest]:
        """The pods of one Job, or those that name a Secret."""
        match need:
            case PodsOf(namespace, job):
                labels = f"batch.kubernetes.io/job-name={job}"
            case PodsHolding(namespace):
                labels = ""
        try:
            pods = await self._client.list("v1", "Pod", namespace, labels=labels)
        except RefusedError as error:
            raise DeniedError(str(error)) from None
        if isinstance(need, PodsHolding):
            return [pod for pod in pods if names_secret(pod, need.secret)]
        return pods

    async def deliveries_of(self, need: DeliveriesOf) -> list[Manifest]:
        """The KeyDeliveries that name a Dataset or a KeyVault."""
        try:
            return await self._deliveries.naming(need.target)
        except RefusedError as error:
            raise DeniedError(str(error)) from None

    async def mark(self, action: MarkPod, manager: str) -> Outcome:
        """Set labels and annotations of a pod."""
        marks = {"labels": action.labels, "annotations": action.annotations}
        patch = {"metadata": marks}
        return await _outcome(lambda: self._client.merge_patch(action.ref, patch, manager))

    async def apply(self, manifest: Manifest, manager: str) -> Outcome:
        """Server-side apply of a child."""
        try:
            return await _outcome(lambda: self._client.apply(manifest, manager, force=False))
        except StaleWriteError:
            existing = await self.get(ref_of(manifest))
            if existing is not None and not _same_owner(existing, manifest):
                return Outcome("Conflict", _taken(manifest), existing)
            return await _outcome(lambda: self._client.apply(manifest, manager, force=True))

    async def create(self, manifest: Manifest, manager: str) -> Outcome:
        """Create once. What the same owner made before is as good."""
        try:
            return Outcome("Done", result=await self._client.create(manifest, manager))
        except AlreadyExistsError:
            existing = await self.get(ref_of(manifest))
            if existing is None:
                raise StaleWriteError(f"{manifest['kind']} went while it was created") from None
            if _same_owner(existing, manifest):
                return Outcome("Done", result=existing)
            return Outcome("Conflict", _taken(manifest), existing)
        except RefusedError as error:
            return outcome_of(error)

    async def delete(
        self, ref: ObjectRef, uid: str | None = None, grace: int | None = None
    ) -> Outcome:
        """Delete; what is gone already is as good."""
        try:
            await self._client.delete(ref, uid=uid, grace=grace)
        except NotFoundError:
            pass
        except RefusedError as error:
            return outcome_of(error)
        return Outcome("Done")

    async def write_status(self, resource: Manifest, status: Manifest, manager: str) -> Manifest:
        """Replace the status over the version that was read.

        A PUT: a patch costs the API server a third more (docs/adr/0004-control-loop.md).
        """
        metadata = {k: v for k, v in resource["metadata"].items() if k != "managedFields"}
        try:
            made = {**resource, "metadata": metadata, "status": status}
            return await self._client.replace(made, manager, subresource="status")
        except NotFoundError:
            raise StaleWriteError(f"{resource['kind']} went while it was reconciled") from None
        except RefusedError as error:
            raise DeniedError(str(error)) from None

    async def set_finalizers(self, action: SetFinalizer, manager: str) -> Outcome:
        """Replace the finalizers of a resource of ours, over the version that was seen."""
        ref = ObjectRef(action.api_version, action.kind, action.namespace, action.name)
        version = action.resource_version
        metadata = {"finalizers": list(action.finalizers), "resourceVersion": version}
        try:
            await self._client.merge_patch(ref, {"metadata": metadata}, manager)
        except NotFoundError:
            raise StaleWriteError(f"{action.kind} went while it was reconciled") from None
        except RefusedError as error:
            raise DeniedError(str(error)) from None
        return Outcome("Done")

    async def patch_status(self, ref: ObjectRef, status: Manifest, manager: str) -> Outcome:
        """Set fields in the status of another resource."""
        return await _outcome(
            lambda: self._client.merge_patch(ref, {"status": status}, manager, subresource="status")
        )


async def _outcome(call: Callable[[], Coroutine[Any, Any, Manifest]]) -> Outcome:
    try:
        return Outcome("Done", result=await call())
    except RefusedError as error:
        return outcome_of(error)


def _field(manifest: Manifest, path: str) -> Any:
    found: Any = manifest
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _same_owner(existing: Manifest, manifest: Manifest) -> bool:
    return _owner_uid(existing) == _owner_uid(manifest)


def _owner_uid(manifest: Manifest) -> str | None:
    annotations = manifest["metadata"].get("annotations") or {}
    uid: str | None = annotations.get(UID_ANNOTATION)
    return uid


def _taken(manifest: Manifest) -> str:
    name = manifest["metadata"]["name"]
    return f"{manifest['kind']} {name} exists, and was not made for this resource"
