"""Which kubeconfig is taken, and which is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from leeward.cli.cluster import connect
from leeward.cli.errors import ApiError, UsageError
from leeward.cli.port import Target


def kubeconfig(folder: Path, user: dict[str, Any]) -> str:
    path = folder / "config"
    context = {"cluster": "c", "user": "u", "namespace": "clinic"}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": user}, {"name": "other", "user": {"as": "sam"}}],
        "contexts": [{"name": "x", "context": context}],
        "current-context": "x",
    }
    path.write_text(yaml.safe_dump(document))
    return str(path)


def test_context_is_taken(tmp_path: Path) -> None:
    cluster = connect(Target(kubeconfig(tmp_path, {"token": "t"}), None))
    assert cluster.namespace == "clinic"
    assert cluster.address == "https://127.0.0.1:1"


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "there is no kubeconfig file"), ("x: [", "no YAML"), ("", "no cluster is chosen")],
)
def test_a_kubeconfig_that_is_none_is_said(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=words) as caught:
        connect(Target(str(path), None))
    assert "--kubeconfig" in caught.value.remedy


def test_a_server_that_does_not_answer_is_said_in_the_words_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(ApiError, match=r"127\.0\.0\.1:1 does not answer: Connection refused$"):
        connect(Target(kubeconfig(tmp_path, {"token": "t"}), None)).raw("/version")


@pytest.mark.parametrize("member", [{"as": "sam"}, {"as-groups": ["research"]}])
def test_impersonation_is_refused_not_ignored(tmp_path: Path, member: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="acts as somebody else"):
        connect(Target(kubeconfig(tmp_path, {"token": "t", **member}), None))
