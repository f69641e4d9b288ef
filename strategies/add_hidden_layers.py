"""Add non-linear hidden layers before the output layer, or widen the one that everything has to pass through.

Changes: inserts Dense layers with an activation; where a hidden Dense layer has a unit or two, that layer gets more.
Helps when: the network is linear, or too narrow, and the relation is not.
Costs: units x (inputs + 1) weights for the first, units x (units + 1) for each further one.
Never touches: the user's layers other than the narrow one, the output's shape and activation.
Source: Cybenko, "Approximation by superpositions of a sigmoidal function" (1989).
"""

from typing import TYPE_CHECKING, ClassVar

from autofix.evidence import LayerProfile
from autofix.remedies import ChangeLayers, InsertHiddenLayers, LayerChange
from autofix.remedy import Remedy
from autofix.strategy import Case, Strategy

if TYPE_CHECKING:
    import keras_tuner

NARROW_UNITS = 2
"""A hidden layer of at most so many units hands on too little, whatever stands behind it."""


class AddHiddenLayers(Strategy):
    """Non-linear Dense layers in front of the output layer, or a wider hidden layer."""

    name: ClassVar[str] = "add_hidden_layers"
    treats: ClassVar[frozenset[str]] = frozenset({"insufficient_capacity"})
    needs_surgery: ClassVar[bool] = True
    recompiles: ClassVar[bool] = True
    when_left_out: ClassVar[str] = "some output does not come out of a Dense layer, which others could be put before"

    def prescribe(self, hp: "keras_tuner.HyperParameters", case: Case) -> Remedy | None:
        narrow = [layer for layer in case.layers if _is_narrow(layer)]
        if not case.evidence.model.can_insert and not narrow:
            return None
        units = int(hp.Choice("units", [64, 32, 128], ordered=False))
        if narrow:
            changes = (LayerChange(one.name, one.kind, "units", units, one.units) for one in narrow)
            return ChangeLayers(self.name, tuple(changes))
        return InsertHiddenLayers(
            self.name,
            units=units,
            depth=int(hp.Choice("depth", [2, 3, 1], ordered=False)),
            activation=str(hp.Choice("activation", ["relu", "tanh"])),
        )


def _is_narrow(layer: LayerProfile) -> bool:
    is_hidden = layer.kind == "Dense" and not layer.is_output and layer.is_trainable
    return is_hidden and 0 < layer.units <= NARROW_UNITS
