"""Looks for readable text in files. It also runs in a pod, sent there as text.

    python3 -c SOURCE FOLDER < needles.json

Standard library only. The answer is JSON: per file its size, its first bytes, how often one of the
needles (UTF-8 texts) stands in it, and its entropy in bits per byte (Shannon; 8 is random).
"""

import json
import math
import os
import sys
from collections import Counter
from typing import Any


def scan(folder: str, needles: list[str]) -> list[dict[str, Any]]:
    """Look into every file below ``folder``."""
    found = []
    for parent, _, names in os.walk(folder):
        for name in sorted(names):
            path = os.path.join(parent, name)
            with open(path, "rb") as file:
                data = file.read()
            found.append(
                {
                    "path": os.path.relpath(path, folder),
                    "bytes": len(data),
                    "magic": data[:4].decode("ascii", "replace"),
                    "hits": sum(data.count(needle.encode()) for needle in needles),
                    "entropy": round(entropy(data), 4),
                }
            )
    return found


def entropy(data: bytes) -> float:
    """Shannon entropy of the bytes, in bits per byte."""
    total = len(data)
    return sum(n / total * math.log2(total / n) for n in Counter(data).values()) if total else 0.0


if __name__ == "__main__":
    json.dump(scan(sys.argv[1], json.load(sys.stdin)), sys.stdout)
