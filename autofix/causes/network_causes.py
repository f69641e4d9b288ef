"""Causes in the network: units, initial weights, gradients, capacity, frozen layers, regularisation."""

import itertools
import math

from autofix.causes.phrases import DECISIVE, between, by_decades, names, times, units
from autofix.causes.thresholds import Thresholds
from autofix.evidence import Evidence, LayerProfile
from autofix.report.records import Finding

CUT_OFF = ("relu", "relu6")
"""Activations whose units can die: they have no slope below 0."""

BOUNDED = ("sigmoid", "hard_sigmoid", "tanh", "hard_tanh", "softsign", "softmax")

NOT_LEARNED = ("Normalization", "Discretization", "TextVectorization", "StringLookup", "IntegerLookup", "Hashing")
"""Layers whose weights are adapted to the data rather than trained."""

SPARSE_OR_SCALES = ("Embedding", "BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization")
"""Layers whose gradients do not compare with those of kernels: few rows of them are used, or they are scales."""

BLANK = 0.85
"""Confidence of input weights of 0: layers behind such ones can still break out of it where their inputs vary."""


def hidden_layers(evidence: Evidence) -> list[LayerProfile]:
    """The layers with weights before the output layers."""
    return [layer for layer in evidence.model.layers if layer.has_weights and not layer.is_output]


def insufficient_capacity(evidence: Evidence, t: Thresholds) -> Finding | None:
    """A network that cannot bend, or passes too little on, where there is something to bend around."""
    references, model = evidence.references, evidence.model
    if references.linear is None or references.nonlinear is None:
        return None
    gain = references.nonlinear - max(0.0, references.linear)
    if gain < t.nonlinear_margin:
        return None
    held_out = (
        f"held out, a non-linear learner has skill {references.nonlinear:.2f} and a linear one {references.linear:.2f}."
    )
    if not model.nonlinear_layers:
        text = f"The network has no non-linear hidden layer; {held_out}"
        return Finding("insufficient_capacity", min(0.95, 0.8 + gain / 2), text)
    narrow = [one for one in hidden_layers(evidence) if 0 < one.units <= t.bottleneck_units and one.kind != "Embedding"]
    narrow = [one for one in narrow if one.kind not in SPARSE_OR_SCALES]
    if not narrow:
        return None
    text = (
        f"All that the output layer learns from passes through {narrow[0].units} units of {names(narrow)}; {held_out}"
    )
    return Finding("insufficient_capacity", min(0.85, 0.55 + gain / 2), text)


def dead_units(evidence: Evidence, t: Thresholds) -> Finding | None:
    """ReLU units that are the same for every row, and so pass no gradient on."""
    hidden = hidden_layers(evidence)
    # Behind weights of next to 0 all is the same without being dead.
    reached = itertools.takewhile(lambda one: one.kernel_scale > t.small_kernel, hidden)
    dead = [
        layer
        for layer in reached
        if layer.activation in CUT_OFF and max(layer.dead_share, layer.start_dead_share) >= t.dead_share
    ]
    layer = max(dead, key=lambda one: (max(one.dead_share, one.start_dead_share), one.start_dead_share), default=None)
    if layer is not None and layer.start_dead_share >= t.dead_share:
        is_known = began_dead(evidence, t)
        return Finding(
            "dead_units",
            between(layer.start_dead_share, t.dead_share, 0.6, 0.98 if is_known else 0.92),
            f"{units(layer.start_dead_share, layer)} are the same for every row"
            + (", already when the training began." if is_known else "."),
        )
    if biased := deadly_biases(evidence, t):
        text = (
            f"The biases of {names(biased)} begin at {biased[0].start_bias:.3g}, so low that only inputs of a large "
            "scale bring a unit above 0."
        )
        return Finding("dead_units", 0.75, text)
    if layer is None:
        return None
    # Some units are dead from the start by chance; that others died since has a reason in the training.
    at_start = round(layer.start_dead_share * layer.units)
    return Finding(
        "dead_units",
        between(layer.dead_share, t.dead_share, 0.5, 0.85),
        f"{units(layer.dead_share, layer)} are the same for every row, {at_start} when the training began.",
    )


