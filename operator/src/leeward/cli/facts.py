"""What matters of a resource's spec and status, in a few lines per kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from leeward.api import Kind
from leeward.cli.output import byte_size, counted
from leeward.cli.port import Manifest

Facts = Iterator[tuple[str, Any]]


def facts_of(kind: Kind, resource: Manifest) -> list[tuple[str, str]]:
    """Labels and values; what is not known yet is left out."""
    spec, status = resource.get("spec", {}), resource.get("status", {})
    found = _FACTS[kind.kind](spec, status)
    return [(label, str(value)) for label, value in found if value not in (None, "", [])]


def _keyvault(spec: Manifest, status: Manifest) -> Facts:
    yield "provider", status.get("provider")
    yield "vault id", status.get("vaultId")
    states = {state["name"]: state for state in status.get("keys", [])}
    for key in spec.get("keys", []):
        version = states.get(key["name"], {}).get("primaryVersion")
        grants = "; ".join(
            f"{grant['name']}: {', '.join(grant['operations'])} for {', '.join(grant['kinds'])}"
            for grant in key.get("grants", [])
        )
        made = f"version {version}" if version else "not made yet"
        yield f"key {key['name']}", f"{key['algorithm']}, {made}, {grants or 'granted to nobody'}"


def _dataset(spec: Manifest, status: Manifest) -> Facts:
    yield "location", _location(spec.get("location", {}))
    yield "format", f"{spec.get('format')}, {spec.get('sensitivity', 'Raw')}"
    yield "sealed with", _key_ref(spec.get("sealedWith"))
    yield "key id", status.get("keyId")
    yield "rows", status.get("rows")
    yield "columns", len(status.get("columns", [])) or None
    size = status.get("bytes")
    yield "size", None if size is None else byte_size(size)
    yield "digest", status.get("digest")
    yield "source id", status.get("sourceId")
    made_by = status.get("producedBy")
    yield "made by", f"{made_by['kind']}/{made_by['name']}" if made_by else None
    report = status.get("report")
    yield "report", f"{byte_size(report['bytes'])}, sealed: leeward report" if report else None
    for grant in spec.get("grants", []):
        purposes = ", ".join(grant.get("purposes", [])) or "any purpose"
        until = f", until {grant['notAfter']}" if grant.get("notAfter") else ""
        yield f"grant {grant['name']}", f"{', '.join(grant['kinds'])} for {purposes}{until}"


def _datasetpreview(spec: Manifest, status: Manifest) -> Facts:
    yield "dataset", _ref(spec.get("dataset", {}))
    whole = spec.get("content") == "Report"
    yield "shows", "the report" if whole else f"{spec.get('rows')} rows"
    yield "purpose", spec.get("purpose")
    yield "pod", status.get("pod")


def _maskingjob(spec: Manifest, status: Manifest) -> Facts:
    output = spec.get("output", {})
    yield "source", _ref(spec.get("source", {}))
    yield "output", f"Dataset {output.get('dataset')}, sealed with {_key_ref(output['sealedWith'])}"
    yield "purpose", spec.get("purpose")
    yield "suspended", "yes" if spec.get("suspend") else None
    yield "progress", (status.get("progress") or {}).get("percent")
    admission = status.get("admission") or {}
    yield "image", admission.get("image")
    for key in admission.get("keys", []):
        yield f"key {key['role']}", f"{key['id']}, vault key version {key['version']}"
    counts = status.get("transforms", [])
    yield "transforms", ", ".join(f"{c['columns']} {c['transform']}" for c in counts)
    written = status.get("output") or {}
    if written:
        yield "written", f"{counted(written['rows'], 'row')}, {byte_size(written['bytes'])}"
        yield "digest", written["digest"]
    privacy = status.get("privacy")
    if privacy is not None:
        classes = counted(privacy["classes"], "combination")
        left_out = counted(privacy["suppressedRows"], "row")
        yield (
            "privacy",
            f"{classes}, shared by {privacy['smallestClass']} at least; {left_out} left out",
        )
        yield "linkage", f"{privacy['linkageRate']} of the people found by a join with the source"
    report = status.get("report")
    yield "report", f"ConfigMap {report}, report.json (counts)" if report else None


def _keydelivery(spec: Manifest, status: Manifest) -> Facts:
    yield "secret", spec.get("secretName")
    yield "purpose", spec.get("purpose")
    shown = {item["name"]: item for item in status.get("items", [])}
    for item in spec.get("items", []):
        found = "; ".join(_delivered(shown.get(item["name"], {})))
        yield f"item {item['name']}", found or "not delivered"
    count = status.get("consumerCount")
    if count is not None:
        loaded = status.get("acknowledgedCount", 0)
        yield "pods", f"{count}, of which {loaded} have loaded every key"


def _delivered(item: Manifest) -> Iterator[str]:
    for key in item.get("keys", []):
        loaded = "loaded by all" if key.get("acknowledged") else "not loaded by all"
        yield f"key {key['id']}, {loaded}"
    certificate = item.get("certificate")
    if certificate:
        issuer = f"by version {certificate['version']}, until {certificate['notAfter']}"
        yield f"certificate {issuer}, renewed at {certificate['renewAt']}"
    trust = item.get("trust")
    if trust:
        versions = ", ".join(map(str, trust["versions"]))
        loaded = "loaded by all" if trust.get("acknowledged") else "not loaded by all"
        yield f"trusts versions {versions}, {loaded}"


def _location(location: Manifest) -> str:
    if "s3" in location:
        store = location["s3"]
        return f"bucket {store['bucket']} of {store['endpoint']}, path {store['path']}"
    volume = location.get("volume", {})
    return f"volume {volume.get('claimName')}, path {volume.get('path')}"


def _ref(ref: Manifest) -> str:
    namespace = f"{ref['namespace']}/" if ref.get("namespace") else ""
    return f"Dataset {namespace}{ref.get('name')}"


def _key_ref(ref: Manifest | None) -> str | None:
    return f"key {ref['key']} of KeyVault {ref['vault']['name']}" if ref else None


_FACTS: Final[dict[str, Callable[[Manifest, Manifest], Facts]]] = {
    "KeyVault": _keyvault,
    "Dataset": _dataset,
    "DatasetPreview": _datasetpreview,
    "MaskingJob": _maskingjob,
    "KeyDelivery": _keydelivery,
}
