"""Let the network work in standard units, and put its outputs back into the units of the targets.

Changes: adds a `keras.layers.Rescaling` layer behind each numeric output.
Helps when: targets are far from mean 0 and deviation 1 under a loss that has their units.
Costs: one multiplication and one addition an output. Gradients of a loss in raw units grow and shrink with it, which
the learning rate makes up for, or `epsilon` where the optimizer divides the size of the gradients out.
Never touches: the targets, the loss, classification outputs, outputs whose activation bounds them.
Source: Bishop, "Neural Networks for Pattern Recognition" (1995), section 8.2.
"""

import math
from typing import TYPE_CHECKING, ClassVar

from autofix.evidence import TargetProfile
from autofix.heads import DISTANCES
from autofix.remedies import HeadChange, RescaleOutputs
from autofix.remedy import Remedy
from autofix.strategy import Case, Strategy

if TYPE_CHECKING:
    import keras_tuner

EPSILON_POWER = {"Adam": 1, "AdamW": 1, "Nadam": 1, "Adamax": 1, "RMSprop": 2}
"""Optimizers that add `epsilon` to the size of the gradients, or to the square of it (Keras' documentation of each)."""

SMALL_GRADIENTS = 1e-3
"""Below this share of the gradients in standard units, Keras' usual epsilon of 1e-7 is no longer small beside them:
those of single weights are a hundredth to a thousandth of the loss's own."""


class StandardizeTargets(Strategy):
    """Outputs in standard units, scaled back inside the model."""

    name: ClassVar[str] = "standardize_targets"
    treats: ClassVar[frozenset[str]] = frozenset({"unscaled_targets"})
    needs_surgery: ClassVar[bool] = True
    after: ClassVar[frozenset[str]] = frozenset({"repair_output_head"})
    when_left_out: ClassVar[str] = "no output is a linear one, of a regression"

    def prescribe(self, hp: "keras_tuner.HyperParameters", case: Case) -> Remedy | None:
        evidence = case.evidence
        usable = [
            target.std > 0 and _is_linear_regression(target, activation, head)
            for target, activation, head in zip(
                evidence.targets, evidence.model.output_activations, case.heads, strict=False
            )
        ]
        if not any(usable):
            return None
        pairs = [
            (target.std, target.mean) if use else (None, None)
            for target, use in zip(evidence.targets, usable, strict=False)
        ]
        gradients = max(
            _gradient(_loss(index, case), target)
            for index, (target, use) in enumerate(zip(evidence.targets, usable, strict=False))
            if use
        )
        return RescaleOutputs(
            self.name,
            scale=tuple(scale for scale, _ in pairs),
            offset=tuple(offset for _, offset in pairs),
            learning_rate_factor=1.0 if evidence.model.is_scale_free else 1.0 / gradients,
            epsilon_factor=_epsilon_factor(evidence.model.optimizer, gradients),
        )


def _epsilon_factor(optimizer: str, gradients: float) -> float:
    return float(gradients ** EPSILON_POWER.get(optimizer, 0)) if gradients < SMALL_GRADIENTS else 1.0


def _loss(index: int, case: Case) -> str:
    """The loss of an output once the recipe so far has changed its head; empty where it is not known."""
    head = case.heads[index]
    if head is not None:
        return head.loss or str(head.was[2])
    outputs = case.evidence.model.outputs
    return outputs[index].loss if index < len(outputs) else ""


def _gradient(loss: str, target: TargetProfile) -> float:
    """Size of the loss's gradient by the output in standard units, for errors of one deviation.

    It is 1 for targets of mean 0 and deviation 1.
    """
    size = math.hypot(target.mean, target.std)
    slopes = {
        "mean_absolute_error": 1.0,
        "mean_absolute_percentage_error": 100.0 / size,
        "mean_squared_logarithmic_error": target.std / (1.0 + size) ** 2,
        # Squares near 0, distances further out.
        "huber": min(target.std, 1.0),
        "log_cosh": min(target.std, 1.0),
    }
    return target.std * slopes.get(loss, target.std)


def _is_linear_regression(target: TargetProfile, activation: str, head: HeadChange | None) -> bool:
    """Whether an output is a linear one, of numbers, once the recipe so far has changed its head."""
    if head is not None:
        activation = head.activation or activation
        return activation == "linear" and (head.loss or head.was[2]) in DISTANCES
    return activation == "linear" and target.kind == "regression"
