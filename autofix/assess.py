"""Is a model any better than a constant? Spread, best constant, skill and its confidence bounds, from arrays alone.

Nothing here imports Keras. `LossSpec` is all that has to be known of an output's loss; `autofix.losses` reads it
off a compiled model.
"""

import dataclasses
import difflib
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
from scipy import optimize, special

from autofix.errors import ArgumentError, DataError

EPSILON = 1e-7
"""Where Keras clips probabilities and keeps logarithms finite (`keras.config.epsilon()` unless changed)."""

LARGEST_PROBABILITY = float(np.float32(1.0 - EPSILON))
"""Where Keras clips them above, in the float32 that it computes in: 1 less 1.2e-7."""

CONSTANT_SPREAD = 1e-3
"""Predictions that vary less than this, relative to the targets, are constant. Under the squared error a spread s
allows a skill of at most 1 - (1 - s)² < 2 s, here 0.002: nothing that varies so little is worth anything."""

SKILL_TOLERANCE = 0.01
"""Skill up to this is no skill: it leaves 99 % of the loss, and is below what a few hundred rows can prove."""

CONFIDENCE = 0.95
"""Level of the two-sided bounds."""

N_RESAMPLES = 400
"""Bootstrap resamples: ten lie beyond each 95 % bound (Efron & Tibshirani 1993, section 13.3, use 200 to 1000)."""

MAX_BOOTSTRAP_BLOCKS = 4096
"""Of more rows, blocks of rows are resampled: bounds the resample weights to 13 MB and costs no precision."""

MAX_SEARCHED_OUTPUTS = 8
"""Beyond, the best constant of an arbitrary loss is the best starting point: a search takes too many evaluations."""

MAX_SEARCH_EVALUATIONS = 300
"""Evaluations of the loss a starting point; a single output takes about 40."""

SECTION_STEPS = 40
"""Each step keeps 55 % of the bracket, so these leave 4e-11 of the range of the targets."""

