"""What replacing keys takes: of files, of Datasets under long-lived pods, of a vault.

files     `leeward rewrap` over 1,000 files of 100 MB, as a user runs it. A hundredth of them are
          whole and are opened afterwards; the others have true headers and a hole for the rest,
          which rewrapping does not read.
rotation  1,000 Datasets whose artefact keys are replaced at once, 3 pods reading each: the
          operator's control loop over the fake API server of the tests (rotationcourse.py).
vault     10,000 artefact keys under one vault key, which is rotated: the operator's key store,
          its limits of requests and its HTTP client, over HTTP to the fake API server in a
          process of its own, which takes 5 ms for each answer.

python tests/bench/bench_keys.py [files|rotation|vault]... [--files N] [--keys N] [--vault N]
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kubernetes.aio.client import Configuration

for folder in ("tests", "tests/bench"):
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / folder))

from figures import figure  # noqa: E402
from rotationcourse import rotate  # noqa: E402

from fakeapi.server import ApiServer  # noqa: E402
from fakeapi.store import FakeApi  # noqa: E402
from leeward.app.wiring import now  # noqa: E402
from leeward.engine.ratelimit import TokenBucket  # noqa: E402
from leeward.formats.sealed import ArtefactKey, open_file, seal_file  # noqa: E402
from leeward.formats.sealed.layout import CHUNKS_OFFSET  # noqa: E402
from leeward.keystore.store import EmbeddedKeyStore  # noqa: E402
from leeward.kube.client import KubeClient  # noqa: E402
from leeward.kube.transport import HttpTransport  # noqa: E402
from leeward.plans.shared.model import (  # noqa: E402
    EnsureArtefactKey,
    EnsureKeyset,
    KeyAction,
    NewKey,
    RewrapArtefactKeys,
    RewrapResult,
    RotateVaultKey,
)
from unit.keystore.keystore_world import Free  # noqa: E402

MB = 1_000_000
FILE_SIZE = 100 * MB
CONSUMERS = 3
LATENCY = 0.005
REQUESTS, BURST = 800, 1600
"""As the operator's settings have it."""

WHOLE = 100
"""Of so many files one is whole."""

REWRAP = """
import sys
from pathlib import Path
from leeward.cli.main import app
try:
    app()
finally:
    Path(sys.argv[-1] + ".io").write_text(Path("/proc/self/io").read_text())
"""


def keyset(path: Path, key: ArtefactKey) -> Path:
    """A key file, as pods have it."""
    one = {
        "id": key.key_id.hex(),
        "role": "source",
        "algorithm": "AES256_GCM",
        "version": 1,
        "material": base64.b64encode(key.material).decode(),
    }
    path.write_text(json.dumps({"formatVersion": 1, "keys": [one]}))
    return path


