import base64
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import polars as pl
import pytest

from leeward.formats.document import canonical_json
from leeward.formats.jobconfig import (
    CONFIG_DIGEST_VARIABLE,
    CleanConfig,
    JobConfig,
    PreviewConfig,
    RuleConfig,
)
from leeward.formats.keyset import PodKey, PodKeyset
from leeward.formats.result import (
    MAX_MESSAGE,
    ColumnReport,
    DetachedResult,
    MaskingReport,
    Result,
    parse_result,
)
from leeward.formats.sealed import HpkePrivateKey, SealedReader, seal_file
from leeward_masking.errors import JobError
from leeward_masking.pod.logs import Log
from leeward_masking.pod.metrics import exposition
from leeward_masking.pod.program import (
    Pod,
    deliver,
    exit_code,
    run_task,
    run_until_stopped,
    wait_until_taken,
)
from leeward_masking.pod.server import EVERYWHERE, PodServer, ResultBox, listening, serving
from leeward_masking.progress import Progress
from leeward_masking.tasks.preview import ephemeral_keys, first_rows, preview_frame
from unit.masking.support import Volume, keep, rule

SECRET = "SECRET-Ana"
DATA = f"name,age\n{SECRET},41\nBob,7\n".encode()
TYPES = {"name": "String", "age": "Integer"}
PAIR = HpkePrivateKey.from_bytes(b"p" * 32, bytes.fromhex("a" * 32))


def pod_key(role: str, algorithm: str, material: bytes, letter: str) -> PodKey:
    return PodKey.model_validate(
        {
            "id": letter * 32,
            "role": role,
            "algorithm": algorithm,
            "version": 3,
            "material": base64.b64encode(material).decode(),
        }
    )


KEYS = PodKeyset(
    keys=[
        pod_key("source", "HPKE_X25519", b"p" * 32, "a"),
        pod_key("output", "AES256_GCM", b"O" * 32, "b"),
        pod_key("rule:name", "AES256_SIV", b"m" * 64, "c"),
    ]
)


def masking_config(volume: Volume, path: Path, rules: list[RuleConfig]) -> dict[str, object]:
    return {
        "task": "Mask",
        "source": json.loads(volume.source(path, TYPES).model_dump_json()),
        "rules": [json.loads(rule.model_dump_json(exclude_none=True)) for rule in rules],
        "output": {"path": str(volume.output), "format": "Parquet"},
    }


class Program:
    """``python -m leeward_masking`` in a process of its own."""

    def __init__(self, folder: Path, config: dict[str, object], digest: str | None = None) -> None:
        self.termination_log = folder / "termination-log"
        (folder / "job.json").write_bytes(canonical_json(config))
        (folder / "keyset.json").write_text(KEYS.model_dump_json(by_alias=True))
        files = {"--config": "job.json", "--keys": "keyset.json"}
        arguments = [part for flag, name in files.items() for part in (flag, str(folder / name))]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "leeward_masking", *arguments, "--bind", "127.0.0.1",
             "--port", "0", "--termination-log", str(self.termination_log)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **({CONFIG_DIGEST_VARIABLE: digest} if digest else {})},
        )  # fmt: skip

    def end(self) -> tuple[int, str]:
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out + err

    def result(self) -> Result:
        result = parse_result(self.termination_log.read_bytes())
        assert isinstance(result, Result)
        return result


def assert_interrupted(program: Program, after: str) -> None:
    """Stopped once it has logged ``after``, the program says so, and may be tried again."""
    assert program.process.stdout is not None
    for line in program.process.stdout:
        if after in line:
            break
    program.process.send_signal(signal.SIGTERM)
    assert program.end()[0] == 1
    error = program.result().error
    assert error is not None
    assert error.code == "Interrupted"


def test_the_pod_masks_a_sealed_file_and_says_no_value(volume: Volume) -> None:
    path = volume.folder / "a.csv.lwe1"
    seal_file(volume.write("a.csv", DATA), path, [PAIR.public_key])
    rules = [rule("name", "tokenize", key="AES256_SIV"), keep("age")]
    program = Program(volume.folder, masking_config(volume, path, rules))
    code, text = program.end()
    assert code == 0
    result = program.result()
    assert result.outcome == "Succeeded"
    assert result.report is not None
    assert result.report.rows == 2
    assert result.output is not None
    assert Path(result.output.path).exists()
    assert [json.loads(line)["message"] for line in text.splitlines()] == [
        "listening",
        "task began",
        "task succeeded",
    ]
    assert SECRET not in text + program.termination_log.read_text()


def test_a_stopped_pod_leaves_nothing_and_may_be_tried_again(volume: Volume) -> None:
    config = {
        "task": "Inspect",
        "sealed": False,
        "waitSeconds": 600,
        "source": {"path": str(volume.folder / "later.csv"), "format": "CSV"},
    }
    assert_interrupted(Program(volume.folder, config), "task began")


def test_an_unreadable_config(volume: Volume) -> None:
    program = Program(volume.folder, {"task": "Mask", "formatVersion": 99, "x": SECRET})
    code, text = program.end()
    assert code == 2
    error = program.result().error
    assert error is not None
    assert error.code == "InvalidConfig"
    assert SECRET not in text + program.termination_log.read_text()


