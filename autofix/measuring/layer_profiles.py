"""Profiles of layers: what their units do on a few rows, and their weights, when the training began and now."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from autofix.evidence import LayerProfile
from autofix.measuring.layer_facts import activation_name, arguments_of, listed_layers, output_layers
from autofix.measuring.measured_pass import Activity, Pass

SAME = 1e-6
"""Values that differ by less than this share of their size are the same: float32 rounds to 1.2e-7, and sums of rounded
numbers to a few times that."""

NEAR_END = 0.01
"""Share of the range of a bounded activation that counts as its end: there a sigmoid has lost 96 % of its slope."""

ENDS = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
}

MAX_WEIGHTS_A_UNIT = 1024
"""Weights by which units are compared: of more, evenly spaced ones."""

Weights = dict[int, np.ndarray]
"""Values of variables, by the id of the variable."""


def weights_of(model: keras.Model) -> Weights:
    """The values of all weights now, in float64.

    Args:
        model: Built. Not changed.
    """
    return {
        id(one): tf.convert_to_tensor(one.value).numpy().astype(np.float64) for one in model.weights if _is_float(one)
    }


def profile_layers(
    model: keras.Model, start: Pass, now: Pass, before: Weights, after: Weights
) -> tuple[LayerProfile, ...]:
    """One profile a layer that has weights or a rate, in the order of the network.

    Args:
        model: Built. Not changed.
        start: Measured with the weights that the training began with.
        now: Measured with the weights of now.
        before: The weights that the training began with.
        after: The weights of now.
    """
    outputs = [id(layer) for layer in output_layers(model)]
    return tuple(_profile(layer, id(layer) in outputs, (start, now), (before, after)) for layer in listed_layers(model))


def _profile(layer: Any, is_output: bool, passes: tuple[Pass, Pass], values: tuple[Weights, Weights]) -> LayerProfile:
    (start, now), (before, after) = passes, values
    activity, first = now.activities.get(id(layer)), start.activities.get(id(layer))
    activation = activity.activation if activity is not None else activation_name(layer)
    units = _units(layer, activity)
    return LayerProfile(
        name=layer.name,
        kind=type(layer).__name__,
        activation=activation,
        units=units,
        is_output=is_output,
        is_trainable=bool(layer.trainable and layer.trainable_weights) if layer.weights else bool(layer.trainable),
        has_weights=bool(layer.weights),
        arguments=arguments_of(layer),
        dead_share=dead_share(activity),
        start_dead_share=dead_share(first),
        saturated_share=saturated_share(activity),
        start_saturated_share=saturated_share(first),
        gradient=_relative_gradient(layer, now, after),
        start_gradient=_relative_gradient(layer, start, before),
        update=_update(layer, before, after),
        kernel_scale=_kernel_scale(layer, before),
        start_bias=_mean_bias(layer, before),
        equal_share=_equal_share(layer, units, before),
        penalty=_finite(now.penalties.get(id(layer), 0.0)),
        start_penalty=_finite(start.penalties.get(id(layer), 0.0)),
    )


def is_same(values: np.ndarray) -> np.ndarray:
    """Whether each column is the same in every row.

    Args:
        values: Shape `(n_rows, ...)`.

    Returns:
        Booleans, of the shape of a row. False for columns with values that are not finite.

    Example:

    >>> is_same(np.array([[1.0, 1.0], [1.0, 2.0]])).tolist()
    [True, False]
    """
    columns = values.astype(np.float64)
    with np.errstate(invalid="ignore"):
        low, high = columns.min(axis=0), columns.max(axis=0)
        same: np.ndarray = high - low <= SAME * np.maximum(abs(low), abs(high))
    return same & np.isfinite(low) & np.isfinite(high)


def dead_share(activity: Activity | None) -> float:
    """Share of the units that are the same for every row, at every step or pixel; 0 where that is not known."""
    if activity is None or len(activity.output) < 2 or activity.output.dtype.kind not in "fiu":
        return 0.0
    same = is_same(activity.output)
    return float(same.reshape(-1, same.shape[-1] if same.ndim else 1).all(axis=0).mean()) if same.size else 0.0


def saturated_share(activity: Activity | None) -> float:
    """Share of the values near an end of the activation; of a softmax, of the rows that are all but sure."""
    if activity is None or not activity.output.size:
        return 0.0
    values = activity.output.astype(np.float64)
    if activity.activation == "softmax":
        return float((values.max(axis=-1) > 1.0 - NEAR_END).mean()) if values.shape[-1] > 1 else 0.0
    if activity.activation not in ENDS:
        return 0.0
    low, high = ENDS[activity.activation]
    margin = NEAR_END * (high - low)
    return float(((values < low + margin) | (values > high - margin)).mean())


def _units(layer: Any, activity: Activity | None) -> int:
    if activity is not None:
        return int(activity.own.shape[-1]) if activity.own.ndim > 1 else 1
    sizes = (getattr(layer, name, None) for name in ("units", "filters", "output_dim"))
    return next((int(size) for size in sizes if isinstance(size, int)), 0)


def _relative_gradient(layer: Any, measured: Pass, values: Weights) -> float:
    """Norm of the gradients over that of the weights; 0 where either is not known."""
    variables = [one for one in layer.trainable_weights if id(one) in measured.gradients and id(one) in values]
    norm = _norm([values[id(one)] for one in variables])
    gradient = math.sqrt(sum(measured.gradients[id(one)] ** 2 for one in variables))
    return _finite(gradient / norm) if norm > 0.0 else 0.0


def _update(layer: Any, before: Weights, after: Weights) -> float:
    """How far the weights moved, over their norm when the training began; over that of now where they began at 0."""
    variables = [one for one in layer.trainable_weights if id(one) in before and id(one) in after]
    moved = _norm([after[id(one)] - before[id(one)] for one in variables])
    norm = _norm([before[id(one)] for one in variables]) or _norm([after[id(one)] for one in variables])
    return _finite(moved / norm) if norm > 0.0 else 0.0


def _named(name: str, layer: Any, values: Weights) -> np.ndarray | None:
    """The values of a layer's weight of that name; None without."""
    return next((values[id(one)] for one in layer.weights if one.name == name and id(one) in values), None)


