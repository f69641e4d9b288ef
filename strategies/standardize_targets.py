"""Let the network work in standard units, and put its outputs back into the units of the targets.

Changes: adds a `keras.layers.Rescaling` layer behind each numeric output.
Helps when: targets are far from mean 0 and deviation 1 under a loss that has their units.
Costs: one multiplication and one addition an output.
Never touches: the targets, the loss, classification outputs, outputs whose activation bounds them.
Source: Bishop, "Neural Networks for Pattern Recognition" (1995), section 8.2.
"""

from typing import TYPE_CHECKING, ClassVar

from autofix.evidence import TargetProfile
from autofix.heads import DISTANCES
from autofix.remedies import HeadChange, RescaleOutputs
from autofix.remedy import Remedy
from autofix.strategy import Case, Strategy

if TYPE_CHECKING:
    import keras_tuner


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
        return RescaleOutputs(
            self.name,
            scale=tuple(scale for scale, _ in pairs),
            offset=tuple(offset for _, offset in pairs),
            learning_rate_factor=1.0 if evidence.model.is_scale_free else self._compensation(evidence.targets),
        )

    @staticmethod
    def _compensation(targets: tuple[TargetProfile, ...]) -> float:
        """Gradients of a squared loss in raw units grow with the square of the scale."""
        return float(max(target.std for target in targets)) ** -2


def _is_linear_regression(target: TargetProfile, activation: str, head: HeadChange | None) -> bool:
    """Whether an output is a linear one, of numbers, once the recipe so far has changed its head."""
    if head is not None:
        activation = head.activation or activation
        return activation == "linear" and (head.loss or head.was[2]) in DISTANCES
    return activation == "linear" and target.kind == "regression"
