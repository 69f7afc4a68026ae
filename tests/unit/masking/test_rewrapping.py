"""The pod that changes the recipients of a Dataset's file, or encrypts it anew."""

import base64
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from leeward.formats.jobconfig import ReencryptConfig, RewrapConfig
from leeward.formats.keyset import PodKey, PodKeyset
from leeward.formats.partfiles import read_manifest
from leeward.formats.parts import Part, PartsManifest, parts_folder, parts_key
from leeward.formats.sealed import (
    ArtefactKey,
    SealedInfo,
    digest_file,
    inspect_file,
    open_reader,
    seal_file,
)
from leeward_masking.errors import JobError
from leeward_masking.progress import Progress
from leeward_masking.tasks.rewrapping import reencrypt_source, rewrap_source

PLAIN = b"name,age\nSECRET-Ana,41\n" * 1000
OLD, NEW = (ArtefactKey(letter * 16, letter * 32) for letter in (b"o", b"n"))
OTHER = ArtefactKey(b"x" * 16, b"X" * 32)


def pod_key(role: str, key: ArtefactKey) -> PodKey:
    return PodKey.model_validate(
        {
            "id": key.key_id.hex(),
            "role": role,
            "algorithm": "AES256_GCM",
            "version": 1,
            "material": base64.b64encode(key.material).decode(),
        }
    )


KEYS = PodKeyset(keys=[pod_key("old", OLD), pod_key("new", NEW)])


@pytest.fixture
def sealed(tmp_path: Path) -> Callable[..., Path]:
    def make(*recipients: ArtefactKey) -> Path:
        plain, path = tmp_path / "people.csv", tmp_path / "people.lwe1"
        plain.write_bytes(PLAIN)
        seal_file(plain, path, recipients, overwrite=True)
        plain.unlink()
        return path.resolve()

    return make


def ids(info: SealedInfo) -> list[bytes]:
    return [recipient.key_id for recipient in info.recipients]


def rewrap_config(path: Path, **changes: object) -> RewrapConfig:
    fields = {"file_id": inspect_file(path).file_id.hex(), "open_role": "old", "add_role": "new"}
    return RewrapConfig.model_validate({"path": str(path), **fields, **changes})


def reencrypt_config(path: Path, **changes: object) -> ReencryptConfig:
    fields = {
        "digest": f"sha256:{digest_file(path).hex()}",
        "file_id": inspect_file(path).file_id.hex(),
        "open_role": "old",
        "seal_role": "new",
        "drop": [OLD.key_id.hex()],
    }
    return ReencryptConfig.model_validate({"path": str(path), **fields, **changes})


def test_the_new_key_is_added_then_the_old_one_is_taken_away(
    sealed: Callable[..., Path],
) -> None:
    path = sealed(OLD, OTHER)
    digest = digest_file(path)
    for _ in range(2):  # a pod that was killed before it could answer is tried again
        added = rewrap_source(rewrap_config(path), KEYS).rewrapped
        assert added is not None
        assert added.key_ids == [key.key_id.hex() for key in (NEW, OLD, OTHER)]
    gone = rewrap_config(path, open_role="new", add_role=None, drop=[OLD.key_id.hex()])
    for _ in range(2):
        removed = rewrap_source(gone, KEYS).rewrapped
        assert removed is not None
        assert removed.key_ids == [key.key_id.hex() for key in (NEW, OTHER)]
    assert digest_file(path) == digest


def test_a_file_is_encrypted_anew_once(sealed: Callable[..., Path]) -> None:
    path = sealed(OLD)
    config = reencrypt_config(path)
    path.with_name(f".{path.name}.0123456789abcdef.part").write_bytes(b"of a pod that was killed")
    done = reencrypt_source(config, KEYS, Progress()).output
    assert done is not None
    assert (done.key_ids, done.file_id) == ([NEW.key_id.hex()], config.file_id)
    assert done.digest == f"sha256:{digest_file(path).hex()}" != config.digest
    again = reencrypt_source(config, KEYS, Progress()).output
    assert again == done
    with open_reader(path, [NEW]) as reader:
        assert reader.read() == PLAIN
    assert os.listdir(path.parent) == [path.name]