def make_files(folder: Path, count: int, key: ArtefactKey) -> list[Path]:
    """Sealed files; of most of them only the header is there."""
    plain, model = folder / "plain", folder / "model"
    plain.write_bytes(os.urandom(MB) * (FILE_SIZE // MB))
    paths = [folder / f"{number:05}.lwe1" for number in range(count)]
    seal_file(plain, model, [key])
    for number, path in enumerate(paths):
        if number % WHOLE == 0:
            seal_file(plain, path, [key])
            continue
        with path.open("wb") as file:
            file.write(model.read_bytes()[:CHUNKS_OFFSET])
            file.truncate(model.stat().st_size)
    return paths


def rewrapping(count: int, parent: Path | None) -> list[bool]:
    """Rewrap files by the command."""
    old, new = (ArtefactKey(os.urandom(16), os.urandom(32)) for _ in range(2))
    with tempfile.TemporaryDirectory(dir=parent) as name:
        folder = Path(name)
        paths = make_files(folder, count, old)
        os.sync()
        keys = (keyset(folder / "old.json", old), keyset(folder / "new.json", new))
        command = [sys.executable, "-c", REWRAP, "rewrap"]
        command += ["--key", str(keys[0]), "--to-key", str(keys[1])]
        begin = time.perf_counter()
        subprocess.run(
            [*command, *map(str, paths)], check=True, timeout=600, stderr=subprocess.DEVNULL
        )
        passed = time.perf_counter() - begin
        counts = dict(line.split(": ") for line in Path(f"{paths[-1]}.io").read_text().splitlines())
        moved = (int(counts["rchar"]) + int(counts["wchar"])) / MB
        for path in paths[::WHOLE]:
            open_file(path, folder / "opened", [new], overwrite=True)
            assert (folder / "opened").read_bytes() == (folder / "plain").read_bytes()
    return [
        figure("rewrap-files", passed, "s", 5, passed <= 5),
        figure("rewrap-files-io", moved, "MB", 100, moved <= 100),
    ]


def rotation(keys: int) -> list[bool]:
    """Replace the keys of Datasets under long-lived pods.

    What it takes to rewrite the headers of their files, by two Jobs, is measured by the same course
    without pods, and told apart from what it takes to bring the new keys to all pods, and to take
    the old ones away.
    """
    alone, taken = rotate(keys, 0), rotate(keys, CONSUMERS)
    print(f"note replacing {keys} keys took {taken.virtual:.0f} s of virtual time besides")
    for name, one in (("no", alone), (f"{CONSUMERS}", taken)):
        print(
            f"note {one.calls / keys:.1f} calls per key, {name} pods; {one.writes / keys:.1f} write"
        )
    calls, limit = (taken.calls - alone.calls) / keys, 6 + 4 * CONSUMERS
    return [
        figure("rotation-calls", calls, "calls per key", limit, calls <= limit),
        figure("rotation-time", taken.seconds, "s", 90, taken.seconds <= 90),
    ]


async def serve() -> None:
    """The fake API server, until standard input ends."""
    server = ApiServer(FakeApi())
    server.latency = LATENCY
    async with server.running():
        print(server.url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def vault(count: int) -> list[bool]:
    """Rotate a vault key and move all artefact keys."""
    command = [sys.executable, __file__, "--serve"]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    configuration = Configuration()
    configuration.host = (await process.stdout.readline()).decode().strip()
    transport = HttpTransport(configuration)
    try:
        await _fill(_store(KubeClient(transport, Free(), Free())), count)
        limited = KubeClient(transport, TokenBucket(REQUESTS, BURST), Free())
        passed = await _move(_store(limited), count)
    finally:
        await transport.close()
        process.stdin.close()
        await process.wait()
    return [figure("rewrap-vault", passed, "s", 60, passed <= 60)]


def _store(client: KubeClient) -> EmbeddedKeyStore:
    return EmbeddedKeyStore(client, "leeward-system", secrets.token_bytes, now)


async def _perform(store: EmbeddedKeyStore, action: KeyAction) -> object:
    outcome = await store.perform(action)
    assert outcome.code == "Done", outcome
    return outcome.result


async def _fill(store: EmbeddedKeyStore, count: int) -> None:
    """Make a vault with so many artefact keys."""
    await store.ensure_root_key()
    key = NewKey("data", "AES256_GCM")
    await _perform(store, EnsureKeyset("clinic", "vault", "uid", "aa" * 16, (key,)))
    turns = asyncio.Semaphore(32)

    async def make(number: int) -> None:
        async with turns:
            place = ("clinic", "vault", "data", "clinic", f"MaskingJob/visits/{number}")
            await _perform(store, EnsureArtefactKey(f"{number:032x}", *place))

    await asyncio.gather(*(make(number) for number in range(count)))


async def _move(store: EmbeddedKeyStore, count: int) -> float:
    """Rotate the vault key, and move all; seconds."""
    await store.ensure_root_key()
    begin = time.perf_counter()
    await _perform(store, RotateVaultKey("clinic", "vault", "data", 1))
    moved, left = 0, count
    while left:
        result = await _perform(store, RewrapArtefactKeys("clinic", "vault", "data", 2))
        assert isinstance(result, RewrapResult)
        moved, left = moved + result.moved, result.left
    assert moved == count
    return time.perf_counter() - begin


def main() -> int:
    """Run what was asked for; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", default=[], metavar="files|rotation|vault")
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--keys", type=int, default=1000)
    parser.add_argument("--vault", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(serve())
        return 0
    what = set(arguments.what) or {"files", "rotation", "vault"}
    results = []
    if "files" in what:
        results += rewrapping(arguments.files, arguments.folder)
    if "vault" in what:
        results += asyncio.run(vault(arguments.vault))
    if "rotation" in what:
        results += rotation(arguments.keys)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
