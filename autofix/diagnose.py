"""Diagnosis: from evidence to ranked causes. One small pure function a cause; the engine knows no strategy's name."""

import math
from collections.abc import Callable

from autofix.evidence import STRONG_DRIFT, Evidence
from autofix.report.records import Finding

FAR_SCALE = 10.0
"""A feature or target whose mean or deviation is this far from the unit scale that Glorot's initialisation assumes
(Glorot & Bengio 2010; LeCun et al. 1998, section 4.3) is called unscaled."""

FAR_RATE = 10.0
"""A learning rate this many times the optimizer's default, or a fraction of it, is called too high or too low: the
range that the rate sweeps of the literature start from (Bengio 2012, section 3.1)."""

FEW_STEPS = 100
"""Fewer optimizer steps than this in a whole training are called too few."""

MANY_STEPS_AN_EPOCH = 1000
"""With batches of at most `TINY_BATCH` rows, this many noisy steps an epoch call the batch too small."""

TINY_BATCH = 2

NONLINEAR_MARGIN = 0.1
"""How much more skill a non-linear reference must have before a linear network is said to lack capacity."""

CONFIDENT = 0.7
"""Causes this likely are treated together on the first rung."""


def rank(evidence: Evidence) -> tuple[Finding, ...]:
    """The causes that the evidence speaks for, likeliest first; equal ones in the order of the rules.

    Args:
        evidence: What was measured.

    Returns:
        One finding a cause that has any confidence.
    """
    findings = [finding for rule in RULES for finding in [rule(evidence)] if finding is not None]
    return tuple(sorted(findings, key=lambda finding: -finding.confidence))


def _unscaled_inputs(evidence: Evidence) -> Finding | None:
    worst = 1.0
    where = 0
    for profile in evidence.inputs:
        if profile.is_integer and "Embedding" in evidence.model.layer_types:
            continue
        for index, (mean, std) in enumerate(zip(profile.mean, profile.std, strict=True)):
            size = math.hypot(mean, std)
            distance = max(size, 1.0 / std if std > 0 else 1.0)
            if distance > worst:
                worst, where = distance, index
    if worst <= FAR_SCALE:
        return None
    sizes = [math.hypot(m, s) for profile in evidence.inputs for m, s in zip(profile.mean, profile.std, strict=True)]
    return Finding(
        "unscaled_inputs",
        _by_decades(worst / FAR_SCALE, 0.6),
        f"Input features have typical sizes from {min(sizes):.3g} to {max(sizes):.3g} (feature {where} is furthest "
        "from 1).",
    )


def _unscaled_targets(evidence: Evidence) -> Finding | None:
    for target in evidence.targets:
        if target.kind != "regression" or target.std == 0:
            continue
        distance = max(math.hypot(target.mean, target.std), 1.0 / target.std)
        if distance > FAR_SCALE:
            return Finding(
                "unscaled_targets",
                _by_decades(distance / FAR_SCALE, 0.6),
                f"Targets have mean {target.mean:.3g} and standard deviation {target.std:.3g}; a new network's "
                "outputs are of size 1.",
            )
    return None


def _learning_rate_too_high(evidence: Evidence) -> Finding | None:
    model = evidence.model
    if model.learning_rate is None or model.default_learning_rate is None:
        return None
    ratio = model.learning_rate / model.default_learning_rate
    if ratio < FAR_RATE:
        return None
    dead = f" {model.dead_share:.0%} of the units of a hidden layer are zero for every row." if model.dead_share else ""
    return Finding(
        "learning_rate_too_high",
        _by_decades(ratio / FAR_RATE, 0.7),
        f"The learning rate is {model.learning_rate:.3g}, {ratio:.0f} times the default of {model.optimizer}.{dead}",
    )


def _learning_rate_too_low(evidence: Evidence) -> Finding | None:
    model = evidence.model
    if not model.learning_rate or model.default_learning_rate is None:
        return None
    ratio = model.default_learning_rate / model.learning_rate
    if ratio < FAR_RATE:
        return None
    return Finding(
        "learning_rate_too_low",
        _by_decades(ratio / FAR_RATE, 0.7),
        f"The learning rate is {model.learning_rate:.3g}, a {ratio:.0f}th of the default of {model.optimizer}, for "
        f"{evidence.fit.total_steps} steps.",
    )


def _insufficient_capacity(evidence: Evidence) -> Finding | None:
    references = evidence.references
    if evidence.model.nonlinear_layers or references.linear is None or references.nonlinear is None:
        return None
    gain = references.nonlinear - max(0.0, references.linear)
    if gain < NONLINEAR_MARGIN:
        return None
    return Finding(
        "insufficient_capacity",
        min(0.95, 0.75 + gain / 2),
        f"The network has no non-linear hidden layer; held out, a non-linear learner has skill "
        f"{references.nonlinear:.2f} and a linear one {references.linear:.2f}.",
    )


def _unshuffled_data(evidence: Evidence) -> Finding | None:
    drift = max((target.order_drift for target in evidence.targets), default=0.0)
    if evidence.fit.shuffle or drift < STRONG_DRIFT:
        return None
    return Finding(
        "unshuffled_data",
        0.5 + 0.45 * drift,
        f"shuffle=False, and the row number predicts the target (order drift {drift:.2f} of 1).",
    )


def _batch_size_too_large(evidence: Evidence) -> Finding | None:
    fit = evidence.fit
    if fit.total_steps >= FEW_STEPS:
        return None
    return Finding(
        "batch_size_too_large",
        _by_decades(FEW_STEPS / fit.total_steps, 0.5),
        f"Batches of {fit.batch_size} rows leave {fit.total_steps} optimizer steps in {fit.epochs} epochs.",
    )


def _batch_size_too_small(evidence: Evidence) -> Finding | None:
    fit = evidence.fit
    if fit.batch_size > TINY_BATCH or fit.n_rows / fit.batch_size < MANY_STEPS_AN_EPOCH:
        return None
    return Finding(
        "batch_size_too_small",
        0.4,
        f"Batches of {fit.batch_size} rows make every step as noisy as a single row.",
    )


def _by_decades(ratio: float, base: float) -> float:
    """A confidence that starts at `base` and nears 1 as the ratio grows by powers of ten."""
    return min(0.99, base + 0.15 * math.log10(max(1.0, ratio)))


RULES: tuple[Callable[[Evidence], Finding | None], ...] = (
    _insufficient_capacity,
    _learning_rate_too_high,
    _unscaled_inputs,
    _unscaled_targets,
    _unshuffled_data,
    _learning_rate_too_low,
    _batch_size_too_large,
    _batch_size_too_small,
)
