"""The figures of a report: numbers computed from the record of a run, and nothing of how they are drawn."""

import difflib

from autofix.errors import ArgumentError
from autofix.report.figures import (
    features,
    ladder,
    layers,
    losses,
    predictions,
    progress,
    references,
    roc,
    time_spent,
)
from autofix.report.figures.marks import Picture
from autofix.report.records import RunRecord

FIGURES = {
    "predictions": predictions.draw,
    "roc": roc.draw,
    "progress": progress.draw,
    "losses": losses.draw,
    "trials": ladder.draw,
    "references": references.draw,
    "features": features.draw,
    "layers": layers.draw,
    "time": time_spent.draw,
}
"""What computes each kind of figure, in the order of the page."""


def picture(record: RunRecord, kind: str) -> Picture:
    """A figure of a run.

    Args:
        record: Of the run.
        kind: One of `FIGURES`.

    Raises:
        ArgumentError: There is no such kind, or this run has nothing to show in it.

    Example:

    >>> picture(RunRecord("healthy", seconds={"looks": 0.1, "total": 2.0}), "time").title
    'Time spent'
    """
    if kind not in FIGURES:
        close = difflib.get_close_matches(str(kind), FIGURES, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else "Pass one of them."
        raise ArgumentError(f"Unknown kind of figure. Expected one of {list(FIGURES)}. Received: kind={kind!r}. {hint}")
    found = FIGURES[kind](record)
    if found is None:
        known = [one.kind for one in pictures(record)]
        raise ArgumentError(
            f"This run has nothing to show in that figure. Expected one of {known}. Received: kind={kind!r}. "
            f"A run with the verdict {record.verdict!r} leaves out what was not measured."
        )
    return found


def pictures(record: RunRecord) -> list[Picture]:
    """The figures of a run that have something to show, in the order of the page."""
    return [found for draw in FIGURES.values() if (found := draw(record)) is not None]
