"""Targets, predictions and weights brought to one shape, and their means and medians over rows."""

import math
from typing import Any

import numpy as np

from autofix.errors import DataError


def align_targets(y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    """Targets and predictions as arrays of float64 of the same rank, so that no rows are ever crossed.

    A trailing dimension of 1 that only one of the two has is added to, or dropped from, the targets.

    Args:
        y_true: Targets, `(n_samples, ...)`.
        y_pred: Predictions, `(n_samples, *output_shape)`.

    Example:

    >>> targets, predictions = align_targets([1.0, 2.0], [[1.0], [1.5]])
    >>> targets.shape == predictions.shape == (2, 1)
    True

    Raises:
        DataError: The lengths differ, there are no rows, or an array is not numeric.
    """
    targets, predictions = as_numbers("y_true", y_true), as_numbers("y_pred", y_pred)
    if len(targets) != len(predictions) or len(targets) == 0:
        raise DataError(
            "Targets and predictions cannot be compared. Expected the same number of rows, at least 1, in both. "
            f"Received: y_true.shape={targets.shape}, y_pred.shape={predictions.shape}. Pass one target for each "
            "row of predictions."
        )
    if targets.ndim == predictions.ndim - 1 and predictions.shape[-1] == 1:
        targets = targets[..., None]
    elif targets.ndim == predictions.ndim + 1 and targets.shape[-1] == 1:
        targets = targets[..., 0]
    return targets, predictions


def as_numbers(name: str, array: Any) -> np.ndarray:
    """An array as float64 with rows.

    Args:
        name: Of the array, for the error.
        array: What the user passed.

    Raises:
        DataError: It is not numeric, or has no dimension.
    """
    try:
        values = np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{name} does not hold numbers. Expected a numeric array. Received: {name} of type "
            f"{type(array).__name__}. Encode it before it is compared."
        ) from error
    if values.ndim == 0:
        raise DataError(
            f"{name} has no rows. Expected an array of shape (n_samples, ...). Received: {name}={array!r}. "
            "Pass an array."
        )
    return values


def _mismatch(y_true: np.ndarray, shape: tuple[int, ...], expected: str) -> DataError:
    return DataError(
        f"Targets do not fit the output of the model. Expected {expected}. Received: y_true.shape={y_true.shape}, "
        f"y_pred.shape={shape}. Check the output layer and the encoding of the targets."
    )


