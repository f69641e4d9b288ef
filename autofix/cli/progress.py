"""What is shown of a run while it goes on: on a terminal a bar, elsewhere a line a finished job."""

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from autofix.cli.conventions import LOGGER, is_quiet
from autofix.jobs.problems import one_line
from autofix.jobs.record import JobRecord
from autofix.jobs.running import Listener
from autofix.jobs.summary import note

if TYPE_CHECKING:
    from rich.progress import Progress

MOST_NAMES = 4
"""Running jobs that the bar names."""

REFRESHES_PER_S = 4
"""Of the bar. It costs the cores that train next to nothing."""


class Lines(Listener):
    """A line on stderr for each job that ends."""

    def begun(self, n_jobs: int, ended: Sequence[JobRecord]) -> None:
        if ended:
            LOGGER.info("%d of %d jobs have ended before", len(ended), n_jobs)

    def started(self, name: str) -> None:
        LOGGER.debug("%s: started", one_line(name))

    def retried(self, name: str, reason: str) -> None:
        LOGGER.warning("%s: its process %s; trying again", one_line(name), reason)

    def ended(self, record: JobRecord) -> None:
        LOGGER.info("%s", line(record))

    def unwritten(self, what: str, error: OSError) -> None:
        LOGGER.error(
            "%s cannot be written (%s). Make room in the run folder, and give the same command again.",
            one_line(what),
            error,
        )


class Bar(Lines):
    """The same, above a bar that says how far the run is.

    Args:
        progress: Shows the bar.
    """

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._task: Any = None
        self._running: dict[str, float] = {}

    def begun(self, n_jobs: int, ended: Sequence[JobRecord]) -> None:
        super().begun(n_jobs, ended)
        self._task = self._progress.add_task("starting workers", total=n_jobs, completed=len(ended))

    def started(self, name: str) -> None:
        super().started(name)
        self._running[name] = time.monotonic()
        self._show()

    def ended(self, record: JobRecord) -> None:
        super().ended(record)
        self._running.pop(record.name, None)
        self._progress.advance(self._task)
        self._show()

    def _show(self) -> None:
        names = [one_line(name) for name in self._running]
        more = [f"and {len(names) - MOST_NAMES} more"] if len(names) > MOST_NAMES else []
        self._progress.update(self._task, description=", ".join([*names[:MOST_NAMES], *more]) or "waiting")


def line(record: JobRecord) -> str:
    """What became of a job, in a line.

    Example:

    >>> line(JobRecord("churn", "", "repaired", strategies=("reshuffle",), skill=0.9713, seconds=12.34))
    'churn: repaired by reshuffle, skill 0.971, 12.3 s'
    """
    by = f" by {' + '.join(record.strategies)}" if record.strategies else ""
    skill = "" if record.skill is None else f", skill {record.skill:.3f}"
    why = f" ({note(record)})" if note(record) else ""
    return one_line(f"{record.name}: {record.status.replace('_', ' ')}{by}{skill}, {record.seconds:.1f} s{why}")


@contextlib.contextmanager
def shown() -> Iterator[Listener]:
    """What shows a run: nothing with `-q`, a bar on a terminal, lines elsewhere."""
    if is_quiet() or not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    console = Console(stderr=True, highlight=False)
    if console.is_dumb_terminal:
        yield Lines()
        return
    # What is logged meanwhile goes above the bar: rich stands in for sys.stderr.
    with Progress(
        *columns, console=console, transient=True, refresh_per_second=REFRESHES_PER_S, redirect_stdout=False
    ) as progress:
        yield Bar(progress)
