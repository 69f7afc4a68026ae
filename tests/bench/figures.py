"""One line per figure, as docs/benchmarks.md tells it."""

from __future__ import annotations


def figure(name: str, value: float, unit: str, limit: float, ok: bool, digits: int = 4) -> bool:
    """Print one figure, with so many significant digits; returns `ok`."""
    said = "ok" if ok else "SHORT"
    print(f"figure {name} {value:.{digits}g} {unit} limit {limit:.{digits}g} {said}", flush=True)
    return ok