def same_shape(y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both in the shape that they broadcast to; only dimensions of 1 behind the first are ever stretched."""
    targets, predictions = align_targets(y_true, y_pred)
    if targets.shape == predictions.shape:
        return targets, predictions
    if targets.ndim == predictions.ndim:
        try:
            shape = np.broadcast_shapes(targets.shape, predictions.shape)
        except ValueError:
            pass
        else:
            return np.broadcast_to(targets, shape), np.broadcast_to(predictions, shape)
    raise _mismatch(targets, predictions.shape, "targets of the shape of the predictions")


def row_means(values: np.ndarray) -> np.ndarray:
    """`(n_samples, ...)` to `(n_samples,)`."""
    return values.reshape(len(values), -1).mean(axis=1)


def repeat_constant(constant: np.ndarray, n_samples: int) -> np.ndarray:
    """A constant as the predictions of a model that knows nothing else."""
    return np.broadcast_to(constant, (n_samples, *constant.shape))


def as_targets(y_true: Any, output_shape: tuple[int, ...]) -> np.ndarray:
    """Targets in the shape `(n_samples, *output_shape)`."""
    targets = as_numbers("y_true", y_true)
    targets, stand_in = same_shape(targets, np.broadcast_to(0.0, (len(targets), *output_shape)))
    if stand_in.shape[1:] != tuple(output_shape):
        raise _mismatch(targets, (len(targets), *output_shape), "targets no wider than the predictions")
    return targets


def as_labels(y_true: Any, output_shape: tuple[int, ...]) -> np.ndarray:
    """Class numbers in the shape `(n_samples, *output_shape[:-1])`."""
    labels = as_numbers("y_true", y_true)
    if labels.ndim == len(output_shape) + 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if not output_shape or labels.shape[1:] != tuple(output_shape[:-1]):
        raise _mismatch(labels, (len(labels), *output_shape), "one class number for each row of class scores")
    return labels


def one_hot(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """`(...)` to `(..., n_classes)`; NaN for labels that are no class."""
    columns = (labels[..., None] == np.arange(n_classes)).astype(np.float64)
    columns[(columns.sum(axis=-1) == 0.0)] = np.nan
    return columns


def guess_targets(targets: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, bool]:
    """Targets in the shape of the output as well as can be guessed, and whether they are shares of classes."""
    stand_in = np.broadcast_to(0.0, (len(targets), *shape))
    if shape and shape[-1] > 1:
        if targets.shape[1:] in (shape[:-1], (*shape[:-1], 1)):
            labels = targets.reshape(len(targets), *shape[:-1])
            if np.all((labels == np.floor(labels)) & (labels >= 0.0) & (labels < shape[-1])):
                return one_hot(labels, shape[-1]), True
        elif targets.shape == stand_in.shape:
            return targets, bool(np.all(targets >= 0.0) and np.allclose(targets.sum(axis=-1), 1.0, atol=1e-4))
    try:
        return as_targets(targets, shape), False
    except DataError:
        # A loss of its own making, such as of distribution parameters: all outputs start at the widest target.
        flat = targets.reshape(len(targets), -1)
        widest = flat[:, flat.std(axis=0).argmax()]
        return np.broadcast_to(widest.reshape(-1, *[1] * len(shape)), stand_in.shape), False


def unmasked(mask: np.ndarray | None, array: np.ndarray) -> np.ndarray:
    """The steps that a mask leaves in, each as a row; everything where there is no mask.

    Args:
        mask: `(n_samples, n_steps)`, or None.
        array: `(n_samples, n_steps, ...)`, or `(n_samples,)` for one value that all steps of a row have.
    """
    if mask is None:
        return array
    if array.shape[:2] != mask.shape:
        array = np.broadcast_to(array.reshape(len(mask), -1)[:, :1], mask.shape)
    return np.asarray(array[mask])


# Means and medians over rows


def as_weights(sample_weight: Any, n_samples: int) -> np.ndarray | None:
    """Weights as checked `(n_samples,)`; finer weights, such as those of time steps, are averaged."""
    if sample_weight is None:
        return None
    weights = as_numbers("sample_weight", sample_weight)
    if len(weights) != n_samples:
        raise DataError(
            f"Weights do not fit the targets. Expected {n_samples} rows. Received: "
            f"sample_weight.shape={weights.shape}. Pass one weight for each row."
        )
    weights = row_means(weights)
    if not (weights >= 0.0).all() or not 0.0 < weights.sum() < math.inf:
        raise DataError(
            "Weights cannot be used. Expected finite numbers from 0 on, not all 0. Received: "
            f"sample_weight between {weights.min()} and {weights.max()}. Pass other weights or none."
        )
    return weights


def mean_over_rows(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """The mean over rows, exact where all rows are equal."""
    first = values[:1]
    return np.asarray(first[0] + np.average(values - first, axis=0, weights=weights))


def median_over_rows(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """The median over rows, with weights of shape `(n_samples,)` or that of the values."""
    if weights is None:
        return np.asarray(np.median(values, axis=0))
    trailing = (1,) * (values.ndim - weights.ndim)
    weights = np.broadcast_to(weights.reshape(*weights.shape, *trailing), values.shape)
    order = np.argsort(values, axis=0, kind="stable")
    ordered = np.take_along_axis(values, order, axis=0)
    cumulative = np.take_along_axis(weights, order, axis=0).cumsum(axis=0)
    middle = (cumulative >= 0.5 * cumulative[-1:]).argmax(axis=0)
    return np.asarray(np.take_along_axis(ordered, middle[None], axis=0)[0])
