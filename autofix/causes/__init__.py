"""Causes: from evidence to ranked findings. One small pure function a cause; the engine knows no strategy's name."""

import dataclasses
from collections.abc import Callable

from autofix.causes import data_causes, network_causes, output_causes, training_causes
from autofix.causes.network_causes import began_dead, deadly_biases
from autofix.causes.thresholds import CONFIDENT, DEFAULT, Thresholds
from autofix.evidence import Evidence
from autofix.report.records import Finding

__all__ = ["CONFIDENT", "DEFAULT", "RULES", "Thresholds", "rank"]

Rule = Callable[[Evidence, Thresholds], Finding | None]

RULES: tuple[Rule, ...] = (
    *output_causes.RULES,
    *network_causes.RULES[:2],
    training_causes.RULES[0],
    *data_causes.RULES,
    *network_causes.RULES[2:],
    *training_causes.RULES[1:],
)
"""All rules; of equally likely causes the one of the earlier rule comes first."""

_SCALES = ("unscaled_inputs", "unscaled_targets")

CONSEQUENCES: dict[str, tuple[str, ...]] = {
    "learning_rate_too_low": ("frozen_weights",),
    "learning_rate_too_high": ("unshuffled_data",),
    "unscaled_targets": ("output_mismatch",),
    "dead_units": (
        *("symmetric_initialization", "nonfinite_inputs", "unshuffled_data", "learning_rate_too_high", *_SCALES),
        "excessive_regularization",
    ),
    "saturated_units": ("nonfinite_inputs", "learning_rate_too_high", *_SCALES),
    "vanishing_gradients": (
        *("dead_units", "saturated_units", "unscaled_inputs", "symmetric_initialization", "frozen_weights"),
        *("excessive_regularization", "output_mismatch"),
    ),
    "exploding_gradients": ("nonfinite_inputs", "unshuffled_data", "learning_rate_too_high", *_SCALES),
    "nonfinite_training": (
        *("nonfinite_inputs", "unshuffled_data", "learning_rate_too_high", *_SCALES),
        *("output_mismatch", "exploding_gradients"),
    ),
    "no_signal": ("nonfinite_inputs", "constant_targets", "constant_features", "too_few_rows"),
    "insufficient_training": ("batch_size_too_large", "learning_rate_too_low"),
}
"""What each cause may itself be the effect of, in an order in which effects follow their causes."""

STEP = 0.01
"""How far an effect ranks below its cause."""

LAST_RESORTS = ("imbalanced_labels", "insufficient_training")
"""Causes that explain a collapse only where no other is likely."""


def rank(evidence: Evidence, thresholds: Thresholds = DEFAULT) -> tuple[Finding, ...]:
    """The causes that the evidence speaks for, likeliest first; equal ones in the order of the rules.

    What a likely cause explains is not treated for its own sake: it ranks below that cause, and below `confident`.
    Units that died in steps of a huge rate come after the rate, unless they were dead before the first step.

    Args:
        evidence: What was measured.
        thresholds: From where on a measurement speaks for a cause.

    Returns:
        One finding a cause that has any confidence.
    """
    found = [finding for rule in RULES for finding in [rule(evidence, thresholds)] if finding is not None]
    findings = {finding.cause: finding for finding in found}
    explained: set[str] = set()
    for effect in CONSEQUENCES:
        if effect not in findings:
            continue
        causes = [findings[cause] for cause in _causes_of(findings[effect], evidence, thresholds) if cause in findings]
        likely = [one.confidence for one in causes if one.confidence >= thresholds.confident or one.cause in explained]
        if likely:
            explained.add(effect)
            capped = min(findings[effect].confidence, thresholds.explained, min(likely) - STEP)
            findings[effect] = dataclasses.replace(findings[effect], confidence=capped)
    for name in LAST_RESORTS:
        others = [one.confidence for cause, one in findings.items() if cause not in LAST_RESORTS]
        if name in findings and max(others, default=0.0) >= thresholds.confident:
            capped = min(findings[name].confidence, thresholds.confident / 2)
            findings[name] = dataclasses.replace(findings[name], confidence=capped)
    return tuple(sorted(findings.values(), key=lambda finding: -finding.confidence))


def _causes_of(effect: Finding, evidence: Evidence, thresholds: Thresholds) -> tuple[str, ...]:
    """What may explain a finding, as far as what happened when allows it."""
    if effect.cause == "dead_units" and (began_dead(evidence, thresholds) or deadly_biases(evidence, thresholds)):
        return ("symmetric_initialization",)  # nothing that steps do comes before the first one
    if effect.cause == "learning_rate_too_high" and effect.confidence >= thresholds.decisive:
        return ()
    return CONSEQUENCES[effect.cause]
