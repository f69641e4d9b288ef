"""Profiles of data: statistics of inputs and targets, computed from arrays alone.

Values that are not finite are counted and left out of everything else.
"""

import math
from collections.abc import Sequence

import numpy as np

from autofix.data.category_codes import profile_codes
from autofix.evidence import InputProfile, TargetProfile

MAX_VALUES = 1_000_000
"""Values that quantiles are taken of, which cost about 30 ns each; of images all statistics: a thousand rows of them
have more pixels than any statistic needs."""

MAX_ROW_BYTES = 1024
"""Bytes by which rows are compared for duplicates: of longer rows evenly spaced values."""

FAR_OUT = 3.0
"""Interquartile ranges beyond the quartiles at which a value is far out (Tukey 1977, section 2D)."""

MAX_CLASSES = 100
"""Whole numbers with more different values than this are quantities rather than class numbers."""


def profile_input(array: np.ndarray, target: np.ndarray | None = None) -> InputProfile:
    """Statistics of one input.

    Args:
        array: Shape `(n_samples, ...)`; computed in float64. Text has no statistics.
        target: The targets of the first output, `(n_samples, ...)`, that codes of categories are told by; None for
            no such search.

    Example:

    >>> profile_input(np.array([[1.0, 5.0], [3.0, 5.0], [np.nan, 5.0]])).mean
    (2.0, 5.0)
    """
    shape = tuple(int(size) for size in array.shape[1:])
    if array.dtype.kind not in "fiub" or array.size == 0:
        return InputProfile((), (), (), (), (), (), is_integer=False, shape=shape)
    looked_at = array if array.ndim <= 2 else _some_rows(array, MAX_VALUES)
    values = looked_at.astype(np.float64).reshape(-1, array.shape[-1] if array.ndim > 1 else 1)
    is_finite = np.isfinite(values)
    n_nonfinite = int(values.size - np.count_nonzero(is_finite))
    if n_nonfinite:
        values = np.where(is_finite, values, np.nan)
    low, median, high = _quantiles(_some_rows(values, MAX_VALUES))
    minimum, maximum = _reduced(np.fmin, values), _reduced(np.fmax, values)
    mean, std = _moments(values, n_nonfinite > 0)
    return InputProfile(
        mean=_floats(mean),
        std=_floats(np.where(minimum == maximum, 0.0, std)),
        minimum=_floats(minimum),
        maximum=_floats(maximum),
        median=_floats(median),
        iqr=_floats(high - low),
        is_integer=bool(np.issubdtype(array.dtype, np.integer)),
        shape=shape,
        n_nonfinite=n_nonfinite,
        constant_features=tuple(int(column) for column in np.flatnonzero(minimum == maximum)),
        outlier_share=_outlier_share(_some_rows(values, MAX_VALUES), low, high),
        duplicate_share=_duplicate_share(array),
        codes=() if target is None or array.ndim != 2 else profile_codes(values, target),
    )


