"""Documents that hold keys, as the operator, pods and the command line read them."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import random
from pathlib import Path
from typing import Any

from fuzz.harness import Harness
from fuzz.mutating import change_bytes, change_json, seeded
from fuzz.planted import Planted
from leeward.cli.errors import CliError
from leeward.cli.shares import ShareSet, words_in
from leeward.formats.backup import BackupDamagedError, KeyBackup
from leeward.formats.document import canonical_json
from leeward.formats.keyset import PodKeyset
from leeward.formats.rootkey import RootKeyring
from leeward.formats.wrapped import UnwrapError, WrappedArtefactKey, WrappedKeyset, unwrap
from leeward.keystore.records import (
    KEYSET_ROLE,
    ROOT_ROLE,
    DamagedRecordError,
    artefact_info,
    keyset_secret,
    read_artefact_key,
    read_document,
    root_secret,
)
from unit.keystore.origins.sample_keys import random_bytes

GOLDEN = Path(__file__).parents[1] / "golden"
WRAPPED = json.loads((GOLDEN / "wrapped.json").read_text())
ROOT = json.loads((GOLDEN / "rootkey.json").read_text())
SHARES = json.loads((GOLDEN / "shares.json").read_text())
VAULT_KEY = bytes.fromhex(WRAPPED["vaultKeyMaterial"])


def stored(data: bytes, role: str) -> dict[str, Any]:
    """A Secret of ours, with `data` as the document in it."""
    text = base64.b64encode(data).decode()
    return {"metadata": {"name": "a-secret"}, "data": {f"{role}.json": text}}


def _seed(document: object) -> bytes:
    return json.dumps(document).encode()


def read_keyset(data: bytes) -> None:
    """A vault's keyset, and every version in it."""
    keyset = read_document(stored(data, "keyset"), WrappedKeyset, KEYSET_ROLE)
    for key in keyset.keys:
        for version in key.history:
            with contextlib.suppress(UnwrapError):
                key.version(version.version)
    keyset_secret("leeward-system", keyset)


def read_artefact(data: bytes) -> None:
    """An artefact key, or what is left of one, and the key in it."""
    key = read_artefact_key(stored(data, "artefact-key"))
    artefact_info(key)
    if isinstance(key, WrappedArtefactKey):
        with contextlib.suppress(UnwrapError):
            unwrap(VAULT_KEY, key.wrapped, key.aad(), 32)


def read_root(data: bytes) -> None:
    """The root keys."""
    ring = read_document(stored(data, "root-key"), RootKeyring, ROOT_ROLE)
    for key in ring.keys:
        key.raw()
        key.vouches_for_itself()
    root_secret("leeward-system", ring)


def read_pod_keyset(data: bytes) -> None:
    """The keys of a pod."""
    for key in PodKeyset.parse(data).keys:
        key.raw()


def pod_keysets() -> list[bytes]:
    key = {"id": "11" * 16, "role": "source", "algorithm": "AES256_GCM", "version": 1}
    material = base64.b64encode(random_bytes("pod", 32)).decode()
    return [_seed({"formatVersion": 1, "keys": [{**key, "material": material}]})]


def artefact_keys() -> list[bytes]:
    whole = WRAPPED["artefactKey"]
    left = {name: value for name, value in whole.items() if name not in ("wrapped", "published")}
    return [_seed(whole), _seed({**left, "shredded": True})]


def wrapped_keys() -> list[list[object]]:
    """Keys of keysets: one with, and one without a key of its own."""
    return [WRAPPED["keyset"]["keys"], [WRAPPED["signingKey"]]]


def read_share(data: bytes) -> None:
    """The words of one share."""
    ShareSet().add("a page", words_in("a page", data.decode(errors="replace")))


def change_backup(data: bytes, source: random.Random) -> bytes:
    """A change with the checksum mended, as somebody would make it on purpose."""
    changed = change_json(data, source)
    with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
        document = json.loads(changed)
        document.pop("checksum", None)
        digest = hashlib.sha256(canonical_json(document)).hexdigest()
        return _seed({**document, "checksum": f"sha256:{digest}"})
    return changed


_ROOT_SECRETS = Planted(
    base64.b64decode(key["material"]) for key in [*ROOT["keyring"]["keys"], ROOT["version1"]]
)

HARNESSES = (
    Harness(
        "wrapped-keyset",
        read_keyset,
        (DamagedRecordError,),
        lambda: [_seed({**WRAPPED["keyset"], "keys": keys}) for keys in wrapped_keys()],
        seeded(change_json),
    ),
    Harness(
        "wrapped-artefact-key",
        read_artefact,
        (DamagedRecordError,),
        artefact_keys,
        seeded(change_json),
        Planted([bytes.fromhex(WRAPPED["artefactKeyMaterial"]), VAULT_KEY]),
    ),
    Harness(
        "root-keyring",
        read_root,
        (DamagedRecordError,),
        lambda: [_seed(ROOT["keyring"]), _seed(ROOT["version1"])],
        seeded(change_json),
        _ROOT_SECRETS,
    ),
    Harness(
        "pod-keyset",
        read_pod_keyset,
        (ValueError,),
        pod_keysets,
        seeded(change_json),
        Planted([random_bytes("pod", 32)]),
    ),
    Harness(
        "backup",
        KeyBackup.from_bytes,
        (BackupDamagedError,),
        lambda: [(GOLDEN / "backup.json").read_bytes()],
        seeded(change_backup),
    ),
    Harness(
        "root-key-share",
        read_share,
        (CliError,),
        lambda: [words.encode() for words in SHARES["shares"]],
        seeded(change_bytes),
        Planted((), SHARES["shares"]),
        max_size=4096,
    ),
)
