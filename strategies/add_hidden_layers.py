"""Add non-linear hidden layers before the output layer.

Changes: inserts Dense layers with an activation; every layer of the user stays.
Helps when: the network is linear, or too narrow, and the relation is not.
Costs: units x (inputs + 1) weights for the first, units x (units + 1) for each further one.
Never touches: the user's layers, the output's shape and activation.
Source: Cybenko, "Approximation by superpositions of a sigmoidal function" (1989).
"""

from typing import TYPE_CHECKING, ClassVar

from autofix.remedies import InsertHiddenLayers
from autofix.remedy import Remedy
from autofix.strategy import Case, Strategy

if TYPE_CHECKING:
    import keras_tuner


class AddHiddenLayers(Strategy):
    """Non-linear Dense layers in front of the output layer."""

    name: ClassVar[str] = "add_hidden_layers"
    treats: ClassVar[frozenset[str]] = frozenset({"insufficient_capacity"})
    needs_surgery: ClassVar[bool] = True
    recompiles: ClassVar[bool] = True
    when_left_out: ClassVar[str] = "some output does not come out of a Dense layer, which others could be put before"

    def prescribe(self, hp: "keras_tuner.HyperParameters", case: Case) -> Remedy | None:
        if not case.evidence.model.can_insert:
            return None
        return InsertHiddenLayers(
            self.name,
            units=int(hp.Choice("units", [64, 32, 128], ordered=False)),
            depth=int(hp.Choice("depth", [2, 3, 1], ordered=False)),
            activation=str(hp.Choice("activation", ["relu", "tanh"])),
        )
