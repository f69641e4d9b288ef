"""Building the repaired network: the user's layers, with a recipe's layers among them.

Sequential models stay Sequential, functional ones functional; other kinds take no surgery.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras.src.models.functional import Functional  # Keras 3 has no public name for it

from autofix.errors import ModelError
from autofix.recipe import InsertHiddenLayers, NormalizeInputs, Recipe, RescaleOutputs

RATE_KEYS = ("initial_learning_rate", "end_learning_rate", "warmup_target", "values")
"""The entries of Keras' schedule configurations that are learning rates."""

_WEIGHTLESS = (
    keras.layers.Activation,
    keras.layers.Softmax,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Dropout,
    keras.layers.Rescaling,
)
"""Layers that may stand between the last layer with weights and the output."""


def can_edit(model: keras.Model) -> bool:
    """Whether layers can be put into the network: it is a built Sequential or functional model."""
    return bool(model.built) and (_is_sequential(model) or _is_functional(model))


def can_insert(model: keras.Model) -> bool:
    """Whether hidden Dense layers can be put before every output layer."""
    if not can_edit(model):
        return False
    heads = output_layers(model)
    return bool(heads) and all(isinstance(layer, keras.layers.Dense) for layer in heads)


def _is_sequential(model: keras.Model) -> bool:
    return isinstance(model, keras.Sequential)


def _is_functional(model: keras.Model) -> bool:
    # A subclass with its own call is only safe to rebuild from its graph when it adds nothing to it.
    return isinstance(model, Functional) and type(model).call is Functional.call


def output_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """For each output, the last layer with weights before it; layers without are walked over.

    Returns:
        One layer an output; shorter when some output has none that is reached along a single path.
    """
    found = []
    for tensor in keras.tree.flatten(model.outputs):
        layer = tensor._keras_history.operation
        while isinstance(layer, _WEIGHTLESS) and layer._inbound_nodes:
            layer = layer._inbound_nodes[-1].input_tensors[0]._keras_history.operation
        if getattr(layer, "weights", None):
            found.append(layer)
    return found


def build(model: keras.Model, recipe: Recipe) -> keras.Model:
    """A new model with the recipe in it, compiled when the user's is.

    Args:
        model: Built. Not changed.
        recipe: What to put in. Empty gives a copy.

    Returns:
        The new model; layers that kept their shape have the weights of `model`.

    Raises:
        ModelError: The kind of model does not take the recipe.
    """
    if not can_edit(model):
        raise ModelError(
            "The network cannot be rebuilt. Expected a built Sequential or functional model. "
            f"Received: model={model!r}. Use strategies that need no surgery, such as 'lower_learning_rate'."
        )
    rebuilt = _build_sequential(model, recipe) if _is_sequential(model) else _build_functional(model, recipe)
    _copy_weights(model, rebuilt)
    if model.compiled:
        rebuilt.compile(**compile_arguments(model, recipe))
    return rebuilt


def _build_sequential(model: keras.Sequential, recipe: Recipe) -> keras.Sequential:
    heads = output_layers(model) if recipe.of(InsertHiddenLayers) else []
    layers: list[Any] = [keras.Input(batch_shape=model.input_shape, dtype=model.inputs[0].dtype)]
    layers += [normalize for normalize in [_normalization(recipe, 0)] if normalize is not None]
    for layer in model.layers:
        if layer in heads:
            layers += _hidden_layers(recipe, heads.index(layer))
        layers.append(_copy_layer(layer))
    layers += [rescale for rescale in [_rescaling(recipe, 0)] if rescale is not None]
    return keras.Sequential(layers, name=model.name)


def _build_functional(model: keras.Model, recipe: Recipe) -> keras.Model:
    heads = output_layers(model) if recipe.of(InsertHiddenLayers) else []
    head_names = [layer.name for layer in heads]
    input_names = [tensor._keras_history.operation.name for tensor in model.inputs]
    normalized: dict[int, Any] = {}

    def through_normalization(tensor: Any) -> Any:
        history = getattr(tensor, "_keras_history", None)
        if history is None or history.operation.name not in input_names:
            return tensor
        layer = _normalization(recipe, input_names.index(history.operation.name))
        if layer is None:
            return tensor
        if id(tensor) not in normalized:
            normalized[id(tensor)] = layer(tensor)
        return normalized[id(tensor)]

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = keras.tree.map_structure(through_normalization, (args, kwargs))
        if layer.name in head_names:
            hidden = args[0]
            for new_layer in _hidden_layers(recipe, head_names.index(layer.name)):
                hidden = new_layer(hidden)
            args = (hidden, *args[1:])
        return layer(*args, **kwargs)

    clone = keras.models.clone_model(model, clone_function=_copy_layer, call_function=call)
    outputs = []
    for index, tensor in enumerate(keras.tree.flatten(clone.outputs)):
        layer = _rescaling(recipe, index)
        outputs.append(tensor if layer is None else layer(tensor))
    structure = keras.tree.pack_sequence_as(clone._outputs_struct, outputs)
    return type(model)(clone._inputs_struct, structure, name=model.name)


