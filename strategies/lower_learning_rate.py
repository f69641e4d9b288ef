"""Retune the learning rate: first of all down, also up.

Changes: the optimizer's rate, or every rate of its schedule; the schedule's shape stays.
Helps when: the loss jumps or units die (too high), or nothing moves within the training (too low).
Costs: nothing.
Never touches: the kind of optimizer and its other settings.
Source: Bengio, "Practical recommendations for gradient-based training" (2012), section 3.1: a logarithmic sweep.
"""

import math
from typing import TYPE_CHECKING, ClassVar

from autofix.remedies import SetLearningRate
from autofix.remedy import Remedy
from autofix.strategy import Case, Strategy

if TYPE_CHECKING:
    import keras_tuner

MULTIPLES_OF_DEFAULT = (10.0, 3.0, 30.0, 1.0, 100.0, 0.3, 0.1)
"""Rates to try, as multiples of the optimizer's default, likeliest first after the one that `TRAVEL` picks."""

TRAVEL = 4000
"""How many steps at its default rate an optimizer needs for a small network: a shorter training gets the higher rate
that takes it as far, within `HIGHEST` and the default. The steps of one training of the sweep, times its rate."""

HIGHEST = 10.0
"""Multiple of the default up to which a rate is tried first: beyond it, units die in ordinary networks."""

FACTORS = (0.1, 0.01, 10.0, 0.3, 3.0, 0.001, 100.0)
"""Factors to try where the rate or the optimizer's default is not known."""

SAME = 0.05
"""A factor this near to 1 changes nothing."""


class LowerLearningRate(Strategy):
    """Another learning rate from a logarithmic sweep."""

    name: ClassVar[str] = "lower_learning_rate"
    treats: ClassVar[frozenset[str]] = frozenset({"learning_rate_too_high", "learning_rate_too_low"})
    when_left_out: ClassVar[str] = "the learning rate is a schedule of the user's own"

    def prescribe(self, hp: "keras_tuner.HyperParameters", case: Case) -> Remedy | None:
        model = case.evidence.model
        if model.learning_rate is None or not model.can_rescale_rate:
            return None
        factor = float(hp.Choice("factor", self._factors(case), ordered=False))
        was: float | str = model.schedule or model.learning_rate
        return SetLearningRate(self.name, factor=factor, optimizer=model.optimizer, was=was)

    @staticmethod
    def _factors(case: Case) -> list[float]:
        model = case.evidence.model
        if model.learning_rate is None or not model.default_learning_rate:
            return list(FACTORS)
        wanted = min(HIGHEST, max(1.0, TRAVEL / case.evidence.fit.total_steps))
        first = min(MULTIPLES_OF_DEFAULT, key=lambda multiple: abs(math.log(multiple / wanted)))
        # Of a rate of 0 the factor is the new rate.
        unit = model.default_learning_rate / (model.learning_rate or 1.0)
        factors = [multiple * unit for multiple in dict.fromkeys([first, *MULTIPLES_OF_DEFAULT])]
        return [float(f"{factor:.12g}") for factor in factors if abs(factor - 1.0) > SAME]
