"""At which calls to the API server a fault is tried.

A fault at a call that reads leaves the API server as it was after the call before. So it differs
from the same fault at the next call that writes only by what the process had in memory. And what a
process leaves that is killed after a call is what one leaves that is killed before the next. So a
short run kills before every second call that writes and after every second: all that can be left
is left once. Of the faults that leave the process alive it takes every second that was written, and
every sixth that was not; and of reads every twentieth. LEEWARD_SOAK=1 takes all.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from fakeapi.transport import Fault

SOAK = "LEEWARD_SOAK" in os.environ
HARMLESS = {Fault.CONFLICT, Fault.TOO_MANY, Fault.BROKEN, Fault.UNSENT}


def tried(calls: Sequence[str], fault: Fault, begin: int = 0) -> list[int]:
    """The numbers of the calls, of those from `begin` on, at which a run has this fault.

    Args:
        calls: Method and path of each, in the undisturbed run.
        fault: The fault.
        begin: The first that counts.
    """
    numbers = range(begin, len(calls))
    if SOAK:
        return list(numbers)
    reads = [number for number in numbers if calls[number].startswith("GET ")]
    writes = sorted(set(numbers) - set(reads))
    return sorted(writes[:: 6 if fault in HARMLESS else 2] + reads[::20])
