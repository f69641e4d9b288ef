"""Spread and skill by epoch, of the user's own training and of that with the fix."""

import math
from collections.abc import Callable, Sequence

from autofix.assess import Assessment
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


def draw(record: RunRecord) -> Picture | None:
    """The figure, or None without a look."""
    own = [look for look in record.own.looks if look.heads]
    repaired = [look for look in record.repaired.looks if look.heads] if record.repaired is not None else []
    if not own:
        return None
    n_outputs = len(own[0].heads)
    panels = [
        panel
        for index in range(min(n_outputs, MOST_OUTPUTS))
        for panel in _panels(own, repaired, index, n_outputs, own_role(record))
    ]
    legend = [(own_role(record), "your training"), *([("after", "the training with the fix")] if repaired else [])]
    return Picture("progress", "Spread and skill while training", _caption(record), tuple(panels), tuple(legend))


def _caption(record: RunRecord) -> str:
    looked = record.own.looks[-1].heads[0].n_samples
    rows = record.circumstances.look_rows
    parts = [f"Looked at {looked:,} {rows} rows." if rows else f"Looked at {looked:,} rows."]
    if record.repaired is not None:
        parts.append(f"Those at your training end with the suspicion, after epoch {record.own.looks[-1].epoch}.")
    parts.append("The band holds the 95 % bounds of the skill.")
    skills = [head.skill for look in _all_looks(record) for head in look.heads]
    if any(skill < LOWEST_SKILL for skill in skills):
        parts.append(f"Skill below {LOWEST_SKILL:.0f} is off the scale; the lowest is {number(min(skills))}.")
    return " ".join(parts)


def _all_looks(record: RunRecord) -> Sequence[LookTrace]:
    return [*record.own.looks, *(record.repaired.looks if record.repaired is not None else ())]


def _panels(
    own: Sequence[LookTrace], repaired: Sequence[LookTrace], index: int, n_outputs: int, role: str
) -> list[Plot]:
    last = max(look.epoch for look in [*own, *repaired])
    epochs = Axis("epoch", 1.0, float(max(last, 2)), is_log=True)
    name = f"{own[0].heads[index].output_name}: " if n_outputs > 1 else ""
    spreads = [look.heads[index].spread for look in [*own, *repaired]]
    highest = min(LARGEST_SPREAD, max([1.0, *(value for value in spreads if math.isfinite(value))]))
    skills = [head for look in [*own, *repaired] for head in (look.heads[index].skill, look.heads[index].skill_lower)]
    lowest = max(LOWEST_SKILL, min([0.0, *(value for value in skills if math.isfinite(value))]))
    return [
        Plot(
            f"{name}Spread",
            _words(own, repaired, index, lambda head: head.spread),
            epochs,
            Axis("spread", 0.0, 1.05 * highest),
            _curves([(own, role), (repaired, "after")], index, lambda head: (head.spread,)),
            level=1.0,
        ),
        Plot(
            f"{name}Skill",
            _words(own, repaired, index, lambda head: head.skill),
            epochs,
            Axis("skill", lowest - 0.05 * (1.0 - lowest), 1.0 + 0.05 * (1.0 - lowest)),
            _curves(
                [(own, role), (repaired, "after")], index, lambda head: (head.skill, head.skill_lower, head.skill_upper)
            ),
            level=0.0,
        ),
    ]


def _curves(
    trainings: Sequence[tuple[Sequence[LookTrace], str]], index: int, values: Callable[[Assessment], tuple[float, ...]]
) -> tuple[Curve, ...]:
    curves = []
    for looks, role in trainings:
        if looks:
            epochs = tuple(float(look.epoch) for look in looks)
            columns = list(zip(*(values(look.heads[index]) for look in looks), strict=True))
            curves.append(Curve(epochs, columns[0], role, *columns[1:], has_dots=True))
    return tuple(curves)


def _words(
    own: Sequence[LookTrace], repaired: Sequence[LookTrace], index: int, value: Callable[[Assessment], float]
) -> str:
    parts = [
        f"{number(value(looks[-1].heads[index]))} after epoch {looks[-1].epoch}{what}"
        for looks, what in ((own, ""), (repaired, " with the fix"))
        if looks
    ]
    return "; ".join(parts)
