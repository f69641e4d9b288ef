"""Is a model any better than a constant? Spread, skill and its confidence bounds, from arrays alone.

Nothing here imports Keras. `LossSpec` is all that has to be known of an output's loss; `autofix.scoring.losses` reads
it off a compiled model.
"""

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from autofix.errors import DataError
from autofix.scoring.alignment import align_targets, as_numbers, as_weights, guess_targets, repeat_constant
from autofix.scoring.best_constant import best_constant
from autofix.scoring.loss_specs import LossSpec

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


# Spread


def spread(y_true: np.ndarray, y_pred: np.ndarray, loss: LossSpec) -> float:
    """Dispersion of the predictions over rows, relative to that of the targets: 0 for constant predictions.

    The largest over the outputs whose targets vary. Where no target varies: 0 if no prediction does either,
    infinity otherwise. NaN if a prediction is NaN or infinite. Shifting either array, or scaling both alike, does
    not change it.

    Args:
        y_true: Targets, `(n_samples, ...)`.
        y_pred: Predictions, `(n_samples, *output_shape)`.
        loss: Tells labels and logits from numbers.

    Example:

    >>> from autofix.scoring.numpy_losses import loss_spec
    >>> spread(np.array([0.0, 2.0, 4.0]), np.array([[1.0], [2.0], [3.0]]), loss_spec("mean_squared_error"))
    0.5
    """
    predicted, actual = _deviations(y_true, y_pred, loss)
    varying = actual > 0.0
    # A class that the sample lacks, or a blank corner of every image, says nothing about the other outputs.
    chosen = varying if varying.any() else np.ones_like(varying)
    return float(_ratios(predicted[chosen], actual[chosen]).max(initial=0.0))


def _deviations(y_true: Any, y_pred: Any, loss: LossSpec) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations over rows of predictions and of targets, each `(n_outputs,)`."""
    with np.errstate(all="ignore"):
        if loss.comparable is not None:
            targets, predictions = loss.comparable(y_true, y_pred)
        else:
            targets, predictions = align_targets(y_true, y_pred)
            targets = guess_targets(targets, predictions.shape[1:])[0]
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
    seed: int = 0,
) -> tuple[float, float]:
    """Two-sided 95 % confidence bounds of the skill, for rows drawn anew; the skill itself always lies between them.

    The rows count as independent, and the constant as given: they cover too little of the truth below about 20
    rows. A single row bounds nothing: minus and plus infinity. Losses that are not finite give NaN.

    Args:
        losses: Of the model, `(n_samples,)`.
        constant_losses: Of the best constant, for the same rows.
        weights: `(n_samples,)`, or None for equal weights.
        seed: Of the draws: the same seed draws the same rows for every model.

    Example:

    >>> constant_losses = np.ones(100)
    >>> lower, upper = bootstrap_bounds(np.linspace(0.0, 1.0, 100), constant_losses)
    >>> 0.4 < lower < 0.5 < upper < 0.6
    True

    Source: the percentile bootstrap, Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    return _bounds(constant_losses, losses, constant_losses, weights, seed)


def improvement_bounds(
    losses_new: np.ndarray,
    losses_old: np.ndarray,
    constant_losses: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    seed: int = 0,
) -> tuple[float, float]:
    """Two-sided 95 % confidence bounds of `skill_new - skill_old`, with the same rows drawn for both models.

    Args:
        losses_new: Of one model, `(n_samples,)`.
        losses_old: Of the other, for the same rows.
        constant_losses: Of the best constant, for the same rows.
        weights: `(n_samples,)`, or None for equal weights.
        seed: Of the draws.

    Example:

    >>> old = np.linspace(0.5, 1.0, 100)
    >>> lower, upper = improvement_bounds(old - 0.1, old, np.ones(100))
    >>> 0.09 < lower <= upper < 0.11
    True

    Source: the paired percentile bootstrap, as for `bootstrap_bounds`.
    """
    return _bounds(losses_old, losses_new, constant_losses, weights, seed)


def _bounds(
    losses_old: np.ndarray,
    losses_new: np.ndarray,
    constant_losses: np.ndarray,
    weights: np.ndarray | None,
    seed: int,
) -> tuple[float, float]:
    """Bounds of (mean old - mean new) / mean constant."""
    old, new, constant = (as_numbers("losses", array) for array in (losses_old, losses_new, constant_losses))
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
    row_weights = as_weights(weights, len(columns))
    if row_weights is not None:
        columns = columns * row_weights[:, None]
    columns = _blocks(columns)
    sums = _resample_weights(len(columns), seed) @ columns
    gains = np.sort(_gain(sums[:, 0], sums[:, 1]))
    total = columns.sum(axis=0)
    estimate = float(_gain(total[0], total[1]))
    tail = 0.5 * (1.0 - CONFIDENCE) * (N_RESAMPLES - 1)
    lower, upper = gains[math.floor(tail)], gains[N_RESAMPLES - 1 - math.floor(tail)]
    return min(float(lower), estimate), max(float(upper), estimate)


