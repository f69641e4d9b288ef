"""What is said while a run goes on: lines beside Keras' own, and a live display while a repair is searched for."""

import contextlib
import functools
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Concatenate, ParamSpec

from autofix.monitoring.progress import SMALLER, Progress, Rung, three_decimals
from autofix.report.records import Finding, Reference, RunRecord, TrialRecord
from autofix.scoring.assess import Assessment

if TYPE_CHECKING:
    from autofix.monitoring.display import Screen

LOGGER = logging.getLogger("autofix")

NAME = "autofix: "
"""Begins every line, so that it is told apart from Keras' own."""

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
        except Exception:
            self.verbose = 0
            LOGGER.info("Progress cannot be shown; nothing more of it is.", exc_info=True)
            self._abandon()

    return safe


class Console:
    """Tells what happens, beside Keras' own lines on stdout. No method ever raises.

    Args:
        verbose: As in Keras: 0 says nothing; 1 draws a search live on a terminal or in a notebook; 2 prints plain
            lines; `"auto"` counts as 1. Where stdout is neither, lines are always plain.

    Example:

    >>> console = Console(verbose=2)
    >>> with console.search("After epoch 2: predictions are constant."):
    ...     console.rung(1, ["standardize_inputs"])
    autofix: After epoch 2: predictions are constant.
    autofix: rung 1: + standardize_inputs, 0 trials, 0.0 s
    """

    def __init__(self, verbose: int | str = "auto") -> None:
        self.verbose = 1 if verbose == "auto" else int(verbose)
        self._progress: Progress | None = None
        self._screen: Screen | None = None

    @_never_raises
    def look(self, epoch: int, heads: Sequence[Assessment]) -> None:
        """Says what the watch has seen, in a line.

        Args:
            epoch: Counted from 1.
            heads: One assessment an output.
        """
        named = len(heads) > 1
        seen = [f"{f'{head.output_name} ' if named else ''}{_seen(head)}" for head in heads]
        if seen:
            self._print(f"epoch {epoch}: {'; '.join(seen)}")

    @contextlib.contextmanager
    def search(self, suspicion: str) -> Iterator[None]:
        """Shows what happens inside as one search; the terminal is given back however that ends.

        Args:
            suspicion: What was seen, as a sentence.
        """
        self._begin(suspicion)
        try:
            yield
        finally:
            self._end()

    @_never_raises
    def reference(self, references: Sequence[Reference]) -> None:
        """Shows what the reference learners reach.

        Args:
            references: Best first.
        """
        if self._progress is not None and references:
            self._progress.reference = best = references[0]
            self._update(f"reference: {best.name}, skill {three_decimals(best.skill)}")

    @_never_raises
    def cause(self, findings: Sequence[Finding]) -> None:
        """Shows the likeliest cause.

        Args:
            findings: Likeliest first.
        """
        if self._progress is not None and findings:
            self._progress.cause = first = findings[0]
            self._update(f"likely cause: {first.cause} ({first.confidence:.0%}): {first.evidence}")

    @_never_raises
    def rung(self, index: int, strategies: Sequence[str]) -> None:
        """Starts the row of a rung, and ends the one before; a rung that has its row goes on with it.

        Args:
            index: 0 for the control arm.
            strategies: Names of those in play.
        """
        if self._progress is not None:
            rung = self._take_up(index, "control" if index == 0 else "no change")
            self._progress.named(rung, strategies)
            self._update()

    @_never_raises
    def trial(self, record: TrialRecord) -> None:
        """Counts a finished trial.

        Args:
            record: What it reached. One that drops remedies of a repair has a row of its own with its likes.
        """
        if self._progress is None:
            return
        if record.status in ("minimal", "not minimal"):
            self._take_up(None, SMALLER)
        if (rung := self._progress.rung) is not None:
            rung.add(record)
        self._update()

    @_never_raises
    def outcome(self, text: str) -> None:
        """Says how the search ended, in a sentence."""
        if self._progress is not None:
            self._end_rung()
            self._progress.outcome = text
            self._update(text)

    @_never_raises
    def verdict(self, record: RunRecord) -> None:
        """Says how the whole run ended.

        Args:
            record: Of the run, with its seconds.
        """
        self._print(f"{record.verdict}{_gain(record)}, {record.seconds.get('total', 0.0):.1f} s in all")
        for line in record.recipe.code().splitlines():
            self._print(line, before="    ")  # to be copied from here

    @_never_raises
    def _begin(self, suspicion: str) -> None:
        self._progress = Progress(suspicion)
        if self.verbose == 1 and sys.stdout is not None:
            # rich costs a tenth of a second to import, and most runs never escalate.
            from autofix.monitoring import display

            self._screen = display.open_screen(self._progress)
        if self._screen is None:
            self._print(suspicion)

    @_never_raises
    def _end(self) -> None:
        self._end_rung()
        screen, self._screen, self._progress = self._screen, None, None
        if screen is not None:
            screen.close()

    def _take_up(self, index: int | None, label: str) -> Rung:
        """The row to go on with, or a new one."""
        assert self._progress is not None
        rung = self._progress.rung
        if rung is None or rung.index != index:
            self._end_rung()
            rung = Rung(index, label)
            self._progress.rungs.append(rung)
        return rung

    def _end_rung(self) -> None:
        rung = None if self._progress is None else self._progress.rung
        if rung is not None:
            rung.end()
            self._update(_line(rung))

    def _update(self, line: str = "") -> None:
        """Draws the search anew, or prints what is new where there is no drawing."""
        if self._screen is not None:
            self._screen.update()
        elif line:
            self._print(line)

    def _abandon(self) -> None:
        """Gives the terminal back after an error."""
        screen, self._screen = self._screen, None
        if screen is not None:
            from autofix.monitoring import display

            display.closed(screen)

    def _print(self, text: str, before: str = NAME) -> None:
        stream = sys.stdout
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(f"{before}{text}".encode(encoding, "replace").decode(encoding) + "\n")
        stream.flush()


def _seen(head: Assessment) -> str:
    if not head.is_finite:
        return "predictions are not finite"
    return f"spread {three_decimals(head.spread)}, skill {three_decimals(head.skill)}"


def _gain(record: RunRecord) -> str:
    """What a repair has gained, where both ends are numbers."""
    if record.after is None:
        return ""
    pairs = [(one.skill, other.skill) for one, other in zip(record.before, record.after, strict=False)]
    return ": " + "; ".join(
        f"skill {three_decimals(before)} before, {three_decimals(after)} after" for before, after in pairs
    )


def _line(rung: Rung) -> str:
    best = "" if rung.best is None else f", best skill {three_decimals(rung.best.skill)}"
    status = f", {rung.status}" if rung.status else ""
    return f"{rung.name}, {rung.trials} trial{'' if rung.trials == 1 else 's'}{best}{status}, {rung.elapsed_s:.1f} s"
