"""Facts about the layers of a network that can be read without running it."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras

from autofix.surgery import architecture

ARGUMENTS = (
    *("activation", "recurrent_activation"),
    *("kernel_initializer", "recurrent_initializer", "depthwise_initializer", "pointwise_initializer"),
    *("embeddings_initializer", "bias_initializer"),
    *("kernel_regularizer", "recurrent_regularizer", "depthwise_regularizer", "pointwise_regularizer"),
    *("bias_regularizer",),
    *("embeddings_regularizer", "gamma_regularizer", "beta_regularizer", "activity_regularizer"),
    *("rate", "dropout", "recurrent_dropout", "stddev"),
    "trainable",
)
"""Arguments of constructors that a strategy may change."""

RATES = ("rate", "dropout", "recurrent_dropout", "stddev")
"""Those that make training noisy; a layer with one is listed even when it has no weights."""

ACTIVATION_LAYERS = {
    keras.layers.ReLU: "relu",
    keras.layers.LeakyReLU: "leaky_relu",
    keras.layers.ELU: "elu",
    keras.layers.Softmax: "softmax",
}

ACTIVATION_OPERATIONS = {
    "Elu": "elu",
    "Exp": "exponential",
    "Gelu": "gelu",
    "HardSigmoid": "hard_sigmoid",
    "LeakyRelu": "leaky_relu",
    "Relu": "relu",
    "Relu6": "relu6",
    "Selu": "selu",
    "Sigmoid": "sigmoid",
    "Silu": "silu",
    "Softmax": "softmax",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Tanh": "tanh",
}
"""Functions of `keras.ops` in a functional model, by the class that Keras wraps each in."""

_PASSING = (keras.layers.Flatten, keras.layers.Reshape, keras.layers.Dropout)


class Head(NamedTuple):
    """Where an output comes from.

    Args:
        layer: The last layer with weights before it; None where there is none on a single path.
        activation: As in `OutputProfile`.
        is_top_level: Whether the layer is no part of a model inside the model.
    """

    layer: Any
    activation: str
    is_top_level: bool


def activation_name(operation: Any) -> str:
    """Name of the activation of a layer, or of a function in a functional model; empty without one."""
    if type(operation).__module__.startswith("keras.src.ops"):
        return ACTIVATION_OPERATIONS.get(type(operation).__name__, "")
    for kind, name in ACTIVATION_LAYERS.items():
        if isinstance(operation, kind):
            return "leaky_relu" if getattr(operation, "negative_slope", 0.0) else name
    activation = getattr(operation, "activation", None)
    if activation is None:
        inner = getattr(operation, "layer", None) or getattr(operation, "forward_layer", None)
        return activation_name(inner) if isinstance(inner, keras.layers.Layer) else ""
    return str(getattr(activation, "__name__", "") or _snake_case(type(activation).__name__))


def is_activation(operation: Any) -> bool:
    """Whether it is nothing but an activation."""
    kinds = (*ACTIVATION_LAYERS, keras.layers.Activation)
    return isinstance(operation, kinds) or (
        not isinstance(operation, keras.layers.Layer) and activation_name(operation) != ""
    )


def inner_graph(model: Any) -> Any:
    """The functional model that a Sequential one keeps inside; any other is its own."""
    return getattr(model, "_functional", None) or model


def listed_layers(model: keras.Model) -> list[Any]:
    """The layers with weights or with a rate, in the order of the network; those of models inside it too.

    A layer of the user's own is one layer, whatever it is made of.
    """
    seen: dict[int, Any] = {}
    for layer in _walk(model):
        if layer.weights or any(getattr(layer, name, None) for name in RATES if name != "dropout"):
            seen.setdefault(id(layer), layer)
    return list(seen.values())


def _walk(model: keras.Model) -> Iterator[Any]:
    for layer in model._flatten_layers(include_self=False, recursive=False):
        if isinstance(layer, keras.Model):
            yield from _walk(layer)
        elif not isinstance(layer, keras.metrics.Metric):
            yield layer


def arguments_of(layer: Any) -> tuple[tuple[str, Any], ...]:
    """The arguments of a layer's constructor that a strategy may change, as in `LayerProfile`."""
    found = []
    for name in ARGUMENTS:
        try:
            value = getattr(layer, name)
        except AttributeError:
            continue
        found.append((name, _json_value(value)))
    return tuple(found)


def _json_value(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    name = getattr(value, "__name__", None)
    return str(name) if name else _snake_case(type(value).__name__)


def _snake_case(name: str) -> str:
    """The identifier that Keras gives a class, such as `"glorot_uniform"`."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def head_of(model: keras.Model, index: int) -> Head:
    """Where an output of a built Sequential or functional model comes from.

    Args:
        model: Not changed.
        index: Of the output, in the order of `keras.tree.flatten`.
    """
    operation, node_index, tensor_index = keras.tree.flatten(model.outputs)[index]._keras_history
    activation, is_top_level, is_rescaled = "", True, False
    while True:
        if isinstance(operation, keras.Model):
            if not architecture.can_edit(operation):
                return Head(None, activation or "unknown", False)
            operation, node_index, tensor_index = keras.tree.flatten(operation.outputs)[tensor_index]._keras_history
            is_top_level = False
            continue
        activation = activation or activation_name(operation)
        if getattr(operation, "weights", None):
            activation = activation or "linear"
            return Head(operation, "unknown" if is_rescaled and activation != "linear" else activation, is_top_level)
        is_rescaled = is_rescaled or (isinstance(operation, keras.layers.Rescaling) and not activation)
        is_passed = is_activation(operation) or isinstance(operation, (*_PASSING, keras.layers.Rescaling))
        sources = operation._inbound_nodes[node_index].input_tensors
        if not is_passed or len(sources) != 1:
            return Head(None, activation or "unknown", False)
        operation, node_index, tensor_index = sources[0]._keras_history


def output_layers(model: keras.Model) -> list[Any]:
    """The last layer with weights before each output; of a model with a call of its own, the last one listed."""
    if architecture.can_edit(model):
        heads = [head_of(model, index).layer for index in range(len(keras.tree.flatten(model.outputs)))]
        return [layer for layer in heads if layer is not None]
    return [layer for layer in listed_layers(model) if layer.weights][-1:]
