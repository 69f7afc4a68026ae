"""Manifests on this machine: a MaskingJob, and what stands beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from leeward.api.dataset import DatasetSpec
from leeward.api.hierarchies import ConfigMapKey
from leeward.api.keyvault import KeyVaultSpec
from leeward.api.maskingjob import MaskingJobSpec
from leeward.api.meta import KeyRef, Model
from leeward.cli.errors import CliError
from leeward.cli.jobrules import check_members, check_rules
from leeward.cli.port import Manifest

S = TypeVar("S", bound=Model)


@dataclass(frozen=True, slots=True)
class JobFile:
    """A MaskingJob with the Dataset and the KeyVaults that the same manifests define.

    Attributes:
        source: Of the Dataset that the job masks; None where no manifest defines it.
        algorithms: (vault, key) -> algorithm, as far as manifests define them.
        texts: (ConfigMap, key) -> text, likewise.
    """

    name: str
    spec: MaskingJobSpec
    source: DatasetSpec | None
    algorithms: dict[tuple[str, str], str]
    texts: dict[tuple[str, str], str]

    def algorithm_of(self, key: KeyRef) -> str | None:
        """The algorithm of a key, where a manifest says it."""
        return self.algorithms.get((key.vault.name, key.key))

    def text_of(self, key: ConfigMapKey) -> str:
        """A text of a ConfigMap.

        Raises:
            CliError: No manifest defines it.
        """
        found = self.texts.get((key.name, key.key))
        if found is None:
            raise CliError(
                f"the manifest does not define {key.key} of ConfigMap {key.name}, which"
                f" MaskingJob {self.name} names",
                "put the ConfigMap beside the job (kubectl create configmap --dry-run=client -o"
                " yaml)",
            )
        return found


def read_job_file(path: Path) -> JobFile:
    """Read a YAML file, or all YAML files of a folder.

    Raises:
        CliError: It is no YAML, holds no MaskingJob or several, or one that is not valid.
    """
    return job_file(_documents(path), str(path))


def job_file(documents: list[Manifest], where: str) -> JobFile:
    """The MaskingJob of some manifests, with what stands beside it.

    Args:
        documents: The manifests.
        where: Where they are from, for errors.

    Raises:
        CliError: They hold no MaskingJob or several, or one that is not valid.
    """
    jobs = [document for document in documents if document.get("kind") == "MaskingJob"]
    if len(jobs) != 1:
        held = f"{len(jobs)} MaskingJobs" if jobs else "no MaskingJob"
        raise CliError(
            f"{where} holds {held}", "give a manifest, or a folder of them, with exactly one"
        )
    check_members(_name(jobs[0]), jobs[0].get("spec"))
    spec = _spec(jobs[0], MaskingJobSpec)
    check_rules(_name(jobs[0]), spec)
    source = next(
        (
            _spec(document, DatasetSpec)
            for document in documents
            if document.get("kind") == "Dataset" and _name(document) == spec.source.name
        ),
        None,
    )
    algorithms = {
        (_name(document), key.name): key.algorithm
        for document in documents
        if document.get("kind") == "KeyVault"
        for key in _spec(document, KeyVaultSpec).keys
    }
    texts = {
        (_name(document), str(key)): str(text)
        for document in documents
        if document.get("kind") == "ConfigMap"
        for key, text in (document.get("data") or {}).items()
    }
    return JobFile(_name(jobs[0]), spec, source, algorithms, texts)


def _documents(path: Path) -> list[Manifest]:
    files = sorted(path.glob("*.y*ml")) if path.is_dir() else [path]
    found: list[Any] = []
    for file in files:
        try:
            found.extend(yaml.safe_load_all(file.read_text(encoding="utf-8")))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            where = getattr(error, "problem_mark", None)
            line = f", line {where.line + 1}" if where else ""
            raise CliError(
                f"{file}{line}: this is no YAML", "correct it there; --file is the manifest"
            ) from error
    return [document for document in found if isinstance(document, dict)]


def _named(document: Manifest, path: Sequence[str | int]) -> Iterator[str]:
    """A path with items of lists by their names, where they have some."""
    place: Any = document
    for part in path:
        try:
            place = place[part]
        except (KeyError, IndexError, TypeError):
            place = None
        name = place.get("name") if isinstance(part, int) and isinstance(place, dict) else None
        yield f'"{name}"' if isinstance(name, str) else str(part)


def _name(document: Manifest) -> str:
    metadata = document.get("metadata")
    return str(metadata.get("name", "")) if isinstance(metadata, dict) else ""


def _spec(document: Manifest, model: type[S]) -> S:
    try:
        return model.model_validate(document.get("spec") or {})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        path = ["spec", *first["loc"]]
        message = first["msg"][:1].lower() + first["msg"][1:]
        if first["type"] == "extra_forbidden":
            message = f"there is no field {path.pop()} here"
        elif first["type"] == "model_type":
            message = "give fields, each with its value"
        where = ".".join(_named(document, path))
        what = f"{document['kind']} {_name(document)}".rstrip()
        fields = ".".join(part for part in path if isinstance(part, str))
        raise CliError(
            f"{what}, {where}: {message}",
            f"see: kubectl explain {document['kind'].lower()}.{fields}",
        ) from error
