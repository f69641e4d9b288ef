"""Weaken regularisation that keeps the network from learning.

Changes: removes regularisers; lowers rates of dropout and noise to a light one, or to 0.
Helps when: penalties outweigh the loss of the data, or dropout leaves next to nothing of what is learned.
Costs: nothing; the network may overfit, which the held-out rows show.
Never touches: weights, constraints, rates and penalties that are light already.
Source: Srivastava et al., "Dropout" (2014), section 7.3 on rates; Goodfellow, Bengio & Courville, "Deep Learning"
(2016), section 7.1: a penalty that is too strong makes a network underfit.
"""

import math
from typing import TYPE_CHECKING, ClassVar

from autofix.evidence import CurveProfile, LayerProfile
from autofix.remedies import ChangeLayers, LayerChange
from autofix.remedy import Remedy
from autofix.strategy import Case, Strategy, changes_of

if TYPE_CHECKING:
    import keras_tuner

LIGHT_RATE = 0.2
"""The lowest rate that Srivastava et al. call usual; rates up to it are left alone."""

LIGHT_PENALTY = 0.1
"""Share of the data's loss up to which the penalties together count as light."""

RATES = ("rate", "dropout", "recurrent_dropout", "stddev")
"""Arguments that say how much is dropped, or how much noise is added."""


class RelaxRegularization(Strategy):
    """Less dropout, less noise, no penalties."""

    name: ClassVar[str] = "relax_regularization"
    treats: ClassVar[frozenset[str]] = frozenset({"excessive_regularization"})
    needs_surgery: ClassVar[bool] = True
    recompiles: ClassVar[bool] = True
    when_left_out: ClassVar[str] = "there is no regularisation, or it is light"

    def prescribe(self, hp: "keras_tuner.HyperParameters", case: Case) -> Remedy | None:
        has_high_rate = any(rate > LIGHT_RATE for layer in case.layers for rate in _rates(layer).values())
        drops_penalties = not _is_light(case.evidence.curve)
        target = float(hp.Choice("rate", [LIGHT_RATE, 0.0], ordered=False)) if has_high_rate else LIGHT_RATE
        changes = tuple(
            change for layer in case.layers for change in _changes(layer, target, drops_penalties=drops_penalties)
        )
        return ChangeLayers(self.name, changes) if changes else None


def _changes(layer: LayerProfile, target: float, *, drops_penalties: bool) -> tuple[LayerChange, ...]:
    values: dict[str, float | None] = {name: target for name, rate in _rates(layer).items() if rate > target}
    if drops_penalties:
        values |= {name: None for name, _ in layer.arguments if name.endswith("_regularizer")}
    return changes_of(layer, **values)


def _rates(layer: LayerProfile) -> dict[str, float]:
    return {name: value for name, value in layer.arguments if name in RATES and isinstance(value, int | float)}


def _is_light(curve: CurveProfile) -> bool:
    """Whether the penalties are known to be small beside the data's loss, before they shrank the weights too."""
    pairs = [(curve.penalty, curve.data_loss), (curve.start_penalty, curve.start_data_loss)]
    known = [(penalty, loss) for penalty, loss in pairs if math.isfinite(penalty) and math.isfinite(loss) and loss]
    return bool(known) and all(penalty <= LIGHT_PENALTY * abs(loss) for penalty, loss in known)
