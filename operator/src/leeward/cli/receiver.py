"""Runs in a pod, sent there as text: takes a file from standard input and puts it in its place.

    python3 -c SOURCE FOLDER PATH keep|replace
    python3 -c SOURCE STORE NAME keep|replace

The input is pieces, each a 4-byte big-endian length and that many bytes; a length of 0 ends them,
and the SHA-256 of all bytes (32) follows. The file appears under its name, in one step, only if it
came whole. The answer is one line of JSON, with ``error`` where it failed: taken, incomplete, full,
or what the system says. It comes as soon as it is known, and the rest of the input is read all the
same: some runtimes keep an exec open while its input is unread. Into a folder, only the standard
library is used; STORE is the JSON of a bucket (S3Store), for which the masking image has a client.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

TAKEN = "taken"
INCOMPLETE = "incomplete"
FULL = "full"
NO_SPACE = (28, 122)  # ENOSPC, EDQUOT


class Pieces:
    """The pieces of one input.

    Attributes:
        digest: What followed them; empty before the end.
        ended: Whether the end was reached.
    """

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.digest = b""
        self.ended = False

    def __iter__(self) -> Iterator[bytes]:
        while not self.ended and (size := int.from_bytes(self._source.read(4), "big")):
            yield self._source.read(size)
        if not self.ended:
            self.digest = self._source.read(32)
            self.ended = True


def receive(folder: str, path: str, replace: bool, pieces: Pieces) -> dict[str, Any]:
    """Write the file; returns the answer."""
    target = os.path.join(folder, path)
    parent, base = os.path.split(target)
    os.makedirs(parent, exist_ok=True)
    if not replace and os.path.lexists(target):
        return {"error": TAKEN}
    temporary = os.path.join(parent, f".{base}.{os.urandom(8).hex()}.part")
    digest = hashlib.sha256()
    try:
        with open(temporary, "xb") as file:
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
            if pieces.digest != digest.digest():
                return {"error": INCOMPLETE}
            file.flush()
            os.fsync(file.fileno())
            count = file.tell()
        if replace:
            os.replace(temporary, target)
        else:
            os.link(temporary, target)
    except FileExistsError:
        return {"error": TAKEN}
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)
    sync_folder(parent)
    return {"bytes": count, "sha256": digest.hexdigest()}


def receive_object(store: str, path: str, replace: bool, pieces: Pieces) -> dict[str, Any]:
    """Write the object; returns the answer."""
    from leeward.formats.jobconfig import S3Store
    from leeward_masking.errors import JobError
    from leeward_masking.storage.places import storage_of

    digest = hashlib.sha256()
    try:
        storage = storage_of(S3Store.model_validate_json(store))
        if not replace and storage.size(path) is not None:
            return {"error": TAKEN}
        with storage.create(path) as file:
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
            if pieces.digest != digest.digest():
                raise EOFError  # so that the upload is aborted
            count = file.publish(lambda written: None)
    except EOFError:
        return {"error": INCOMPLETE}
    except JobError as error:
        return {"error": error.message, "remedy": error.remedy}
    return {"bytes": count, "sha256": digest.hexdigest()}


def sync_folder(folder: str) -> None:
    """Make the new name durable."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def main() -> None:
    """Receive, answer, and read what is left."""
    place, path, mode = sys.argv[1:]
    pieces = Pieces(sys.stdin.buffer)
    try:
        write = receive_object if place.startswith("{") else receive
        answer = write(place, path, mode == "replace", pieces)
    except OSError as error:
        answer = {"error": FULL if error.errno in NO_SPACE else str(error.strerror)}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    for _ in pieces:
        pass


if __name__ == "__main__":
    main()