@pytest.mark.parametrize("same", [True, False])
def test_only_the_config_that_the_operator_wrote_is_carried_out(volume: Volume, same: bool) -> None:
    volume.output.parent.mkdir()
    volume.output.write_bytes(b"left behind")
    config = CleanConfig(path=str(volume.output))
    written = config if same else CleanConfig(path=str(volume.folder))
    program = Program(
        volume.folder, json.loads(config.canonical()), digest=written.content_digest()
    )
    code, _ = program.end()
    error = program.result().error
    assert (code, error and error.code) == ((0, None) if same else (2, "InvalidConfig"))
    assert volume.output.exists() is not same


@pytest.fixture
def box() -> ResultBox:
    return ResultBox()


def pod(config: JobConfig, results: ResultBox) -> Pod:
    return Pod(config, KEYS, Progress(), results, Log(io.StringIO()))


@pytest.mark.parametrize("failure", [RuntimeError, pl.exceptions.PanicException])
def test_unforeseen_failures_show_only_their_type(
    volume: Volume, box: ResultBox, failure: type[BaseException]
) -> None:
    class Exploding(Progress):
        def begin(self, unit: str, total: int = 0) -> None:
            raise failure(SECRET)

    source = volume.source(volume.write("a.csv", DATA))
    preview = PreviewConfig(
        source=source,
        rows=1,
        recipient_key=base64.b64encode(PAIR.public_key.key.public_bytes_raw()).decode(),
    )
    work = Pod(preview, KEYS, Exploding(), box, Log(io.StringIO()))
    result = run_task(work)
    assert result.error is not None
    assert result.error.code == "Internal"
    assert failure.__name__ in result.error.message
    assert SECRET not in result.model_dump_json()
    assert exit_code(result) == 1


def test_cleaning_removes_output_and_siblings_only(volume: Volume, box: ResultBox) -> None:
    folder = volume.output.parent
    folder.mkdir()
    mine = [volume.output, folder / f".{volume.output.name}.0123.part"]
    others = [folder / "other.parquet.lwe1", folder / ".other.parquet.lwe1.0123.part"]
    for path in mine + others:
        path.write_bytes(b"x")
    for _ in range(2):
        assert run_task(pod(CleanConfig(path=str(volume.output)), box)).outcome == "Succeeded"
    assert sorted(folder.iterdir()) == sorted(others)


def test_preview_is_sealed_to_who_asked_and_ends_when_fetched(
    volume: Volume, box: ResultBox
) -> None:
    reader = HpkePrivateKey.generate(os.urandom)
    raw = reader.public_key.key.public_bytes_raw()
    config = PreviewConfig(
        source=volume.source(volume.write("a.csv", DATA)),
        rows=1,
        recipient_key=base64.b64encode(raw).decode(),
    )
    answers: list[Result] = []
    thread = threading.Thread(target=lambda: answers.append(run_task(pod(config, box))))
    thread.start()
    deadline = time.monotonic() + 30
    while (found := box.get()) is None and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert found is not None
    sealed = volume.write("preview", found[0])
    with sealed.open("rb", buffering=0) as file:
        rows = json.loads(SealedReader(file, [reader]).read())
    receipt = rows.pop("receipt")
    assert rows == {"columns": ["name", "age"], "rows": [[SECRET, "41"]]}
    assert receipt.encode() not in found[0]
    assert box.knows(receipt)
    assert SECRET.encode() not in found[0]
    box.delete()
    thread.join(30)
    assert [answer.outcome for answer in answers] == ["Succeeded"]


@pytest.mark.parametrize("key", ["", "AAAA", "not base64!"])
def test_a_recipient_key_that_is_none(volume: Volume, box: ResultBox, key: str) -> None:
    source = volume.source(volume.write("a.csv", DATA))
    result = run_task(pod(PreviewConfig(source=source, rows=1, recipient_key=key), box))
    assert result.error is not None
    assert result.error.code == "InvalidConfig"


def test_a_key_that_was_not_given(volume: Volume, box: ResultBox) -> None:
    source = volume.source(volume.write("a.csv", DATA)).model_copy(update={"key_role": "other"})
    raw = base64.b64encode(PAIR.public_key.key.public_bytes_raw()).decode()
    result = run_task(pod(PreviewConfig(source=source, rows=1, recipient_key=raw), box))
    assert result.error is not None
    assert result.error.code == "InvalidConfig"
    assert exit_code(result) == 2


def test_large_results_wait_to_be_fetched(tmp_path: Path, box: ResultBox) -> None:
    column = ColumnReport(
        name="c", transform="keep", rule="r", type_before="String", changed=0,
        nulls_before=0, nulls_after=0,
    )  # fmt: skip
    log = tmp_path / "termination-log"
    small = Result(outcome="Succeeded")
    assert not deliver(small, log, box)
    assert parse_result(log.read_bytes()) == small
    large = Result(
        outcome="Succeeded", report=MaskingReport(rows=1, columns=[column] * 100, seconds="1.000")
    )
    assert deliver(large, log, box)
    assert log.stat().st_size <= MAX_MESSAGE
    message = parse_result(log.read_bytes())
    assert isinstance(message, DetachedResult)
    body = box.get()
    assert body is not None
    assert parse_result(body[0]) == large
    assert (message.size, message.digest) == (len(body[0]), large.content_digest())
    assert box.knows(message.digest)
    assert not wait_until_taken(box, lambda: True)
    assert wait_until_taken(box, lambda: False, 0)
    box.delete()
    assert wait_until_taken(box, lambda: False)