def began_dead(evidence: Evidence, t: Thresholds) -> bool:
    """Whether units were dead before any step, as far as it is known what the training began with."""
    is_known = any(layer.update > 0.0 for layer in evidence.model.layers)
    return is_known and any(
        one.activation in CUT_OFF and one.start_dead_share >= t.dead_share for one in hidden_layers(evidence)
    )


def deadly_biases(evidence: Evidence, t: Thresholds) -> list[LayerProfile]:
    """Hidden ReLU layers that inputs of an ordinary scale would not bring above 0."""
    return [one for one in hidden_layers(evidence) if one.activation in CUT_OFF and one.start_bias <= t.deadly_bias]


def saturated_units(evidence: Evidence, t: Thresholds) -> Finding | None:
    """Units at the ends of their range, where there is no slope."""
    found = [
        layer
        for layer in hidden_layers(evidence)
        if layer.activation in BOUNDED and max(layer.saturated_share, layer.start_saturated_share) >= t.saturated_share
    ]
    if not found:
        return None
    layer = max(found, key=lambda one: max(one.saturated_share, one.start_saturated_share))
    share = max(layer.saturated_share, layer.start_saturated_share)
    when = " when the training began" if layer.start_saturated_share >= layer.saturated_share else ""
    size = ""
    if layer.kernel_scale >= t.large_kernel:
        size = f" Its initial weights are {times(layer.kernel_scale)} as large as Glorot's."
    return Finding(
        "saturated_units",
        between(share, t.saturated_share, 0.6, 0.93 if size or not when else 0.88),
        f"{share:.0%} of the values of {layer.name!r} lie at the ends of its {layer.activation}{when}.{size}",
    )


def vanishing_gradients(evidence: Evidence, t: Thresholds) -> Finding | None:
    """Gradients that fall from layer to layer, or weights too small to pass anything on."""
    tiny = [one for one in hidden_layers(evidence) if 0.0 < one.kernel_scale <= t.small_kernel]
    if tiny:
        scale = min(one.kernel_scale for one in tiny)
        return Finding(
            "vanishing_gradients",
            by_decades(t.small_kernel / scale, 0.7 + 0.1 * min(2, len(tiny) - 1), 0.1),
            f"The initial weights of {names(tiny)} are {scale:.2g} of the size of Glorot's, so that next to nothing "
            "gets through.",
        )
    stack = [
        one
        for one in evidence.model.layers
        if one.has_weights and one.is_trainable and one.kind not in SPARSE_OR_SCALES and one.start_gradient > 0.0
    ]
    if len(stack) < 2 or not any(not one.is_output for one in stack):
        return None
    first, last = stack[0], stack[-1]
    ratio = first.start_gradient / last.start_gradient
    if first.is_output or ratio > t.gradient_fall:
        return None
    bounded = sum(one.activation in BOUNDED for one in hidden_layers(evidence))
    base = 0.45 if len(stack) < t.deep_layers else 0.75 if bounded >= t.deep_layers - 1 else 0.6
    ends = f", {bounded} of them with a bounded activation" if bounded else ""
    return Finding(
        "vanishing_gradients",
        by_decades(t.gradient_fall / ratio, base, 0.1),
        f"Relative to their weights, the gradient of {first.name!r} is {ratio:.1e} of that of {last.name!r}, the last "
        f"of {len(stack)} layers{ends}.",
    )


def symmetric_initialization(evidence: Evidence, t: Thresholds) -> Finding | None:
    """Units that begin equal, and so stay equal."""
    equal = [one for one in hidden_layers(evidence) if one.is_trainable and one.equal_share >= t.equal_share]
    if not equal:
        return _blank(evidence)
    layer = max(equal, key=lambda one: one.equal_share)
    is_zero = " (all weights 0)" if layer.kernel_scale == 0.0 else ""
    return Finding(
        "symmetric_initialization",
        between(layer.equal_share, t.equal_share, 0.6, 0.95),
        f"{units(layer.equal_share, layer)} began with the weights of another one{is_zero}; equal units get equal "
        "gradients and stay equal.",
    )


