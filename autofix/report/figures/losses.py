"""The loss by epoch, of the user's own training and of that with the fix."""

import math
from collections.abc import Sequence

from autofix.report.figures.marks import Curve, Picture, Plot, axis_of
from autofix.report.figures.roles import own_role
from autofix.report.numbers import size
from autofix.report.records import RunRecord
from autofix.report.traces import LossCurve

LOG_FROM = 20.0
"""Losses that differ by more than this factor are drawn on a logarithmic axis."""


def draw(record: RunRecord) -> Picture | None:
    """The figure, or None where fewer than two epochs were trained."""
    own, role = record.own.losses, own_role(record)
    repaired = record.repaired.losses if record.repaired is not None else LossCurve()
    if max(len(own.epochs), len(repaired.epochs)) < 2:
        return None
    trainings = ((own, role, ""), (repaired, "after", " with the fix"))
    found = [_panel(trainings, *names) for names in (("loss", "Training loss"), ("val_loss", "Validation loss"))]
    panels = [panel for panel in found if panel is not None]
    if not panels:
        return None
    legend = [(role, "your training"), *([("after", "the training with the fix")] if repaired.epochs else [])]
    caption = "As fit logged it."
    if record.recipe.departures:
        caption += " The fix changes what was asked for, so that the two curves need not compare."
    return Picture("losses", "Loss by epoch", caption, tuple(panels), tuple(legend))


def _panel(trainings: Sequence[tuple[LossCurve, str, str]], name: str, label: str) -> Plot | None:
    curves, words = [], []
    for losses, role, what in trainings:
        values = getattr(losses, name)
        if values:
            curves.append(Curve(tuple(map(float, losses.epochs)), values, role, has_dots=len(values) == 1))
            words.append(f"{size(values[-1])} after epoch {losses.epochs[-1]}{what}")
    finite = [value for curve in curves for value in curve.y if math.isfinite(value)]
    if not finite:
        return None
    is_log = min(finite) > 0.0 and max(finite) > LOG_FROM * min(finite)
    epochs = axis_of("epoch", [epoch for curve in curves for epoch in curve.x], padding=0.0)
    return Plot(label, "; ".join(words), epochs, axis_of("loss", finite, is_log=is_log), tuple(curves))
