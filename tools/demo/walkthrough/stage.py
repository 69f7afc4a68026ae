"""Running the commands that a user would type, each shown and each with a time limit."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from rich.console import Console
from rich.text import Text

T = TypeVar("T")
TAIL_LINES: Final = 15
PLAIN_WIDTH: Final = 140


class StepFailedError(Exception):
    """A step of the demo did not do what it should.

    Attributes:
        message: What, in one sentence.
        detail: What the command said last.
    """

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.detail = "\n".join(detail.strip().splitlines()[-TAIL_LINES:])


@dataclass
class Stage:
    """Where the demo runs.

    Attributes:
        console: Where it is shown.
        programs: Folder of ``leeward``.
        began: Monotonic time of the start.
    """

    console: Console
    programs: Path
    began: float
    context: str | None = None
    _step: int = 0

    def step(self, title: str) -> None:
        """Announce the next step."""
        self._step += 1
        passed = time.monotonic() - self.began
        heading = Text.assemble(
            (f"{self._step}. {title}", "bold cyan"), (f"  {passed:.0f} s", "dim")
        )
        self.console.print()
        self.console.print(heading)

    def note(self, text: str) -> None:
        """One line of explanation."""
        self.console.print(Text(f"   {text}"))

    def command(self, text: str) -> None:
        """A command that a user would type."""
        self.console.print(Text(f"   $ {text}", style="green"))

    def kubectl(self, *args: str, timeout: float = 60, stdin: str | None = None) -> str:
        """Run kubectl; its standard output."""
        chosen = ("--context", self.context) if self.context else ()
        return self.run(("kubectl", *chosen, *args), timeout, stdin=stdin)

    def leeward(self, *args: str, timeout: float = 60, shown: bool = True) -> str:
        """Run the leeward command, with its progress on this terminal; its standard output."""
        if shown:
            self.command(f"leeward {shlex.join(args)}")
        program = str(self.programs / "leeward")
        return self.run((program, *args), timeout, progress=shown)

    def run(
        self,
        command: Sequence[str],
        timeout: float,
        *,
        stdin: str | None = None,
        progress: bool = False,
    ) -> str:
        """Run a command.

        Args:
            command: Program and arguments.
            timeout: Seconds.
            stdin: Text for its standard input.
            progress: Leave its standard error on this terminal.

        Raises:
            StepFailedError: It ended non-zero, or took too long.
        """
        name = Path(command[0]).name
        try:
            done = subprocess.run(
                command,
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                stdout=subprocess.PIPE,
                stderr=None if progress else subprocess.PIPE,
                text=True,
                timeout=timeout,
                check=False,
            )
        except FileNotFoundError as error:
            raise StepFailedError(
                f"{name} is not installed: run this through `make demo`, which brings it"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise StepFailedError(
                f"`{name} {shlex.join(command[1:4])} ...` took longer than {timeout:.0f} seconds"
            ) from error
        if done.returncode != 0:
            said = (done.stderr or "") + done.stdout
            raise StepFailedError(
                f"`{name} {shlex.join(command[1:5])}` ended with exit code {done.returncode}", said
            )
        return done.stdout

    def until(self, what: str, look: Callable[[], T | None], timeout: float) -> T:
        """Look again until there is an answer.

        Raises:
            StepFailedError: There was none in that many seconds.
        """
        deadline = time.monotonic() + timeout
        while (found := look()) is None:
            if time.monotonic() > deadline:
                raise StepFailedError(f"{what}: not within {timeout:.0f} seconds")
            time.sleep(0.3)
        return found

    def fail(self, error: StepFailedError) -> None:
        """Say what went wrong."""
        self.console.print()
        self.console.print(Text(f"The demo stopped: {error.message}", style="bold red"))
        if error.detail:
            self.console.print(Text(error.detail, style="dim"))
        self.console.print("See what is wrong with the installation: leeward doctor")


def make_stage() -> Stage:
    """The terminal of this process, and the programs of this checkout."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=PLAIN_WIDTH)
    return Stage(
        console=console,
        programs=Path(sys.executable).parent,
        began=time.monotonic(),
        context=os.environ.get("KUBE_CONTEXT") or None,
    )
