"""What it means to fuzz a parser: no other error than it declares, in time, and no secret shown."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

from fuzz.planted import Planted, shown

TIME_LIMIT = 5.0
"""Seconds that one case may take: far more than any takes that is well bounded."""


class FoundError(AssertionError):
    """A parser did what it must not do."""


Mutator = Callable[[bytes, int], bytes]
"""Changes an input; the number is the source of all randomness."""


@dataclass(frozen=True)
class Harness:
    """One parser of untrusted bytes.

    Attributes:
        name: Of the parser.
        parse: Parses, raising what `declared` lists for bad input and FoundError for what must
            never happen.
        declared: Errors that the parser's documentation names.
        seeds: Inputs as it expects them.
        mutate: Changes an input so that it stays near to what the parser expects.
        planted: Secrets in the seeds.
        max_size: Bytes of an input at most.
        examples: Changed seeds that a short run tries.
        soaks: Whether a long run includes it unless it is named: some cases take a second.
        refused: Further inputs to begin with, of a kind that it refuses.
        accepts_seeds: Whether the seeds are parsed without an error.
        clock: Seconds of the processor: a busy machine is no hang.
    """

    name: str
    parse: Callable[[bytes], object]
    declared: tuple[type[Exception], ...]
    seeds: Callable[[], list[bytes]]
    mutate: Mutator
    planted: Planted = field(default_factory=lambda: Planted(()))
    max_size: int = 1 << 16
    examples: int = 80
    soaks: bool = True
    refused: Callable[[], list[bytes]] = list
    accepts_seeds: bool = True
    clock: Callable[[], float] = time.process_time

    def beginnings(self) -> list[bytes]:
        """All inputs to begin with."""
        return [*self.seeds(), *self.refused()]

    def __call__(self, data: bytes) -> None:
        """Run one case.

        Raises:
            FoundError: It took too long, or an error shows a planted secret.
            Exception: Any error that the parser does not declare.
        """
        begun = self.clock()
        try:
            with warnings.catch_warnings():
                # Of libraries, about keys that they will refuse one day.
                warnings.simplefilter("ignore")
                self.parse(data)
        except self.declared as error:
            if self.planted.found_in(shown(error)):
                raise FoundError(f"{self.name} shows a secret in an error") from None
        taken = self.clock() - begun
        if taken > TIME_LIMIT:
            raise FoundError(f"{self.name} took {taken:.1f} s for {len(data)} bytes")