def _blocks(columns: np.ndarray) -> np.ndarray:
    """At most `MAX_BOOTSTRAP_BLOCKS` sums of rows: blocks of independent rows are as independent as the rows."""
    size = -(-len(columns) // MAX_BOOTSTRAP_BLOCKS)
    if size == 1:
        return columns
    padding = -len(columns) % size
    return np.pad(columns, ((0, padding), (0, 0))).reshape(-1, size, columns.shape[1]).sum(axis=1)


@functools.lru_cache(maxsize=8)
def _resample_weights(n_samples: int, seed: int) -> np.ndarray:
    """How often each row is drawn in each resample, `(N_RESAMPLES, n_samples)`, read-only."""
    draws = np.random.default_rng(seed).multinomial(n_samples, np.full(n_samples, 1.0 / n_samples), N_RESAMPLES)
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
    constant_losses: np.ndarray | None = None,
    sample_weight: np.ndarray | None = None,
    output_name: str = "output",
    seed: int = 0,
) -> Assessment:
    """How good predictions are, next to the best constant. No argument is changed.

    Args:
        y_true: Targets, `(n_samples, ...)`.
        y_pred: Predictions, `(n_samples, *output_shape)`.
        loss: Of this output.
        constant_losses: `per_row` losses of the constant to compare with, `(n_samples,)`, such as the best one of
            the training rows. None for the best one of these very rows, which favours the constant a little.
        sample_weight: `(n_samples,)`, or finer; None for equal weights.
        output_name: For reports.
        seed: Of the bootstrap.

    Example:

    >>> from autofix.scoring.numpy_losses import loss_spec
    >>> y = np.arange(100.0)
    >>> seen = assess(y, np.full((100, 1), 49.5), loss_spec("mean_squared_error"))
    >>> seen.state, seen.spread, seen.skill
    ('constant', 0.0, 0.0)

    Raises:
        DataError: There are no rows, or targets, predictions and weights do not fit each other.
    """
    targets, predictions = align_targets(y_true, y_pred)
    weights = as_weights(sample_weight, len(targets))
    if constant_losses is None:
        constant = best_constant(targets, loss, predictions.shape[1:], weights)
        constant_losses = _row_losses(targets, repeat_constant(constant, len(targets)), loss)
    # Targets that do not fit are an error in diverged models too; afterwards NaN is all that is known of these.
    dispersion = spread(targets, predictions, loss)
    losses = _row_losses(targets, predictions, loss)
    with np.errstate(all="ignore"):
        floor = loss.floor(targets, predictions.shape[1:])
    skill, lower, upper = _skill_with_bounds(losses - floor, np.asarray(constant_losses) - floor, weights, seed)
    return Assessment(
        n_samples=len(targets),
        spread=dispersion,
        skill=skill,
        skill_lower=lower,
        skill_upper=upper,
        loss=float(np.average(losses, weights=weights)),
        constant_loss=float(np.average(constant_losses, weights=weights)),
        is_finite=bool(np.isfinite(losses).all() and np.isfinite(constant_losses).all()),
        is_target_constant=bool((targets == targets[0]).all()),
        output_name=output_name,
    )


def _row_losses(targets: np.ndarray, predictions: np.ndarray, loss: LossSpec) -> np.ndarray:
    """The loss of each row, `(n_samples,)`; NaN if any prediction is not finite."""
    if not np.isfinite(predictions).all():
        return np.full(len(targets), math.nan)
    with np.errstate(all="ignore"):
        return np.asarray(loss.per_row(targets, predictions), dtype=np.float64)


def _skill_with_bounds(
    losses: np.ndarray, constant_losses: np.ndarray, weights: np.ndarray | None, seed: int
) -> tuple[float, float, float]:
    """Skill and its bounds, in this order; NaN if any loss is not finite."""
    if not (np.isfinite(losses).all() and np.isfinite(constant_losses).all()):
        return math.nan, math.nan, math.nan
    skill = skill_score(losses, constant_losses, weights)
    lower, upper = bootstrap_bounds(losses, constant_losses, weights=weights, seed=seed)
    # The sums of the bootstrap and the means above differ in their last digits.
    return skill, min(lower, skill), max(upper, skill)
