"""How hypothesis runs: nothing is timed; a long run (LEEWARD_SOAK=1) tries twenty times more."""

import os

from hypothesis import settings

settings.register_profile("short", deadline=None)
settings.register_profile("long", deadline=None, max_examples=2000)
settings.load_profile("long" if "LEEWARD_SOAK" in os.environ else "short")
