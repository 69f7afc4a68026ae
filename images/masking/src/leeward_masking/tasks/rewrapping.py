"""Other keys for a sealed file that stays where it is: its header, or all of it."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from leeward.formats.jobconfig import ReencryptConfig, RewrapConfig, StoredReport
from leeward.formats.keyset import PodKeyset
from leeward.formats.partfiles import read_manifest, reencrypt_dataset, remove_strays
from leeward.formats.parts import PartsManifest
from leeward.formats.result import Result, ResultFile, RewrappedFile
from leeward.formats.sealed import (
    DigestMismatch,
    RewrapInProgress,
    SealedError,
    SealedInfo,
    SymmetricKey,
    digest_file,
    inspect,
    inspect_file,
    open_reader,
    rewrap_file,
)
from leeward_masking.errors import SOURCE, JobError, from_os_error, from_sealed_error
from leeward_masking.podkeys import recipient, unwrappers
from leeward_masking.progress import Progress
from leeward_masking.storage.content import changed
from leeward_masking.storage.volume import open_itself, temporary_siblings


def rewrap_source(config: RewrapConfig, keyset: PodKeyset) -> Result:
    """Change the recipients in place. Doing it again changes nothing that matters.

    Raises:
        JobError: It is not that file, does not open, or cannot be written.
    """
    path = Path(config.path)
    added = [] if config.add_role is None else [recipient(keyset, config.add_role)]
    keys = unwrappers(keyset, config.open_role) or ()
    drop = [bytes.fromhex(key_id) for key_id in config.drop]
    with _faults(path):
        _check_file_id(path, config.file_id)
        if config.report is not None:
            with _left_alone():
                _check_file_id(Path(config.report.path), config.report.file_id)
                rewrap_file(Path(config.report.path), keys, added, drop=drop)
        info = rewrap_file(path, keys, added, drop=drop)
    done = RewrappedFile(
        path=config.path,
        file_id=info.file_id.hex(),
        key_ids=_key_ids(info),
        generation=info.generation,
    )
    return Result(outcome="Succeeded", rewrapped=done)


def reencrypt_source(config: ReencryptConfig, keyset: PodKeyset, progress: Progress) -> Result:
    """Put a file with the same contents and another data key in its place.

    Where an earlier try got so far and died before it could answer, only the answer is given.

    Raises:
        JobError: It is not that file, somebody would be locked out, or the volume is full.
    """
    file = StoredReport(path=config.path, digest=config.digest, file_id=config.file_id)
    report = config.report
    with _faults(Path(config.path)):
        found = _check_file_id(Path(config.path), config.file_id)
        manifest = _manifest(Path(config.path), config, keyset)
        progress.begin("bytes", manifest.part_bytes if manifest else found.plaintext_size)
        beside = None
        if report is not None:
            with _left_alone():
                beside = _reencrypted(report, config, keyset, lambda _: None)
        written = _reencrypted(file, config, keyset, progress.advance)
    return Result(outcome="Succeeded", output=written, report_file=beside)


def _reencrypted(
    file: StoredReport, config: ReencryptConfig, keyset: PodKeyset, told: Callable[[int], None]
) -> ResultFile:
    path = Path(file.path)
    new = recipient(keyset, config.seal_role)
    new_key = unwrappers(keyset, config.seal_role) or ()
    old_key = unwrappers(keyset, config.open_role) or ()
    for left in temporary_siblings(path):
        left.unlink(missing_ok=True)
    found = _check_file_id(path, file.file_id)
    if _key_ids(found) == [keyset.by_role(config.seal_role).id]:
        manifest = read_manifest(path, new_key)
        if manifest is not None:
            remove_strays(path, manifest)
        with open_reader(path, new_key) as reader:
            return _written(path, reader.info, digest_file(path), manifest)
    # What is sealed elsewhere with a shared key names that by its fingerprint.
    known = {key.fingerprint.hex() for key in old_key if isinstance(key, SymmetricKey)}
    others = sorted(set(_key_ids(found)) - known - set(config.drop))
    if others:
        raise _locked_out(others)
    info = reencrypt_dataset(
        path,
        old_key,
        [new],
        expected_digest=bytes.fromhex(file.digest.removeprefix("sha256:")),
        told=told,
    )
    return _written(path, info, info.digest or b"", read_manifest(path, new_key))


def _manifest(path: Path, config: ReencryptConfig, keyset: PodKeyset) -> PartsManifest | None:
    """What it names, whether it was encrypted anew by an earlier try or not."""
    roles = (config.open_role, config.seal_role)
    return read_manifest(path, [key for role in roles for key in unwrappers(keyset, role) or ()])


@contextmanager
def _left_alone() -> Iterator[None]:
    """A report that is gone, damaged or another file holds no keys up.

    Whoever may write the volume can do that to it; what the volume says (it is full) still counts.
    """
    try:
        yield
    except RewrapInProgress:
        raise
    except (SealedError, JobError, FileNotFoundError):
        return


def _written(
    path: Path, info: SealedInfo, digest: bytes, manifest: PartsManifest | None
) -> ResultFile:
    return ResultFile(
        path=str(path),
        digest="sha256:" + digest.hex(),
        bytes=path.stat().st_size + (manifest.part_bytes if manifest else 0),
        file_id=info.file_id.hex(),
        key_ids=_key_ids(info),
    )


def _check_file_id(path: Path, file_id: str) -> SealedInfo:
    """What the file says about itself, if it is the one that was inspected."""
    with open_itself(path) as file:
        info = inspect(file)
    if info.file_id.hex() != file_id:
        raise changed("is another one than when it was inspected")
    return info


def _key_ids(info: SealedInfo) -> list[str]:
    return [recipient.key_id.hex() for recipient in info.recipients]


def _locked_out(others: list[str]) -> JobError:
    return JobError(
        "OtherRecipients",
        f"the file can also be opened with {', '.join(others)}, and nothing could be sealed to"
        " these anew, so who holds them would be locked out",
        "take them away first, on a machine that can open the file (leeward rewrap FILE --key KEY"
        " --to the public half of this Dataset), and seal it to them again afterwards",
        key_ids=others,
    )


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    """What volume and format say, as errors of a job."""
    try:
        yield
    except DigestMismatch:
        raise changed("is another one than when it was inspected") from None
    except RewrapInProgress:
        raise JobError(
            "RewrapInProgress",
            "the recipients of the file are being changed by another process",
            "wait until it has ended; it is tried again",
        ) from None
    except SealedError as error:
        ids: list[str] = []
        with suppress(SealedError, OSError):
            ids = _key_ids(inspect_file(path))
        raise from_sealed_error(error, SOURCE, ids) from None
    except PermissionError as error:
        raise JobError(
            "OutputNotWritable",
            f"the pod may not write the file of the Dataset, or its folder"
            f" ({errno.errorcode.get(error.errno or 0, 'refused')})",
            "let user or group 65532 write both: chgrp 65532 and chmod g+rw the file, chmod g+rwx"
            " the folder; where the volume does not apply fsGroup, that is not done by itself",
        ) from None
    except OSError as error:
        raise from_os_error(error, SOURCE) from None
