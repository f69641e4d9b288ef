"""The constant output that has the smallest mean loss, for any loss."""

import functools
import math

import numpy as np
from scipy import optimize, special

from autofix.errors import DataError
from autofix.scoring.alignment import (
    as_numbers,
    as_weights,
    guess_targets,
    mean_over_rows,
    median_over_rows,
    repeat_constant,
)
from autofix.scoring.loss_specs import LossSpec, identity
from autofix.scoring.numpy_losses import sigmoid_logits, softmax_logits

MAX_SEARCHED_OUTPUTS = 8
"""Beyond, the best constant of an arbitrary loss is the best starting point: a search takes too many evaluations."""

MAX_SEARCH_EVALUATIONS = 300
"""Evaluations of the loss a starting point; a single output takes about 40."""


def best_constant(
    y_true: np.ndarray, loss: LossSpec, output_shape: tuple[int, ...], sample_weight: np.ndarray | None = None
) -> np.ndarray:
    """The one output that has the smallest mean loss on these rows, shape `output_shape`, as float64.

    In the space of the model's output: logits where the loss takes logits. For losses that are not Keras' and
    more than `MAX_SEARCHED_OUTPUTS` outputs it is the best of mean, median and zero. NaN targets give NaN.

    Args:
        y_true: Targets, `(n_samples, ...)`.
        loss: Of this output.
        output_shape: `y_pred.shape[1:]`.
        sample_weight: `(n_samples,)`, or finer; None for equal weights.

    Example:

    >>> from autofix.scoring.numpy_losses import loss_spec
    >>> y = np.array([0.0, 0.0, 9.0])
    >>> best_constant(y, loss_spec("mean_squared_error"), (1,)).tolist()
    [3.0]
    >>> best_constant(y, loss_spec("mean_absolute_error"), (1,)).tolist()
    [0.0]

    Raises:
        DataError: There are no rows, or the targets do not fit the output.
    """
    targets = as_numbers("y_true", y_true)
    output_shape = tuple(output_shape)
    if len(targets) == 0:
        raise DataError(
            "There is no best constant of no targets. Expected at least 1 row. Received: "
            f"y_true.shape={targets.shape}. Pass data."
        )
    weights = as_weights(sample_weight, len(targets))
    if loss.constant is not None:
        return np.asarray(loss.constant(targets, weights, output_shape), dtype=np.float64)
    return _searched(targets, loss, output_shape, weights)


def _searched(targets: np.ndarray, loss: LossSpec, shape: tuple[int, ...], weights: np.ndarray | None) -> np.ndarray:
    """The best constant of an arbitrary loss, by Powell's method from the mean, the median and zero.

    Source: Powell (1964), An efficient method for finding the minimum of a function of several variables.
    """
    columns, is_classes = guess_targets(targets, shape)
    to_output = loss.to_output
    if to_output is None:
        to_output = functools.partial(special.softmax, axis=-1) if is_classes and shape else identity

    def mean_loss(free: np.ndarray) -> float:
        with np.errstate(all="ignore"):
            rows = repeat_constant(to_output(free.reshape(shape)), len(targets))
            if weights is None and loss.mean is not None:
                value = loss.mean(targets, rows)
            else:
                value = float(np.average(loss.per_row(targets, rows), weights=weights))
        # A large finite number, for which Powell's arithmetic stays free of NaN.
        return value if math.isfinite(value) else 1e100

    starts = [mean_over_rows(columns, weights), median_over_rows(columns, weights), np.zeros(shape)]
    if is_classes:
        starts += [softmax_logits(starts[0])]
    if loss.to_output is not None:
        starts += [sigmoid_logits(starts[0])]
    scored = sorted(((mean_loss(start), index) for index, start in enumerate(starts)))
    best_value, best_index = scored[0]
    best = starts[best_index]
    if best.size <= MAX_SEARCHED_OUTPUTS:
        spans = np.ptp(columns, axis=0)
        scale = np.where(spans > 0.0, spans, np.maximum(np.abs(best), 1.0))
        seen: list[float] = []
        for value, index in scored:
            if value >= 1e100 or value in seen:
                continue
            seen.append(value)
            origin = starts[index]
            with np.errstate(all="ignore"):
                found = optimize.minimize(
                    lambda steps, origin=origin: mean_loss(origin + scale * steps.reshape(shape)),
                    np.zeros(best.size),
                    method="Powell",
                    options={"maxfev": MAX_SEARCH_EVALUATIONS, "xtol": 1e-6, "ftol": 1e-10},
                )
            if found.fun < best_value:
                best_value, best = float(found.fun), origin + scale * found.x.reshape(shape)
    return np.asarray(to_output(best), dtype=np.float64)
