"""Bring units back to life that are 0 for every row.

Changes: `relu` of the hidden layers whose units die to an activation with a slope everywhere; initialisers that make
units dead from the start to `"zeros"` for biases and `"he_normal"` for kernels, of output layers too.
Helps when: many ReLU units are 0 for every row, so that no gradient reaches their weights.
Costs: nothing; layers with another initialiser start from new weights.
Never touches: activations of output layers, layers whose units are alive, frozen layers.
Source: Maas, Hannun & Ng, "Rectifier nonlinearities improve neural network acoustic models" (2013); Clevert et al.,
"Fast and accurate deep network learning by exponential linear units" (2016); He et al. (2015) for the initialiser.
"""

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from autofix.causes import DEFAULT
from autofix.evidence import LayerProfile
from autofix.remedies import ChangeLayers, LayerChange, NormalizeInputs
from autofix.remedy import Remedy
from autofix.strategy import Case, Strategy, changes_of

if TYPE_CHECKING:
    import keras_tuner

MANY_DEAD = 0.5
"""Share of dead units from which a layer is treated: up to half of them are dead in healthy ReLU networks."""

FLAT_BELOW_ZERO = ("relu", "relu6")

LIVELY_KERNELS = ("glorot_", "he_", "lecun_", "orthogonal", "variance_scaling")
"""How the names of initialisers begin that draw kernels around 0."""


class ReviveUnits(Strategy):
    """Activations and initialisers that do not leave units at 0."""

    name: ClassVar[str] = "revive_units"
    treats: ClassVar[frozenset[str]] = frozenset({"dead_units"})
    needs_surgery: ClassVar[bool] = True
    recompiles: ClassVar[bool] = True
    after: ClassVar[frozenset[str]] = frozenset({"standardize_inputs"})
    when_left_out: ClassVar[str] = "no layer that is trained has many units that are 0 for every row"

    def prescribe(self, hp: "keras_tuner.HyperParameters", case: Case) -> Remedy | None:
        measured = [layer for layer in case.layers if layer.is_trainable]
        by_bias = [_by_its_bias(layer) for layer in measured]
        layers = by_bias if case.recipe.of(NormalizeInputs) else measured
        dead = [layer for layer in layers if max(layer.dead_share, layer.start_dead_share) >= MANY_DEAD]
        has_deadly_start = any(_initializers(layer) for layer in by_bias)
        has_hinge = any(_is_hinge(layer) for layer in dead)
        activation = "relu"
        if has_hinge:
            # Where the start is what kills them, another start is the smaller change.
            kept = ["relu"] if has_deadly_start else []
            activation = str(hp.Choice("activation", [*kept, "leaky_relu", "elu"], ordered=False))
        changes = tuple(change for layer in dead for change in _changes(layer, activation))
        return ChangeLayers(self.name, changes) if changes else None


def _by_its_bias(layer: LayerProfile) -> LayerProfile:
    """The layer as it begins on standardised inputs: raw ones may be large enough to outweigh a bias that kills."""
    is_deadly = layer.start_bias <= DEFAULT.deadly_bias and layer.activation in FLAT_BELOW_ZERO
    return dataclasses.replace(layer, start_dead_share=1.0) if is_deadly else layer


def _is_hinge(layer: LayerProfile) -> bool:
    has_activation = layer.argument("activation") is not None
    return has_activation and not layer.is_output and layer.activation in FLAT_BELOW_ZERO


def _changes(layer: LayerProfile, activation: str) -> tuple[LayerChange, ...]:
    changed = changes_of(layer, activation=activation) if _is_hinge(layer) and activation != "relu" else ()
    return (*changed, *_initializers(layer))


def _initializers(layer: LayerProfile) -> tuple[LayerChange, ...]:
    """Another start for a layer that begins dead by its own initialisers."""
    if layer.start_dead_share < MANY_DEAD or layer.activation not in FLAT_BELOW_ZERO:
        return ()
    kernel = layer.argument("kernel_initializer")
    values = {"bias_initializer": "zeros"}
    if isinstance(kernel, str) and not kernel.startswith(LIVELY_KERNELS):
        values["kernel_initializer"] = "he_normal"
    return changes_of(layer, **values)
