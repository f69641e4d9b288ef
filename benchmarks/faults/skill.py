"""Skill on fresh rows, by a yardstick that is not autofix' own.

R² of numbers; of classes, R² of the probabilities (the Brier skill score). Neither needs the loss, which a repair may
have to change.

Source: Brier, Verification of forecasts expressed in terms of probability (1950).
"""

import math
from typing import NamedTuple

import numpy as np

DRAWS = 200
"""Bootstrap resamples of the rows; the lower bound is asked only whether it is above 0."""

LOWER = 0.025

ROUNDING = 1e-3
"""Probabilities in float32 add up to 1 within this."""


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


def measure(task: str, targets: np.ndarray, outputs: np.ndarray) -> Skill:
    """The skill of a network's outputs: 1 is perfect, 0 no better than the means of the targets.

    Args:
        task: `"regression"`, `"binary"` or `"multiclass"`.
        targets: Shape `(n_rows,)`.
        outputs: Shape `(n_rows, n_units)`.

    Returns:
        Minus infinity for outputs that are not finite.
    """
    if not np.isfinite(outputs).all():
        return Skill(-math.inf, -math.inf)
    wanted, given = _wanted_and_given(task, targets, outputs)
    errors = ((wanted - given) ** 2).sum(axis=1)
    totals = ((wanted - wanted.mean(axis=0)) ** 2).sum(axis=1)
    drawn = np.random.default_rng(0).integers(len(errors), size=(DRAWS, len(errors)))
    scores = 1.0 - errors[drawn].sum(axis=1) / totals[drawn].sum(axis=1)
    return Skill(float(1.0 - errors.sum() / totals.sum()), float(np.quantile(scores, LOWER)))