def test_endpoints(box: ResultBox) -> None:
    progress = Progress()
    progress.begin("bytes", 10)
    keys: list[dict[str, str | int]] = [{"id": "a" * 32, "version": 3}]
    metrics = exposition(progress, "Mask")
    with serving(PodServer(("127.0.0.1", 0), metrics, progress, keys, box)) as server:

        def ask(method: str, path: str, receipt: str | None = None) -> tuple[int, bytes]:
            address = server.server_address
            connection = http.client.HTTPConnection("127.0.0.1", int(address[1]), timeout=10)
            headers = {} if receipt is None else {"Leeward-Receipt": receipt}
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            return answer.status, body

        assert json.loads(ask("GET", "/progress")[1])["total"] == 10
        assert json.loads(ask("GET", "/keys")[1]) == {"keys": keys}
        text = ask("GET", "/metrics")[1].decode()
        assert 'leeward_masking_progress_total{task="Mask",unit="bytes"} 10.0' in text
        samples = [line for line in text.splitlines() if not line.startswith("#")]
        assert all(line.startswith("leeward_masking_") for line in samples)
        assert ask("GET", "/result")[0] == 404
        assert ask("DELETE", "/result")[0] == 404
        box.put(b"body", "text/plain", "read it")
        assert ask("GET", "/result") == (200, b"body")
        assert ask("GET", "/result") == (200, b"body")
        for wrong in (None, "", "read", "\xe9"):
            assert ask("DELETE", "/result", wrong)[0] == 403
        assert not box.deleted.is_set()
        assert ask("DELETE", "/result", "read it")[0] == 204
        assert box.deleted.wait(10)
        assert ask("GET", "/result")[0] == 404
        assert ask("GET", "/etc/passwd")[0] == 404
        assert ask("DELETE", "/keys")[0] == 405


@pytest.mark.parametrize(("bound", "reached"), [(EVERYWHERE, "127.0.0.1"), (EVERYWHERE, "::1")])
def test_the_port_is_open_for_both_families(
    box: ResultBox, bound: tuple[str, ...], reached: str
) -> None:
    if ":" in reached and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with serving(listening(bound, lambda host: server_at(host, box))) as server:
        port = int(server.server_address[1])
        connection = http.client.HTTPConnection(reached, port, timeout=10)
        connection.request("GET", "/keys")
        assert connection.getresponse().status == 200
        connection.close()


def server_at(host: str, box: ResultBox) -> PodServer:
    progress = Progress()
    return PodServer((host, 0), exposition(progress, "Mask"), progress, [], box)


def test_without_ipv6_the_port_is_open_for_ipv4(box: ResultBox) -> None:
    def make(host: str) -> PodServer:
        if ":" in host:
            raise OSError(97, "Address family not supported by protocol")
        return server_at(host, box)

    with serving(listening(EVERYWHERE, make)) as server:
        assert server.socket.family is socket.AF_INET


def test_a_pod_whose_result_waits_ends_when_it_is_told_to(volume: Volume) -> None:
    columns = [f"column_{number}_{'x' * 40}" for number in range(100)]
    path = volume.write("wide.csv", (",".join(columns) + "\n" + ",".join("1" * 100)).encode())
    config = {
        "task": "Inspect",
        "sealed": False,
        "waitSeconds": 0,
        "source": {"path": str(path), "format": "CSV"},
    }
    assert_interrupted(Program(volume.folder, config), "task succeeded")


def test_a_task_that_ends_by_itself_needs_no_stop(volume: Volume, box: ResultBox) -> None:
    work = pod(CleanConfig(path=str(volume.output)), box)
    assert run_until_stopped(work, threading.Event()).outcome == "Succeeded"


def test_preview_of_a_job_on_a_laptop(volume: Volume) -> None:
    frame = first_rows(volume.write("a.csv", DATA), "CSV", 1)
    assert frame.rows() == [(SECRET, 41)]
    rules = [rule("name", "tokenize", key="AES256_SIV"), keep("age")]
    keys = ephemeral_keys(rules)
    masked = preview_frame(frame, rules, keys).frame
    assert masked["age"].to_list() == [41]
    assert masked.equals(preview_frame(frame, rules, keys).frame)
    assert not masked.equals(preview_frame(frame, rules, ephemeral_keys(rules)).frame)
    parquet = volume.write_frame(pl.DataFrame({"a": [1, 2]}))
    assert first_rows(parquet, "Parquet", 5).rows() == [(1,), (2,)]
    with pytest.raises(JobError):
        preview_frame(frame, [keep("lacking")], keys)