def _kernel_scale(layer: Any, values: Weights) -> float:
    """Deviation of the kernel over that of Glorot's initialisation (Glorot & Bengio 2010, equation 16)."""
    kernel = _named("kernel", layer, values)
    if kernel is None or kernel.ndim < 2:
        return 1.0
    field = math.prod(kernel.shape[:-2])
    glorot = math.sqrt(2.0 / (field * (kernel.shape[-2] + kernel.shape[-1])))
    # About 0, as initialisers draw: kernels of equal weights would have no deviation about their mean.
    return _finite(float(np.sqrt((kernel**2).mean())) / glorot, 1.0)


def _mean_bias(layer: Any, values: Weights) -> float:
    bias = _named("bias", layer, values)
    return _finite(float(bias.mean())) if bias is not None and bias.size else 0.0


def _equal_share(layer: Any, units: int, values: Weights) -> float:
    """Share of the units whose weights are those of another one."""
    has_kernel = any(one.name == "kernel" for one in layer.weights)
    arrays = [values[id(one)] for one in layer.weights if id(one) in values]
    # A recurrent layer has the weights of its gates side by side; other variables are not one a unit.
    arrays = [array for array in arrays if array.ndim and units and array.shape[-1] % units == 0]
    if not has_kernel or units < 2 or not arrays:
        return 0.0
    rows = np.concatenate([array.reshape(-1, units) for array in arrays])
    rows = rows[:: math.ceil(len(rows) / MAX_WEIGHTS_A_UNIT)]
    if not np.isfinite(rows).all():
        return 0.0
    _, counts = np.unique([column.tobytes() for column in np.ascontiguousarray(rows.T)], return_counts=True)
    return float(counts[counts > 1].sum() / units)


def _norm(arrays: Sequence[np.ndarray]) -> float:
    with np.errstate(over="ignore"):
        return math.sqrt(sum(float((array**2).sum()) for array in arrays))


def _finite(value: float, otherwise: float = 0.0) -> float:
    return float(value) if math.isfinite(value) else otherwise


def _is_float(variable: Any) -> bool:
    return "float" in str(variable.dtype)
