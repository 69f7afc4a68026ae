"""What commands about a Dataset need of it: the resource, and its public half."""

from __future__ import annotations

import re
from typing import Final

from leeward.api.dataset import DATASET
from leeward.cli.conditions import condition_of, in_words
from leeward.cli.errors import CliError
from leeward.cli.kinds import resource_of
from leeward.cli.listing import missing
from leeward.cli.output import print_raw
from leeward.cli.port import Cluster, Manifest
from leeward.cli.session import Session

KEY_ID_LINE: Final = "Leeward-Key-Id: "
"""Explanatory text before the PEM block (RFC 7468): the id that sealed files name this key by."""


def find_dataset(cluster: Cluster, namespace: str, name: str) -> Manifest:
    """The Dataset.

    Raises:
        CliError: There is none.
    """
    found = cluster.find(resource_of(DATASET), namespace, name)
    if found is None:
        raise missing(DATASET, namespace, name)
    return found


def public_half(dataset: Manifest) -> tuple[str, str]:
    """PEM of the public half, and the id of the key pair (hexadecimal).

    Raises:
        CliError: It has none (yet); the message says why.
    """
    name = dataset["metadata"]["name"]
    status = dataset.get("status", {})
    if status.get("publicKey") and status.get("keyId"):
        return status["publicKey"], status["keyId"]
    if not dataset["spec"].get("sealedWith"):
        raise CliError(
            f"Dataset {name} is not sealed: its spec names no key (sealedWith)",
            "create a Dataset with sealedWith, naming a vault key of a public-key algorithm, as"
            " HPKE_X25519",
        )
    raise CliError(
        f"Dataset {name} has no public half yet: {in_words(condition_of(dataset, 'Ready'))}",
        "a public half needs a vault key of a public-key algorithm, as HPKE_X25519; if it is one,"
        " wait a moment",
    )


def show_public_key(session: Session, cluster: Cluster, namespace: str, name: str) -> None:
    """Print the public half, with its id in front."""
    pem, key_id = public_half(find_dataset(cluster, namespace, name))
    print_raw(session.out, f"{KEY_ID_LINE}{key_id}\n{pem}")


def key_id_in(pem: str) -> bytes:
    """The id in front of a PEM block; empty where there is none."""
    match = re.search(rf"^{KEY_ID_LINE}([0-9a-f]{{32}})$", pem, re.MULTILINE)
    return bytes.fromhex(match[1]) if match else b""