def _blank(evidence: Evidence) -> Finding | None:
    """A layer that begins by handing nothing on: units of recurrent layers differ by their recurrent weights alone."""
    blank = [one for one in hidden_layers(evidence) if one.is_trainable and one.kernel_scale == 0.0]
    if not blank:
        return None
    return Finding(
        "symmetric_initialization",
        BLANK,
        f"All input weights of {names(blank)} began at 0: nothing of the inputs gets through, and no gradient back.",
    )


def frozen_weights(evidence: Evidence, t: Thresholds) -> Finding | None:
    """Nothing, or not enough, that is trained."""
    model = evidence.model
    if model.learning_rate == 0.0 and model.schedule is None:
        return Finding("frozen_weights", DECISIVE, "The learning rate is 0, so no weight ever changes.")
    learned = [layer for layer in model.layers if layer.has_weights and layer.kind not in NOT_LEARNED]
    frozen = [layer for layer in learned if not layer.is_trainable]
    if not frozen:
        return None
    kernels = [layer for layer in learned if layer.is_trainable and layer.kind not in SPARSE_OR_SCALES]
    if not kernels:
        text = f"None of the {len(learned)} layers with weights is trained ({names(frozen)} are frozen)."
        return Finding("frozen_weights", DECISIVE, text if len(frozen) > 1 else f"{names(frozen)} is frozen.")
    outputs = [layer for layer in frozen if layer.is_output]
    if outputs:
        return Finding("frozen_weights", 0.85, f"The output layer {names(outputs)} is frozen.")
    share = len(frozen) / len(learned)
    return Finding(
        "frozen_weights",
        0.3 * share,
        f"{len(frozen)} of {len(learned)} layers with weights are frozen: {names(frozen)}.",
    )


def excessive_regularization(evidence: Evidence, t: Thresholds) -> Finding | None:
    """Penalties that outweigh the data, or noise that drowns it."""
    findings = [_penalty(evidence, t), _dropout(evidence, t)]
    return max((one for one in findings if one is not None), key=lambda one: one.confidence, default=None)


def _penalty(evidence: Evidence, t: Thresholds) -> Finding | None:
    curve = evidence.curve
    pairs = [(curve.penalty, curve.data_loss), (curve.start_penalty, curve.start_data_loss)]
    known = [(penalty, abs(loss)) for penalty, loss in pairs if math.isfinite(penalty) and math.isfinite(loss) and loss]
    penalty, loss = max(known, key=lambda pair: pair[0] / pair[1], default=(0.0, 1.0))
    if penalty / loss < t.heavy_penalty:
        return None
    layer = max(evidence.model.layers, key=lambda one: max(one.penalty, one.start_penalty), default=None)
    of = "" if layer is None else f", most of it of {layer.name!r}"
    return Finding(
        "excessive_regularization",
        by_decades(penalty / loss / t.heavy_penalty, 0.5, 0.22),
        f"Penalties add {penalty:.3g} to a loss of the data of {loss:.3g}{of}.",
    )


def _dropout(evidence: Evidence, t: Thresholds) -> Finding | None:
    rates = [
        (float(layer.argument(name)), layer, name)
        for layer in evidence.model.layers
        for name in ("rate", "dropout", "recurrent_dropout")
        if isinstance(layer.argument(name), int | float)
    ]
    rate, layer, _ = max(rates, key=lambda one: one[0], default=(0.0, None, ""))
    if layer is not None and 1.0 - rate <= t.kept_share:
        kept = max(1.0 - rate, 1e-6)
        return Finding(
            "excessive_regularization",
            by_decades(t.kept_share / kept, 0.57, 0.28),
            f"{layer.name!r} drops {rate:.0%} of its inputs at random in each step.",
        )
    noises = [one for one in evidence.model.layers if isinstance(one.argument("stddev"), int | float)]
    noisy = max(noises, key=lambda one: float(one.argument("stddev")), default=None)
    if noisy is None or float(noisy.argument("stddev")) < t.heavy_noise:
        return None
    text = f"{noisy.name!r} adds noise with a standard deviation of {noisy.argument('stddev'):.3g}."
    return Finding("excessive_regularization", 0.65, text)


RULES = (
    frozen_weights,
    insufficient_capacity,
    symmetric_initialization,
    dead_units,
    saturated_units,
    vanishing_gradients,
    excessive_regularization,
)
