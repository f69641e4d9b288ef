"""Output heads: whether an output and its loss can say what the targets ask for, and what head could."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

from autofix.evidence import OutputProfile, TargetProfile

MAX_CLASSES = 1000
"""Whole numbers up to this are taken for class numbers where the loss asks for classes; beyond they are quantities."""

REACHES: dict[str, tuple[float, float]] = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "log_softmax": (float("-inf"), 0.0),
    "tanh": (-1.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "relu": (0.0, float("inf")),
    "relu6": (0.0, 6.0),
    "softplus": (0.0, float("inf")),
    "exponential": (0.0, float("inf")),
    "elu": (-1.0, float("inf")),
    "selu": (-1.7581, float("inf")),
}
"""The numbers that an activation can put out; any that is not listed can put out all."""

SLACK = 0.05
"""Share of the targets' range by which they may lie outside of what the activation reaches before that counts: a
label smoothed or scaled to exactly 0 or 1 is no mismatch."""

PROBABILITIES = ("sigmoid", "hard_sigmoid", "softmax")

DISTANCES = (
    "mean_squared_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error",
    "huber",
    "log_cosh",
)
"""Losses of numbers, which are smallest where the output is the target."""


class Head(NamedTuple):
    """What an output would need; None for what can stay.

    Args:
        units: Values a row.
        activation: Name of the activation.
        loss: Name of the loss.
    """

    units: int | None = None
    activation: str | None = None
    loss: str | None = None


@dataclasses.dataclass(frozen=True)
class Mismatch:
    """Why an output cannot say what the targets ask for.

    Args:
        reason: The sentence a user reads.
        heads: What could, the smallest change first.
    """

    reason: str
    heads: tuple[Head, ...]


def mismatch(output: OutputProfile, target: TargetProfile) -> Mismatch | None:
    """What is wrong between an output, its loss and its targets, or None.

    Args:
        output: Of the network.
        target: Of the training rows.

    Example:

    >>> output = OutputProfile("dense", units=1, activation="softmax", loss="binary_crossentropy", from_logits=False)
    >>> labels = TargetProfile("binary", 0.5, 0.5, False, 0.0, maximum=1.0, n_distinct=2, is_whole=True)
    >>> mismatch(output, labels).heads
    (Head(units=None, activation='sigmoid', loss=None),)
    """
    if not output.loss or output.activation == "unknown" or target.is_constant:
        return None
    rules: dict[str, Callable[[OutputProfile, TargetProfile], Mismatch | None]] = {
        "binary_crossentropy": _binary,
        "binary_focal_crossentropy": _binary,
        "categorical_crossentropy": _categorical,
        "categorical_focal_crossentropy": _categorical,
        "kl_divergence": _categorical,
        "sparse_categorical_crossentropy": _sparse,
        "poisson": _poisson,
        **dict.fromkeys(DISTANCES, _distance),
    }
    rule = rules.get(output.loss)
    return rule(output, target) if rule else None


def _binary(output: OutputProfile, target: TargetProfile) -> Mismatch | None:
    if target.minimum < 0.0 or target.maximum > 1.0:
        return Mismatch(
            f"{output.loss} takes targets from 0 to 1; these run from {target.minimum:.3g} to {target.maximum:.3g}.",
            _for_numbers(output, target),
        )
    if output.activation == "softmax" and output.units > 1 and target.has_several:
        reason = "The outputs of a softmax sum to 1 in each row; the labels do not, for some rows have several."
        return Mismatch(reason, (Head(activation=_link(output, "sigmoid")),))
    # A softmax over all of several columns is a legitimate, if unusual, head for one-hot labels.
    is_single_softmax = output.activation == "softmax" and output.units == 1
    return _wrong_link(output, "sigmoid", is_single_softmax)


def _categorical(output: OutputProfile, target: TargetProfile) -> Mismatch | None:
    if target.width == 1 and target.is_whole:
        return _class_numbers(output, target, f"{output.loss} is made for one-hot targets; these are class numbers.")
    if target.minimum < 0.0 or (target.width == 1 and not target.is_whole):
        return Mismatch(f"The targets of {output.loss} are no class probabilities.", _for_numbers(output, target))
    if target.has_several:
        reason = f"{output.loss} is made for one class a row; some of these rows have several."
        return Mismatch(reason, (Head(activation=_link(output, "sigmoid"), loss="binary_crossentropy"),))
    return _wrong_link(output, "softmax", output.units == 1)


def _sparse(output: OutputProfile, target: TargetProfile) -> Mismatch | None:
    if target.width > 1 and target.is_one_hot:
        head = Head(activation=_link(output, "softmax"), loss="categorical_crossentropy")
        return Mismatch("sparse_categorical_crossentropy is made for class numbers; the targets are one-hot.", (head,))
    if not target.is_whole or target.minimum < 0.0:
        return Mismatch(f"The targets of {output.loss} are no class numbers.", _for_numbers(output, target))
    if target.maximum >= output.units:
        return _class_numbers(
            output,
            target,
            f"Class numbers go up to {target.maximum:.0f}, but the output has {output.units} units, numbered from 0.",
        )
    return _wrong_link(output, "softmax", output.units == 1)


def _class_numbers(output: OutputProfile, target: TargetProfile, reason: str) -> Mismatch | None:
    """Class numbers under an output that does not have a unit for each."""
    n_classes = int(target.maximum) + 1
    if target.minimum < 0.0 or n_classes > MAX_CLASSES:
        return Mismatch(reason, _for_numbers(output, target))
    if n_classes <= 2 and output.units == 1:
        return Mismatch(reason, (Head(activation="sigmoid", loss="binary_crossentropy"),))
    units = None if output.units >= n_classes else n_classes
    head = Head(units=units, activation="softmax", loss="sparse_categorical_crossentropy")
    return Mismatch(reason, (head,))


def _poisson(output: OutputProfile, target: TargetProfile) -> Mismatch | None:
    if target.minimum < 0.0:
        return Mismatch("The targets of poisson are below 0; it is made for counts.", _for_numbers(output, target))
    if output.activation in ("linear", "tanh", "softsign", "elu", "selu", "leaky_relu"):
        reason = f"poisson takes the logarithm of the output, which {output.activation} can make negative."
        return Mismatch(reason, (Head(activation="softplus"), Head(activation="exponential")))
    return _out_of_reach(output, target)


def _distance(output: OutputProfile, target: TargetProfile) -> Mismatch | None:
    if output.units > 1 and target.width == 1:
        reason = f"{output.units} outputs a row are all compared with the same single target."
        if target.is_whole and target.minimum >= 0.0 and target.maximum < output.units and target.n_distinct > 1:
            head = Head(activation=_link(output, "softmax"), loss="sparse_categorical_crossentropy")
            return Mismatch(reason, (head,))
        return Mismatch(reason, (Head(units=1, activation=_link(output, "linear")),))
    if output.activation == "softmax" and output.units == 1:
        return Mismatch("A softmax over a single unit is 1 for every row.", _for_numbers(output, target))
    if output.activation == "softmax" and not (target.is_one_hot or target.kind == "multiclass"):
        return Mismatch("The outputs of a softmax sum to 1 in each row; the targets do not.", (Head(None, "linear"),))
    return _out_of_reach(output, target)


def _out_of_reach(output: OutputProfile, target: TargetProfile) -> Mismatch | None:
    low, high = REACHES.get(output.activation, (float("-inf"), float("inf")))
    slack = SLACK * (target.maximum - target.minimum)
    if target.minimum >= low - slack and target.maximum <= high + slack:
        if output.is_flat and output.activation in REACHES:
            reason = f"The output's {output.activation} is the same for every row, though what it is given is not."
            return Mismatch(reason, (Head(activation="linear"),))
        return None
    reason = (
        f"The output's {output.activation} reaches {low:.3g} to {high:.3g}; the targets run from {target.minimum:.3g} "
        f"to {target.maximum:.3g}."
    )
    return Mismatch(reason, (Head(activation="softplus" if output.loss == "poisson" else "linear"),))


def _wrong_link(output: OutputProfile, link: str, is_degenerate: bool) -> Mismatch | None:
    """An activation that does not give the loss the probabilities, or logits, that it takes."""
    if output.from_logits:
        if output.activation in PROBABILITIES:
            reason = (
                f"{output.loss} takes logits (from_logits=True), but the output's {output.activation} squashes them."
            )
            return Mismatch(reason, (Head(activation="linear"),))
        return None
    if is_degenerate:
        head = Head(activation="sigmoid", loss=None if output.loss.startswith("binary") else "binary_crossentropy")
        return Mismatch(f"A {output.activation} over a single unit cannot tell classes apart.", (head,))
    if output.activation not in PROBABILITIES:
        reason = f"{output.loss} takes probabilities; the output's {output.activation} is not limited to 0 and 1."
        return Mismatch(reason, (Head(activation=link),))
    return None


def _link(output: OutputProfile, activation: str) -> str | None:
    """The activation, or None where the output has it."""
    return None if output.activation == activation else activation


def _for_numbers(output: OutputProfile, target: TargetProfile) -> tuple[Head, ...]:
    """Heads for targets that are numbers, whatever the loss was made for."""
    units = None if output.units == target.width else target.width
    loss = None if output.loss in DISTANCES else "mean_squared_error"
    return (Head(units=units, activation=_link(output, "linear"), loss=loss),)
