"""What is asked of autofix, beside what was measured."""

import math

from autofix.benchmarks import durations, measures, summary
from autofix.benchmarks.measures import ArmFigures, Middle, Results

FLOOR_REPAIRED, FLOOR_REPAIRED_LOWER = 0.95, 0.93
FLOOR_FOUND, FLOOR_FIRST, FLOOR_THREE, FLOOR_RIGHT = 0.98, 0.85, 0.97, 0.85
"""Shares of the broken runs: collapse found, true cause first, among the first three, smallest fix right."""

MOST_FALSE_REPAIRS = 0.02
MOST_TRIALS = 0.5
"""Trials of the order by evidence over those of another, in total."""

MOST_TIME_IN_VAIN = 2.0
"""Wall time over that of `model.fit`, which it contains, where there is nothing to learn: the verdict takes no longer
than the training itself."""

MOST_TIME = 1.5
"""Wall time over that of the hand-made fix's own `model.fit`, at the median."""

LEAST_SPEEDUP = 10.0
"""Over the searches of KerasTuner, at the same repaired share."""


def checks(results: Results) -> list[summary.Check]:
    """What is asked of autofix, beside what was measured."""
    own = measures.figures_of(results, "autofix")
    return [
        *_broken_checks(own, durations.over_hand_alone(results)),
        *_control_checks(own, results),
        *_comparisons(results),
    ]


def _broken_checks(own: ArmFigures, time: Middle) -> list[summary.Check]:
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
    title = "wall time over the hand-made fix's, run by run alone"
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
    if ratios := durations.over_plain(results):
        n_in_time = sum(ratio <= MOST_TIME_IN_VAIN for ratio in ratios)
        found.append(
            summary.Check(
                "unlearnable: wall time over model.fit's",
                f"at most {MOST_TIME_IN_VAIN:g}, all",
                f"{n_in_time} of {len(ratios)}, longest {max(ratios):.2f}",
                n_in_time == len(ratios),
            )
        )
    return found


def _comparisons(results: Results) -> list[summary.Check]:
    """Fewer trials than in other orders, and less time than searches that know nothing of causes."""
    found = []
    for order in measures.ORDERS:
        if not math.isnan(ratio := measures.trial_ratio(results, order)):
            title = f"trials over those of {measures.TITLES[order]}"
            found.append(summary.Check(title, f"at most {MOST_TRIALS:g}", f"{ratio:.2f}", ratio <= MOST_TRIALS))
    for search in measures.SEARCHES:
        if not math.isnan(faster := durations.matched_speedup(results, search)):
            title = f"time to the same repaired share, {measures.TITLES[search]} over autofix"
            found.append(summary.Check(title, f"at least {LEAST_SPEEDUP:g}", f"{faster:.3g}", faster >= LEAST_SPEEDUP))
    return found
