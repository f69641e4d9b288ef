"""How much the diagnosis depends on its thresholds: each is moved by a quarter, both ways.

Nothing is trained: the evidence of the runs of `autofix bench` is ranked anew.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from json import loads
from pathlib import Path
from typing import Any, NamedTuple

from autofix import causes
from autofix.benchmarks import lines, measures, summary
from autofix.benchmarks.faults import judging
from autofix.evidence import Evidence

FACTORS = (0.75, 1.25)

LARGEST_CHANGE = 0.05
"""A share of right answers that hangs on one threshold by more than this is tuned to it."""

Rank = Callable[[Evidence, Any], Sequence[Any]]

Causes = Sequence[Sequence[str]]
"""For each planted fault, the causes any of which is a right answer."""


class Moved(NamedTuple):
    """What the ranks are worth with one threshold moved.

    Args:
        field: Name of the threshold; empty for all as they are.
        factor: What it is multiplied by.
        first: Share of the runs whose true cause is ranked first.
        three: Share of the runs whose true cause is among the first three.
    """

    field: str
    factor: float
    first: float
    three: float


def moved_thresholds(thresholds: Any) -> list[tuple[str, float, Any]]:
    """The thresholds as they are, and with each number moved by each factor: name, factor, thresholds.

    Whole numbers stay whole and move by at least 1.

    Args:
        thresholds: A frozen dataclass of numbers.
    """
    moved = [("", 1.0, thresholds)]
    for field in dataclasses.fields(thresholds):
        value = getattr(thresholds, field.name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        for factor in FACTORS:
            other = value * factor
            if isinstance(value, int):
                other = math.floor(other) if factor < 1.0 else math.ceil(other)
            moved.append((field.name, factor, dataclasses.replace(thresholds, **{field.name: other})))
    return moved


def with_evidence(results: measures.Results) -> list[tuple[Causes, Evidence]]:
    """True causes and evidence of each run by evidence that kept it and whose program is broken."""
    return [
        (record["causes"], Evidence.from_dict(evidence))
        for record in results.on_broken("autofix").values()
        if not record["error"] and (evidence := loads(record.get("evidence", "null")))
    ]


def replay(runs: Sequence[tuple[Causes, Evidence]], thresholds: Any, rank: Rank) -> tuple[float, float]:
    """The shares of runs whose true cause is first, and among the first three."""
    judged = [
        judging.ranks(causes, [finding.cause for finding in rank(evidence, thresholds)]) for causes, evidence in runs
    ]
    n = max(1, len(judged))
    return sum(first for first, _ in judged) / n, sum(three for _, three in judged) / n


def sweep(runs: Sequence[tuple[Causes, Evidence]], thresholds: Any, rank: Rank) -> list[Moved]:
    """The shares with each threshold moved; the first entry has all as they are."""
    return [Moved(name, factor, *replay(runs, moved, rank)) for name, factor, moved in moved_thresholds(thresholds)]


def largest_change(moved: Sequence[Moved]) -> float:
    """The largest change of a share by any move."""
    before = moved[0]
    changes = [max(abs(one.first - before.first), abs(one.three - before.three)) for one in moved[1:]]
    return max(changes, default=0.0)


def main(folder: Path) -> int:
    """Ranks the evidence of every run anew with each threshold moved, and prints the shares of right answers.

    Args:
        folder: What `autofix bench --out` wrote.

    Returns:
        The exit code: 1 when a threshold matters too much, 2 when the folder holds no evidence.
    """
    runs = with_evidence(measures.Results.of(lines.read_all(folder)))
    if not runs:
        wanted = "Expected a folder of `autofix bench --suite planted --out DIR`"
        summary.console.print(f"No evidence. {wanted}. Received: {folder}", soft_wrap=True)
        return 2
    moved = sweep(runs, causes.Thresholds(), causes.rank)
    rows = [(one.field or "as they are", f"{one.factor:.2f}", f"{one.first:.3f}", f"{one.three:.3f}") for one in moved]
    columns = ("threshold", "times", "first", "first three")
    summary.print_table(f"True causes found in {len(runs)} runs, one threshold moved", columns, rows)
    change = largest_change(moved)
    check = summary.Check(
        "largest change of a share", f"at most {LARGEST_CHANGE}", f"{change:.3f}", change <= LARGEST_CHANGE
    )
    return summary.print_checks([check])
