"""Predictions against targets: points for numbers, confusion matrices for classes."""

import collections
import math
from collections.abc import Sequence

from autofix.report.figures.marks import Axis, Dots, Grid, Panel, Picture, Plot, axis_of
from autofix.report.figures.roles import legend_of, role_of, title_of
from autofix.report.numbers import bounds, number
from autofix.report.records import RunRecord
from autofix.report.traces import Predictions

MOST_OUTPUTS = 3
"""Outputs that are drawn, of a network that has more."""

MOST_COLUMNS = 2
"""Columns of a wide output that are drawn."""

MOST_CLASSES = 10
"""Classes with a row of their own; the rarest of more share one."""

THRESHOLD = 0.5
"""Probability from which a class counts as predicted."""

ROWS = {
    "control": "on held-out rows, after training on others",
    "look": "at the last look at the training",
}


def draw(record: RunRecord) -> Picture | None:
    """The figure, or None where no predictions were kept."""
    if not any(_is_drawable(sample) for sample in record.predictions):
        return None
    by_output: dict[str, list[Predictions]] = {}
    for sample in record.predictions:
        by_output.setdefault(sample.assessment.output_name, []).append(sample)
    panels: list[Panel] = []
    for name, samples in list(by_output.items())[:MOST_OUTPUTS]:
        prefix = f"{name}: " if len(by_output) > 1 else ""
        for column in range(min(MOST_COLUMNS, *(len(one.targets[0]) for one in samples))):
            panels += [_panel(one, samples, column, prefix, record) for one in samples]
    title = "Predictions against targets"
    return Picture("predictions", title, _caption(record), tuple(panels), legend_of(record))


def _caption(record: RunRecord) -> str:
    where = ROWS["look" if record.predictions[0].source == "look" else "control"]
    n_rows = record.predictions[0].assessment.n_samples
    n_shown = len(record.predictions[0].targets)
    shown = f", {n_shown:,} of {n_rows:,} shown" if n_shown < n_rows else f", all {n_rows:,} of them"
    kinds = {sample.kind for sample in record.predictions}
    parts = [f"What was predicted {where}{shown}."]
    if "regression" in kinds:
        parts.append("On the dashed line a prediction equals its target.")
    if kinds - {"regression"}:
        parts.append("Counts on the diagonal are right.")
    n_outputs = len({sample.assessment.output_name for sample in record.predictions})
    if n_outputs > MOST_OUTPUTS:
        parts.append(f"{MOST_OUTPUTS} of {n_outputs} outputs are shown.")
    most = max(sample.n_columns for sample in record.predictions)
    if most > MOST_COLUMNS:
        parts.append(f"Of up to {most:,} values of an output {MOST_COLUMNS} are shown.")
    return " ".join(parts)


def _is_drawable(sample: Predictions) -> bool:
    """Whether any prediction is a finite number."""
    return any(math.isfinite(value) for row in sample.predictions for value in row)


def _panel(sample: Predictions, group: Sequence[Predictions], column: int, prefix: str, record: RunRecord) -> Panel:
    seen, role = sample.assessment, role_of(record, sample.source)
    title = f"{prefix}{title_of(record, sample.source)}"
    if sample.n_columns > 1:
        title += f", value {column + 1}"
    note = f"skill {number(seen.skill)} {bounds(seen.skill_lower, seen.skill_upper)}, spread {number(seen.spread)}"
    if sample.n_columns > 1:
        note = f"all values: {note}"
    if not seen.is_finite:
        note = "predictions are not finite"
    targets = tuple(row[column] for row in sample.targets)
    predictions = tuple(row[column] for row in sample.predictions)
    if sample.kind == "regression":
        both = [row[column] for one in group for row in one.targets]
        return _points(targets, predictions, both, title, note, role)
    if sample.kind == "multiclass":
        return _grid(targets, predictions, class_names(record, sample.n_classes), (title, note, role))
    names = class_names(record, 2) if sample.n_columns == 1 else ("0", "1")
    chosen = [value if math.isnan(value) else float(value >= THRESHOLD) for value in predictions]
    return _grid(targets, chosen, names, (title, note, role))


def class_names(record: RunRecord, n_classes: int) -> tuple[str, ...]:
    """Names of the classes of an output; their numbers where they have none."""
    names = record.circumstances.class_names
    return names if len(names) == n_classes else tuple(str(index) for index in range(n_classes))


def _points(
    targets: tuple[float, ...], predictions: tuple[float, ...], both: Sequence[float], title: str, note: str, role: str
) -> Plot:
    x = axis_of("target", both)
    y = axis_of("prediction", [*both, *predictions])
    return Plot(title, note, x, _same_if_close(x, y), (Dots(targets, predictions, role),), has_diagonal=True)


def _same_if_close(x: Axis, y: Axis) -> Axis:
    """The vertical axis with the limits of the horizontal one where the predictions lie within these."""
    return Axis(y.label, x.low, x.high) if x.low <= y.low and y.high <= x.high else y


def _grid(
    targets: Sequence[float], predictions: Sequence[float], names: Sequence[str], words: tuple[str, str, str]
) -> Grid:
    pairs = collections.Counter(zip(targets, predictions, strict=True))
    unknown = sum(amount for (_, predicted), amount in pairs.items() if math.isnan(predicted))
    kept = _kept(pairs, len(names))
    labels = [names[index] for index in kept]
    groups: list[set[float]] = [{float(index)} for index in kept]
    if len(kept) < len(names):
        labels.append(f"other ({len(names) - len(kept)})")
        groups.append({float(index) for index in range(len(names)) if index not in kept})
    counts = tuple(
        tuple(sum(pairs[target, predicted] for target in wanted for predicted in given) for given in groups)
        for wanted in groups
    )
    title, note, role = words
    return Grid(title, f"{note}; {unknown} not finite" if unknown else note, tuple(labels), counts, role)


def _kept(pairs: "collections.Counter[tuple[float, float]]", n_classes: int) -> list[int]:
    """The classes with a row of their own: all, or the most common ones."""
    if n_classes <= MOST_CLASSES:
        return list(range(n_classes))
    common = collections.Counter[float]()
    for (target, _), amount in pairs.items():
        common[target] += amount
    found = [int(target) for target, _ in common.most_common(MOST_CLASSES - 1)]
    rest = [index for index in range(n_classes) if index not in found]
    return sorted([*found, *rest][: MOST_CLASSES - 1])
