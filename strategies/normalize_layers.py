"""Normalise what hidden layers hand on.

Changes: puts a BatchNormalization or LayerNormalization layer behind each hidden Dense and convolutional layer.
Helps when: values or gradients shrink, grow or saturate from layer to layer.
Costs: two trained weights a unit; statistics of each batch, or of each row, in every step.
Never touches: the user's layers, output layers, recurrent layers, embeddings, frozen layers, layers that a
normalisation follows already, layers that get another activation from another strategy.
Source: Ioffe & Szegedy, "Batch normalization" (2015); Ba, Kiros & Hinton, "Layer normalization" (2016).
"""

import itertools
from typing import TYPE_CHECKING, ClassVar

from autofix.evidence import LayerProfile
from autofix.remedies import ChangeLayers
from autofix.remedies import NormalizeLayers as NormalizeLayersRemedy
from autofix.remedy import Remedy
from autofix.strategy import Case, Strategy

if TYPE_CHECKING:
    import keras_tuner

KINDS = ("BatchNormalization", "LayerNormalization")

SMALL_BATCH = 8
"""Statistics of batches below this are too noisy (Wu & He, "Group normalization", 2018, figure 1)."""

SHORT_TRAINING_STEPS = 1000
"""Keras averages batch statistics for prediction with a momentum of 0.99: in a shorter training, and through several
layers, they still lag behind."""

NARROW = 4
"""Layer normalisation makes the values of a row 0 on average: of fewer than this many, too little is left."""


class NormalizeLayers(Strategy):
    """Normalisation between the hidden layers."""

    name: ClassVar[str] = "normalize_layers"
    treats: ClassVar[frozenset[str]] = frozenset({"vanishing_gradients", "saturated_units", "exploding_gradients"})
    needs_surgery: ClassVar[bool] = True
    recompiles: ClassVar[bool] = True
    after: ClassVar[frozenset[str]] = frozenset({"revive_units", "replace_activations"})
    when_left_out: ClassVar[str] = "no hidden Dense or convolutional layer that is trained lacks a normalisation"

    def prescribe(self, hp: "keras_tuner.HyperParameters", case: Case) -> Remedy | None:
        # Both treatments at once are dearer than either, and in short trainings worse.
        treated = {
            change.layer
            for remedy in case.recipe.of(ChangeLayers)
            for change in remedy.changes
            if change.argument == "activation"
        }
        after = [
            layer
            for layer, following in itertools.zip_longest(case.layers, case.layers[1:])
            if _is_normalizable(layer)
            and layer.name not in treated
            and (following is None or "Normalization" not in following.kind)
        ]
        if not after:
            return None
        kinds = [kind for kind in KINDS if kind == "BatchNormalization" or all(one.units >= NARROW for one in after)]
        fit = case.evidence.fit
        if fit.batch_size < SMALL_BATCH or fit.total_steps < SHORT_TRAINING_STEPS:
            kinds.reverse()
        kind = str(hp.Choice("layer", kinds, ordered=False)) if len(kinds) > 1 else kinds[0]
        return NormalizeLayersRemedy(self.name, layer=kind, after=tuple(layer.name for layer in after))


def _is_normalizable(layer: LayerProfile) -> bool:
    is_plain = layer.kind == "Dense" or ("Conv" in layer.kind and "LSTM" not in layer.kind)
    return is_plain and layer.is_trainable and not layer.is_output
