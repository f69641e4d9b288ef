"""Replace squashing activations of hidden layers by ones that let gradients through.

Changes: sigmoid, tanh, softsign, softmax and their hard variants to `relu` (kernel `"he_normal"`) or `selu` (kernel
`"lecun_normal"`).
Helps when: gradients vanish through a stack of squashing layers, or their units sit at the ends of their range.
Costs: nothing; the changed layers start from new weights.
Never touches: output layers, recurrent layers and their gates, frozen layers.
Source: Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010); Glorot,
Bordes & Bengio (2011) for relu, Klambauer et al. (2017) for selu.
"""

from typing import TYPE_CHECKING, ClassVar

from autofix.evidence import LayerProfile
from autofix.remedies import ChangeLayers
from autofix.remedy import Remedy
from autofix.strategy import Case, Strategy, changes_of

if TYPE_CHECKING:
    import keras_tuner

SQUASHING = ("sigmoid", "hard_sigmoid", "tanh", "hard_tanh", "softsign", "softmax")
"""Activations that are flat at both ends."""

KERNELS = {"relu": "he_normal", "selu": "lecun_normal"}
"""The activations on offer, and the initialiser that keeps the variance through layers of each."""

RECURRENT = ("RNN", "LSTM", "GRU", "Bidirectional", "ConvLSTM")
"""Parts of the class names of layers that need a bounded activation, for their state is fed back."""


class ReplaceActivations(Strategy):
    """Hidden activations that are not flat at both ends."""

    name: ClassVar[str] = "replace_activations"
    treats: ClassVar[frozenset[str]] = frozenset({"vanishing_gradients", "saturated_units"})
    needs_surgery: ClassVar[bool] = True
    recompiles: ClassVar[bool] = True
    after: ClassVar[frozenset[str]] = frozenset({"revive_units"})
    when_left_out: ClassVar[str] = "no hidden layer that is trained, other than recurrent ones, squashes its values"

    def prescribe(self, hp: "keras_tuner.HyperParameters", case: Case) -> Remedy | None:
        layers = [layer for layer in case.layers if _is_replaceable(layer)]
        if not layers:
            return None
        activation = str(hp.Choice("activation", list(KERNELS), ordered=False))
        changes = tuple(
            change
            for layer in layers
            for change in changes_of(layer, activation=activation, kernel_initializer=KERNELS[activation])
        )
        return ChangeLayers(self.name, changes)


def _is_replaceable(layer: LayerProfile) -> bool:
    is_recurrent = any(part in layer.kind for part in RECURRENT)
    is_hidden = layer.is_trainable and not layer.is_output and not is_recurrent
    return is_hidden and layer.argument("activation") is not None and layer.activation in SQUASHING
