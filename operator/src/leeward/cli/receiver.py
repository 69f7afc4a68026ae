"""Runs in a pod, sent there as text: takes a file from standard input and puts it in its place.

    python3 -c SOURCE FOLDER PATH keep|replace

The input is pieces, each a 4-byte big-endian length and that many bytes; a length of 0 ends them,
and the SHA-256 of all bytes (32) follows. The file appears under its name, in one step, only if it
came whole. The answer is one line of JSON. Only Python's standard library is used here.
"""

import hashlib
import json
import os
import sys
from typing import Any, BinaryIO

TAKEN = 17
INCOMPLETE = 18
FULL = 19
FAILED = 20


def receive(folder: str, path: str, replace: bool, source: BinaryIO) -> tuple[int, dict[str, Any]]:
    """Write the file; returns (exit code, answer)."""
    target = os.path.join(folder, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if not replace and os.path.lexists(target):
        return TAKEN, {"error": "taken"}
    name = f".{os.path.basename(target)}.{os.urandom(8).hex()}.part"
    temporary = os.path.join(os.path.dirname(target), name)
    digest = hashlib.sha256()
    try:
        with open(temporary, "xb") as file:
            while size := int.from_bytes(source.read(4), "big"):
                piece = source.read(size)
                digest.update(piece)
                file.write(piece)
            if source.read(32) != digest.digest():
                return INCOMPLETE, {"error": "incomplete"}
            file.flush()
            os.fsync(file.fileno())
            count = file.tell()
        if replace:
            os.replace(temporary, target)
        else:
            os.link(temporary, target)
    except FileExistsError:
        return TAKEN, {"error": "taken"}
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)
    sync_folder(os.path.dirname(target))
    return 0, {"bytes": count, "sha256": digest.hexdigest()}


def sync_folder(folder: str) -> None:
    """Make the new name durable."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def main() -> None:
    """Receive, answer, and end with the exit code."""
    folder, path, mode = sys.argv[1:]
    try:
        code, answer = receive(folder, path, mode == "replace", sys.stdin.buffer)
    except OSError as error:
        full = error.errno in (28, 122)
        code, answer = (FULL if full else FAILED), {"error": error.strerror}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    sys.exit(code)


if __name__ == "__main__":
    main()
