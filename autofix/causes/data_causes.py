"""Causes in the data: scales, order, codes, labels, and what makes learning impossible."""

import math

from autofix.causes.phrases import DECISIVE, between, by_decades
from autofix.causes.thresholds import Thresholds
from autofix.evidence import Evidence, InputProfile, OutputProfile, TargetProfile
from autofix.report.records import Finding

SCALING_LAYERS = ("Normalization", "BatchNormalization", "LayerNormalization", "GroupNormalization", "Rescaling")
"""Layers that bring inputs to the scale the network needs, where they come first."""

ENCODING_LAYERS = ("Embedding", "CategoryEncoding", "IntegerLookup", "StringLookup", "HashedCrossing", "Hashing")

RELATIVE_LOSSES = ("mean_squared_logarithmic_error", "cosine_similarity", "mean_absolute_percentage_error", "poisson")
"""Losses that do not grow with the scale of the targets, or not by much."""


def unscaled_inputs(evidence: Evidence, t: Thresholds) -> Finding | None:
    """Features far from the unit scale."""
    first = next((layer for layer in evidence.model.layers if layer.has_weights), None)
    # Of layers in front without weights only Rescaling changes a scale; behind the output it is no input's.
    if (first is not None and first.kind in SCALING_LAYERS) or "Rescaling" in evidence.model.layer_types:
        return None
    distances = [
        (_distance(profile, column), len(evidence.inputs) > 1 and number, column)
        for number, profile in enumerate(evidence.inputs)
        if not (profile.is_integer and "Embedding" in evidence.model.layer_types)
        for column in range(len(profile.mean))
    ]
    worst, number, column = max(distances, default=(0.0, 0, 0))
    if worst <= t.far_scale:
        return None
    sizes = [math.hypot(m, s) for profile in evidence.inputs for m, s in zip(profile.mean, profile.std, strict=True)]
    confidence = by_decades(worst / t.far_scale, t.far_scale_confidence, t.decade)
    saturated = ""
    if first is not None and first.start_saturated_share >= t.saturated_share and first.kernel_scale < t.large_kernel:
        confidence = max(confidence, between(first.start_saturated_share, t.saturated_share, 0.85, 0.95))
        saturated = (
            f" {first.start_saturated_share:.0%} of the values of {first.name!r} began at the ends of its range."
        )
    where = f"feature {column}" if number is False else f"feature {column} of input {number}"
    return Finding(
        "unscaled_inputs",
        confidence,
        f"Input features have typical sizes from {min(sizes):.3g} to {max(sizes):.3g} ({where} is furthest from 1)."
        + saturated,
    )


def _distance(profile: InputProfile, column: int) -> float:
    """How far a feature is from the unit scale, as a factor."""
    size = math.hypot(profile.mean[column], profile.std[column])
    # Of a rare flag the deviation is small, its range is not.
    width = max(profile.std[column], profile.maximum[column] - profile.minimum[column])
    return max(size, 1.0 / width if width > 0.0 else 0.0)


def unscaled_targets(evidence: Evidence, t: Thresholds) -> Finding | None:
    """Numbers as targets, far from the scale of a new network's outputs."""
    outputs: list[OutputProfile | None] = [*evidence.model.outputs, *[None] * len(evidence.targets)]
    for target, output in zip(evidence.targets, outputs, strict=False):
        if target.kind != "regression" or target.std == 0.0 or (output and output.loss in RELATIVE_LOSSES):
            continue
        distance = max(math.hypot(target.mean, target.std), 1.0 / target.std)
        if distance <= t.far_scale or (output is not None and _has_reached(output, target, t)):
            continue
        confidence = by_decades(distance / t.far_scale, t.far_scale_confidence, t.decade)
        first = unscaled_inputs(evidence, t)
        if first is not None and confidence - first.confidence < t.decade:
            # A network's outputs begin about as large as its inputs: then these are what is to be scaled first.
            confidence = min(confidence, first.confidence - 0.01)
        return Finding(
            "unscaled_targets",
            confidence,
            f"Targets have mean {target.mean:.3g} and standard deviation {target.std:.3g}; a new network's outputs are "
            "of size 1." + _predicted(output),
        )
    return None


def _has_reached(output: OutputProfile, target: TargetProfile, t: Thresholds) -> bool:
    """Whether the predictions lie among the targets and vary about as much."""
    middle = (output.minimum + output.maximum) / 2.0
    is_wide = output.maximum - output.minimum >= t.reached_share * target.std
    return (
        is_wide
        and target.minimum <= middle <= target.maximum
        and output.maximum <= 10.0 * max(abs(target.minimum), abs(target.maximum))
    )


def _predicted(output: OutputProfile | None) -> str:
    if output is None or output.minimum == output.maximum == 0.0:
        return ""
    return f" Predictions run from {output.minimum:.3g} to {output.maximum:.3g}."


