"""What is asked of autofix, beside what was measured."""

import math

import numpy as np

from autofix.benchmarks import measures, summary
from autofix.benchmarks.measures import ArmFigures, Results

FLOOR_REPAIRED, FLOOR_REPAIRED_LOWER = 0.95, 0.93
FLOOR_FOUND, FLOOR_FIRST, FLOOR_THREE, FLOOR_RIGHT = 0.98, 0.85, 0.97, 0.85
"""Shares of the broken runs: collapse found, true cause first, among the first three, smallest fix right."""

MOST_FALSE_REPAIRS = 0.02
MOST_TRIALS = 0.5
"""Trials of the order by evidence over those of another, in total."""

MOST_TIME_BEYOND = 1.0
"""The rest of that time over `model.fit`'s, at the median and at `HIGH_SHARE`."""

HIGH_SHARE = 0.95

MOST_TIME = 1.5
"""Wall time over that of the hand-made fix's own `model.fit`, at the median."""

LEAST_SPEEDUP = 10.0
"""Over the searches of KerasTuner, at the same repaired share."""


def checks(results: Results) -> list[summary.Check]:
    """What is asked of autofix, beside what was measured."""
    own = measures.figures_of(results, "autofix")
    return [*_broken_checks(own), *_control_checks(own, results), *_comparisons(results)]


def _broken_checks(own: ArmFigures) -> list[summary.Check]:
    """On the broken programs: is the collapse found, named and repaired, and in what time?"""
    if not own.repaired.n:
        return []
    reached = own.repaired.value >= FLOOR_REPAIRED and own.repaired.lower >= FLOOR_REPAIRED_LOWER
    floor = f"at least {FLOOR_REPAIRED:.0%}, lower bound {FLOOR_REPAIRED_LOWER:.0%}"
    shares = (
        ("collapse found", own.found, FLOOR_FOUND),
        ("true cause first", own.first, FLOOR_FIRST),
        ("true cause among the first three", own.three, FLOOR_THREE),
        ("the smallest fix undoes what is wrong", own.right, FLOOR_RIGHT),
    )
    time = own.over_hand
    title = "wall time over the hand-made fix's"
    return [
        summary.Check("repaired", floor, str(own.repaired), reached),
        *(summary.Check(name, f"at least {least:.0%}", str(one), one.value >= least) for name, one, least in shares),
        summary.Check(title, f"median at most {MOST_TIME}", str(time), time.median <= MOST_TIME),
    ]


def _control_checks(own: ArmFigures, results: Results) -> list[summary.Check]:
    """Is nothing made worse, nothing healthy touched, and nothing found where there is nothing?"""
    found = []
    if own.never_worse.n:
        n = own.never_worse.n
        found.append(summary.count_check("never worse than model.fit", own.never_worse.held, n, least=n))
    if own.false_interventions.n:
        interventions = own.false_interventions
        found.append(summary.count_check("false interventions", interventions.held, interventions.n, most=0))
    if own.false_repairs.n:
        n = own.false_repairs.n
        most = summary.at_most(MOST_FALSE_REPAIRS, n)
        found.append(summary.count_check("false repairs", own.false_repairs.held, n, most=most))
    if ratios := measures.time_beyond_floor(results):
        for name, at in (("median", 0.5), (f"{HIGH_SHARE:.0%} quantile", HIGH_SHARE)):
            value = float(np.quantile(ratios, at))
            title = f"unlearnable: time beyond {measures.FLOOR_S:.0f} s over model.fit's, {name}"
            held = value <= MOST_TIME_BEYOND
            found.append(summary.Check(title, f"at most {MOST_TIME_BEYOND:g}", f"{value:.2f}", held))
    return found


def _comparisons(results: Results) -> list[summary.Check]:
    """Fewer trials than in other orders, and less time than searches that know nothing of causes."""
    found = []
    for order in measures.ORDERS:
        if not math.isnan(ratio := measures.trial_ratio(results, order)):
            title = f"trials over those of {measures.TITLES[order]}"
            found.append(summary.Check(title, f"at most {MOST_TRIALS:g}", f"{ratio:.2f}", ratio <= MOST_TRIALS))
    for search in measures.SEARCHES:
        if not math.isnan(faster := measures.matched_speedup(results, search)):
            title = f"time to the same repaired share, {measures.TITLES[search]} over autofix"
            found.append(summary.Check(title, f"at least {LEAST_SPEEDUP:g}", f"{faster:.3g}", faster >= LEAST_SPEEDUP))
    return found
