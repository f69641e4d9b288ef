"""Keras' losses in NumPy, each with its best constant and its smallest value."""

import difflib
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy import special

from autofix.errors import ArgumentError
from autofix.scoring.alignment import (
    align_targets,
    as_labels,
    as_targets,
    mean_over_rows,
    median_over_rows,
    one_hot,
    repeat_constant,
    row_means,
    same_shape,
)
from autofix.scoring.loss_specs import LossSpec, identity

EPSILON = 1e-7
"""Where Keras clips probabilities and keeps logarithms finite (`keras.config.epsilon()` unless changed)."""

LARGEST_PROBABILITY = float(np.float32(1.0 - EPSILON))
"""Where Keras clips them above, in the float32 that it computes in: 1 less 1.2e-7."""

SECTION_STEPS = 40
"""Each step keeps 55 % of the bracket, so these leave 4e-11 of the range of the targets."""

Elementwise = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""`(y_true, y_pred) -> losses`, all of one shape."""


def loss_spec(name: str, **options: Any) -> LossSpec:
    """The NumPy form of one of Keras' losses, equal to Keras' unreduced one.

    Args:
        name: Keras' snake_case name; see `LOSS_NAMES`.
        **options: As Keras' function takes them: `delta`, `from_logits`, `label_smoothing`.

    Example:

    >>> loss = loss_spec("huber", delta=2.0)
    >>> loss.per_row(np.array([0.0, 0.0]), np.array([1.0, 3.0])).tolist()
    [0.5, 4.0]

    Raises:
        ArgumentError: The name or an option is unknown.

    Source: the definitions in `keras.losses`, Keras 3.15.
    """
    if name not in _BUILDERS:
        close = difflib.get_close_matches(name, _BUILDERS, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ArgumentError(
            f"Unknown loss. Expected one of {sorted(_BUILDERS)}. Received: name={name!r}.{hint} "
            "Describe any other loss with LossSpec(name, per_row)."
        )
    builder, known = _BUILDERS[name]
    unknown = sorted(options.keys() - known)
    if unknown:
        raise ArgumentError(
            f"Unknown option of the loss {name}. Expected some of {sorted(known)}. Received: {unknown}. "
            "Leave it out, or describe the loss with LossSpec(name, per_row)."
        )
    return builder(name, **options)


# Numbers: the mean over outputs of a loss of each


def _elementwise_spec(
    name: str,
    elementwise: Elementwise,
    constant: Callable[[np.ndarray, np.ndarray | None], np.ndarray] | None = None,
    floor: Callable[[np.ndarray], np.ndarray] = np.zeros_like,
    **fields: Any,
) -> LossSpec:
    """The form of a loss whose `constant(targets, weights)` and `floor(targets)` are those of each output.

    Without `constant`, `elementwise` has to be a convex function of the error: the best constant then lies between
    the smallest and the largest target.
    """

    def per_row(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        return row_means(elementwise(*same_shape(y_true, y_pred)))

    def constant_of(y_true: np.ndarray, weights: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
        targets = as_targets(y_true, shape)
        if constant is None:
            return _sectioned(elementwise, targets, weights, targets.min(axis=0), targets.max(axis=0))
        return constant(targets, weights)

    def floor_of(y_true: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return row_means(floor(as_targets(y_true, shape)))

    fields.setdefault("comparable", same_shape)
    return LossSpec(name, per_row, constant_of, floor=floor_of, **fields)


def _sectioned(
    elementwise: Elementwise,
    targets: np.ndarray,
    weights: np.ndarray | None,
    lower: np.ndarray,
    upper: np.ndarray,
) -> np.ndarray:
    """The minimiser of each output's mean loss between two bounds, all outputs at once, for convex losses."""

    def means(constant: np.ndarray) -> np.ndarray:
        losses = elementwise(targets, repeat_constant(constant, len(targets)))
        return np.asarray(np.average(losses, axis=0, weights=weights))

    lower, upper = np.asarray(lower), np.asarray(upper)
    for _ in range(SECTION_STEPS):
        left, right = lower + 0.45 * (upper - lower), upper - 0.45 * (upper - lower)
        keeps_left = means(left) <= means(right)
        lower, upper = np.where(keeps_left, lower, left), np.where(keeps_left, right, upper)
    return np.asarray(lower + 0.5 * (upper - lower))


def _mean_squared_error(name: str) -> LossSpec:
    return _elementwise_spec(name, lambda y, p: np.square(y - p), mean_over_rows)


def _mean_absolute_error(name: str) -> LossSpec:
    return _elementwise_spec(name, lambda y, p: np.abs(y - p), median_over_rows)


