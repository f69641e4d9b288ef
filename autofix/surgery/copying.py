"""Copies of layers, with what they hold: weights, vocabularies, statistics, functions of the user's own."""

import tempfile
import types
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from autofix.errors import ModelError

_OF_COMPILE = frozenset({"optimizer", "loss", "history", "stop_training"})
"""Attributes that Keras gives a model when it is compiled or trained."""


class NotCopiedError(ModelError):
    """A layer that does not say how to make another one of it.

    Attributes:
        layer: The layer.
    """

    def __init__(self, layer: Any, error: Exception) -> None:
        self.layer = layer
        super().__init__(
            f"A layer cannot be copied. Expected one whose get_config() makes another. Received: layer={layer.name!r} "
            f"of class {type(layer).__name__}, which raised {type(error).__name__}. Give the class a get_config()."
        )


Configured = Callable[[Any, dict[str, Any]], dict[str, Any]]
"""`(layer, config) -> config`: what to make of a layer's configuration."""


def copy_layer(layer: Any, configured: Configured = lambda _, config: config) -> Any:
    """A new layer or operation like the given one, not built yet, with its vocabulary where it has one.

    Args:
        layer: Not changed.
        configured: What to make of its configuration.

    Raises:
        NotCopiedError: It does not say how to make another one of it.
    """
    try:
        copy = _copied(layer, configured)
    except Exception as error:
        raise NotCopiedError(layer, error) from error
    if hasattr(layer, "save_assets"):
        store: dict[str, Any] = {}
        layer.save_own_variables(store)
        if not layer.variables:
            copy.load_own_variables(store)  # of lookup layers, whose weights are no variables of Keras
        with tempfile.TemporaryDirectory() as folder:
            layer.save_assets(folder)
            copy.load_assets(folder)
    return copy


def _copied(layer: Any, configured: Configured) -> Any:
    if type(layer) is keras.layers.Lambda:
        # Its config holds the function as bytes, without what that refers to.
        return keras.layers.Lambda(
            layer.function, layer._output_shape, layer.mask, layer.arguments, name=layer.name, dtype=layer.dtype_policy
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on lambdas, which are handed over as they are
        config = configured(layer, layer.get_config())
    lambdas = {name: value for name in config if _is_lambda(value := getattr(layer, name, None)) and config[name]}
    with keras.saving.custom_object_scope(_own_objects(layer)):
        copy = type(layer).from_config({**config, **dict.fromkeys(lambdas)})
    for name, function in lambdas.items():
        setattr(copy, name, function)
    return copy


def _is_lambda(value: Any) -> bool:
    return isinstance(value, types.FunctionType) and value.__name__ == "<lambda>"


def _own_objects(layer: Any) -> dict[str, Any]:
    """Functions and classes of the user's own that a layer refers to, by the names that its config has for them."""
    found = {}
    parts = layer._flatten_layers() if isinstance(layer, keras.layers.Layer) else [layer]
    for value in (value for part in parts for value in (part, *vars(part).values())):
        own = value if isinstance(value, types.FunctionType) else type(value)
        if not own.__module__.startswith(("keras.", "builtins")):
            found[own.__name__] = own
    return found


def copy_state(layer: Any, copy: Any, *, with_weights: bool = True) -> None:
    """Gives a built copy the weights of its layer, where the shapes are the same, and its other state."""
    # Only where it differs: the setter may reach nested layers, which have their own.
    if copy.trainable != layer.trainable:
        copy.trainable = layer.trainable
    if with_weights and [w.shape for w in copy.variables] == [w.shape for w in layer.variables]:
        for new, old in zip(copy.variables, layer.variables, strict=True):
            new.assign(tf.convert_to_tensor(old.value))
    for part in copy._flatten_layers():
        if isinstance(part, keras.layers.Normalization) and part.input_mean is None:
            part.finalize_state()  # it computes with tensors made of its variables


def hand_over_attributes(model: keras.Model, rebuilt: keras.Model, copies: Sequence[tuple[Any, Any]]) -> None:
    """Sets the attributes that the user gave a model on the rebuilt one; layers are replaced by their copies.

    Args:
        model: The user's model.
        rebuilt: Made by its class's constructor, so without what was set later.
        copies: Pairs of a layer and its copy.
    """
    copy_of = {id(layer): copy for layer, copy in copies}
    known = vars(rebuilt).keys() | _OF_COMPILE
    for name, value in vars(model).items():
        if name not in known and not name.startswith("_"):
            setattr(rebuilt, name, keras.tree.map_structure(lambda leaf: copy_of.get(id(leaf), leaf), value))
