"""What is known of a search while it runs, as plain data: the console fills it, the display draws it."""

import dataclasses
import math
import time
from collections.abc import Sequence

from autofix.report.records import Finding, Reference, TrialRecord

SMALLER = "recipes with fewer changes"
"""Label of the trials that drop remedies of the repair that was found."""

WON = ("minimal", "accepted", "sufficient", "proven")
"""The statuses of trials that say that a rung got there, the best first."""


def three_decimals(value: float) -> str:
    """A skill as it is shown; a rounded zero has no sign."""
    return f"{value:.3f}".replace("-0.000", "0.000")


@dataclasses.dataclass
class Rung:
    """One row of the ladder.

    Args:
        index: 0 for the control arm; None for the trials that only drop remedies.
        label: What it is called after: `"control"`, or the strategies that it adds.
        started: When, by `time.perf_counter`.
        seconds: Wall time; None while it runs.
        trials: How many have finished.
        best: The one with the highest skill, None without any.
        status: Best of `WON` among its trials; empty where none got there.
    """

    index: int | None
    label: str
    started: float = dataclasses.field(default_factory=time.perf_counter)
    seconds: float | None = None
    trials: int = 0
    best: TrialRecord | None = None
    status: str = ""

    @property
    def name(self) -> str:
        """How the row is called: `"rung 1: reshuffle"`."""
        return self.label if self.index is None else f"rung {self.index}: {self.label}"

    @property
    def elapsed_s(self) -> float:
        """Seconds until its end, or until now."""
        return time.perf_counter() - self.started if self.seconds is None else self.seconds

    def add(self, record: TrialRecord) -> None:
        """Counts a finished trial."""
        self.trials += 1
        if not math.isnan(record.skill) and (self.best is None or record.skill > self.best.skill):
            self.best = record
        self.status = next((status for status in WON if status in (self.status, record.status)), "")

    def end(self) -> None:
        """Stops its clock."""
        self.seconds = self.elapsed_s


@dataclasses.dataclass
class Progress:
    """One search, from the suspicion on.

    Args:
        suspicion: What was seen, as a sentence.
        cause: The likeliest cause, None until it is known.
        reference: The best reference learner, None until it is known, or without one.
        rungs: Those begun so far, in order.
        outcome: How it ended, as a sentence; empty while it runs.
        started: When, by `time.perf_counter`.
        known: The strategies of the rungs begun so far.
    """

    suspicion: str
    cause: Finding | None = None
    reference: Reference | None = None
    rungs: list[Rung] = dataclasses.field(default_factory=list)
    outcome: str = ""
    started: float = dataclasses.field(default_factory=time.perf_counter)

    known: list[str] = dataclasses.field(default_factory=list)

    @property
    def rung(self) -> Rung | None:
        """The one that runs, or None."""
        return self.rungs[-1] if self.rungs and self.rungs[-1].seconds is None else None

    def named(self, rung: Rung, strategies: Sequence[str]) -> None:
        """Calls a rung after the strategies that it adds to those of the rungs before."""
        added = [name for name in strategies if name not in self.known]
        self.known += added
        if added:
            more = " ".join(f"+ {name}" for name in added)
            rung.label = f"{rung.label} {more}" if rung.label.startswith("+ ") else more
        elif strategies and not rung.label.startswith("+ "):
            rung.label = " + ".join(strategies)  # of the rungs before, together

    @property
    def elapsed_s(self) -> float:
        """Seconds since the suspicion."""
        return time.perf_counter() - self.started