Elementwise = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""`(y_true, y_pred) -> losses`, all of one shape."""


def _identity(values: np.ndarray) -> np.ndarray:
    return values


@dataclasses.dataclass(frozen=True)
class LossSpec:
    """What has to be known of the loss of one output, in NumPy.

    Args:
        name: Keras' name of it, such as `"mean_squared_error"`.
        per_row: `(y_true, y_pred) -> (n_samples,)`: the unreduced loss, averaged over all other dimensions.
        closed_form: `(y_true, sample_weight or None, output_shape) -> (*output_shape)`: the best constant, in
            the space of the model's output; None to find it numerically.
        comparable: `(y_true, y_pred) -> (targets, predictions)` of one shape, so that their dispersions can be
            compared: one-hot labels and probabilities for classes. None for a guess from the shapes.
        from_target_space: Maps predictions in the space of the targets (numbers or probabilities) to what a model
            under this loss puts out, such as logits.
        to_output: Maps unconstrained numbers to what the output layer can produce; the numerical search runs over
            those numbers. None for no constraint but that constants for classes are probabilities.
        floor: `(y_true, output_shape) -> (n_samples,)`: the smallest loss that any prediction has for each row;
            None for 0. It is not 0 for Poisson and for smoothed or soft labels.
        elementwise: `(y_true, y_pred) -> losses` of the same shape, where the loss is the mean over outputs of a
            convex loss of each: every output's best constant is then found by itself.
        mean: `(y_true, y_pred) -> float`: the mean loss, where it is cheaper than `per_row`.
    """

    name: str
    per_row: Callable[[np.ndarray, np.ndarray], np.ndarray]
    closed_form: Callable[[np.ndarray, np.ndarray | None, tuple[int, ...]], np.ndarray] | None = None
    comparable: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]] | None = None
    from_target_space: Callable[[np.ndarray], np.ndarray] = _identity
    to_output: Callable[[np.ndarray], np.ndarray] | None = None
    floor: Callable[[np.ndarray, tuple[int, ...]], np.ndarray] | None = None
    elementwise: Elementwise | None = None
    mean: Callable[[np.ndarray, np.ndarray], float] | None = None

    def excess(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        """The loss of each row above the smallest one it can have: 0 for a perfect prediction.

        Skill is measured on these. They equal `per_row` for every loss whose smallest value is 0.

        Args:
            y_true: Targets, `(n_samples, ...)`.
            y_pred: Predictions, `(n_samples, *output_shape)`.
        """
        losses = self.per_row(y_true, y_pred)
        return losses if self.floor is None else losses - self.floor(y_true, np.shape(y_pred)[1:])


# Shapes


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
    targets, predictions = _numbers("y_true", y_true), _numbers("y_pred", y_pred)
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


def _numbers(name: str, array: Any) -> np.ndarray:
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


def _same_shape(y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
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


def _row_means(values: np.ndarray) -> np.ndarray:
    """`(n_samples, ...)` to `(n_samples,)`."""
    return values.reshape(len(values), -1).mean(axis=1)


def _constant_rows(constant: np.ndarray, n_samples: int) -> np.ndarray:
    """A constant as the predictions of a model that knows nothing else."""
    return np.broadcast_to(constant, (n_samples, *constant.shape))


def _targets_for(y_true: Any, output_shape: tuple[int, ...]) -> np.ndarray:
    """Targets in the shape `(n_samples, *output_shape)`."""
    targets = _numbers("y_true", y_true)
    targets, stand_in = _same_shape(targets, np.broadcast_to(0.0, (len(targets), *output_shape)))
    if stand_in.shape[1:] != tuple(output_shape):
        raise _mismatch(targets, (len(targets), *output_shape), "targets no wider than the predictions")
    return targets


def _labels_for(y_true: Any, output_shape: tuple[int, ...]) -> np.ndarray:
    """Class numbers in the shape `(n_samples, *output_shape[:-1])`."""
    labels = _numbers("y_true", y_true)
    if labels.ndim == len(output_shape) + 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if not output_shape or labels.shape[1:] != tuple(output_shape[:-1]):
        raise _mismatch(labels, (len(labels), *output_shape), "one class number for each row of class scores")
    return labels


def _one_hot(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """`(...)` to `(..., n_classes)`; NaN for labels that are no class."""
    columns = (labels[..., None] == np.arange(n_classes)).astype(np.float64)
    columns[(columns.sum(axis=-1) == 0.0)] = np.nan
    return columns


# Means and medians over rows


def _row_weights(sample_weight: Any, n_samples: int) -> np.ndarray | None:
    """Weights as checked `(n_samples,)`; finer weights, such as those of time steps, are averaged."""
    if sample_weight is None:
        return None
    weights = _numbers("sample_weight", sample_weight)
    if len(weights) != n_samples:
        raise DataError(
            f"Weights do not fit the targets. Expected {n_samples} rows. Received: "
            f"sample_weight.shape={weights.shape}. Pass one weight for each row."
        )
    weights = _row_means(weights)
    if not (weights >= 0.0).all() or not 0.0 < weights.sum() < math.inf:
        raise DataError(
            "Weights cannot be used. Expected finite numbers from 0 on, not all 0. Received: "
            f"sample_weight between {weights.min()} and {weights.max()}. Pass other weights or none."
        )
    return weights


def _mean(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """The mean over rows, exact where all rows are equal."""
    first = values[:1]
    return np.asarray(first[0] + np.average(values - first, axis=0, weights=weights))


def _median(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
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


# The losses of Keras


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
            "Wrap any other loss with custom_loss_spec."
        )
    builder, known = _BUILDERS[name]
    unknown = sorted(options.keys() - known)
    if unknown:
        raise ArgumentError(
            f"Unknown option of the loss {name}. Expected some of {sorted(known)}. Received: {unknown}. "
            "Leave it out, or wrap the loss with custom_loss_spec."
        )
    return builder(name, **options)


def custom_loss_spec(
    name: str,
    per_row: Callable[[np.ndarray, np.ndarray], np.ndarray],
    *,
    mean: Callable[[np.ndarray, np.ndarray], float] | None = None,
    to_output: Callable[[np.ndarray], np.ndarray] | None = None,
) -> LossSpec:
    """The form of any other loss; its best constant is found numerically.

    Args:
        name: For reports.
        per_row: As in `LossSpec`.
        mean: As in `LossSpec`.
        to_output: As in `LossSpec`. Give it where the output layer cannot produce every number: the best constant
            of a hand-written cross-entropy is only sensible among probabilities.
    """
    return LossSpec(name, per_row, mean=mean, to_output=to_output)


def _elementwise_spec(name: str, elementwise: Elementwise, **fields: Any) -> LossSpec:
    def per_row(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        return _row_means(elementwise(*_same_shape(y_true, y_pred)))

    return LossSpec(name, per_row, **{"comparable": _same_shape, "elementwise": elementwise, **fields})


def _mean_squared_error(name: str) -> LossSpec:
    def closed_form(y_true: np.ndarray, weights: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
        return _mean(_targets_for(y_true, shape), weights)

    return _elementwise_spec(name, lambda y, p: np.square(y - p), closed_form=closed_form)


def _mean_absolute_error(name: str) -> LossSpec:
    def closed_form(y_true: np.ndarray, weights: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
        return _median(_targets_for(y_true, shape), weights)

    return _elementwise_spec(name, lambda y, p: np.abs(y - p), closed_form=closed_form)


def _mean_absolute_percentage_error(name: str) -> LossSpec:
    def closed_form(y_true: np.ndarray, weights: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
        targets = _targets_for(y_true, shape)
        inverse = 1.0 / np.maximum(np.abs(targets), EPSILON)
        return _median(targets, inverse if weights is None else (inverse.T * weights).T)

    return _elementwise_spec(
        name, lambda y, p: 100.0 * np.abs(y - p) / np.maximum(np.abs(y), EPSILON), closed_form=closed_form
    )


def _mean_squared_logarithmic_error(name: str) -> LossSpec:
    def logarithm(values: np.ndarray) -> np.ndarray:
        return np.log1p(np.maximum(values, EPSILON))

    def closed_form(y_true: np.ndarray, weights: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
        return np.expm1(_mean(logarithm(_targets_for(y_true, shape)), weights))

    return _elementwise_spec(name, lambda y, p: np.square(logarithm(p) - logarithm(y)), closed_form=closed_form)


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
        targets, predictions = _same_shape(y_true, y_pred)
        is_binary = np.logical_or(targets == 0.0, targets == 1.0).all()
        return (2.0 * targets - 1.0 if is_binary else targets), predictions

    def elementwise(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        targets, predictions = signs(y_true, y_pred)
        return np.maximum(1.0 - targets * predictions, 0.0) ** power

    def closed_form(y_true: np.ndarray, weights: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
        targets = _targets_for(y_true, shape)
        # Each row's loss bends at 1 / target, and at least one of these bends is a minimum.
        sizes = np.abs(signs(targets, targets)[0])
        reach = 1.0 / sizes.min(where=sizes > 0.0, initial=1.0) * np.ones(shape)
        return _sectioned(elementwise, targets, weights, -reach, reach)

    return _elementwise_spec(
        name,
        elementwise,
        closed_form=closed_form,
        comparable=signs,
        from_target_space=lambda probabilities: 2.0 * probabilities - 1.0,
    )


def _poisson(name: str) -> LossSpec:
    def elementwise(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        return y_pred - y_true * np.log(y_pred + EPSILON)

    def closed_form(y_true: np.ndarray, weights: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
        return np.maximum(_mean(_targets_for(y_true, shape), weights) - EPSILON, 0.0)

    def floor(y_true: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        targets = _targets_for(y_true, shape)
        return _row_means(elementwise(targets, np.maximum(targets - EPSILON, 0.0)))

    return _elementwise_spec(name, elementwise, closed_form=closed_form, floor=floor)


def _entropy(probabilities: np.ndarray) -> np.ndarray:
    """-p log p; 0 where `probabilities` is none, for which no smallest loss is known."""
    entropy = special.entr(probabilities)
    return np.where(np.isfinite(entropy), entropy, 0.0)


def _clipped(probabilities: np.ndarray) -> np.ndarray:
    return np.clip(probabilities, EPSILON, LARGEST_PROBABILITY)


def _log_of(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities as logits of a softmax."""
    return np.log(_clipped(probabilities))


