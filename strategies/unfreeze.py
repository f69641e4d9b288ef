"""Train layers that were frozen.

Changes: `trainable` of frozen layers to True: of all, or of the last one.
Helps when: too little of the network is trained for it to learn anything.
Costs: the gradients of the layers that are trained now, and their states in the optimizer.
Never touches: weights, or layers that are adapted rather than trained, such as Normalization.
Source: Yosinski et al., "How transferable are features in deep neural networks?" (2014).
"""

from typing import TYPE_CHECKING, ClassVar

from autofix.remedies import ChangeLayers
from autofix.remedy import Remedy
from autofix.strategy import Case, Strategy, changes_of

if TYPE_CHECKING:
    import keras_tuner

ADAPTED = ("Normalization", "Discretization", "TextVectorization", "StringLookup", "IntegerLookup", "Hashing")
"""Layers whose weights come from `adapt`, or that have none but a seed."""


class Unfreeze(Strategy):
    """Layers that learn again."""

    name: ClassVar[str] = "unfreeze"
    treats: ClassVar[frozenset[str]] = frozenset({"frozen_weights"})
    needs_surgery: ClassVar[bool] = True
    recompiles: ClassVar[bool] = True
    when_left_out: ClassVar[str] = "no layer is frozen"

    def prescribe(self, hp: "keras_tuner.HyperParameters", case: Case) -> Remedy | None:
        changes = tuple(
            change
            for layer in case.layers
            if layer.has_weights and not layer.is_trainable and layer.kind not in ADAPTED
            for change in changes_of(layer, trainable=True)
        )
        if not changes:
            return None
        which = str(hp.Choice("layers", ["all", "last"], ordered=False)) if len(changes) > 1 else "all"
        return ChangeLayers(self.name, changes if which == "all" else changes[-1:])
