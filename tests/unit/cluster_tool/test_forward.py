"""The port by which cluster tests reach a server in a pod outlives the program behind it."""

from __future__ import annotations

import socket
import sys
import time

import pytest

from cluster.podserver import Forward

ANSWER_ONCE = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listening:
    print(f"Forwarding from 127.0.0.1:{listening.getsockname()[1]} -> 9000", flush=True)
    with listening.accept()[0] as connection:
        connection.sendall(b"here")
"""
FULL_PIPE = ANSWER_ONCE.replace(
    "    with listening.accept", '    print("x" * (1 << 20))\n    with listening.accept'
)


def once(program: str, port: int) -> list[str]:
    return [sys.executable, "-c", program, str(port)]


def asked(port: int, seconds: float = 10) -> bytes:
    """What is answered, when it is."""
    end = time.monotonic() + seconds
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as connection:
                return connection.recv(10)
        except OSError:
            if time.monotonic() > end:
                raise


@pytest.mark.parametrize("program", [ANSWER_ONCE, FULL_PIPE], ids=["it ends", "and writes much"])
def test_a_program_that_ends_is_started_again_on_its_port(program: str) -> None:
    forward = Forward(lambda port: once(program, port), pause=0)
    try:
        assert [asked(forward.port) for _ in range(3)] == [b"here"] * 3
    finally:
        forward.stop()
    with pytest.raises(ConnectionError):
        asked(forward.port, 0)


def test_one_that_goes_on_ending_is_given_up() -> None:
    forward = Forward(lambda port: once(ANSWER_ONCE, port), restarts=1, pause=0)
    assert [asked(forward.port) for _ in range(2)] == [b"here"] * 2
    forward._keeper.join(10)
    assert not forward._keeper.is_alive()
    with pytest.raises(ConnectionError):
        asked(forward.port, 0)


def test_one_that_says_nothing() -> None:
    with pytest.raises(AssertionError, match="does not say where it listens: error: no such pod"):
        Forward(lambda port: ["sh", "-c", "echo error: no such pod"])
