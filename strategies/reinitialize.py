"""Draw initial weights from Keras' default initialisers.

Changes: initialisers of layers that begin with equal units, or with weights far larger or smaller than Glorot's, to
`"glorot_uniform"`, `"orthogonal"` for recurrent kernels, `"uniform"` for embeddings and `"zeros"` for biases.
Helps when: units that begin equal stay equal, or all begin at the ends of their activation, or near 0.
Costs: nothing; the changed layers start from new weights.
Never touches: layers whose weights begin at an ordinary scale, frozen layers, activations.
Source: Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010); Goodfellow,
Bengio & Courville, "Deep Learning" (2016), section 8.4, on breaking symmetry.
"""

from typing import TYPE_CHECKING, ClassVar

from autofix.evidence import LayerProfile
from autofix.remedies import ChangeLayers, LayerChange
from autofix.remedy import Remedy
from autofix.strategy import Case, Strategy, changes_of

if TYPE_CHECKING:
    import keras_tuner

MANY_EQUAL = 0.5
"""Share of units that are copies of others from which a layer is drawn anew: then it computes half of what it could."""

FAR_SCALE = 5.0
"""How far a deviation of the weights may be from Glorot's, as a factor: activations shrink or grow by as much in a
layer."""

MANY_SATURATED = 0.5
"""Share of values at the ends of an activation at the start from which a bias other than 0 is reset."""

SAME = ("zeros", "ones", "constant")
"""Initialisers that give every weight the same value; of output layers that is common, and harmless."""

SCALED = ("glorot_", "he_", "lecun_", "orthogonal")
"""How the names of initialisers begin that choose a fit scale by themselves."""


class Reinitialize(Strategy):
    """Initial weights that differ from unit to unit, at an ordinary scale."""

    name: ClassVar[str] = "reinitialize"
    treats: ClassVar[frozenset[str]] = frozenset(
        {"symmetric_initialization", "saturated_units", "vanishing_gradients", "exploding_gradients"}
    )
    needs_surgery: ClassVar[bool] = True
    after: ClassVar[frozenset[str]] = frozenset({"revive_units", "replace_activations"})
    when_left_out: ClassVar[str] = "all layers that are trained begin with different units, at an ordinary scale"

    def prescribe(self, hp: "keras_tuner.HyperParameters", case: Case) -> Remedy | None:
        changes = tuple(change for layer in case.layers if layer.is_trainable for change in _changes(layer))
        return ChangeLayers(self.name, changes) if changes else None


def _changes(layer: LayerProfile) -> tuple[LayerChange, ...]:
    has_equal_units = layer.equal_share >= MANY_EQUAL
    has_far_scale = layer.kernel_scale > FAR_SCALE or layer.kernel_scale < 1.0 / FAR_SCALE
    values = {}
    for argument, default in (
        ("kernel_initializer", "glorot_uniform"),
        ("depthwise_initializer", "glorot_uniform"),
        ("pointwise_initializer", "glorot_uniform"),
        ("recurrent_initializer", "orthogonal"),
        ("embeddings_initializer", "uniform"),
    ):
        now = layer.argument(argument)
        is_scaled = isinstance(now, str) and now.startswith(SCALED)
        is_equal = has_equal_units and not is_scaled
        # Embeddings have no fan-in, and so no scale to be far from.
        is_far = has_far_scale and not is_scaled and argument != "embeddings_initializer"
        if has_equal_units and now == default == "glorot_uniform":
            # The weights were set by hand after they had been drawn: another name has them drawn again.
            values[argument] = "glorot_normal"
        elif is_equal or is_far or (now in SAME and not layer.is_output):
            values[argument] = default
    if layer.start_saturated_share >= MANY_SATURATED:
        values["bias_initializer"] = "zeros"
    return changes_of(layer, **values)
