"""What the records of the diagnosis benchmark add up to. Pure functions of records as JSON knows them."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from autofix.benchmarks import summary
from autofix.benchmarks.faults.catalogue import right_fixes, true_causes

Record = dict[str, Any]

SHORT_OF_HEALTHY = 0.3
"""A program counts as broken for a seed when its skill is below this share of the healthy program's."""

AS_GOOD_AS_HEALTHY = 0.9
"""A repair counts when it reaches this share of the healthy program's skill."""

FIRST_OF_SINGLE, FIRST_OF_PAIR = 1, 4
"""Places among which the cause of a single fault, or both causes of a pair, must be."""

FIRST_THREE = 3

FOUND, FIRST, THREE, REPAIRED, RIGHT = 0.98, 0.85, 0.97, 0.95, 0.85
"""Least shares: collapse found, true cause first, among the first three, repaired, smallest fix right."""

MOST_TRIALS = 0.5
"""Trials of the evidence order over those of another, at most."""


class Judged(NamedTuple):
    """One run, judged.

    Args:
        found: The verdict is anything but healthy.
        first: A true cause is ranked first; of a pair one of either, with both among the first four.
        three: A true cause is among the first three; of a pair, as `first`.
        repaired: The verdict is repaired, and fresh rows confirm a skill near that of the healthy program.
        said_repaired: The verdict is repaired.
        right: The fix undoes exactly what was planted.
    """

    found: bool
    first: bool
    three: bool
    repaired: bool
    said_repaired: bool
    right: bool


def number(value: float | None) -> float:
    """A number as JSON knows it; those that are not finite are written as None: NaN."""
    return math.nan if value is None else value


def is_broken(record: Record) -> bool:
    """Whether plain `model.fit` fell far short of the healthy program from this seed.

    Example:

    >>> is_broken({"plain_skill": 0.1, "healthy_skill": 0.9}), is_broken({"plain_skill": 0.8, "healthy_skill": 0.9})
    (True, False)
    """
    return not number(record["plain_skill"]) >= SHORT_OF_HEALTHY * number(record["healthy_skill"])


def ranks(causes: Sequence[Sequence[str]], ranking: Sequence[str]) -> tuple[bool, bool]:
    """Whether the true causes come first, and whether they are among the first three.

    Args:
        causes: For each planted fault, the causes any of which is a right answer.
        ranking: What was found, likeliest first.

    Example:

    >>> ranks([["dead_units"]], ["unscaled_inputs", "dead_units"])
    (False, True)
    >>> ranks([["dead_units"], ["unscaled_inputs"]], ["unscaled_inputs", "frozen_weights", "dead_units"])
    (True, True)
    """
    places = [min((ranking.index(cause) for cause in one if cause in ranking), default=len(ranking)) for one in causes]
    missing = len(ranking)
    if len(places) == 1:
        return places[0] < min(FIRST_OF_SINGLE, missing), places[0] < min(FIRST_THREE, missing)
    both = min(places) == 0 and max(places) < min(FIRST_OF_PAIR, missing)
    return both, both


def is_right(strategies: Iterable[str], fixes: Iterable[frozenset[str]], *, is_pair: bool) -> bool:
    """Whether a fix is one of the right ones; of a pair also a part of one, where that suffices.

    Example:

    >>> is_right(["reshuffle"], [frozenset({"reshuffle"})], is_pair=False)
    True
    """
    chosen = frozenset(strategies)
    return bool(chosen) and any(chosen == one or (is_pair and chosen < one) for one in fixes)


def judge(record: Record) -> Judged:
    """Judges the record of one run; one that ended in an error has nothing right."""
    if record["error"]:
        return Judged(*[False] * len(Judged._fields))
    causes = true_causes(record["fault"])
    first, three = ranks(causes, [finding[0] for finding in record["findings"]])
    said = record["verdict"] == "repaired"
    near = number(record["skill"]) >= AS_GOOD_AS_HEALTHY * number(record["healthy_skill"])
    confirmed = near and number(record["skill_lower"]) > 0.0
    right = is_right(record["strategies"], right_fixes(record["fault"]), is_pair=len(causes) > 1)
    return Judged(record["verdict"] != "healthy", first, three, said and confirmed, said, said and right)


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
