"""Causes in how the network is trained: rates, batches, length, and losses that are not finite."""

import math

from autofix.causes.network_causes import hidden_layers
from autofix.causes.phrases import DECISIVE, between, by_decades, names, times, units
from autofix.causes.thresholds import Thresholds
from autofix.evidence import CurveProfile, Evidence
from autofix.report.records import Finding


def knows_start(evidence: Evidence) -> bool:
    """Whether the values that the training began with are known: some weight has another one now."""
    return any(layer.update > 0.0 for layer in evidence.model.layers)


def is_nonfinite(curve: CurveProfile) -> bool:
    """Whether a loss or a weight is NaN or infinite."""
    return curve.has_nonfinite_weights or not all(math.isfinite(loss) for loss in curve.losses)


def loss_growth(curve: CurveProfile) -> float:
    """The last epoch's loss over the smallest one before; infinite where it is not finite, 1 without two epochs."""
    if is_nonfinite(curve):
        return math.inf
    if len(curve.losses) < 2 or min(curve.losses[:-1]) <= 0.0:
        return 1.0
    return curve.losses[-1] / min(curve.losses[:-1])


def learning_rate_too_high(evidence: Evidence, t: Thresholds) -> Finding | None:
    """Steps that overshoot."""
    model = evidence.model
    if not model.learning_rate or model.default_learning_rate is None:
        return None
    ratio = model.learning_rate / model.default_learning_rate
    growth, signs = loss_growth(evidence.curve), _signs_of_overshooting(evidence, t)
    if ratio < t.far_rate:
        # At an ordinary rate only a loss that grows accuses it, and a scale-free optimizer cannot diverge for long.
        if growth < t.loss_growth or ratio < 1.0 or model.is_scale_free:
            return None
        return Finding(
            "learning_rate_too_high",
            0.5,
            f"At the learning rate of {model.learning_rate:.3g} the loss grew{_to(growth, evidence.curve)}.",
        )
    confidence = by_decades(ratio / t.far_rate, t.far_rate_confidence, t.rate_decade)
    if signs:
        confidence = min(DECISIVE, confidence + 0.15)
    return Finding(
        "learning_rate_too_high",
        confidence,
        f"The learning rate is {model.learning_rate:.3g}, {times(ratio)} the default of {model.optimizer}.{signs}",
    )


def _signs_of_overshooting(evidence: Evidence, t: Thresholds) -> str:
    """What was seen of it, as a sentence; empty where nothing was."""
    growth = loss_growth(evidence.curve)
    if growth >= t.loss_growth:
        return f" The loss grew{_to(growth, evidence.curve)}."
    for layer in hidden_layers(evidence):
        if layer.dead_share - layer.start_dead_share >= t.equal_share:
            return f" {units(layer.dead_share, layer)} have become the same for every row."
    moved = max(evidence.model.layers, key=lambda layer: layer.update, default=None)
    if moved is not None and moved.update >= t.moved_far:
        return f" The weights of {moved.name!r} moved by {times(moved.update)} their initial norm."
    return ""


def _to(growth: float, curve: CurveProfile) -> str:
    if math.isinf(growth):
        return " until it was no longer finite"
    return f" from {min(curve.losses[:-1]):.3g} to {curve.losses[-1]:.3g}"


def learning_rate_too_low(evidence: Evidence, t: Thresholds) -> Finding | None:
    """Steps that lead nowhere within the training."""
    model, steps = evidence.model, evidence.fit.total_steps
    if not model.learning_rate or model.default_learning_rate is None:
        return None
    ratio = model.default_learning_rate / model.learning_rate
    travel = model.learning_rate * steps
    if ratio < t.far_rate or (model.is_scale_free and travel >= t.enough_travel):
        return None
    confidence = by_decades(ratio / t.far_rate, t.far_rate_confidence, t.rate_decade)
    if model.is_scale_free and travel <= t.little_travel:
        confidence = max(confidence, 0.95)
    farthest = max((layer.update for layer in model.layers), default=0.0)
    moved = ""
    if knows_start(evidence):
        moved = f" So far no layer moved by more than {100.0 * farthest:.2g}% of its weights."
        if farthest > t.little_moved:
            confidence = min(confidence, 0.4)
    return Finding(
        "learning_rate_too_low",
        confidence,
        f"The learning rate is {model.learning_rate:.3g}, {times(ratio)} smaller than the default of "
        f"{model.optimizer}, for {steps} steps.{moved}",
    )


def batch_size_too_large(evidence: Evidence, t: Thresholds) -> Finding | None:
    """So few steps because each takes so many rows."""
    fit = evidence.fit
    if fit.total_steps >= t.few_steps or fit.total_steps / fit.epochs > t.few_steps_an_epoch or fit.batch_size <= 32:
        return None
    return Finding(
        "batch_size_too_large",
        by_decades(t.few_steps / fit.total_steps, 0.55, 0.2),
        f"Batches of {fit.batch_size} rows leave {fit.total_steps} optimizer steps in {fit.epochs} epochs.",
    )


