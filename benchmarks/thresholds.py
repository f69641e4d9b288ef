"""How much the diagnosis depends on its thresholds: each is moved by a quarter, both ways.

Nothing is trained: the evidence of every run of `diagnosis --json` is ranked anew.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from json import loads
from pathlib import Path
from typing import Any, NamedTuple

from autofix import causes
from autofix.benchmarks import lines, summary
from autofix.benchmarks.faults import judging, scores
from autofix.benchmarks.faults.catalogue import true_causes
from autofix.evidence import Evidence

FACTORS = (0.75, 1.25)

LARGEST_CHANGE = 0.05
"""A share of right answers that hangs on one threshold by more than this is tuned to it."""

Rank = Callable[[Evidence, Any], Sequence[Any]]


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


def with_evidence(records: Sequence[dict[str, Any]]) -> list[tuple[tuple[tuple[str, ...], ...], Evidence]]:
    """True causes and evidence of each run by evidence that kept it and whose program is broken."""
    return [
        (true_causes(record["fault"]), Evidence.from_dict(evidence))
        for record in scores.counted(records)
        if record["order"] == "evidence" and not record["error"] and (evidence := loads(record["evidence"]))
    ]


def replay(runs: Sequence[tuple[Any, Evidence]], thresholds: Any, rank: Rank) -> tuple[float, float]:
    """The shares of runs whose true cause is first, and among the first three."""
    judged = [
        judging.ranks(causes, [finding.cause for finding in rank(evidence, thresholds)]) for causes, evidence in runs
    ]
    n = max(1, len(judged))
    return sum(first for first, _ in judged) / n, sum(three for _, three in judged) / n


def sweep(runs: Sequence[tuple[Any, Evidence]], thresholds: Any, rank: Rank) -> list[Moved]:
    """The shares with each threshold moved; the first entry has all as they are."""
    return [Moved(name, factor, *replay(runs, moved, rank)) for name, factor, moved in moved_thresholds(thresholds)]


def largest_change(moved: Sequence[Moved]) -> float:
    """The largest change of a share by any move."""
    before = moved[0]
    changes = [max(abs(one.first - before.first), abs(one.three - before.three)) for one in moved[1:]]
    return max(changes, default=0.0)


def main(json: Path) -> int:
    """Ranks the evidence of every run anew with each threshold moved, and prints the shares of right answers.

    Args:
        json: What `diagnosis --json` wrote.

    Returns:
        The exit code: 1 when a threshold matters too much, 2 when the file holds no evidence.
    """
    runs = with_evidence([record for record in lines.read(json) if record.get("kind") == "diagnosis"])
    if not runs:
        summary.console.print(f"No evidence. Expected a file of `diagnosis --json`. Received: {json}", soft_wrap=True)
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