def unshuffled_data(evidence: Evidence, t: Thresholds) -> Finding | None:
    """Rows in an order that says something about the targets."""
    drift = max((target.order_drift for target in evidence.targets), default=0.0)
    if evidence.fit.shuffle or drift < t.order_drift:
        return None
    return Finding(
        "unshuffled_data",
        between(drift, t.order_drift, 0.65, 0.95),
        f"The rows are not shuffled, and the row number predicts the target (order drift {drift:.2f} of 1).",
    )


def unencoded_categories(evidence: Evidence, t: Thresholds) -> Finding | None:
    """Numbers that are names."""
    if any(kind in evidence.model.layer_types for kind in ENCODING_LAYERS):
        return None
    found = [(codes.gain, number, codes) for number, one in enumerate(evidence.inputs) for codes in one.codes]
    if not found:
        return None
    gain, number, codes = max(found, key=lambda one: one[0])
    if gain < t.category_gain:
        return None
    others = sum(one[0] >= t.category_gain for one in found) - 1
    where = f"feature {codes.column}" + (f" of input {number}" if len(evidence.inputs) > 1 else "")
    return Finding(
        "unencoded_categories",
        between(gain, t.category_gain, 0.6, 0.95, high=0.6),
        f"The {codes.n_codes} whole numbers of {where} look like codes of categories: their order says little, but a "
        f"mean for each explains {gain:.0%} more of the targets."
        + (f" So do {others} more features." if others else ""),
    )


def imbalanced_labels(evidence: Evidence, t: Thresholds) -> Finding | None:
    """One class that nearly all rows have."""
    for target in evidence.targets:
        if target.kind not in ("binary", "multiclass") or len(target.class_shares) < 2:
            continue
        label, share = max(target.class_shares, key=lambda pair: pair[1])
        if share > 1.0 - t.minority_share:
            return Finding(
                "imbalanced_labels",
                between(share, 1.0 - t.minority_share, 0.5, 0.8),
                f"{share:.1%} of the rows are of class {label}, so that always predicting it costs little.",
            )
    return None


def nonfinite_inputs(evidence: Evidence, t: Thresholds) -> Finding | None:
    """NaN or infinity among the numbers."""
    n_inputs = sum(profile.n_nonfinite for profile in evidence.inputs)
    n_targets = sum(profile.n_nonfinite for profile in evidence.targets)
    if not n_inputs and not n_targets:
        return None
    what = f"{n_inputs} values of the inputs" if n_inputs else f"{n_targets} targets"
    return Finding(
        "nonfinite_inputs", 0.99, f"{what} are NaN or infinite; one such row makes all weights NaN in a step."
    )


def constant_features(evidence: Evidence, t: Thresholds) -> Finding | None:
    """Features that have one value in every row."""
    n_features = sum(len(profile.mean) for profile in evidence.inputs)
    n_constant = sum(len(profile.constant_features) for profile in evidence.inputs)
    is_all = n_constant == n_features and not any(not profile.mean for profile in evidence.inputs)
    if not n_constant or evidence.fit.n_rows < 2:
        return None
    if is_all:
        return Finding(
            "constant_features", 0.99, "Every feature has the same value in every row, so nothing tells rows apart."
        )
    share = n_constant / n_features
    return Finding(
        "constant_features",
        0.3 * share,
        f"{n_constant} of {n_features} features have the same value in every row and say nothing.",
    )


def constant_targets(evidence: Evidence, t: Thresholds) -> Finding | None:
    """Nothing to predict."""
    constant = [target.is_constant for target in evidence.targets]
    if not any(constant) or evidence.fit.n_rows < 2:
        return None
    if all(constant):
        return Finding("constant_targets", 0.99, "Every row has the same target, so there is nothing to learn.")
    return Finding(
        "constant_targets",
        0.4,
        f"The targets of output {constant.index(True)} are the same in every row; there a constant is right.",
    )


def no_signal(evidence: Evidence, t: Thresholds) -> Finding | None:
    """Reference learners, and a test for any dependence, that found nothing."""
    references = evidence.references
    p_value, lower = references.p_value, references.best_lower
    if lower is None or lower > t.no_skill or (p_value is not None and p_value <= t.chance):
        return None
    tested = f", and a permutation test finds no dependence (p = {p_value:.2f})" if p_value is not None else ""
    best = max(skill for skill in (references.linear, references.nonlinear, -math.inf) if skill is not None)
    return Finding(
        "no_signal",
        0.6 if p_value is None else between(p_value, t.chance, 0.75, 0.92, high=0.3),
        f"No reference learner predicts held-out rows: the best has skill {best:.2f}, at least {lower:.2f}{tested}.",
    )


def too_few_rows(evidence: Evidence, t: Thresholds) -> Finding | None:
    """Less than anything can be proven with."""
    n_rows = evidence.fit.n_rows
    if n_rows >= t.min_rows:
        return None
    return Finding(
        "too_few_rows", DECISIVE, f"There are {n_rows} rows; nothing can be proven with fewer than {t.min_rows:.0f}."
    )


RULES = (
    nonfinite_inputs,
    constant_targets,
    constant_features,
    too_few_rows,
    unshuffled_data,
    unscaled_inputs,
    unscaled_targets,
    unencoded_categories,
    no_signal,
    imbalanced_labels,
)
