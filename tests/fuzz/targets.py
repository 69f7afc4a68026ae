"""All parsers of untrusted bytes that are fuzzed, by name."""

from functools import cache

from fuzz import (
    document_targets,
    import_targets,
    pod_targets,
    sealed_targets,
    signature_targets,
)
from fuzz.harness import Harness


@cache
def harnesses() -> dict[str, Harness]:
    """Made once per process: pairs of RSA take a second."""
    made = (
        *sealed_targets.HARNESSES,
        *document_targets.HARNESSES,
        *import_targets.harnesses(),
        *pod_targets.HARNESSES,
        *signature_targets.HARNESSES,
    )
    return {harness.name: harness for harness in made}
