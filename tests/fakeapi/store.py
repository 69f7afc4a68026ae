"""An API server in memory: objects, versions, a history to watch, and what a test asks about.

It speaks paths, JSON and status codes, so that everything above the socket is the operator's own
code. What it does not do: validation, defaults, admission (a test can add refusals).
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from fakeapi.documents import clone
from fakeapi.ownership import Ownership
from leeward.kube.client import APPLY_PATCH, MERGE_PATCH
from leeward.kube.resources import PLURALS

Manifest = dict[str, Any]


class Place(NamedTuple):
    """Where an object stands."""

    api_version: str
    plural: str
    namespace: str
    name: str


@dataclass(frozen=True)
class Answer:
    """What the server says."""

    status: int
    body: Manifest
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """One event of the history."""

    version: int
    type: str
    place: Place
    manifest: Manifest


KINDS = {(version, plural): kind for (version, kind), plural in PLURALS.items()}
OWN = "leeward.dev/v1alpha1"


def refusal(status: int, reason: str, message: str, **headers: str) -> Answer:
    """A metav1.Status."""
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": status,
        "reason": reason,
        "message": message,
    }
    return Answer(status, body, headers)


class FakeApi:
    """The server. ``now`` yields RFC 3339 times."""

    def __init__(self, now: Callable[[], str] = lambda: "2026-01-01T00:00:00Z") -> None:
        self.objects: dict[Place, Manifest] = {}
        self.history: list[Change] = []
        self.created: Counter[tuple[str, str, str]] = Counter()
        self.deleted: Counter[tuple[str, str, str]] = Counter()
        self.refusals: list[Callable[[str, Manifest | None, Place], Answer | None]] = []
        self.calls: list[tuple[str, str]] = []
        self._owners: dict[Place, Ownership] = {}
        self._collections: defaultdict[tuple[str, str], dict[Place, None]] = defaultdict(dict)
        self._labelled: defaultdict[tuple[str, str, str], dict[Place, None]] = defaultdict(dict)
        self._owned: defaultdict[str, dict[Place, None]] = defaultdict(dict)
        self._versions = itertools.count(1)
        self._uids = itertools.count(1)
        self._version = 0
        self._now = now
        self.on_change: list[Callable[[Change], None]] = []

    # --- for tests and simulated controllers ----------------------------------------------------

    def add(self, manifest: Manifest, manager: str = "test") -> Manifest:
        """Create an object, its status included."""
        place = self.place_of(manifest)
        made = self._create(place, clone(manifest), manager, keep_status=True)
        return clone(made)

    def edit(self, manifest: Manifest, manager: str = "kubectl-edit") -> Manifest:
        """Write an object as it is given, its status included."""
        place = self.place_of(manifest)
        before = self.objects[place]
        self._owners[place].wrote(before, manifest, manager)
        return clone(self._store(place, clone(manifest), before))

    def find(self, kind: str, namespace: str | None = None) -> list[Manifest]:
        """All objects of a kind."""
        return [
            clone(manifest)
            for at, known in KINDS.items()
            if known == kind
            for place, manifest in self._collection(at)
            if namespace in (None, place.namespace)
        ]

    def one(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """One object, or None."""
        places = [Place(*at, namespace, name) for at, known in KINDS.items() if known == kind]
        found = (self.objects[place] for place in places if place in self.objects)
        return next(map(clone, found), None)

    def remove(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object."""
        found = self.one(kind, namespace, name)
        if found is not None:
            self._delete(self.place_of(found))

    @staticmethod
    def place_of(manifest: Manifest) -> Place:
        """Where a manifest belongs."""
        metadata = manifest["metadata"]
        plural = PLURALS[manifest["apiVersion"], manifest["kind"]]
        return Place(
            manifest["apiVersion"], plural, metadata.get("namespace", ""), metadata["name"]
        )

    @property
    def version(self) -> int:
        """The newest resourceVersion."""
        return self._version

    # --- the API ----------------------------------------------------------------------------------

    def handle(self, method: str, path: str, body: Manifest | None, content_type: str) -> Answer:
        """Answer one request."""
        self.calls.append((method, path))
        split = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        place, subresource = self._parse(split.path)
        for refuse in self.refusals:
            answer = refuse(method, body, place)
            if answer is not None:
                return answer
        body = clone(body)
        if method == "GET" and not place.name:
            return self._list(place, query)
        if method == "POST":
            assert body is not None
            return self._post(place, body, query["fieldManager"] if query else "unknown")
        if method == "PATCH" and content_type == APPLY_PATCH:
            assert body is not None
            return self._apply(place, body, query, subresource)
        current = self.objects.get(place)
        if current is None:
            return refusal(404, "NotFound", f"{place.plural} {place.name} not found")
        if method == "GET":
            return Answer(200, clone(current))
        if method == "DELETE":
            return self._delete_checked(place, current, body or {})
        assert body is not None
        manager = query.get("fieldManager", "unknown")
        if method == "PUT":
            return self._put(place, current, body, manager, subresource)
        assert content_type == MERGE_PATCH, content_type
        return self._put(place, current, _merged(current, body), manager, subresource)

    @staticmethod
    def _parse(path: str) -> tuple[Place, str]:
        parts = path.strip("/").split("/")
        if parts[0] == "api":
            api_version, rest = parts[1], parts[2:]
        else:
            api_version, rest = f"{parts[1]}/{parts[2]}", parts[3:]
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        plural, name, subresource = (*rest, "", "")[:3]
        assert (api_version, plural) in KINDS, path
        return Place(api_version, plural, namespace, name), subresource

    def select(self, place: Place, labels: str = "", fields: str = "") -> list[Manifest]:
        """Objects of a collection, filtered: themselves, no copies."""
        equal = next((term for term in labels.split(",") if "=" in term and "!" not in term), None)
        if equal is None:
            candidates = self._collections[place[:2]]
        else:
            candidates = self._labelled[*place[:2], equal]
        return [
            self.objects[at]
            for at in sorted(candidates)
            if place.namespace in ("", at.namespace) and matches(self.objects[at], labels, fields)
        ]

    def _list(self, place: Place, query: Mapping[str, str]) -> Answer:
        items = self.select(place, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        start, limit = int(query.get("continue", "0")), int(query.get("limit", "0"))
        page = clone(items[start : start + limit] if limit else items[start:])
        metadata = {"resourceVersion": str(self._version)}
        if start + len(page) < len(items):
            metadata["continue"] = str(start + len(page))
        kind = KINDS[place.api_version, place.plural]
        return Answer(
            200,
            {
                "kind": f"{kind}List",
                "apiVersion": place.api_version,
                "metadata": metadata,
                "items": page,
            },
        )

    def _post(self, place: Place, body: Manifest, manager: str) -> Answer:
        place = place._replace(name=body["metadata"]["name"])
        if place in self.objects:
            return refusal(409, "AlreadyExists", f"{place.plural} {place.name} already exists")
        return Answer(201, clone(self._create(place, body, manager, keep_status=False)))

    def _apply(
        self, place: Place, body: Manifest, query: Mapping[str, str], subresource: str
    ) -> Answer:
        manager = query["fieldManager"]
        current = self.objects.get(place)
        if current is None:
            made = self._create(place, body, manager, keep_status=False)
            self._owners[place] = Ownership()
            self._owners[place].made(body, manager)
            return Answer(201, clone(made))
        owners = self._owners[place]
        conflicts = owners.conflicts(current, body, manager)
        if conflicts and query.get("force") != "true":
            return refusal(409, "Conflict", f"Apply failed with conflicts: {', '.join(conflicts)}")
        if not subresource:
            body.pop("status", None)
        after = owners.apply(current, body, manager)
        return Answer(200, clone(self._store(place, after, current)))

    def _put(
        self, place: Place, current: Manifest, body: Manifest, manager: str, subresource: str
    ) -> Answer:
        told = body["metadata"].get("resourceVersion")
        if told is not None and told != current["metadata"]["resourceVersion"]:
            return refusal(
                409, "Conflict", "the object has been modified; please apply your changes"
            )
        if subresource == "status":
            after = {**clone(current), "status": body.get("status", {})}
        else:
            after = {**body, **({"status": current["status"]} if "status" in current else {})}
            if current.get("immutable") and after.get("data") != current.get("data"):
                return refusal(422, "Invalid", "data: Forbidden: field is immutable")
            if current.get("type", "Opaque") != after.get("type", "Opaque"):
                return refusal(422, "Invalid", "type: Invalid value: field is immutable")
        self._owners[place].wrote(current, after, manager)
        stored = clone(self._store(place, after, current))
        if "deletionTimestamp" in stored["metadata"] and not stored["metadata"].get("finalizers"):
            self._delete(place)
        return Answer(200, stored)

    def _delete_checked(self, place: Place, current: Manifest, options: Manifest) -> Answer:
        conditions = options.get("preconditions") or {}
        for name in ("uid", "resourceVersion"):
            if name in conditions and conditions[name] != current["metadata"][name]:
                return refusal(409, "Conflict", "precondition failed")
        self._delete(place)
        return Answer(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})

    # --- storage ----------------------------------------------------------------------------------

    def _create(
        self, place: Place, manifest: Manifest, manager: str, *, keep_status: bool
    ) -> Manifest:
        manifest["apiVersion"] = place.api_version
        manifest["kind"] = KINDS[place.api_version, place.plural]
        if place.api_version == OWN and not keep_status:
            manifest.pop("status", None)
        metadata = manifest["metadata"]
        metadata["uid"] = f"00000000-0000-4000-8000-{next(self._uids):012d}"
        metadata["generation"] = 1
        metadata["creationTimestamp"] = self._now()
        owners = self._owners[place] = Ownership()
        owners.wrote({}, manifest, manager)
        self.created[manifest["kind"], place.namespace, place.name] += 1
        return self._record("ADDED", place, manifest)

    def _store(self, place: Place, after: Manifest, before: Manifest) -> Manifest:
        for name in ("uid", "creationTimestamp", "generation"):
            after["metadata"][name] = before["metadata"][name]
        after["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
        if after == before:
            return before  # as the real one: a write that changes nothing makes no new version
        if after.get("spec") != before.get("spec"):
            after["metadata"]["generation"] += 1
        return self._record("MODIFIED", place, after)

    def _record(self, type_: str, place: Place, manifest: Manifest) -> Manifest:
        self._version = next(self._versions)
        manifest["metadata"]["resourceVersion"] = str(self._version)
        for label in _labels(self.objects.get(place)):
            self._labelled[*place[:2], label].pop(place, None)
        if type_ == "DELETED":
            del self.objects[place]
            del self._collections[place[:2]][place]
        else:
            self.objects[place] = manifest
            self._collections[place[:2]][place] = None
            for label in _labels(manifest):
                self._labelled[*place[:2], label][place] = None
            for owner in manifest["metadata"].get("ownerReferences") or ():
                self._owned[owner["uid"]][place] = None
        change = Change(self._version, type_, place, clone(manifest))
        self.history.append(change)
        for listener in list(self.on_change):
            listener(change)
        return manifest

    def _delete(self, place: Place) -> None:
        manifest = clone(self.objects[place])
        if manifest["metadata"].get("finalizers"):
            if "deletionTimestamp" not in manifest["metadata"]:
                manifest["metadata"]["deletionTimestamp"] = self._now()
                self._record("MODIFIED", place, manifest)
            return
        self.deleted[manifest["kind"], place.namespace, place.name] += 1
        self._record("DELETED", place, manifest)
        uid = manifest["metadata"]["uid"]
        for dependant in self._owned.pop(uid, {}):
            candidate = self.objects.get(dependant, {"metadata": {}})
            owners = candidate["metadata"].get("ownerReferences") or ()
            if any(owner["uid"] == uid for owner in owners):
                self._delete(dependant)

    def _collection(self, at: tuple[str, str]) -> list[tuple[Place, Manifest]]:
        return [(place, self.objects[place]) for place in self._collections[at]]


def _labels(manifest: Manifest | None) -> list[str]:
    labels = manifest["metadata"].get("labels") if manifest else None
    return [f"{name}={value}" for name, value in (labels or {}).items()]


def matches(manifest: Manifest, labels: str, fields: str = "") -> bool:
    """Whether an object is selected by ``a=b,c!=d`` of labels, and by ``a.b=c`` of fields.

    As with the real one, an object without the label is selected by ``!=``.
    """
    have = manifest["metadata"].get("labels") or {}
    for name, _, value in (term.partition("=") for term in labels.split(",") if term):
        if (have.get(name.removesuffix("!")) == value) is name.endswith("!"):
            return False
    return all(
        _field(manifest, name) == value
        for name, value in (term.split("=", 1) for term in fields.split(",") if term)
    )


def _field(manifest: Manifest, path: str) -> str:
    """The value of a field; empty where it is not there."""
    found: Any = manifest
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return "" if found is None else str(found)


def _merged(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return clone(patch)
    result = clone(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), value)
    return result