def profile_target(array: np.ndarray, kind: str) -> TargetProfile:
    """Statistics of the targets of one output, in the order of the rows.

    Args:
        array: Shape `(n_samples, ...)`, numeric.
        kind: As in `TargetProfile`.

    Example:

    >>> profile_target(np.array([0, 1, 1, 1]), "binary").class_shares
    ((0, 0.25), (1, 0.75))
    """
    values = _some_rows(array, MAX_VALUES).astype(np.float64)
    values = values.reshape(len(values), -1)
    is_finite = np.isfinite(values)
    finite = values[is_finite]
    if not finite.size:
        return TargetProfile(kind, 0.0, 0.0, False, 0.0, width=values.shape[1], n_nonfinite=int(values.size))
    rows = values[is_finite.all(axis=1)]
    ones = _ones(array, values)
    is_one_hot = bool(ones.size and (ones == 1.0).all())
    is_whole = bool((finite == np.floor(finite)).all())
    classes = _classes(rows, is_one_hot=is_one_hot, is_whole=is_whole)
    n_distinct = len(np.unique(classes)) if is_one_hot and classes is not None else len(np.unique(finite))
    return TargetProfile(
        kind=kind,
        mean=float(finite.mean()),
        std=float(finite.std()) if np.ptp(finite) else 0.0,
        is_constant=bool(len(rows) and (rows == rows[0]).all()),
        order_drift=order_drift(rows, is_class=kind in ("binary", "multiclass")) if len(rows) else 0.0,
        minimum=float(finite.min()),
        maximum=float(finite.max()),
        width=values.shape[1],
        n_distinct=n_distinct,
        is_whole=is_whole,
        is_one_hot=is_one_hot,
        has_several=bool((ones > 1.0).any()),
        class_shares=() if classes is None else _shares(classes),
        n_nonfinite=int(values.size - finite.size),
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


def _some_rows(array: np.ndarray, most: int) -> np.ndarray:
    """Evenly spaced rows that hold about so many values together; all where there are no more."""
    step = math.ceil(array.size / most) if array.size > most else 1
    return array[::step]


def _quantiles(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Quartiles of every column; 0 where no value is finite."""
    is_clean = not np.isnan(values).any()
    if is_clean:
        low, median, high = np.percentile(values, (25, 50, 75), axis=0)
        return low, median, high
    columns = [column[~np.isnan(column)] for column in values.T]
    quartiles = [np.percentile(column, (25, 50, 75)) if column.size else np.zeros(3) for column in columns]
    low, median, high = np.transpose(quartiles)
    return low, median, high


def _moments(values: np.ndarray, has_nan: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of every column; 0 where no value is finite."""
    if not has_nan:
        return values.mean(axis=0), values.std(axis=0)
    is_known = ~np.isnan(values)
    count = np.maximum(is_known.sum(axis=0), 1)
    mean = np.where(is_known, values, 0.0).sum(axis=0) / count
    return mean, np.sqrt((np.where(is_known, values - mean, 0.0) ** 2).sum(axis=0) / count)


def _reduced(function: np.ufunc, values: np.ndarray) -> np.ndarray:
    """The smallest, or largest, finite value of every column; 0 where there is none."""
    return np.nan_to_num(np.asarray(function.reduce(values, axis=0)))


def _outlier_share(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Share of far-out values; columns with more than half of their values alike have no scale to tell by."""
    reach = FAR_OUT * (high - low)
    is_far = ((values < low - reach) | (values > high + reach)) & (reach > 0.0)
    n_known = values.size - int(np.count_nonzero(np.isnan(values)))
    return float(np.count_nonzero(is_far) / n_known) if n_known else 0.0


def _duplicate_share(array: np.ndarray) -> float:
    rows = array.reshape(len(array), -1)
    step = max(1, math.ceil(rows.shape[1] * rows.itemsize / MAX_ROW_BYTES))
    rows = np.ascontiguousarray(rows[:, ::step])
    return 1.0 - len({row.tobytes() for row in rows}) / len(rows)


def _ones(array: np.ndarray, values: np.ndarray) -> np.ndarray:
    """How many 1s each row, or each step of it, has among zeros; none for single values and other numbers."""
    if array.ndim < 2 or array.shape[-1] < 2 or not ((values == 0.0) | (values == 1.0)).all():
        return np.zeros(0)
    ones: np.ndarray = values.reshape(-1, array.shape[-1]).sum(axis=1)
    return ones


def _classes(rows: np.ndarray, *, is_one_hot: bool, is_whole: bool) -> np.ndarray | None:
    """The class number of every row; None for what holds no classes."""
    if is_one_hot:
        return rows.argmax(axis=1).astype(np.float64)
    if not is_whole or rows.shape[1] != 1 or len(np.unique(rows)) > min(MAX_CLASSES, max(2, len(rows) // 2)):
        return None
    return rows[:, 0]


def _shares(classes: np.ndarray) -> tuple[tuple[int, float], ...]:
    labels, counts = np.unique(classes, return_counts=True)
    return tuple((int(label), float(count / len(classes))) for label, count in zip(labels, counts, strict=True))


def _floats(values: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
