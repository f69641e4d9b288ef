"""Skill on fresh rows, by a yardstick that is not autofix' own.

R² of numbers; of classes, R² of the probabilities (the Brier skill score). Neither needs the loss, which a repair may
have to change.

Source: Brier, Verification of forecasts expressed in terms of probability (1950).
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Task = str | tuple[str, ...]
"""`"regression"`, `"binary"` or `"multiclass"`; of several outputs one each."""

DRAWS = 200
"""Bootstrap resamples of the rows; the lower bound is asked only whether it is above 0."""

LOWER = 0.025

ROUNDING = 1e-3
"""Probabilities in float32 add up to 1 within this."""


DROP_DRAWS = 1_000
"""Resamples of a paired comparison, both ends of which are asked for."""


class Skill(NamedTuple):
    """Skill with the lower bound of its 95 % interval."""

    value: float
    lower: float


def probabilities(outputs: np.ndarray) -> np.ndarray:
    """What the outputs of a classifier say of each class, shape `(n_rows, n_classes)`.

    Outputs that are no probabilities, because they leave 0 to 1 or do not add up to 1, are taken for logits.

    Args:
        outputs: Shape `(n_rows, n_units)`; a single unit stands for the second of two classes.

    Example:

    >>> probabilities(np.array([[0.0], [0.25]])).tolist()
    [[1.0, 0.0], [0.75, 0.25]]
    """
    columns = outputs.reshape(len(outputs), -1).astype(np.float64)
    is_within = columns.min() >= 0.0 and columns.max() <= 1.0 + ROUNDING
    if columns.shape[1] == 1:
        positive = columns[:, 0] if is_within else 1.0 / (1.0 + np.exp(-np.clip(columns[:, 0], -50.0, 50.0)))
        return np.column_stack([1.0 - positive, positive])
    if is_within and np.allclose(columns.sum(axis=1), 1.0, atol=ROUNDING):
        return columns
    exponentials = np.exp(columns - columns.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def _wanted_and_given(task: str, targets: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Targets and predictions as columns that can be compared."""
    if task == "regression" or (task == "multiclass" and outputs.reshape(len(outputs), -1).shape[1] == 1):
        return targets.reshape(len(targets), 1).astype(np.float64), outputs.reshape(len(outputs), -1)[:, :1]
    given = probabilities(outputs)
    n_classes = max(given.shape[1], int(targets.max()) + 1)
    padded = np.zeros((len(given), n_classes))
    padded[:, : given.shape[1]] = given
    return np.eye(n_classes)[targets.reshape(len(targets)).astype(np.int64)], padded


def _is_finite(outputs: Any) -> bool:
    return all(np.isfinite(one).all() for one in (outputs if isinstance(outputs, list | tuple) else [outputs]))


def _errors(task: Task, targets: Any, outputs: Any) -> tuple[np.ndarray, np.ndarray]:
    """Squared errors of the outputs and of the targets' means, each of shape `(n_rows, n_outputs)`."""
    tasks: Sequence[str] = (task,) if isinstance(task, str) else task
    if isinstance(task, str):
        targets, outputs = [targets], [outputs]
    errors, totals = [], []
    for one, target, output in zip(tasks, targets, outputs, strict=True):
        wanted, given = _wanted_and_given(one, target, output)
        errors.append(((wanted - given) ** 2).sum(axis=1))
        totals.append(((wanted - wanted.mean(axis=0)) ** 2).sum(axis=1))
    return np.stack(errors, axis=1), np.stack(totals, axis=1)


def _skill_of(errors: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Skill of rows on the last axis but one, averaged over the outputs on the last one."""
    with np.errstate(divide="ignore", invalid="ignore"):  # constant targets, of which there is no skill
        return np.asarray((1.0 - errors.sum(axis=-2) / totals.sum(axis=-2)).mean(axis=-1))


def measure(task: Task, targets: Any, outputs: Any) -> Skill:
    """The skill of a network's outputs: 1 is perfect, 0 no better than the means of the targets.

    Args:
        task: What there is to be learned.
        targets: Shape `(n_rows,)`; of several outputs a sequence of them.
        outputs: Shape `(n_rows, n_units)`; of several outputs a sequence of them, over which skill is averaged.

    Returns:
        Minus infinity for outputs that are not finite.
    """
    if not _is_finite(outputs):
        return Skill(-math.inf, -math.inf)
    errors, totals = _errors(task, targets, outputs)
    drawn = np.random.default_rng(0).integers(len(errors), size=(DRAWS, len(errors)))
    scores = _skill_of(errors[drawn], totals[drawn])
    return Skill(float(_skill_of(errors, totals)), float(np.quantile(scores, LOWER)))


class Drop(NamedTuple):
    """By how much skill fell, with the ends of its 95 % interval."""

    value: float
    lower: float
    upper: float


def drop(task: Task, targets: Any, before: Any, after: Any) -> Drop:
    """By how much the skill of one set of outputs lies below that of another, on the same rows.

    The interval is that of a paired bootstrap over the rows: what both find hard does not count as noise.

    Args:
        task: What there is to be learned.
        targets: As `measure` takes them.
        before: Outputs to compare with.
        after: Outputs that may be worse.

    Returns:
        All 0 for equal outputs, and for targets that are all the same, of which no skill is defined; minus infinity
        where only `after` is finite, plus infinity where only `before` is.
    """
    if not _is_finite(before) or not _is_finite(after):
        worst = 0.0 if _is_finite(before) == _is_finite(after) else math.copysign(math.inf, _is_finite(before) - 0.5)
        return Drop(worst, worst, worst)
    (first, totals), (second, _) = _errors(task, targets, before), _errors(task, targets, after)
    if not totals.any(axis=0).all():
        return Drop(0.0, 0.0, 0.0)
    drawn = np.random.default_rng(0).integers(len(totals), size=(DROP_DRAWS, len(totals)))
    total = totals[drawn].sum(axis=1)
    drops = ((second - first)[drawn].sum(axis=1) / total).mean(axis=-1)
    lower, upper = np.quantile(drops, [LOWER, 1.0 - LOWER])
    return Drop(float(_skill_of(first, totals) - _skill_of(second, totals)), float(lower), float(upper))
