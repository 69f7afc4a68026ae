"""``make demo``: from nothing to a masked dataset (docs/guides/demo.md)."""

import sys
from pathlib import Path

from walkthrough.stage import StepFailedError, make_stage
from walkthrough.story import tell

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Tell the whole story; returns the exit code."""
    stage = make_stage()
    try:
        tell(stage, ROOT)
    except StepFailedError as error:
        stage.fail(error)
        return 1
    except KeyboardInterrupt:
        stage.console.print("\nstopped")
        return 130
    return 0


sys.exit(main())
