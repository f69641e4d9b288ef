"""The ladder: every trial of every rung, with the control arm."""

import dataclasses
import math
from collections.abc import Sequence

from autofix.recipe import Recipe
from autofix.report.figures.marks import Axis, Mark, Picture, Row, Rows
from autofix.report.numbers import bounds, count, number
from autofix.report.records import RunRecord, TrialRecord
from autofix.report.text import best_of, strategies_of

LOWEST_SKILL = -0.5
"""Skill below this is off the scale: how much worse than a constant a trial is says little."""

LEGEND = (("before", "your program"), ("other", "other trials"), ("after", "accepted, or the fix"))

MINIMISING = ("minimal", "not minimal")
"""Statuses of trials that dropped remedies."""


@dataclasses.dataclass(frozen=True)
class Rung:
    """A step of the escalation.

    Args:
        label: What it adds.
        trials: In the order they ran.
    """

    label: str
    trials: tuple[TrialRecord, ...]


def rungs(trials: Sequence[TrialRecord]) -> list[Rung]:
    """The trials by rung; those that only dropped remedies come last.

    Args:
        trials: In the order they ran.
    """
    grouped: dict[int, list[TrialRecord]] = {}
    smaller = tuple(trial for trial in trials if trial.status in MINIMISING)
    for trial in trials:
        if trial.status not in MINIMISING:
            grouped.setdefault(trial.rung, []).append(trial)
    found, known = [], set[str]()
    for rung, members in grouped.items():
        added = [name for name in strategies_of(members) if name not in known]
        known.update(added)
        label = "control: your program" if rung == 0 else " ".join(f"+ {name}" for name in added) or "other settings"
        found.append(Rung(f"{rung} {label}", tuple(members)))
    return [*found, Rung("smaller recipes", smaller)] if smaller else found


def draw(record: RunRecord) -> Picture | None:
    """The figure, or None where nothing was tried, or nothing with a finite skill."""
    skills = [trial.skill for trial in record.trials if math.isfinite(trial.skill)]
    if not skills:
        return None
    lowest = max(LOWEST_SKILL, min([0.0, *skills]))
    parts = ["Every trial is a dot, with the 95 % bounds of its skill on held-out rows."]
    if any(skill < lowest for skill in skills):
        parts.append(f"Trials below {number(lowest)} are drawn there; the lowest has {number(min(skills))}.")
    if n_blank := len(record.trials) - len(skills):
        parts.append(f"{count(n_blank, 'trial')} without a finite skill left out.")
    steps = rungs(record.trials)
    rows = tuple(_row(rung, record.recipe, lowest) for rung in steps)
    title = f"{count(len(record.trials), 'trial')} on {count(len(steps), 'rung')}"
    panel = Rows(title, "", Axis("held-out skill", lowest - 0.05, 1.03), rows, levels=(0.0,))
    roles = {_role(trial, record.recipe) for trial in record.trials}
    legend = tuple((role, name) for role, name in LEGEND if role in roles)
    return Picture("trials", "What was tried", " ".join(parts), (panel,), legend)


def _role(trial: TrialRecord, fix: Recipe) -> str:
    if trial.status == "control":
        return "before"
    return "after" if trial.status == "accepted" or (fix and trial.recipe == fix) else "other"


def _row(rung: Rung, fix: Recipe, lowest: float) -> Row:
    note = f"{count(len(rung.trials), 'trial')}, {_outcome(rung.trials)}"
    marks = [_mark(trial, _role(trial, fix), lowest) for trial in rung.trials]
    return Row(rung.label, note, tuple(sorted(marks, key=lambda mark: mark.role == "after")))  # drawn over the others


def _outcome(trials: Sequence[TrialRecord]) -> str:
    if all(trial.status in MINIMISING for trial in trials):
        kept = [trial for trial in trials if trial.status == "minimal"]
        smallest = min(kept, key=lambda trial: len(trial.recipe), default=None)
        return "none as good" if smallest is None else f"{' + '.join(smallest.recipe.strategies)} is as good"
    best = best_of(trials)
    if best is None:
        return "no skill to measure"
    return f"best {number(best.skill)} {bounds(best.skill_lower, best.skill_upper)}"


def _mark(trial: TrialRecord, role: str, lowest: float) -> Mark:
    if not math.isfinite(trial.skill):
        return Mark(math.nan, role)
    return Mark(max(trial.skill, lowest), role, max(trial.skill_lower, lowest), max(trial.skill_upper, lowest))
