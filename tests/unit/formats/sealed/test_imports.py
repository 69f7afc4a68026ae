"""What the sealed format loads: a command that opens a file shall start quickly."""

import subprocess
import sys


def test_nothing_slow_is_imported() -> None:
    program = "import sys, leeward.formats.sealed; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = set(done.stdout.split())
    assert "leeward.formats.sealed.keys.rsa" in loaded
    assert not loaded & {"pydantic", "numpy", "polars", "kubernetes", "asyncio", "kopf"}
