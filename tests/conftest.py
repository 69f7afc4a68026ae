"""How hypothesis runs: nothing is timed; a long run (LEEWARD_SOAK=1) tries 2000 examples."""

import gc
import os

from hypothesis import settings

settings.register_profile("short", deadline=None, max_examples=40)
settings.register_profile("long", deadline=None, max_examples=2000)
settings.load_profile("long" if "LEEWARD_SOAK" in os.environ else "short")


def pytest_collection_finish() -> None:
    """Keep what the collection of thousands of tests leaves out of every search for garbage."""
    gc.collect()
    gc.freeze()
