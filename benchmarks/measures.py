"""What the records of the arms add up to, with confidence intervals over the runs. Pure functions, free of Keras.

A run is an arm on a scenario with one seed. Runs are compared with the plain and the hand-made arm of the same scenario
and seed.
"""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from autofix.benchmarks import summary
from autofix.benchmarks.faults import judging
from autofix.benchmarks.faults.judging import Record, number

NOISE = 0.01
"""A training is worse than plain `model.fit` when its skill is lower by more than this with 95 % confidence over the
fresh rows, of which both find the same ones hard. A hundredth of the constant's loss is no loss worth the name; it is
what the benchmark of the published programs calls noise too."""

LEAST_SKILL = -1.0
"""How far below 0 a useless network lies says nothing, and where it diverged there is no number for it."""

TITLES = {
    "nothing": "model.fit as it is",
    "again": "model.fit, another seed",
    "autofix": "autofix",
    "ladder": "autofix, fixed order",
    "random": "autofix, random order",
    "hand": "fixed by hand",
    "sklearn": "scikit-learn",
    "random_search": "KerasTuner RandomSearch",
    "hyperband": "KerasTuner Hyperband",
    "autokeras": "AutoKeras",
}
"""The arms, in the order of tables and pictures."""

SEARCHES = ("random_search", "hyperband")

ORDERS = ("ladder", "random")
"""The arms of autofix that try strategies in another order than that of the evidence."""

Run = tuple[str, int]
"""A scenario and a seed."""


class Share(NamedTuple):
    """A share of runs with its 95 % interval after Wilson (1927), Probable inference."""

    held: int
    n: int
    lower: float
    upper: float

    @property
    def value(self) -> float:
        """The share; NaN of no runs."""
        return self.held / self.n if self.n else math.nan

    def __str__(self) -> str:
        if not self.n:
            return "-"
        return f"{100 * self.value:.0f} % [{100 * self.lower:.0f}, {100 * self.upper:.0f}]"


def share(flags: Iterable[bool]) -> Share:
    """How many of the flags hold.

    Example:

    >>> print(share([True] * 19 + [False]))
    95 % [76, 99]
    """
    from scipy import stats  # here, because it takes a second, which `--help` need not

    held = list(flags)
    if not held:
        return Share(0, 0, math.nan, math.nan)
    interval = stats.binomtest(sum(held), len(held)).proportion_ci(method="wilson")
    return Share(sum(held), len(held), float(interval.low), float(interval.high))


class Middle(NamedTuple):
    """A median with the 95 % interval of its bootstrap."""

    median: float
    lower: float
    upper: float

    def __str__(self) -> str:
        if math.isnan(self.median):
            return "-"
        return f"{shown(self.median)} [{shown(self.lower)}, {shown(self.upper)}]"


def shown(value: float) -> str:
    """A number with three digits, those before the point all shown.

    Example:

    >>> shown(1234.5), shown(0.12345), shown(float("nan"))
    ('1234', '0.123', '-')
    """
    if math.isnan(value):
        return "-"
    return f"{value:.0f}" if 100.0 <= abs(value) < math.inf else f"{value:.3g}"


def middle(values: Iterable[float]) -> Middle:
    """The median of a sample.

    Example:

    >>> print(middle([2.0, 2.0, 2.0]))
    2 [2, 2]
    """
    sample = [float(value) for value in values]
    if not sample:
        return Middle(math.nan, math.nan, math.nan)
    return Middle(summary.quartiles(sample).median, *summary.median_interval(sample))


