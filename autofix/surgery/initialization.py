"""Fresh initial weights: what a model's own initialisers would draw with another seed."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy import stats

MOVED_P = 1e-6
"""Values that are this improbable from an initialiser were not drawn from it: one layer in a million is misjudged."""

COMPARED_VALUES = 10_000
"""Values of a variable that are compared: with so many, a twentieth more spread is seen."""

COMPARED_DRAWS = 4
"""Times that an initialiser is asked for values to compare with: a kernel of few values is then compared with more."""


def fresh_values(
    model: keras.Model, seed: int, *, keeps_trained: bool = True, trained: Sequence[keras.layers.Layer] | None = None
) -> list[tuple[Any, Any]]:
    """New initial values of the trainable variables that have a random initialiser.

    Variables without one (biases, normalisation scales) and frozen ones are left out: they start as they did. Where
    nothing is kept, those that do not begin where their initialiser has them are put there.

    Args:
        model: Built. Not changed.
        seed: The same seed gives the same values.
        keeps_trained: Whether layers that were trained before keep their values, as `trained_layers` tells. A network
            made of pretrained layers and a new head is worth most as it is given.
        trained: These layers, where they are known already: to find them costs more than to draw the values.

    Returns:
        Pairs of a Keras variable and its new value.
    """
    values = []
    kept: list[int] = []
    if keeps_trained:
        kept = [id(layer) for layer in (trained_layers(model) if trained is None else trained)]
    for layer, variable, initializer, draw in _draws(model, seed):
        if initializer is None or not variable.trainable or not layer.trainable or id(layer) in kept:
            continue
        if _is_random(initializer):
            values.append((variable, _drawn(initializer, draw, variable)))
        elif not keeps_trained and _is_moved(layer, variable):
            values.append((variable, _start(layer, initializer, variable)))
    return values


def _draws(model: keras.Model, seed: int) -> Iterator[tuple[Any, Any, Any, int]]:
    """Each variable that may train, with its layer, its initialiser or None, and a seed of its own."""
    rng = np.random.default_rng(seed)
    for layer in model._flatten_layers():
        for variable in layer._trainable_variables:
            # Drawn for frozen layers too, so that freezing one does not change the others' weights.
            draw = int(rng.integers(2**31 - 1))
            yield layer, variable, _initializer(layer, variable.name), draw


def seeded_initializers(model: keras.Model, seed: int) -> dict[int, Any]:
    """What gives variables of a model the values that they have, where `fresh_values` has drawn them.

    Args:
        model: Built, at the values that its training begins with. Not changed.
        seed: That of the fresh values.

    Returns:
        Seeded initialisers, by the id of their variable; without those whose variable has other values.
    """
    found = {}
    for _, variable, initializer, draw in _draws(model, seed):
        if initializer is None or not _is_random(initializer):
            continue
        seeded = type(initializer).from_config({**initializer.get_config(), "seed": draw})
        values = tf.convert_to_tensor(variable.value)
        if np.array_equal(np.asarray(seeded(variable.shape, variable.dtype)), values):
            found[id(variable)] = seeded
    return found


def unset_variables(model: keras.Model) -> set[int]:
    """The ids of the variables that a new layer of their kind would begin with as they are: zeros, ones, constants.

    Args:
        model: Built, at the values that its training begins with. Not changed.
    """
    unset = set()
    for layer in model._flatten_layers():
        for variable in _own_variables(layer):
            initializer = _initializer(layer, variable.name)
            if initializer is not None and not _is_random(initializer):
                values = tf.convert_to_tensor(variable.value)
                if np.array_equal(_start(layer, initializer, variable), values):
                    unset.add(id(variable))
    return unset


def trained_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers whose values are visibly not those that their initialisers give: trained before, or set.

    A variable that starts at a constant, as biases do, tells by differing from it; one that starts at random by a
    distribution of its values that its initialiser does not have (two-sample test of Kolmogorov and Smirnov).

    Args:
        model: Built, at the values that its training begins with. Not changed.
    """
    return [layer for layer in model._flatten_layers() if any(_is_moved(layer, v) for v in _own_variables(layer))]


def is_trained_throughout(model: keras.Model) -> bool:
    """Whether a model begins as the result of an earlier training, with no layer that is new.

    Args:
        model: Built and compiled, at the values that its training begins with. Not changed.
    """
    iterations = model.optimizer.iterations  # under gradient accumulation a tensor, otherwise a variable
    if tf.convert_to_tensor(getattr(iterations, "value", iterations)) > 0:
        return True
    trained = [id(layer) for layer in trained_layers(model)]
    return all(id(layer) in trained for layer in model._flatten_layers() if layer._trainable_variables)


def _own_variables(layer: Any) -> list[Any]:
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def _is_moved(layer: Any, variable: Any) -> bool:
    initializer = _initializer(layer, variable.name)
    if initializer is None:
        return False
    values = tf.convert_to_tensor(variable.value).numpy().astype(np.float64).ravel()
    if _is_random(initializer):
        some = values[:: -(-len(values) // COMPARED_VALUES)]
        draws = [np.asarray(_drawn(initializer, seed, variable), np.float64).ravel() for seed in range(COMPARED_DRAWS)]
        return bool(stats.ks_2samp(some, np.concatenate(draws)[: 2 * COMPARED_VALUES]).pvalue < MOVED_P)
    start = _start(layer, initializer, variable).astype(np.float64).ravel()
    return not np.allclose(values, start, rtol=1e-3, atol=1e-6)


def _start(layer: Any, initializer: Any, variable: Any) -> np.ndarray:
    """The values that an initialiser without randomness gives a variable."""
    values = np.array(initializer(variable.shape, variable.dtype))
    if getattr(layer, "unit_forget_bias", False) and variable.name == "bias":
        values[layer.units : 2 * layer.units] = 1.0  # the forget gates of LSTM layers begin open
    return values


def _is_random(initializer: Any) -> bool:
    return "seed" in initializer.get_config()


def _drawn(initializer: Any, seed: int, variable: Any) -> Any:
    return type(initializer).from_config({**initializer.get_config(), "seed": seed})(variable.shape, variable.dtype)


def _initializer(layer: Any, name: str) -> Any:
    """The initialiser of a layer's variable, by Keras' naming, or None."""
    for attribute in _attribute_names(name):
        initializer = getattr(layer, attribute, None)
        if isinstance(initializer, keras.initializers.Initializer):
            return initializer
    return None


def _attribute_names(name: str) -> Iterator[str]:
    yield f"{name}_initializer"
    # `recurrent_kernel` and `depthwise_kernel` belong to `recurrent_initializer` and `depthwise_initializer`.
    yield f"{name.removesuffix('_kernel')}_initializer"
    if name == "kernel":
        yield "depthwise_initializer"  # of DepthwiseConv layers, which have no other