def batch_size_too_small(evidence: Evidence, t: Thresholds) -> Finding | None:
    """Steps that are mostly noise."""
    fit = evidence.fit
    if fit.batch_size > t.tiny_batch or fit.n_rows / fit.batch_size < t.many_steps_an_epoch:
        return None
    model = evidence.model
    rate, default = model.learning_rate or 0.0, model.default_learning_rate
    # The noise of the steps grows with the rate over the batch size (Smith & Le 2018).
    is_noisy = default is not None and rate >= t.far_rate * default
    at_rate = f", at a learning rate of {rate:.3g}" if is_noisy else ""
    return Finding(
        "batch_size_too_small",
        0.65 if is_noisy else 0.4,
        f"Batches of {fit.batch_size} rows make every step as noisy as a single row{at_rate}.",
    )


def insufficient_training(evidence: Evidence, t: Thresholds) -> Finding | None:
    """A training that was cut off while it still got better."""
    curve, fit = evidence.curve, evidence.fit
    if curve.half_skill is not None and curve.end_skill is not None:
        gain = curve.end_skill - max(0.0, curve.half_skill)
        if gain >= t.improving_skill:
            return Finding(
                "insufficient_training",
                between(gain, t.improving_skill, 0.65, 0.85, high=0.3),
                f"Held-out skill was {curve.half_skill:.2f} after half of the {fit.total_steps} steps and "
                f"{curve.end_skill:.2f} at the end: it still grew.",
            )
    if fit.total_steps >= t.few_steps:
        return None
    losses = curve.losses
    if len(losses) >= 2 and not is_nonfinite(curve) and losses[-2] - losses[-1] >= t.falling_loss * abs(losses[0]):
        fall = f"the loss still fell from {losses[-2]:.3g} to {losses[-1]:.3g} in the last epoch"
    elif knows_start(evidence) and max(layer.update for layer in evidence.model.layers) < t.little_moved:
        fall = f"no layer moved by more than {max(layer.update for layer in evidence.model.layers):.1%} of its weights"
    elif fit.epochs == 1 and not is_nonfinite(curve):
        return Finding("insufficient_training", 0.5, f"The training takes {fit.total_steps} steps in its only epoch.")
    else:
        return None
    return Finding("insufficient_training", 0.65, f"The training takes {fit.total_steps} steps; {fall}.")


def nonfinite_training(evidence: Evidence, t: Thresholds) -> Finding | None:
    """NaN or infinity in the loss or the weights."""
    curve = evidence.curve
    if not is_nonfinite(curve):
        return None
    epoch = next((number for number, loss in enumerate(curve.losses, 1) if not math.isfinite(loss)), None)
    since = f"The loss is not finite since epoch {epoch}" if epoch else "Weights are NaN or infinite"
    return Finding("nonfinite_training", 0.7, f"{since}; from then on nothing is learned.")


def exploding_gradients(evidence: Evidence, t: Thresholds) -> Finding | None:
    """Gradients that throw the weights off."""
    growth = loss_growth(evidence.curve)
    grown = f" The loss grew{_to(growth, evidence.curve)}." if growth >= t.loss_growth else ""
    if math.isinf(growth) and all(math.isfinite(loss) for loss in evidence.curve.losses):
        grown = " Weights have become NaN or infinite."
    # Beside tiny weights any gradient is large.
    ordinary = [layer for layer in evidence.model.layers if layer.kernel_scale > t.small_kernel]
    largest = max(ordinary, key=lambda layer: max(layer.start_gradient, layer.gradient), default=None)
    gradient = 0.0 if largest is None else max(largest.start_gradient, largest.gradient)
    if largest is not None and gradient >= t.large_gradient:
        too_large = [one for one in hidden_layers(evidence) if one.kernel_scale >= t.large_kernel]
        begin = ""
        if too_large:
            scale = times(too_large[0].kernel_scale)
            begin = f" The initial weights of {names(too_large)} are {scale} as large as Glorot's."
        # Where the scale of gradients is divided out, a large one does little by itself.
        base = 0.75 if grown or begin else 0.3 if evidence.model.is_scale_free else 0.45
        return Finding(
            "exploding_gradients",
            by_decades(gradient / t.large_gradient, base, 0.1),
            f"The gradient of {largest.name!r} is {times(gradient)} as large as its weights.{begin}{grown}",
        )
    if not grown:
        return None
    limits = "are limited all the same" if evidence.model.is_clipped else "are not limited"
    return Finding("exploding_gradients", 0.7, f"{grown.strip().rstrip('.')}; gradients {limits}.")


RULES = (
    learning_rate_too_high,
    learning_rate_too_low,
    batch_size_too_large,
    batch_size_too_small,
    exploding_gradients,
    nonfinite_training,
    insufficient_training,
)
