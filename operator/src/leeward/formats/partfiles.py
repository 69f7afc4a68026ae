"""Datasets of several sealed files by path: what `leeward.formats.sealed.files` is for one file.

Whoever changes recipients changes those of the manifest alone. To encrypt anew is to encrypt every
part under a key that the former manifest does not hold: the new parts stand beside the old ones
until the new manifest takes its place, which is the moment that counts, and the old ones go then.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from leeward.formats.parts import (
    MAGIC,
    MAX_MANIFEST,
    Part,
    PartsManifest,
    parse_manifest,
    parts_folder,
    parts_key,
)
from leeward.formats.sealed import (
    DigestMismatch,
    Recipient,
    SealedError,
    SealedInfo,
    Unwrapper,
    digest_file,
    locked,
    open_file,
    open_reader,
    reencrypt_file,
    reencrypt_to,
    replace_content,
)
from leeward.formats.sealed.keys import Random
from leeward.formats.sealed.reencrypt import Told

_KEY_SIZE = 32


def read_manifest(path: Path, keys: Sequence[Unwrapper]) -> PartsManifest | None:
    """The manifest that a sealed file holds; None: it holds the rows themselves.

    Raises:
        SealedError: it does not open, or begins like a manifest and is none.
        OSError: the file cannot be read.
    """
    with open_reader(path, keys) as reader:
        if reader.read(len(MAGIC)) != MAGIC:
            return None
        if reader.size > MAX_MANIFEST:
            raise _unreadable(path)
        reader.seek(0)
        try:
            return parse_manifest(reader.read())
        except ValueError:
            raise _unreadable(path) from None


def open_parts(path: Path, manifest: PartsManifest, target: Path) -> list[Path]:
    """Open every part as a file of its own in the new folder `target`; the files, in order.

    Raises:
        DigestMismatch: a part is not the one that the manifest names.
        SealedError, OSError: see `open_file`.
    """
    target.mkdir()
    opened = []
    for number, part in enumerate(manifest.parts):
        source = Path(parts_folder(path)) / part.name
        if digest_file(source) != _digest(part):
            raise _other_part(part)
        opened.append(target / f"part-{number:05d}.{manifest.format.lower()}")
        open_file(source, opened[-1], [manifest.part_key])
    return opened


def reencrypt_dataset(
    path: Path,
    keys: Sequence[Unwrapper],
    recipients: Sequence[Recipient],
    *,
    expected_digest: bytes | None = None,
    random: Random = os.urandom,
    told: Told = lambda done: None,
) -> SealedInfo:
    """Encrypt a sealed file anew, and all parts where it is a manifest; see `reencrypt_file`.

    Whoever reads the parts meanwhile may find one gone: nobody may but who does this.

    Raises:
        DigestMismatch: the file, or a part, is not the one that was expected.
        RewrapInProgress, SealedError, OSError: see `reencrypt_file`.
    """
    if read_manifest(path, keys) is None:
        return reencrypt_file(
            path,
            keys,
            recipients,
            expected_digest=expected_digest,
            random=random,
            told=told,
        )
    with locked(path):
        manifest = read_manifest(path, keys)
        if manifest is None or expected_digest not in (None, digest_file(path)):
            raise DigestMismatch(f"{path.name} is another file than was expected: look at it")
        remove_strays(path, manifest)
        with open_reader(path, keys) as reader:
            file_id = reader.info.file_id
        key = random(_KEY_SIZE)
        parts = _parts_anew(path, manifest, key, random, told)
        anew = PartsManifest.of(manifest.format, key, parts)
        info = replace_content(path, anew.content(), recipients, file_id=file_id, random=random)
        remove_strays(path, anew)
    return info


def remove_strays(path: Path, manifest: PartsManifest) -> None:
    """Remove what lies among the parts and is none: of a try that did not end.

    Raises:
        OSError: it cannot be removed.
    """
    named = {part.name for part in manifest.parts}
    for found in Path(parts_folder(path)).iterdir():
        if found.name not in named:
            found.unlink(missing_ok=True)


def _parts_anew(
    path: Path, manifest: PartsManifest, key: bytes, random: Random, told: Told
) -> list[Part]:
    folder = Path(parts_folder(path))
    parts: list[Part] = []
    for number, part in enumerate(manifest.parts):
        before = sum(each.bytes for each in parts)
        target = folder / f"part-{number:05d}-{random(4).hex()}.lwe1"
        info = reencrypt_to(
            folder / part.name,
            target,
            [manifest.part_key],
            [parts_key(key)],
            expected_digest=_digest(part),
            random=random,
            told=lambda done, before=before: told(before + done),  # type: ignore[misc]
        )
        parts.append(
            Part(
                name=target.name,
                file_id=info.file_id.hex(),
                digest=f"sha256:{(info.digest or b'').hex()}",
                bytes=target.stat().st_size,
                rows=part.rows,
            )
        )
    return parts


def _digest(part: Part) -> bytes:
    return bytes.fromhex(part.digest.removeprefix("sha256:"))


def _other_part(part: Part) -> DigestMismatch:
    return DigestMismatch(
        f"part {part.name} is another file than the manifest names: use an intact copy of it"
    )


def _unreadable(path: Path) -> SealedError:
    return SealedError(
        f"{path.name} begins like a manifest of parts, and is none that this release reads: "
        "use a later release"
    )
