"""Limit the norm of the gradients.

Changes: `global_clipnorm` of the optimizer.
Helps when: a few steps with huge gradients throw the weights off, or make them infinite.
Costs: a norm over all gradients a step.
Never touches: the optimizer's kind, its rate, or limits of its own.
Source: Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural networks" (2013), section 3.2.
"""

import math
from typing import TYPE_CHECKING, ClassVar

from autofix.evidence import Evidence
from autofix.remedies import ClipGradients as ClipGradientsRemedy
from autofix.remedy import Remedy
from autofix.strategy import Case, Strategy

if TYPE_CHECKING:
    import keras_tuner

NORMS = (1.0, 0.1)
"""Norms to try: 1 is what is mostly used; networks of few weights have smaller gradients."""


class ClipGradients(Strategy):
    """Gradients of limited length."""

    name: ClassVar[str] = "clip_gradients"
    treats: ClassVar[frozenset[str]] = frozenset({"exploding_gradients", "nonfinite_training"})
    recompiles: ClassVar[bool] = True
    when_left_out: ClassVar[str] = "nothing points to gradients that explode, or the optimizer limits them already"

    def prescribe(self, hp: "keras_tuner.HyperParameters", case: Case) -> Remedy | None:
        model = case.evidence.model
        if model.is_clipped or not (case.finds(self.treats) or _is_nonfinite(case.evidence)):
            return None
        norm = float(hp.Choice("global_clipnorm", list(NORMS), ordered=False))
        return ClipGradientsRemedy(self.name, global_clipnorm=norm, optimizer=model.optimizer)


def _is_nonfinite(evidence: Evidence) -> bool:
    curve = evidence.curve
    return curve.has_nonfinite_weights or not all(math.isfinite(loss) for loss in curve.losses)
