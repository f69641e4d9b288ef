"""Train for more epochs.

Changes: `epochs` in `fit`, times 3, 10 or 30.
Helps when: the training was cut off while it still got better, or has seen too little of a rare class.
Costs: time in proportion to the epochs; longer than was asked for.
Never touches: trainings that no longer get better, or that would take more than a fixed number of steps.
Source: Prechelt, "Early stopping - but when?" (1998): as long as the held-out error falls, go on.
"""

from typing import TYPE_CHECKING, ClassVar

from autofix.evidence import CurveProfile
from autofix.remedies import SetFitArgument
from autofix.remedy import Remedy
from autofix.strategy import Case, Strategy

if TYPE_CHECKING:
    import keras_tuner

FACTORS = (10, 30, 3)
"""How many times as many epochs: ten times first, for a training that is called cut off rarely lacks a little."""

MAX_STEPS = 30_000
"""Steps of a whole training that stay affordable: about a minute of small steps on a CPU."""

STILL_RISING = 0.05
"""Gain of held-out skill over the second half of the steps from which a training has not arrived."""


class TrainLonger(Strategy):
    """More epochs."""

    name: ClassVar[str] = "train_longer"
    treats: ClassVar[frozenset[str]] = frozenset({"insufficient_training", "imbalanced_labels"})
    when_left_out: ClassVar[str] = "the training does not get better at its end, or is a long one already"

    def prescribe(self, hp: "keras_tuner.HyperParameters", case: Case) -> Remedy | None:
        fit = case.evidence.fit
        if not (case.finds(self.treats) or _is_rising(case.evidence.curve)):
            return None
        epochs = [factor * fit.epochs for factor in FACTORS if factor * fit.total_steps <= MAX_STEPS]
        if not epochs:
            return None
        chosen = int(hp.Choice("epochs", epochs, ordered=False))
        return SetFitArgument(self.name, name="epochs", value=chosen, was=fit.epochs)


def _is_rising(curve: CurveProfile) -> bool:
    if curve.half_skill is None or curve.end_skill is None:
        return False
    return curve.end_skill - curve.half_skill >= STILL_RISING