@dataclasses.dataclass(frozen=True)
class Results:
    """The records of a benchmark, joined.

    Args:
        records: One a scenario, seed and arm.
    """

    records: dict[tuple[str, int, str], Record]

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Results":
        """Records in the order in which they were written: of several the last, an error only for want of others."""
        joined: dict[tuple[str, int, str], Record] = {}
        for record in records:
            key = (record["scenario"], record["seed"], record["arm"])
            if not record.get("error") or key not in joined or joined[key].get("error"):
                joined[key] = record
        return cls(joined)

    @property
    def arms(self) -> list[str]:
        """Names of the arms that were run, in the order of `TITLES`."""
        ran = {arm for _, _, arm in self.records}
        return [*(arm for arm in TITLES if arm in ran), *sorted(ran - TITLES.keys())]

    def of_arm(self, arm: str, expected: Sequence[str] = ("repaired", "healthy", "unlearnable")) -> dict[Run, Record]:
        """The runs of an arm, failed ones included, on scenarios whose honest verdict is one of these."""
        return {
            (scenario, seed): record
            for (scenario, seed, name), record in self.records.items()
            if name == arm and record["expected"] in expected and "not_run" not in record
        }

    def broken(self) -> dict[Run, Record]:
        """The runs on broken scenarios that count, as figures to compare with.

        Those count whose program falls far short under plain `model.fit` of what the hand-made fix reaches from the
        same seed, and whose hand-made fix has skill for certain.

        Returns:
            `skill`, `seconds` and `cpu_s` of both, as `plain_skill`, `healthy_skill` and so on, and `workers`.
        """
        by_hand = self.of_arm("hand")
        found = {}
        for run, plain in self.of_arm("nothing", ("repaired",)).items():
            hand = by_hand.get(run)
            if hand is None or hand["error"] or plain["error"] or not number(hand["skill_lower"]) > 0.0:
                continue
            beside = {f"plain_{name}": plain[name] for name in ("skill", "seconds", "cpu_s")}
            beside |= {f"healthy_{name}": hand[name] for name in ("skill", "seconds", "cpu_s")}
            beside["workers"] = max(workers(plain), workers(hand))
            if judging.is_broken(beside):
                found[run] = beside
        return found

    def on_broken(self, arm: str) -> dict[Run, Record]:
        """The runs of an arm on the broken scenarios that count, with what they are compared with."""
        own, broken = self.of_arm(arm, ("repaired",)), self.broken()
        return {
            run: {**own[run], **broken[run], "workers": max(workers(own[run]), broken[run]["workers"])}
            for run in broken
            if run in own
        }


def workers(record: Record) -> int:
    """Runs that were made at a time; those of a record without it are taken to have been made one by one."""
    return int(record.get("measured_on", {}).get("workers", 1))


def least_skill(skill: float | None) -> float:
    """A skill as it goes into medians: what is below `LEAST_SKILL`, or not finite, counts as that."""
    return LEAST_SKILL if skill is None else max(LEAST_SKILL, skill)


def is_repaired(record: Record) -> bool:
    """Whether fresh rows show that a broken program was repaired, and the arm, if it gives verdicts, says so.

    Args:
        record: One of `Results.on_broken`.
    """
    if record["error"]:
        return False
    return record.get("verdict", "repaired") == "repaired" and judging.is_confirmed(record)


def is_worse(record: Record) -> bool:
    """Whether an arm left less skill than plain `model.fit` on the same program, beyond `NOISE`; an error is worse."""
    return bool(record["error"]) or record["drop"][1] > NOISE


def is_intervention(record: Record) -> bool:
    """Whether a healthy training was not left alone: another verdict, or other weights in the end."""
    return bool(record["error"]) or record["verdict"] != "healthy" or not record["is_identical"]


@dataclasses.dataclass(frozen=True)
class ArmFigures:
    """All measures of one arm. Those that do not apply are of no runs.

    Args:
        arm: Its name.
        skill: On the broken programs that count, from `LEAST_SKILL` up.
        repaired: Of these.
        never_worse: Than plain `model.fit`, of all runs.
        false_interventions: Of the healthy programs.
        false_repairs: Of those with nothing to learn.
        found: Of the broken programs that count, those that are called anything but healthy.
        first: A true cause is ranked first; of a pair, one of either, with both among the first four.
        three: A true cause is among the first three; of a pair, as `first`.
        right: The fix undoes exactly what is wrong.
        over_plain: Wall time over that of the broken program's `model.fit`.
        over_hand: Wall time over that of the hand-made fix's.
        cpu_over_hand: Processor time over that of the hand-made fix's.
        n_trials: Of the search.
        peak_mb: Largest resident memory of the process.
        added_mb: How much of it the process, which runs one arm after the other, did not hold before.
        not_run: Why it was not run, if it was not.
    """

    arm: str
    skill: Middle
    repaired: Share
    never_worse: Share
    false_interventions: Share
    false_repairs: Share
    found: Share
    first: Share
    three: Share
    right: Share
    over_plain: Middle
    over_hand: Middle
    cpu_over_hand: Middle
    n_trials: Middle
    peak_mb: Middle
    added_mb: Middle
    not_run: str = ""


