"""What other learners make of the same rows."""

import math

from autofix.report.figures.marks import Axis, Mark, Picture, Row, Rows
from autofix.report.numbers import bounds, number
from autofix.report.records import Reference, RunRecord, TrialRecord

LOWEST_SKILL = -0.5
"""Skill below this is off the scale."""


def draw(record: RunRecord) -> Picture | None:
    """The figure, or None where no reference learner ran."""
    if not record.references:
        return None
    control = next((trial for trial in record.trials if trial.status == "control"), None)
    fix = fix_trial(record)
    entries: list[tuple[str, Reference | TrialRecord, str]] = []
    entries += [("your program", control, "before")] if control is not None else []
    entries += [("with the fix", fix, "after")] if fix is not None else []
    entries += [(one.name, one, "reference") for one in record.references]
    skills = [one.skill for _, one, _ in entries if math.isfinite(one.skill)]
    lowest = max(LOWEST_SKILL, min([0.0, *skills]))
    caption = "Held-out skill with its 95 % bounds, all on the same rows. 0 is the best constant, 1 is perfect."
    if any(skill < lowest for skill in skills):
        caption += f" Skill below {number(lowest)} is drawn there."
    rows = tuple(_row(label, one, role, lowest) for label, one, role in entries)
    names = {"before": "your program", "after": "with the fix", "reference": "reference learner"}
    legend = tuple((role, names[role]) for role in dict.fromkeys(role for _, _, role in entries))
    axis = Axis("held-out skill", lowest - 0.05, 1.03)
    panel = Rows("Reference learners", "", axis, rows, levels=(0.0,))
    return Picture("references", "What there is to be had", caption, (panel,), legend)


def fix_trial(record: RunRecord) -> TrialRecord | None:
    """The trial of the smallest fix; None where there is none."""
    if not record.recipe:
        return None
    tried = [trial for trial in record.trials if trial.recipe == record.recipe and math.isfinite(trial.skill)]
    return tried[-1] if tried else None


def _row(label: str, one: Reference | TrialRecord, role: str, lowest: float) -> Row:
    if not math.isfinite(one.skill):
        return Row(label, "not finite", ())
    low, high = (max(bound, lowest) for bound in (one.skill_lower, one.skill_upper))
    words = f"{number(one.skill)} {bounds(one.skill_lower, one.skill_upper)}"
    return Row(label, words, (Mark(max(one.skill, lowest), role, low, high),))
