"""What the records of the diagnosis benchmark add up to. Pure functions of records as JSON knows them."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from autofix.benchmarks import summary
from autofix.benchmarks.faults import judging
from autofix.benchmarks.faults.catalogue import right_fixes, true_causes
from autofix.benchmarks.faults.judging import Judged, is_broken

Record = dict[str, Any]

FOUND, FIRST, THREE, REPAIRED, RIGHT = 0.98, 0.85, 0.97, 0.95, 0.85
"""Least shares: collapse found, true cause first, among the first three, repaired, smallest fix right."""

MOST_TRIALS = 0.5
"""Trials of the evidence order over those of another, at most."""


def judge(record: Record) -> Judged:
    """Judges the record of one run; one that ended in an error has nothing right."""
    return judging.judge(record, true_causes(record["fault"]), right_fixes(record["fault"]))


def counted(records: Iterable[Record]) -> list[Record]:
    """The runs that count: those whose program is broken from this seed, and those that failed."""
    return [record for record in records if record["error"] or is_broken(record)]


def time_ratios(records: Iterable[Record]) -> list[float]:
    """Wall time of `autofix.fit` over that of `model.fit` on the same broken program."""
    return [record["seconds"] / record["plain_seconds"] for record in records if not record["error"]]


def trial_ratio(records: Sequence[Record], order: str, other: str) -> float:
    """Trials of one order over those of another, over the cases that were run with both; NaN without any."""
    trials: dict[str, dict[tuple[Any, ...], int]] = {order: {}, other: {}}
    for record in records:
        if record["order"] in trials and not record["error"]:
            trials[record["order"]][record["fault"], record["base"], record["seed"]] = record["n_trials"]
    both = trials[order].keys() & trials[other].keys()
    total = sum(trials[other][key] for key in both)
    return sum(trials[order][key] for key in both) / total if total else math.nan


def table(records: Sequence[Record], by: Callable[[Record], str]) -> list[tuple[str, ...]]:
    """A row of shares for each group of runs, and one for all of them.

    Args:
        records: Of one order.
        by: The name of the group that a record belongs to.
    """
    groups: dict[str, list[Record]] = {}
    for record in counted(records):
        groups.setdefault(by(record), []).append(record)
    rows = [_row(name, groups[name]) for name in sorted(groups)]
    return [*rows, _row("in total", [record for group in groups.values() for record in group])]


COLUMNS = ("", "runs", "found", "first", "first 3", "repaired", "said so", "right fix", "trials", "time", "verdicts")


def _row(name: str, records: Sequence[Record]) -> tuple[str, ...]:
    judged = [judge(record) for record in records]
    shares = [
        f"{sum(getattr(one, field) for one in judged) / max(1, len(judged)):.2f}"
        for field in ("found", "first", "three", "repaired", "said_repaired", "right")
    ]
    trials = summary.quartiles(record["n_trials"] for record in records if not record["error"]).median
    time = summary.quartiles(time_ratios(records)).median
    verdicts = summary.counted(record.get("verdict", "error") for record in records)
    return name, str(len(records)), *shares, f"{trials:.0f}", f"{time:.1f}", verdicts


def checks(records: Sequence[Record]) -> list[summary.Check]:
    """The floors beside what was measured with the order by evidence, and its trials beside those of other orders."""
    own = counted(record for record in records if record["order"] == "evidence")
    judged = [judge(record) for record in own]
    found = []
    for field, title, share in (
        ("found", "collapse found", FOUND),
        ("first", "true cause first", FIRST),
        ("three", "true cause among the first three", THREE),
        ("repaired", "repaired, with the skill of a healthy program", REPAIRED),
        ("right", "the smallest fix undoes what was planted", RIGHT),
    ):
        count = sum(getattr(one, field) for one in judged)
        found.append(summary.count_check(title, count, len(own), least=summary.at_least(share, len(own))))
    for other in sorted({record["order"] for record in records} - {"evidence"}):
        ratio = trial_ratio(records, "evidence", other)
        title = f"trials by evidence over trials by {other}"
        found.append(summary.Check(title, f"at most {MOST_TRIALS}", f"{ratio:.2f}", ratio <= MOST_TRIALS))
    return found