def parted(tmp_path: Path) -> Path:
    """A Dataset of three parts."""
    path = (tmp_path / "people.csv.lwe1").resolve()
    folder = Path(parts_folder(path))
    folder.mkdir()
    plain = tmp_path / "plain"
    parts = []
    for number in range(3):
        plain.write_bytes(PLAIN + bytes((number,)))
        part = folder / f"part-{number}.lwe1"
        info = seal_file(plain, part, [parts_key(b"k" * 32)], with_digest=True)
        parts.append(
            Part(
                name=part.name,
                file_id=info.file_id.hex(),
                digest=f"sha256:{(info.digest or b'').hex()}",
                bytes=part.stat().st_size,
                rows=1000,
            )
        )
    plain.write_bytes(PartsManifest.of("CSV", b"k" * 32, parts).content())
    seal_file(plain, path, [OLD])
    plain.unlink()
    return path


def contents(path: Path, key: ArtefactKey) -> list[bytes]:
    manifest = read_manifest(path, [key])
    assert manifest is not None
    folder = Path(parts_folder(path))
    assert {part.name for part in manifest.parts} == set(os.listdir(folder))
    found = []
    for part in manifest.parts:
        with open_reader(folder / part.name, [manifest.part_key]) as reader:
            found.append(reader.read())
        assert digest_file(folder / part.name).hex() == part.digest.removeprefix("sha256:")
    return found


def test_parts_are_encrypted_anew_with_their_manifest(tmp_path: Path) -> None:
    path = parted(tmp_path)
    before = contents(path, OLD)
    former = read_manifest(path, [OLD])
    assert former is not None
    config = reencrypt_config(path)
    stray = Path(parts_folder(path)) / "part-00000-of-a-try-that-was-killed.lwe1"
    stray.write_bytes(b"")
    progress = Progress()
    done = reencrypt_source(config, KEYS, progress).output
    assert done is not None
    assert (done.key_ids, done.file_id) == ([NEW.key_id.hex()], config.file_id)
    assert contents(path, NEW) == before
    anew = read_manifest(path, [NEW])
    assert anew is not None
    assert anew.part_key.material != former.part_key.material
    assert not {part.name for part in anew.parts} & {part.name for part in former.parts}
    assert done.bytes == path.stat().st_size + anew.part_bytes
    assert progress.report().total == former.part_bytes
    stray.write_bytes(b"")
    assert reencrypt_source(config, KEYS, Progress()).output == done
    assert not stray.exists()


def test_a_part_that_was_swapped_is_not_encrypted_anew(tmp_path: Path) -> None:
    path = parted(tmp_path)
    folder = Path(parts_folder(path))
    (folder / "part-0.lwe1").write_bytes((folder / "part-1.lwe1").read_bytes())
    with pytest.raises(JobError) as caught:
        reencrypt_source(reencrypt_config(path), KEYS, Progress())
    assert caught.value.code == "SourceChanged"
    assert read_manifest(path, [OLD]) is not None


def test_a_rewrap_of_parts_touches_their_manifest_alone(tmp_path: Path) -> None:
    path = parted(tmp_path)
    folder = Path(parts_folder(path))
    before = {each.name: each.read_bytes() for each in folder.iterdir()}
    rewrap_source(rewrap_config(path), KEYS)
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == before
    assert len(contents(path, NEW)) == 3


def beside(path: Path, *recipients: ArtefactKey) -> tuple[Path, dict[str, str]]:
    """A report beside a sealed file, and what a job is told of it."""
    report = path.with_name("people.report.lwe1")
    plain = path.with_name("report.zip")
    plain.write_bytes(b"the report")
    seal_file(plain, report, recipients, overwrite=True)
    plain.unlink()
    info = inspect_file(report)
    digest = f"sha256:{digest_file(report).hex()}"
    return report, {"path": str(report), "digest": digest, "fileId": info.file_id.hex()}


