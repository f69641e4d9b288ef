"""How long repairs and verdicts take, over the trainings and searches that they are compared with."""

import math
from collections.abc import Iterable

from autofix.benchmarks import measures
from autofix.benchmarks.faults import judging
from autofix.benchmarks.faults.judging import Record
from autofix.benchmarks.measures import Results


def seconds_to_repair(record: Record) -> float:
    """Seconds until the best so far of a search, by its own validation rows, was as good as a repair; else infinity.

    That is before the search can know: it goes on until its budget is used.

    Args:
        record: One of `Results.on_broken`; without a `curve`, its seconds where it is repaired.
    """
    if record["error"]:
        return math.inf
    if "curve" not in record:
        return float(record["seconds"]) if measures.is_repaired(record) else math.inf
    points = [{**record, **point} for point in record["curve"]]
    return min((float(point["seconds"]) for point in points if judging.is_confirmed(point)), default=math.inf)


def speedups(results: Results, search: str, arm: str = "autofix") -> list[float]:
    """How many times as long a search takes to come to a repair, run by run; infinity where it never does.

    Only runs that the arm repairs: of the others there is no time to compare with.
    """
    others = results.on_broken(search)
    own = {run: record for run, record in results.on_broken(arm).items() if measures.is_repaired(record)}
    return [seconds_to_repair(others[run]) / own[run]["seconds"] for run in own if run in others]


def matched_speedup(results: Results, search: str, arm: str = "autofix") -> float:
    """How many times as long as the arm a search must run everywhere to repair as large a share of the programs.

    Only where it is stopped so late is it worth as much: it cannot know on which programs less would have done.

    Args:
        results: The records.
        search: Name of the arm with a `curve`.
        arm: Name of the arm to compare with.

    Returns:
        Infinity where it never repairs that many; NaN where the arm repairs none of the programs that both ran on.
    """
    mine, theirs = results.on_broken(arm), results.on_broken(search)
    both = [run for run in mine if run in theirs and not mine[run]["error"]]
    n_repaired = sum(measures.is_repaired(mine[run]) for run in both)
    ratios = sorted(seconds_to_repair(theirs[run]) / mine[run]["seconds"] for run in both)
    return ratios[n_repaired - 1] if n_repaired else math.nan


def alone(records: Iterable[Record]) -> list[Record]:
    """The runs of `Results.on_broken` that, as those they are compared with, shared the cores with no other.

    All of them where there are no such.
    """
    every = list(records)
    return [record for record in every if record["workers"] == 1] or every


def over_hand_alone(results: Results, arm: str = "autofix") -> measures.Middle:
    """Wall time over that of the hand-made fix's, of runs that shared the cores with no other if there are any."""
    ran = (record for record in results.on_broken(arm).values() if not record["error"])
    return measures.middle(record["seconds"] / record["healthy_seconds"] for record in alone(ran))


def over_plain(results: Results, arm: str = "autofix") -> list[float]:
    """Of the unlearnable programs: wall time over that of `model.fit`."""
    plain = results.of_arm("nothing", ("unlearnable",))
    return [
        record["seconds"] / plain[run]["seconds"]
        for run, record in results.of_arm(arm, ("unlearnable",)).items()
        if run in plain and not record["error"] and not plain[run]["error"]
    ]