def _logit_of(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities as logits of a sigmoid."""
    return special.logit(_clipped(probabilities))


def _binary_crossentropy(name: str, from_logits: bool = False, label_smoothing: float = 0.0) -> LossSpec:
    from_target_space = _logit_of if from_logits else _identity

    def smoothed(targets: np.ndarray) -> np.ndarray:
        return targets * (1.0 - label_smoothing) + 0.5 * label_smoothing

    def elementwise(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        targets = smoothed(y_true)
        if from_logits:
            return np.maximum(y_pred, 0.0) - y_pred * targets + np.log1p(np.exp(-np.abs(y_pred)))
        probabilities = _clipped(y_pred)
        return -(targets * np.log(probabilities) + (1.0 - targets) * np.log1p(-probabilities))

    def closed_form(y_true: np.ndarray, weights: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
        return from_target_space(_clipped(smoothed(_mean(_targets_for(y_true, shape), weights))))

    def comparable(y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        targets, predictions = _same_shape(y_true, y_pred)
        return targets, special.expit(predictions) if from_logits else predictions

    def floor(y_true: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        targets = smoothed(_targets_for(y_true, shape))
        return _row_means(_entropy(targets) + _entropy(1.0 - targets))

    return _elementwise_spec(
        name,
        elementwise,
        closed_form=closed_form,
        comparable=comparable,
        from_target_space=from_target_space,
        floor=floor,
    )


def _class_spec(
    name: str,
    targets_for: Callable[[np.ndarray, tuple[int, ...]], np.ndarray],
    log_probabilities: Callable[[np.ndarray], np.ndarray],
    from_logits: bool,
    label_smoothing: float = 0.0,
) -> LossSpec:
    """The cross-entropy of `targets_for(y_true, output_shape)`, one column a class."""
    from_target_space = _log_of if from_logits else _identity

    def smoothed(targets: np.ndarray) -> np.ndarray:
        return targets * (1.0 - label_smoothing) + label_smoothing / targets.shape[-1]

    def per_row(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        predictions = align_targets(y_true, y_pred)[1]
        targets = smoothed(targets_for(y_true, predictions.shape[1:]))
        return _row_means(-(targets * log_probabilities(predictions)).sum(axis=-1))

    def closed_form(y_true: np.ndarray, weights: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
        priors = smoothed(_mean(targets_for(y_true, shape), weights))
        return from_target_space(priors / priors.sum(axis=-1, keepdims=True))

    def comparable(y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        predictions = align_targets(y_true, y_pred)[1]
        targets = targets_for(y_true, predictions.shape[1:])
        return targets, special.softmax(predictions, axis=-1) if from_logits else predictions

    def floor(y_true: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        targets = smoothed(targets_for(y_true, shape))
        # The last term is 0 for targets that sum to 1; rows with several labels sum to more.
        return _row_means(_entropy(targets).sum(axis=-1) - _entropy(targets.sum(axis=-1)))

    return LossSpec(name, per_row, closed_form, comparable, from_target_space, floor=floor)


def _categorical_crossentropy(name: str, from_logits: bool = False, label_smoothing: float = 0.0) -> LossSpec:
    def log_probabilities(predictions: np.ndarray) -> np.ndarray:
        if from_logits:
            return special.log_softmax(predictions, axis=-1)
        return _log_of(predictions / predictions.sum(axis=-1, keepdims=True))

    return _class_spec(name, _targets_for, log_probabilities, from_logits, label_smoothing)


def _sparse_categorical_crossentropy(name: str, from_logits: bool = False) -> LossSpec:
    def targets_for(y_true: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return _one_hot(_labels_for(y_true, shape), shape[-1])

    def log_probabilities(predictions: np.ndarray) -> np.ndarray:
        return special.log_softmax(predictions if from_logits else _log_of(predictions), axis=-1)

    return _class_spec(name, targets_for, log_probabilities, from_logits)


def _kl_divergence(name: str) -> LossSpec:
    def per_row(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        targets, predictions = (np.clip(array, EPSILON, 1.0) for array in _same_shape(y_true, y_pred))
        return _row_means((targets * np.log(targets / predictions)).sum(axis=-1))

    def closed_form(y_true: np.ndarray, weights: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
        # Among distributions: without that condition, ones would have a smaller loss than any distribution.
        priors = _mean(np.clip(_targets_for(y_true, shape), EPSILON, 1.0), weights)
        return np.asarray(priors / priors.sum(axis=-1, keepdims=True))

    return LossSpec(name, per_row, closed_form, _same_shape)


def _cosine_similarity(name: str) -> LossSpec:
    def directions(vectors: np.ndarray) -> np.ndarray:
        return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), EPSILON)

    def per_row(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        targets, predictions = _same_shape(y_true, y_pred)
        return _row_means(-(directions(targets) * directions(predictions)).sum(axis=-1))

    def closed_form(y_true: np.ndarray, weights: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
        return directions(_mean(directions(_targets_for(y_true, shape)), weights))

    def comparable(y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        targets, predictions = _same_shape(y_true, y_pred)
        return directions(targets), directions(predictions)

    def floor(y_true: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return np.full(len(y_true), -1.0)

    return LossSpec(name, per_row, closed_form, comparable, floor=floor)


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


# The best constant


def best_constant(
    y_true: np.ndarray, loss: LossSpec, output_shape: tuple[int, ...], sample_weight: np.ndarray | None = None
) -> np.ndarray:
    """The one output that has the smallest mean loss on these rows, shape `output_shape`, as float64.

    In the space of the model's output: logits where the loss takes logits. For losses without a closed form and
    more than `MAX_SEARCHED_OUTPUTS` outputs it is the best of mean, median and zero. NaN targets give NaN.

    Args:
        y_true: Targets, `(n_samples, ...)`.
        loss: Of this output.
        output_shape: `y_pred.shape[1:]`.
        sample_weight: `(n_samples,)`, or finer; None for equal weights.

    Example:

    >>> y = np.array([0.0, 0.0, 9.0])
    >>> best_constant(y, loss_spec("mean_squared_error"), (1,)).tolist()
    [3.0]
    >>> best_constant(y, loss_spec("mean_absolute_error"), (1,)).tolist()
    [0.0]

    Raises:
        DataError: There are no rows, or the targets do not fit the output.
    """
    targets = _numbers("y_true", y_true)
    output_shape = tuple(output_shape)
    if len(targets) == 0:
        raise DataError(
            "There is no best constant of no targets. Expected at least 1 row. Received: "
            f"y_true.shape={targets.shape}. Pass data."
        )
    weights = _row_weights(sample_weight, len(targets))
    if loss.closed_form is not None:
        return np.asarray(loss.closed_form(targets, weights, output_shape), dtype=np.float64)
    if loss.elementwise is not None:
        # Losses of the error alone: the minimum lies between the smallest and the largest target.
        columns = _targets_for(targets, output_shape)
        return _sectioned(loss.elementwise, columns, weights, columns.min(axis=0), columns.max(axis=0))
    return _searched(targets, loss, output_shape, weights)


def _sectioned(
    elementwise: Elementwise,
    targets: np.ndarray,
    weights: np.ndarray | None,
    lower: np.ndarray,
    upper: np.ndarray,
) -> np.ndarray:
    """The minimiser of each output's mean loss between two bounds, all outputs at once, for convex losses."""

    def means(constant: np.ndarray) -> np.ndarray:
        losses = elementwise(targets, _constant_rows(constant, len(targets)))
        return np.asarray(np.average(losses, axis=0, weights=weights))

    lower, upper = np.asarray(lower), np.asarray(upper)
    for _ in range(SECTION_STEPS):
        left, right = lower + 0.45 * (upper - lower), upper - 0.45 * (upper - lower)
        keeps_left = means(left) <= means(right)
        lower, upper = np.where(keeps_left, lower, left), np.where(keeps_left, right, upper)
    return np.asarray(lower + 0.5 * (upper - lower))


def _searched(targets: np.ndarray, loss: LossSpec, shape: tuple[int, ...], weights: np.ndarray | None) -> np.ndarray:
    """The best constant of an arbitrary loss, by Powell's method from the mean, the median and zero.

    Source: Powell (1964), An efficient method for finding the minimum of a function of several variables.
    """
    columns, is_classes = _columns(targets, shape)
    to_output = loss.to_output
    if to_output is None:
        to_output = functools.partial(special.softmax, axis=-1) if is_classes and shape else _identity

    def mean_loss(free: np.ndarray) -> float:
        with np.errstate(all="ignore"):
            rows = _constant_rows(to_output(free.reshape(shape)), len(targets))
            if weights is None and loss.mean is not None:
                value = loss.mean(targets, rows)
            else:
                value = float(np.average(loss.per_row(targets, rows), weights=weights))
        # A large finite number, for which Powell's arithmetic stays free of NaN.
        return value if math.isfinite(value) else 1e100

    starts = [_mean(columns, weights), _median(columns, weights), np.zeros(shape)]
    if is_classes:
        starts += [_log_of(starts[0])]
    if loss.to_output is not None:
        starts += [_logit_of(starts[0])]
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


def _columns(targets: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, bool]:
    """Targets in the shape of the output as well as can be guessed, and whether they are shares of classes."""
    stand_in = np.broadcast_to(0.0, (len(targets), *shape))
    if shape and shape[-1] > 1:
        if targets.shape[1:] in (shape[:-1], (*shape[:-1], 1)):
            labels = targets.reshape(len(targets), *shape[:-1])
            if np.all((labels == np.floor(labels)) & (labels >= 0.0) & (labels < shape[-1])):
                return _one_hot(labels, shape[-1]), True
        elif targets.shape == stand_in.shape:
            return targets, bool(np.all(targets >= 0.0) and np.allclose(targets.sum(axis=-1), 1.0, atol=1e-4))
    try:
        return _targets_for(targets, shape), False
    except DataError:
        # A loss of its own making, such as of distribution parameters: all outputs start at the widest target.
        flat = targets.reshape(len(targets), -1)
        widest = flat[:, flat.std(axis=0).argmax()]
        return np.broadcast_to(widest.reshape(-1, *[1] * len(shape)), stand_in.shape), False


# Spread


def spread(y_true: np.ndarray, y_pred: np.ndarray, loss: LossSpec | None = None) -> float:
    """Dispersion of the predictions over rows, relative to that of the targets: 0 for constant predictions.

    The largest over the outputs whose targets vary. Where no target varies: 0 if no prediction does either,
    infinity otherwise. NaN if a prediction is NaN or infinite. Shifting either array, or scaling both alike, does
    not change it.

    Args:
        y_true: Targets, `(n_samples, ...)`.
        y_pred: Predictions, `(n_samples, *output_shape)`.
        loss: Tells labels and logits from numbers; None for numbers.

    Example:

    >>> spread(np.array([0.0, 2.0, 4.0]), np.array([[1.0], [2.0], [3.0]]))
    0.5
    """
    predicted, actual = _deviations(y_true, y_pred, loss)
    varying = actual > 0.0
    # A class that the sample lacks, or a blank corner of every image, says nothing about the other outputs.
    chosen = varying if varying.any() else np.ones_like(varying)
    return float(_ratios(predicted[chosen], actual[chosen]).max(initial=0.0))


def spread_per_output(y_true: np.ndarray, y_pred: np.ndarray, loss: LossSpec | None = None) -> np.ndarray:
    """The spread of each output, shape `(n_outputs,)`: all dimensions but the first are flattened.

    Where an output's targets are constant: 0 if its predictions are too, infinity otherwise. All NaN if any
    prediction is NaN or infinite.

    Args:
        y_true: Targets, `(n_samples, ...)`.
        y_pred: Predictions, `(n_samples, *output_shape)`.
        loss: As in `spread`.
    """
    return _ratios(*_deviations(y_true, y_pred, loss))


def _deviations(y_true: Any, y_pred: Any, loss: LossSpec | None) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations over rows of predictions and of targets, each `(n_outputs,)`."""
    with np.errstate(all="ignore"):
        if loss is None:
            targets, predictions = _same_shape(y_true, y_pred)
        elif loss.comparable is not None:
            targets, predictions = loss.comparable(y_true, y_pred)
        else:
            targets, predictions = align_targets(y_true, y_pred)
            targets = _columns(targets, predictions.shape[1:])[0]
        predicted, actual = _deviation(predictions), _deviation(targets)
    # The probability of an infinite logit is finite.
    return (predicted if np.isfinite(y_pred).all() else np.full_like(predicted, math.nan)), actual


def _deviation(values: np.ndarray) -> np.ndarray:
    rows = values.reshape(len(values), -1)
    # Relative to the first row, so that equal rows give exactly 0.
    return np.asarray((rows - rows[0]).std(axis=0))


def _ratios(predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """`predicted / actual`, with 0 / 0 = 0; NaN where predictions are not finite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(predicted == 0.0, 0.0, predicted / actual)
    return np.where(np.isfinite(predicted), ratios, math.nan)


# Skill


def skill_score(losses: np.ndarray, constant_losses: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The share of the constant's loss that the model avoids: 1 is perfect, 0 no better than the constant.

    At most 1, without a lower limit. If the constant's loss is 0: 0 if the model's is too, minus infinity otherwise.
    Losses below 0 make the sign right, but not the size: give those of `LossSpec.excess`. NaN gives NaN.

    Args:
        losses: Of the model, `(n_samples,)`.
        constant_losses: Of the best constant, for the same rows.
        weights: `(n_samples,)`, or None for equal weights.

    Example:

    >>> skill_score(np.array([1.0, 2.0]), np.array([4.0, 2.0]))
    0.5

    Source: the skill score of forecasting, Murphy (1988), equation 4.
    """
    means = [float(np.average(values, weights=weights)) for values in (losses, constant_losses)]
    return float(_gain(np.asarray(means[1] - means[0]), np.asarray(means[1])))


def _gain(avoided: np.ndarray, constant: np.ndarray) -> np.ndarray:
    """Avoided loss relative to the constant's, with 0 / 0 = 0."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(avoided == 0.0, 0.0, avoided / np.abs(constant))


def bootstrap_bounds(
    losses: np.ndarray,
    constant_losses: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    confidence: float = CONFIDENCE,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Two-sided confidence bounds of the skill, for rows drawn anew; the skill itself always lies between them.

    The rows count as independent, and the constant as given: they cover too little of the truth below about 20
    rows. A single row bounds nothing: minus and plus infinity. Losses that are not finite give NaN.

    Args:
        losses: Of the model, `(n_samples,)`.
        constant_losses: Of the best constant, for the same rows.
        weights: `(n_samples,)`, or None for equal weights.
        confidence: Between 0 and 1, of both sides together.
        n_resamples: How often rows are drawn.
        seed: Of the draws: the same seed draws the same rows for every model.

    Example:

    >>> constant_losses = np.ones(100)
    >>> lower, upper = bootstrap_bounds(np.linspace(0.0, 1.0, 100), constant_losses)
    >>> 0.4 < lower < 0.5 < upper < 0.6
    True

    Source: the percentile bootstrap, Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    return _bounds(constant_losses, losses, constant_losses, weights, confidence, n_resamples, seed)


def improvement_bounds(
    losses_new: np.ndarray,
    losses_old: np.ndarray,
    constant_losses: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    confidence: float = CONFIDENCE,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Two-sided confidence bounds of `skill_new - skill_old`, with the same rows drawn for both models.

    Args:
        losses_new: Of one model, `(n_samples,)`.
        losses_old: Of the other, for the same rows.
        constant_losses: Of the best constant, for the same rows.
        weights: As in `bootstrap_bounds`, as are the others.
        confidence: Between 0 and 1, of both sides together.
        n_resamples: How often rows are drawn.
        seed: Of the draws.

    Example:

    >>> old = np.linspace(0.5, 1.0, 100)
    >>> lower, upper = improvement_bounds(old - 0.1, old, np.ones(100))
    >>> 0.09 < lower <= upper < 0.11
    True

    Source: the paired percentile bootstrap, as for `bootstrap_bounds`.
    """
    return _bounds(losses_old, losses_new, constant_losses, weights, confidence, n_resamples, seed)


def _bounds(
    losses_old: np.ndarray,
    losses_new: np.ndarray,
    constant_losses: np.ndarray,
    weights: np.ndarray | None,
    confidence: float,
    n_resamples: int,
    seed: int,
) -> tuple[float, float]:
    """Bounds of (mean old - mean new) / mean constant."""
    if not 0.0 < confidence < 1.0:
        raise ArgumentError(
            f"There are no bounds of this confidence. Expected a number between 0 and 1. Received: "
            f"confidence={confidence}. Pass 0.95."
        )
    old, new, constant = (_numbers("losses", array) for array in (losses_old, losses_new, constant_losses))
    if not old.shape == new.shape == constant.shape or old.ndim != 1 or len(old) == 0:
        raise DataError(
            "Losses cannot be compared. Expected arrays of the same shape (n_samples,), with at least 1 row. "
            f"Received: shapes {old.shape}, {new.shape} and {constant.shape}. Pass the losses of the same rows."
        )
    columns = np.stack([old - new, constant], axis=1)
    if not np.isfinite(columns).all():
        return math.nan, math.nan
    if len(columns) == 1:
        return -math.inf, math.inf
    row_weights = _row_weights(weights, len(columns))
    if row_weights is not None:
        columns = columns * row_weights[:, None]
    columns = _blocks(columns)
    sums = _resample_weights(len(columns), n_resamples, seed) @ columns
    gains = np.sort(_gain(sums[:, 0], sums[:, 1]))
    total = columns.sum(axis=0)
    estimate = float(_gain(total[0], total[1]))
    tail = 0.5 * (1.0 - confidence) * (n_resamples - 1)
    lower, upper = gains[math.floor(tail)], gains[n_resamples - 1 - math.floor(tail)]
    return min(float(lower), estimate), max(float(upper), estimate)


def _blocks(columns: np.ndarray) -> np.ndarray:
    """At most `MAX_BOOTSTRAP_BLOCKS` sums of rows: blocks of independent rows are as independent as the rows."""
    size = -(-len(columns) // MAX_BOOTSTRAP_BLOCKS)
    if size == 1:
        return columns
    padding = -len(columns) % size
    return np.pad(columns, ((0, padding), (0, 0))).reshape(-1, size, columns.shape[1]).sum(axis=1)


@functools.lru_cache(maxsize=8)
def _resample_weights(n_samples: int, n_resamples: int, seed: int) -> np.ndarray:
    """How often each row is drawn in each resample, `(n_resamples, n_samples)`, read-only."""
    draws = np.random.default_rng(seed).multinomial(n_samples, np.full(n_samples, 1.0 / n_samples), n_resamples)
    weights = draws.astype(np.float64)
    weights.flags.writeable = False
    return weights


# The assessment


@dataclasses.dataclass(frozen=True)
class Assessment:
    """How good one output of a model is on some rows, next to the best constant.

    Args:
        n_samples: Rows looked at.
        spread: As `spread` gives it.
        skill: As `skill_score` gives it, of the loss above the smallest possible one; NaN if not finite.
        skill_lower: Lower confidence bound; NaN if not finite.
        skill_upper: Upper confidence bound; NaN if not finite.
        loss: Mean loss of the predictions, as Keras reports it without weight penalties.
        constant_loss: Mean loss of the best constant.
        is_finite: Whether all predictions, and both losses, are finite.
        is_target_constant: Whether all rows have the same target: then a constant is the right answer.
        output_name: Of the output.
    """

    n_samples: int
    spread: float
    skill: float
    skill_lower: float
    skill_upper: float
    loss: float
    constant_loss: float
    is_finite: bool
    is_target_constant: bool
    output_name: str

    @property
    def state(self) -> str:
        """What the numbers say.

        `"non_finite"`; `"skilled"` when the lower bound of the skill is above `SKILL_TOLERANCE`; `"constant"` when
        predictions vary less than `CONSTANT_SPREAD`; `"no_skill"` when even the upper bound is not above the
        tolerance; `"uncertain"` otherwise. Skill that is small but proven, its lower bound above 0, is never
        `"constant"` or `"no_skill"`: where noise dominates, little is all there is to be had.
        """
        if not self.is_finite:
            return "non_finite"
        if self.skill_lower > SKILL_TOLERANCE:
            return "skilled"
        if self.skill_lower > 0.0:
            return "uncertain"
        if self.spread < CONSTANT_SPREAD:
            return "constant"
        return "no_skill" if self.skill_upper <= SKILL_TOLERANCE else "uncertain"

    @property
    def is_collapsed(self) -> bool:
        """Whether the output is constant, without skill or not finite. Look at `is_target_constant` first."""
        return self.state in ("non_finite", "constant", "no_skill")

    def to_dict(self) -> dict[str, Any]:
        """The fields as strict JSON values: `"NaN"`, `"Infinity"` and `"-Infinity"` as strings."""
        return {name: _to_json(value) for name, value in dataclasses.asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The assessment that `to_dict` wrote."""
        return cls(**{name: _NON_FINITE.get(value, value) for name, value in values.items()})


_NON_FINITE: Mapping[Any, Any] = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def _to_json(value: Any) -> Any:
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0.0 else "-Infinity"


def assess(
    y_true: np.ndarray,
    y_pred: np.ndarray,
    loss: LossSpec,
    *,
    constant: np.ndarray | None = None,
    constant_losses: np.ndarray | None = None,
    sample_weight: np.ndarray | None = None,
    output_name: str = "output",
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Assessment:
    """How good predictions are, next to the best constant. No argument is changed.

    The best constant is fitted to these very rows unless one is given, which favours the constant a little.

    Args:
        y_true: Targets, `(n_samples, ...)`.
        y_pred: Predictions, `(n_samples, *output_shape)`.
        loss: Of this output.
        constant: The constant to compare with, shape `output_shape`, such as the best one of the training rows.
        constant_losses: Instead of a constant its `per_row` losses, `(n_samples,)`, where it differs by row.
        sample_weight: `(n_samples,)`, or finer; None for equal weights.
        output_name: For reports.
        confidence: Of the two-sided bounds.
        seed: Of the bootstrap.

    Example:

    >>> y = np.arange(100.0)
    >>> seen = assess(y, np.full((100, 1), 49.5), loss_spec("mean_squared_error"))
    >>> seen.state, seen.spread, seen.skill
    ('constant', 0.0, 0.0)
    >>> assess(y, y[:, None] + 1.0, loss_spec("mean_squared_error")).state
    'skilled'

    Raises:
        DataError: There are no rows, or targets, predictions and weights do not fit each other.
    """
    targets, predictions = align_targets(y_true, y_pred)
    n_samples = len(targets)
    weights = _row_weights(sample_weight, n_samples)
    if constant_losses is None:
        if constant is None:
            constant = best_constant(targets, loss, predictions.shape[1:], weights)
        constant_rows = _constant_rows(np.asarray(constant, dtype=np.float64), n_samples)
        with np.errstate(all="ignore"):
            constant_losses = loss.per_row(targets, constant_rows)
    constant_losses = np.asarray(constant_losses, dtype=np.float64)
    constant_loss = float(np.average(constant_losses, weights=weights))
    # Targets that do not fit are an error in diverged models too; afterwards NaN is all that is known of these.
    dispersion = spread(targets, predictions, loss)
    losses = np.full(n_samples, math.nan)
    if np.isfinite(predictions).all():
        with np.errstate(all="ignore"):
            losses = np.asarray(loss.per_row(targets, predictions), dtype=np.float64)
    mean_loss = float(np.average(losses, weights=weights))
    is_finite = bool(np.isfinite(losses).all() and np.isfinite(constant_losses).all())
    skill = lower = upper = math.nan
    if is_finite:
        floor = 0.0 if loss.floor is None else loss.floor(targets, predictions.shape[1:])
        excess, constant_excess = losses - floor, constant_losses - floor
        skill = skill_score(excess, constant_excess, weights)
        lower, upper = bootstrap_bounds(excess, constant_excess, weights=weights, confidence=confidence, seed=seed)
        # The sums of the bootstrap and the means above differ in their last digits.
        lower, upper = min(lower, skill), max(upper, skill)
    return Assessment(
        n_samples=n_samples,
        spread=dispersion,
        skill=skill,
        skill_lower=lower,
        skill_upper=upper,
        loss=mean_loss,
        constant_loss=constant_loss,
        is_finite=is_finite,
        is_target_constant=bool((targets == targets[0]).all()),
        output_name=output_name,
    )