def test_the_report_gets_the_recipients_of_the_data(sealed: Callable[..., Path]) -> None:
    path = sealed(OLD)
    report, told = beside(path, OLD)
    rewrap_source(rewrap_config(path, report=told), KEYS)
    assert ids(inspect_file(report)) == ids(inspect_file(path)) == [NEW.key_id, OLD.key_id]
    gone = {"open_role": "new", "add_role": None, "drop": [OLD.key_id.hex()], "report": told}
    rewrap_source(rewrap_config(path, **gone), KEYS)
    assert ids(inspect_file(report)) == [NEW.key_id]


def test_the_report_is_encrypted_anew_with_the_data(sealed: Callable[..., Path]) -> None:
    path = sealed(OLD)
    report, told = beside(path, OLD)
    config = reencrypt_config(path, report=told)
    done = reencrypt_source(config, KEYS, Progress()).report_file
    assert done is not None
    assert done.digest == f"sha256:{digest_file(report).hex()}" != told["digest"]
    assert done.file_id == told["fileId"]
    assert reencrypt_source(config, KEYS, Progress()).report_file == done
    with open_reader(report, [NEW]) as reader:
        assert reader.read() == b"the report"


@pytest.mark.parametrize("fault", ["gone", "another", "damaged", "not sealed"])
def test_a_report_that_is_not_ours_holds_no_key_up(sealed: Callable[..., Path], fault: str) -> None:
    path = sealed(OLD)
    report, told = beside(path, OLD)
    if fault == "gone":
        report.unlink()
    elif fault == "another":
        beside(path, OTHER)
    elif fault == "damaged":
        report.write_bytes(report.read_bytes()[:-3] + b"xyz")
    else:
        report.write_bytes(b"nothing")
    rewrap_source(rewrap_config(path, report=told), KEYS)
    assert NEW.key_id in ids(inspect_file(path))
    config = reencrypt_config(path, report=told, drop=[OLD.key_id.hex(), NEW.key_id.hex()])
    done = reencrypt_source(config, KEYS, Progress())
    assert done.report_file is None
    assert ids(inspect_file(path)) == [NEW.key_id]


def test_nobody_is_locked_out(sealed: Callable[..., Path]) -> None:
    path = sealed(OLD, OTHER)
    before = path.read_bytes()
    with pytest.raises(JobError) as caught:
        reencrypt_source(reencrypt_config(path), KEYS, Progress())
    assert caught.value.code == "OtherRecipients"
    assert caught.value.key_ids == [OTHER.key_id.hex()]
    assert path.read_bytes() == before


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(JobError) as caught:
        work()
    assert "SECRET" not in caught.value.message
    return caught.value.code


def test_another_file_is_left_alone(sealed: Callable[..., Path]) -> None:
    path = sealed(OLD)
    rewrap, reencrypt = rewrap_config(path), reencrypt_config(path)
    path = sealed(OLD)
    before = path.read_bytes()
    assert code_of(lambda: rewrap_source(rewrap, KEYS)) == "SourceChanged"
    assert code_of(lambda: reencrypt_source(reencrypt, KEYS, Progress())) == "SourceChanged"
    other = reencrypt_config(path, digest=reencrypt.digest)
    assert code_of(lambda: reencrypt_source(other, KEYS, Progress())) == "SourceChanged"
    assert path.read_bytes() == before
    path.write_bytes(b"id,name\n1,SECRET-Ana\n")
    assert code_of(lambda: rewrap_source(rewrap, KEYS)) == "NotSealed"
    assert code_of(lambda: reencrypt_source(reencrypt, KEYS, Progress())) == "NotSealed"


def test_a_pod_that_is_stopped_leaves_the_file_as_it_was(sealed: Callable[..., Path]) -> None:
    path = sealed(OLD)
    before = path.read_bytes()
    progress = Progress()
    progress.stop()
    with pytest.raises(JobError) as caught:
        reencrypt_source(reencrypt_config(path), KEYS, progress)
    assert caught.value.code == "Interrupted"
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]
