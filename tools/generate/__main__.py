"""Writes everything that is made from ``leeward.api`` and the chart's schema, or checks it.

python tools/generate           writes crds/, docs/reference/, the chart's CRDs and value table
python tools/generate --check   changes nothing; ends with 1 and a list where the tree differs
"""

import argparse
import sys
from pathlib import Path

from generator import generated_files, outdated

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run the generator over this checkout."""
    parser = argparse.ArgumentParser(prog="tools/generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, say what differs")
    check = parser.parse_args().check
    files = generated_files(ROOT)
    differing = outdated(ROOT, files)
    if check:
        for path in differing:
            print(f"{path} differs from what the models say: run make generate", file=sys.stderr)
        return 1 if differing else 0
    for path in differing:
        target = ROOT / path
        if path in files:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(files[path])
            print(f"wrote {path}")
        else:
            target.unlink()
            print(f"removed {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
