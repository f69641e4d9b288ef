"""Fresh initial weights: what a model's own initialisers would draw with another seed."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np


def fresh_values(model: keras.Model, seed: int) -> list[tuple[Any, Any]]:
    """New initial values of the trainable variables that have a random initialiser.

    Variables without one (biases, normalisation scales) and frozen ones are left out: they start as they did.

    Args:
        model: Built. Not changed.
        seed: The same seed gives the same values.

    Returns:
        Pairs of a Keras variable and its new value.
    """
    rng = np.random.default_rng(seed)
    values = []
    for layer in model._flatten_layers():
        for variable in layer._trainable_variables:
            # Drawn for frozen layers too, so that freezing one does not change the others' weights.
            draw = int(rng.integers(2**31 - 1))
            initializer = _initializer(layer, variable.name)
            if initializer is not None and variable.trainable and layer.trainable:
                config = {**initializer.get_config(), "seed": draw}
                values.append((variable, type(initializer).from_config(config)(variable.shape, variable.dtype)))
    return values


def _initializer(layer: Any, name: str) -> Any:
    """The random initialiser of a layer's variable, by Keras' naming, or None."""
    for attribute in _attribute_names(name):
        initializer = getattr(layer, attribute, None)
        if isinstance(initializer, keras.initializers.Initializer):
            return initializer if "seed" in initializer.get_config() else None
    return None


def _attribute_names(name: str) -> Iterator[str]:
    yield f"{name}_initializer"
    # `recurrent_kernel` and `depthwise_kernel` belong to `recurrent_initializer` and `depthwise_initializer`.
    yield f"{name.removesuffix('_kernel')}_initializer"
    if name == "kernel":
        yield "depthwise_initializer"  # of DepthwiseConv layers, which have no other