def judge(record: Record) -> judging.Judged:
    """Judges one run of `Results.on_broken` of an arm that gives verdicts."""
    return judging.judge(record, record["causes"], [frozenset(fix) for fix in record["fixes"]])


def figures_of(results: Results, arm: str) -> ArmFigures:
    """All measures of one arm."""
    broken = list(results.on_broken(arm).values())
    ran = [record for record in broken if not record["error"]]
    judged = [judge(record) for record in broken if record["error"] or "findings" in record]
    gives_verdicts = any("verdict" in record for record in results.of_arm(arm).values())
    healthy = results.of_arm(arm, ("healthy",)).values() if gives_verdicts else ()
    unlearnable = results.of_arm(arm, ("unlearnable",)).values() if gives_verdicts else ()
    every = [one for one in results.of_arm(arm).values() if arm != "nothing" and (one["error"] or "drop" in one)]
    skipped = [one["not_run"] for (_, _, name), one in results.records.items() if name == arm and "not_run" in one]
    return ArmFigures(
        arm=arm,
        skill=middle(least_skill(record["skill"]) for record in ran),
        repaired=share(is_repaired(record) for record in broken),
        never_worse=share(not is_worse(record) for record in every),
        false_interventions=share(is_intervention(record) for record in healthy),
        false_repairs=share(not record["error"] and record["verdict"] == "repaired" for record in unlearnable),
        found=share(one.found for one in judged if gives_verdicts),
        first=share(one.first for one in judged if gives_verdicts),
        three=share(one.three for one in judged if gives_verdicts),
        right=share(one.right for one in judged if gives_verdicts),
        over_plain=middle(record["seconds"] / record["plain_seconds"] for record in ran),
        over_hand=middle(record["seconds"] / record["healthy_seconds"] for record in ran),
        cpu_over_hand=middle(record["cpu_s"] / record["healthy_cpu_s"] for record in ran),
        n_trials=middle(record["n_trials"] for record in ran if "n_trials" in record),
        peak_mb=middle(record["peak_mb"] for record in ran),
        added_mb=middle(record["added_mb"] for record in ran),
        not_run="; ".join(dict.fromkeys(skipped)),
    )


def groups(results: Results, field: str) -> dict[str, dict[str, Share]]:
    """For each cause, family or the like, the repaired share of each arm.

    Args:
        results: The records.
        field: Of a record, which the groups go by.
    """
    found: dict[str, dict[str, list[bool]]] = {}
    for arm in results.arms:
        for record in results.on_broken(arm).values():
            found.setdefault(record[field], {}).setdefault(arm, []).append(is_repaired(record))
    return {name: {arm: share(flags) for arm, flags in found[name].items()} for name in sorted(found)}


def trial_ratio(results: Results, other: str, arm: str = "autofix") -> float:
    """Trials of an arm over those of another, over the broken runs that both ran on; NaN where there are none.

    Args:
        results: The records.
        other: Name of the other arm.
        arm: Name of the arm.
    """
    mine, theirs = results.on_broken(arm), results.on_broken(other)
    both = [run for run in mine if run in theirs and not mine[run]["error"] and not theirs[run]["error"]]
    total = sum(theirs[run]["n_trials"] for run in both)
    return sum(mine[run]["n_trials"] for run in both) / total if total else math.nan


def losses(results: Results, arm: str = "autofix") -> list[Record]:
    """The runs that an arm does not get right, each with `why` in a few words."""
    found = []
    for record in results.on_broken(arm).values():
        if not is_repaired(record):
            found.append({**record, "why": _why_not(record)})
    for record in results.of_arm(arm, ("healthy",)).values():
        if is_intervention(record):
            found.append({**record, "why": (record["error"] and "failed") or f"healthy, called {record['verdict']}"})
    for record in results.of_arm(arm, ("unlearnable",)).values():
        if record["error"] or record["verdict"] == "repaired":
            found.append({**record, "why": (record["error"] and "failed") or "nothing to learn, called repaired"})
    return found


def _why_not(record: Record) -> str:
    if record["error"]:
        return "failed"
    reached = f"skill {number(record['skill']):.2f} of {number(record['healthy_skill']):.2f}"
    if record["verdict"] != "repaired":
        return f"{record['verdict']}, {reached}"
    return f"repaired in part, {reached}"
