"""Profiles of data: statistics of inputs and targets, computed from arrays alone."""

from collections.abc import Sequence

import numpy as np

from autofix.evidence import InputProfile, TargetProfile


def profile_input(array: np.ndarray) -> InputProfile:
    """Statistics of one input.

    Args:
        array: Shape `(n_samples, ...)`; computed in float64. Text has no statistics.
    """
    if array.dtype.kind not in "fiub":
        return InputProfile((), (), (), (), (), (), is_integer=False)
    values = array.astype(np.float64).reshape(-1, array.shape[-1] if array.ndim > 1 else 1)
    low, median, high = np.percentile(values, (25, 50, 75), axis=0)
    return InputProfile(
        mean=_floats(values.mean(axis=0)),
        std=_floats(values.std(axis=0)),
        minimum=_floats(values.min(axis=0)),
        maximum=_floats(values.max(axis=0)),
        median=_floats(median),
        iqr=_floats(high - low),
        is_integer=bool(np.issubdtype(array.dtype, np.integer)),
    )


def profile_target(array: np.ndarray, kind: str) -> TargetProfile:
    """Statistics of the targets of one output, in the order of the rows.

    Args:
        array: Shape `(n_samples, ...)`, numeric.
        kind: As in `TargetProfile`.
    """
    values = array.astype(np.float64).reshape(len(array), -1)
    return TargetProfile(
        kind=kind,
        mean=float(values.mean()),
        std=float(values.std()),
        is_constant=bool((values == values[0]).all()),
        order_drift=order_drift(values, is_class=kind in ("binary", "multiclass")),
    )


def order_drift(values: np.ndarray, *, is_class: bool) -> float:
    """How much the row number says about the target, as in `TargetProfile`.

    Args:
        values: Shape `(n_samples, n_columns)`.
        is_class: Whether they are class numbers, or one-hot classes.
    """
    if is_class:
        labels = values.argmax(axis=1) if values.shape[1] > 1 else values[:, 0]
        shares = np.unique(labels, return_counts=True)[1] / len(labels)
        expected = float((shares**2).sum())
        observed = float((labels[1:] == labels[:-1]).mean()) if len(labels) > 1 else expected
        return max(0.0, (observed - expected) / (1.0 - expected)) if expected < 1.0 else 0.0
    column = values[:, 0]
    if len(column) < 3 or np.ptp(column) == 0.0:
        return 0.0
    # Equal values share their middle rank: ranked by row, ties alone would look like drift.
    _, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2)[inverse]
    return float(abs(np.corrcoef(np.arange(len(column)), ranks)[0, 1]))


def _floats(values: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