def _copy_layer(layer: Any) -> Any:
    return layer.__class__.from_config(layer.get_config())


def _normalization(recipe: Recipe, index: int) -> keras.layers.Normalization | None:
    for remedy in recipe.of(NormalizeInputs):
        if remedy.mean[index] is not None:
            name = "autofix_normalization" if index == 0 else f"autofix_normalization_{index}"
            return keras.layers.Normalization(mean=remedy.mean[index], variance=remedy.variance[index], name=name)
    return None


def _rescaling(recipe: Recipe, index: int) -> keras.layers.Rescaling | None:
    for remedy in recipe.of(RescaleOutputs):
        if remedy.scale[index] is not None:
            name = "autofix_rescaling" if index == 0 else f"autofix_rescaling_{index}"
            return keras.layers.Rescaling(scale=remedy.scale[index], offset=remedy.offset[index], name=name)
    return None


def _hidden_layers(recipe: Recipe, head: int) -> list[keras.layers.Dense]:
    return [
        keras.layers.Dense(
            remedy.units,
            activation=remedy.activation,
            kernel_initializer=remedy.kernel_initializer,
            name=f"autofix_hidden_{head}_{index}",
        )
        for remedy in recipe.of(InsertHiddenLayers)
        for index in range(remedy.depth)
    ]


def _copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Copies weights layer by layer, by name, where the shapes are the same."""
    by_name = {layer.name: layer for layer in target.layers}
    for layer in source.layers:
        copy = by_name.get(layer.name)
        if copy is None:
            continue
        copy.trainable = layer.trainable
        if [w.shape for w in copy.variables] == [w.shape for w in layer.variables]:
            for new, old in zip(copy.variables, layer.variables, strict=True):
                new.assign(old)


def compile_arguments(model: keras.Model, recipe: Recipe) -> dict[str, Any]:
    """The user's compile arguments, with a new optimizer at the recipe's learning rate."""
    config = dict(model._compile_config.config)
    config["optimizer"] = rescaled_optimizer(model.optimizer, recipe.learning_rate_factor)
    return config


def rescaled_optimizer(optimizer: Any, factor: float, wrap_rate: Callable[[Any], Any] | None = None) -> Any:
    """A new, unbuilt optimizer like the given one, at `factor` times its learning rate.

    Args:
        optimizer: Not changed. One that wraps another (`LossScaleOptimizer`) is copied with it.
        factor: On the rate, or on every rate of a schedule.
        wrap_rate: What to make of the rate or schedule before it is handed to the new optimizer.

    Raises:
        ModelError: The factor is not 1 and the schedule is not one of Keras'.
    """
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        config = {key: value for key, value in optimizer.get_config().items() if key != "inner_optimizer"}
        return type(optimizer)(rescaled_optimizer(inner, factor, wrap_rate), **_own_arguments(config))
    config = optimizer.get_config()
    schedule = schedule_of(optimizer)
    rate = rescaled_schedule(schedule, factor) if schedule is not None else float(optimizer.learning_rate) * factor
    config["learning_rate"] = rate if wrap_rate is None else wrap_rate(rate)
    return type(optimizer)(**config) if schedule is not None or wrap_rate else type(optimizer).from_config(config)


def _own_arguments(config: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a wrapping optimizer that are its own, not repeated from the one inside."""
    return {key: config[key] for key in ("initial_scale", "dynamic_growth_steps", "name") if key in config}


def schedule_of(optimizer: Any) -> keras.optimizers.schedules.LearningRateSchedule | None:
    """The learning-rate schedule of an optimizer, if it has one."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    rate = getattr(optimizer, "_learning_rate", None)
    return rate if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule) else None


def rescaled_schedule(schedule: Any, factor: float) -> Any:
    """A schedule with every rate multiplied.

    Raises:
        ModelError: The schedule is not one of Keras', so it is not known which of its numbers are rates.
    """
    if factor == 1.0:
        return schedule
    config = schedule.get_config()
    rates = {key: config[key] for key in RATE_KEYS if config.get(key) is not None}
    if not rates or not type(schedule).__module__.startswith("keras."):
        raise ModelError(
            "The learning-rate schedule cannot be rescaled. Expected one of keras.optimizers.schedules. "
            f"Received: {type(schedule).__name__}. Multiply its rates yourself."
        )
    for key, value in rates.items():
        config[key] = [rate * factor for rate in value] if isinstance(value, list | tuple) else value * factor
    return type(schedule).from_config(config)
