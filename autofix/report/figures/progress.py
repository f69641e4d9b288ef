"""Spread and skill by epoch, of the user's own training and of that with the fix."""

import math
from collections.abc import Sequence

from autofix.report.figures.marks import Axis, Curve, Picture, Plot
from autofix.report.figures.roles import own_role
from autofix.report.numbers import number
from autofix.report.records import RunRecord
from autofix.report.traces import LookTrace

MOST_OUTPUTS = 3
"""Outputs that are drawn, of a network that has more."""

LOWEST_SKILL = -1.0
"""Skill below this is off the scale: how much worse than a constant a network is says little."""

LARGEST_SPREAD = 2.0
"""As for skill."""

Training = tuple[Sequence[LookTrace], str, str]
"""The looks at a training, its role, and what is said behind its numbers."""


def draw(record: RunRecord) -> Picture | None:
    """The figure, or None without a look."""
    own = [look for look in record.own.looks if look.heads]
    repaired = [look for look in record.repaired.looks if look.heads] if record.repaired is not None else []
    skills = [head.skill for look in [*own, *repaired] for head in look.heads if math.isfinite(head.skill)]
    if not own or not skills:
        return None
    n_outputs = min(len(look.heads) for look in [*own, *repaired])
    trainings = [(own, own_role(record), ""), *([(repaired, "after", " with the fix")] if repaired else [])]
    panels = [panel for index in range(min(n_outputs, MOST_OUTPUTS)) for panel in _panels(trainings, index, n_outputs)]
    legend = [(own_role(record), "your training"), *([("after", "the training with the fix")] if repaired else [])]
    return Picture(
        "progress",
        "Spread and skill while training",
        _caption(record, own[-1], min(skills)),
        tuple(panels),
        tuple(legend),
    )


def _caption(record: RunRecord, last: LookTrace, lowest: float) -> str:
    rows = record.circumstances.look_rows
    parts = [f"Looked at {last.heads[0].n_samples:,} {rows + ' ' if rows else ''}rows."]
    if record.repaired is not None:
        parts.append(f"The looks at your training end with the suspicion, after epoch {last.epoch}.")
    parts.append("The band holds the 95 % bounds of the skill.")
    if lowest < LOWEST_SKILL:
        parts.append(f"Skill below {LOWEST_SKILL:.0f} is off the scale; the lowest is {number(lowest)}.")
    if len(last.heads) > MOST_OUTPUTS:
        parts.append(f"{MOST_OUTPUTS} of {len(last.heads)} outputs are shown.")
    return " ".join(parts)


def _panels(trainings: Sequence[Training], index: int, n_outputs: int) -> list[Plot]:
    heads = [look.heads[index] for looks, _, _ in trainings for look in looks]
    last = max(look.epoch for looks, _, _ in trainings for look in looks)
    epochs = Axis("epoch", 1.0, float(max(last, 2)), is_log=True)
    name = f"{heads[0].output_name}: " if n_outputs > 1 else ""
    highest = min(LARGEST_SPREAD, max([1.0, *(head.spread for head in heads if math.isfinite(head.spread))]))
    lowest = max(LOWEST_SKILL, min([0.0, *(head.skill_lower for head in heads if math.isfinite(head.skill_lower))]))
    room = 0.05 * (1.0 - lowest)
    spreads, skills = [], []
    for looks, role, _ in trainings:
        own = [look.heads[index] for look in looks]
        at = tuple(float(look.epoch) for look in looks)
        low, high = tuple(head.skill_lower for head in own), tuple(head.skill_upper for head in own)
        spreads.append(Curve(at, tuple(head.spread for head in own), role, has_dots=True))
        skills.append(Curve(at, tuple(head.skill for head in own), role, low, high, has_dots=True))
    words = (_words(trainings, index, name) for name in ("spread", "skill"))
    return [
        Plot(f"{name}Spread", next(words), epochs, Axis("spread", 0.0, 1.05 * highest), tuple(spreads), level=1.0),
        Plot(f"{name}Skill", next(words), epochs, Axis("skill", lowest - room, 1.0 + room), tuple(skills), level=0.0),
    ]


def _words(trainings: Sequence[Training], index: int, name: str) -> str:
    """The last value of each training."""
    ends = ((looks[-1].heads[index], looks[-1].epoch, what) for looks, _, what in trainings)
    return "; ".join(f"{number(getattr(head, name))} after epoch {epoch}{what}" for head, epoch, what in ends)