def _mean_absolute_percentage_error(name: str) -> LossSpec:
    def sizes(targets: np.ndarray) -> np.ndarray:
        return np.maximum(np.abs(targets), EPSILON)

    def constant(targets: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        inverse = 1.0 / sizes(targets)
        return median_over_rows(targets, inverse if weights is None else (inverse.T * weights).T)

    return _elementwise_spec(name, lambda y, p: 100.0 * np.abs(y - p) / sizes(y), constant)


def _mean_squared_logarithmic_error(name: str) -> LossSpec:
    def logarithm(values: np.ndarray) -> np.ndarray:
        return np.log1p(np.maximum(values, EPSILON))

    def constant(targets: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        return np.expm1(mean_over_rows(logarithm(targets), weights))

    return _elementwise_spec(name, lambda y, p: np.square(logarithm(p) - logarithm(y)), constant)


def _huber(name: str, delta: float = 1.0) -> LossSpec:
    def elementwise(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        error = np.abs(y_pred - y_true)
        return np.where(error <= delta, 0.5 * np.square(error), delta * error - 0.5 * delta**2)

    return _elementwise_spec(name, elementwise)


def _log_cosh(name: str) -> LossSpec:
    def elementwise(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        error = np.abs(y_pred - y_true)
        return error + np.log1p(np.exp(-2.0 * error)) - math.log(2.0)

    return _elementwise_spec(name, elementwise)


def _hinge(name: str, power: float = 1.0) -> LossSpec:
    def signs(y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        targets, predictions = same_shape(y_true, y_pred)
        is_binary = np.logical_or(targets == 0.0, targets == 1.0).all()
        return (2.0 * targets - 1.0 if is_binary else targets), predictions

    def elementwise(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        targets, predictions = signs(y_true, y_pred)
        return np.maximum(1.0 - targets * predictions, 0.0) ** power

    def constant(targets: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        # Each row's loss bends at 1 / target, and at least one of these bends is a minimum.
        sizes = np.abs(signs(targets, targets)[0])
        reach = 1.0 / sizes.min(where=sizes > 0.0, initial=1.0) * np.ones(targets.shape[1:])
        return _sectioned(elementwise, targets, weights, -reach, reach)

    return _elementwise_spec(
        name,
        elementwise,
        constant,
        comparable=signs,
        from_target_space=lambda probabilities: 2.0 * probabilities - 1.0,
        to_probabilities=lambda signs: 0.5 * (signs + 1.0),
    )


def _poisson(name: str) -> LossSpec:
    def elementwise(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        return y_pred - y_true * np.log(y_pred + EPSILON)

    def constant(targets: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        return np.maximum(mean_over_rows(targets, weights) - EPSILON, 0.0)

    def floor(targets: np.ndarray) -> np.ndarray:
        return elementwise(targets, np.maximum(targets - EPSILON, 0.0))

    return _elementwise_spec(name, elementwise, constant, floor)


# Probabilities


def _entropy(probabilities: np.ndarray) -> np.ndarray:
    """-p log p; 0 where `probabilities` is none, for which no smallest loss is known."""
    entropy = special.entr(probabilities)
    return np.where(np.isfinite(entropy), entropy, 0.0)


def _clipped(probabilities: np.ndarray) -> np.ndarray:
    return np.clip(probabilities, EPSILON, LARGEST_PROBABILITY)


def softmax_logits(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities as logits of a softmax."""
    return np.log(_clipped(probabilities))


def sigmoid_logits(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities as logits of a sigmoid."""
    return special.logit(_clipped(probabilities))


def _binary_crossentropy(name: str, from_logits: bool = False, label_smoothing: float = 0.0) -> LossSpec:
    from_target_space = sigmoid_logits if from_logits else identity

    def smoothed(targets: np.ndarray) -> np.ndarray:
        return targets * (1.0 - label_smoothing) + 0.5 * label_smoothing

    def elementwise(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        targets = smoothed(y_true)
        if from_logits:
            return np.maximum(y_pred, 0.0) - y_pred * targets + np.log1p(np.exp(-np.abs(y_pred)))
        probabilities = _clipped(y_pred)
        return -(targets * np.log(probabilities) + (1.0 - targets) * np.log1p(-probabilities))

    def constant(targets: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        return from_target_space(_clipped(smoothed(mean_over_rows(targets, weights))))

    def comparable(y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        targets, predictions = same_shape(y_true, y_pred)
        return targets, special.expit(predictions) if from_logits else predictions

    def floor(targets: np.ndarray) -> np.ndarray:
        return _entropy(smoothed(targets)) + _entropy(1.0 - smoothed(targets))

    return _elementwise_spec(
        name,
        elementwise,
        constant,
        floor,
        comparable=comparable,
        from_target_space=from_target_space,
        to_probabilities=special.expit if from_logits else identity,
    )


def _class_spec(
    name: str,
    targets_for: Callable[[np.ndarray, tuple[int, ...]], np.ndarray],
    log_probabilities: Callable[[np.ndarray], np.ndarray],
    from_logits: bool,
    label_smoothing: float = 0.0,
) -> LossSpec:
    """The cross-entropy of `targets_for(y_true, output_shape)`, one column a class."""
    from_target_space = softmax_logits if from_logits else identity

    to_probabilities = functools.partial(special.softmax, axis=-1) if from_logits else identity

    def smoothed(targets: np.ndarray) -> np.ndarray:
        return targets * (1.0 - label_smoothing) + label_smoothing / targets.shape[-1]

    def per_row(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        predictions = align_targets(y_true, y_pred)[1]
        targets = smoothed(targets_for(y_true, predictions.shape[1:]))
        return row_means(-(targets * log_probabilities(predictions)).sum(axis=-1))

    def constant(y_true: np.ndarray, weights: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
        priors = smoothed(mean_over_rows(targets_for(y_true, shape), weights))
        return from_target_space(priors / priors.sum(axis=-1, keepdims=True))

    def comparable(y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        predictions = align_targets(y_true, y_pred)[1]
        targets = targets_for(y_true, predictions.shape[1:])
        return targets, to_probabilities(predictions)

    def floor(y_true: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        targets = smoothed(targets_for(y_true, shape))
        # The last term is 0 for targets that sum to 1; rows with several labels sum to more.
        return row_means(_entropy(targets).sum(axis=-1) - _entropy(targets.sum(axis=-1)))

    return LossSpec(
        name, per_row, constant, comparable, from_target_space, floor=floor, to_probabilities=to_probabilities
    )


def _categorical_crossentropy(name: str, from_logits: bool = False, label_smoothing: float = 0.0) -> LossSpec:
    def log_probabilities(predictions: np.ndarray) -> np.ndarray:
        if from_logits:
            return special.log_softmax(predictions, axis=-1)
        return softmax_logits(predictions / predictions.sum(axis=-1, keepdims=True))

    return _class_spec(name, as_targets, log_probabilities, from_logits, label_smoothing)


def _sparse_categorical_crossentropy(name: str, from_logits: bool = False) -> LossSpec:
    def targets_for(y_true: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return one_hot(as_labels(y_true, shape), shape[-1])

    def log_probabilities(predictions: np.ndarray) -> np.ndarray:
        return special.log_softmax(predictions if from_logits else softmax_logits(predictions), axis=-1)

    return _class_spec(name, targets_for, log_probabilities, from_logits)


def _kl_divergence(name: str) -> LossSpec:
    def per_row(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        targets, predictions = (np.clip(array, EPSILON, 1.0) for array in same_shape(y_true, y_pred))
        return row_means((targets * np.log(targets / predictions)).sum(axis=-1))

    def constant(y_true: np.ndarray, weights: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
        # Among distributions: without that condition, ones would have a smaller loss than any distribution.
        priors = mean_over_rows(np.clip(as_targets(y_true, shape), EPSILON, 1.0), weights)
        return np.asarray(priors / priors.sum(axis=-1, keepdims=True))

    return LossSpec(name, per_row, constant, same_shape)


def _cosine_similarity(name: str) -> LossSpec:
    def directions(vectors: np.ndarray) -> np.ndarray:
        return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), EPSILON)

    def per_row(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        targets, predictions = same_shape(y_true, y_pred)
        return row_means(-(directions(targets) * directions(predictions)).sum(axis=-1))

    def constant(y_true: np.ndarray, weights: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
        return directions(mean_over_rows(directions(as_targets(y_true, shape)), weights))

    def comparable(y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        targets, predictions = same_shape(y_true, y_pred)
        return directions(targets), directions(predictions)

    def floor(y_true: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return np.full(len(y_true), -1.0)

    return LossSpec(name, per_row, constant, comparable, floor=floor)


_BUILDERS: Mapping[str, tuple[Callable[..., LossSpec], frozenset[str]]] = {
    "mean_squared_error": (_mean_squared_error, frozenset()),
    "mean_absolute_error": (_mean_absolute_error, frozenset()),
    "mean_absolute_percentage_error": (_mean_absolute_percentage_error, frozenset()),
    "mean_squared_logarithmic_error": (_mean_squared_logarithmic_error, frozenset()),
    "huber": (_huber, frozenset({"delta"})),
    "log_cosh": (_log_cosh, frozenset()),
    "hinge": (_hinge, frozenset()),
    "squared_hinge": (functools.partial(_hinge, power=2.0), frozenset()),
    "poisson": (_poisson, frozenset()),
    "kl_divergence": (_kl_divergence, frozenset()),
    "cosine_similarity": (_cosine_similarity, frozenset()),
    "binary_crossentropy": (_binary_crossentropy, frozenset({"from_logits", "label_smoothing"})),
    "categorical_crossentropy": (_categorical_crossentropy, frozenset({"from_logits", "label_smoothing"})),
    "sparse_categorical_crossentropy": (_sparse_categorical_crossentropy, frozenset({"from_logits"})),
}

LOSS_NAMES = tuple(_BUILDERS)
"""Names that `loss_spec` knows."""

LOSS_OPTIONS = {name: known for name, (_, known) in _BUILDERS.items()}
"""The options of each."""
