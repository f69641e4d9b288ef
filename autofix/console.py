"""What is said while a run escalates: one line a rung, live on a terminal, plain elsewhere."""

import contextlib
import functools
import math
import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self

from autofix.report.records import TrialRecord

if TYPE_CHECKING:
    from rich.live import Live


P = ParamSpec("P")


def _never_raises(
    method: Callable[Concatenate["Console", P], None],
) -> Callable[Concatenate["Console", P], None]:
    """The method made safe: a line that cannot be shown ends the showing, not the training."""

    @functools.wraps(method)
    def safe(self: "Console", /, *args: P.args, **kwargs: P.kwargs) -> None:
        if self.verbose == 0:
            return
        try:
            method(self, *args, **kwargs)
        except Exception:  # noqa: BLE001 - a closed stdout or a broken terminal must not end a training
            self.verbose = 0
            self._abandon()

    return safe


class Console:
    """Tells what happens, beside Keras' own lines on stdout. No method ever raises.

    Use it as a context manager, so that an interrupted rung gives the terminal back.

    Args:
        verbose: As in Keras: 0 says nothing, 1 keeps a live line a rung on a terminal, 2 prints plain lines;
            `"auto"` counts as 1. Where stdout is no terminal (logs, notebooks) lines are always plain.

    Example:

    >>> with Console(verbose=2) as console:
    ...     console.rung(1, ["standardize_inputs"])
    ...     console.rung_done()
    rung 1: standardize_inputs, 0 trials, 0.0 s
    """

    def __init__(self, verbose: int | str = "auto") -> None:
        self.verbose = 1 if verbose == "auto" else int(verbose)
        self._live: Live | None = None
        self._index = 0
        self._label = ""
        self._trials = 0
        self._best: float | None = None
        self._started: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.rung_done()

    @_never_raises
    def suspicion(self, text: str) -> None:
        """Says that something looks wrong, on a line of its own below Keras' progress bar."""
        self._finish()
        self._print(f"\n{text}")

    @_never_raises
    def rung(self, index: int, strategies: Sequence[str]) -> None:
        """Starts the line of a rung, and ends the one before; a rung that has its line goes on with it.

        Args:
            index: 0 for the control arm.
            strategies: Names of those in play.
        """
        if self._started is not None and index == self._index:
            return
        self._finish()
        self._index = index
        self._label = f"rung {index}: {'control' if index == 0 else ' + '.join(strategies) or 'no change'}"
        self._trials, self._best = 0, None
        self._started = time.perf_counter()
        if self.verbose == 1:
            self._live = _start_live(self._line)

    @_never_raises
    def trial(self, record: TrialRecord) -> None:
        """Counts a finished trial of the rung.

        Args:
            record: What it reached.
        """
        self._trials += 1
        if not math.isnan(record.skill):
            self._best = record.skill if self._best is None else max(self._best, record.skill)
        if self._live is not None:
            self._live.update(_one_line(self._line(self._live.console.width)), refresh=True)

    @_never_raises
    def rung_done(self) -> None:
        """Ends the line of the rung; without one, does nothing."""
        self._finish()

    @_never_raises
    def verdict(self, text: str) -> None:
        """Says how it ended, in one line or a whole report."""
        self._finish()
        self._print(text)

    def _line(self, width: int | None = None) -> str:
        """What there is to say of the rung; where it must fit, its strategies are cut short, not its numbers."""
        elapsed = 0.0 if self._started is None else time.perf_counter() - self._started
        best = "" if self._best is None else f", best skill {self._best:.3f}"
        numbers = f", {self._trials} trial{'' if self._trials == 1 else 's'}{best}, {elapsed:.1f} s"
        room = len(self._label) if width is None else max(width - len(numbers), 10)
        label = self._label if len(self._label) <= room else f"{self._label[: room - 3]}..."
        return label + numbers

    def _finish(self) -> None:
        if self._started is None:
            return
        if self._live is None:
            self._print(self._line())
        else:
            live, self._live = self._live, None
            live.update(_one_line(self._line(live.console.width)))
            live.stop()
        self._started = None

    def _abandon(self) -> None:
        """Gives the terminal back after an error."""
        live, self._live = self._live, None
        if live is not None:
            with contextlib.suppress(Exception):
                live.stop()

    def _print(self, text: str) -> None:
        stream = sys.stdout
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        stream.flush()


def _start_live(line: Callable[[int], str]) -> "Live | None":
    """A running live line, or None where stdout cannot show one."""
    if not sys.stdout.isatty():
        return None
    # rich costs a tenth of a second to import, and most runs never escalate.
    from rich.console import Console as Terminal
    from rich.live import Live

    terminal = Terminal(file=sys.stdout, highlight=False)
    if not terminal.is_terminal or terminal.is_dumb_terminal:
        return None
    # Refreshed by hand: a refreshing thread could raise outside of every guard here.
    live = Live(_one_line(line(terminal.width)), console=terminal, auto_refresh=False)
    live.start(refresh=True)
    return live


def _one_line(line: str) -> Any:
    """The text for rich, as it is: brackets are no markup, and what is too long is cut off."""
    from rich.text import Text

    return Text(line, no_wrap=True, overflow="crop")
