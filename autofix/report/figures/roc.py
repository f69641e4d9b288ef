"""ROC curves of outputs of two classes."""

from collections.abc import Sequence

import numpy as np

from autofix.report.figures.marks import Axis, Curve, Picture, Plot
from autofix.report.figures.predictions import MOST_COLUMNS, MOST_OUTPUTS
from autofix.report.figures.roles import legend_of, role_of, title_of
from autofix.report.numbers import number
from autofix.report.records import RunRecord
from autofix.report.traces import Predictions

MOST_POINTS = 100
"""Points of a curve."""


def draw(record: RunRecord) -> Picture | None:
    """The figure, or None without an output of two classes that both occur."""
    by_column: dict[tuple[str, int], list[tuple[Predictions, Curve, float]]] = {}
    for sample in record.predictions:
        if sample.kind not in ("binary", "multilabel"):
            continue
        for column in range(min(len(sample.targets[0]), MOST_COLUMNS)):
            curve = roc_curve([row[column] for row in sample.targets], [row[column] for row in sample.predictions])
            if curve is None:
                continue
            false, true, area = curve
            named = Curve(tuple(false), tuple(true), role_of(record, sample.source))
            by_column.setdefault((sample.assessment.output_name, column), []).append((sample, named, area))
    panels = [_panel(record, name, column, found) for (name, column), found in list(by_column.items())[:MOST_OUTPUTS]]
    if not panels:
        return None
    caption = (
        "Share of the rows of class 1 that are found, over the share of the others that are taken for it, as the "
        "threshold falls. The area below is 1 for a perfect ranking and 0.5 by chance (dashed)."
    )
    return Picture("roc", "Ranking of the two classes (ROC)", caption, tuple(panels), legend_of(record))


def _panel(record: RunRecord, name: str, column: int, found: Sequence[tuple[Predictions, Curve, float]]) -> Plot:
    wide = found[0][0].n_columns > 1
    title = f"{name}, value {column + 1}" if wide else name
    words = ((title_of(record, sample.source).lower(), area) for sample, _, area in found)
    note = "; ".join(f"{what}: area {number(area)}" for what, area in words)
    x, y = Axis("false positives, share", 0.0, 1.0), Axis("true positives, share", 0.0, 1.0)
    return Plot(title, note, x, y, tuple(curve for _, curve, _ in found), has_diagonal=True)


def roc_curve(targets: Sequence[float], scores: Sequence[float]) -> tuple[list[float], list[float], float] | None:
    """Shares of false and of true positives from the highest threshold to the lowest, and the area below.

    Args:
        targets: 0 or 1 a row.
        scores: Of class 1, a number a row.

    Returns:
        None where a class is missing or a score is not finite.

    Example:

    >>> roc_curve([0.0, 1.0, 1.0], [0.2, 0.6, 0.6])
    ([0.0, 0.0, 1.0], [0.0, 1.0, 1.0], 1.0)
    """
    wanted, given = np.asarray(targets) > 0.5, np.asarray(scores, dtype=float)
    if wanted.all() or not wanted.any() or not np.isfinite(given).all():
        return None
    order = np.argsort(-given, kind="stable")
    # Rows of equal score pass the threshold together.
    last = np.append(np.flatnonzero(np.diff(given[order])), len(given) - 1)
    true = np.concatenate([[0.0], np.cumsum(wanted[order])[last] / wanted.sum()])
    false = np.concatenate([[0.0], np.cumsum(~wanted[order])[last] / (~wanted).sum()])
    area = float(np.sum(np.diff(false) * (true[1:] + true[:-1]) / 2.0))
    kept = np.unique(np.linspace(0, len(true) - 1, min(len(true), MOST_POINTS)).astype(int))
    return false[kept].tolist(), true[kept].tolist(), area
