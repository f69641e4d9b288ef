"""Building the repaired network: the user's layers, with a recipe's layers among them.

Sequential models stay Sequential, functional ones functional; other kinds take no surgery.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras.src.models.functional import Functional, functional_like_constructor  # without public names in Keras 3

from autofix.errors import ModelError
from autofix.recipe import Recipe
from autofix.remedies import EncodeCategories, InsertHiddenLayers, NormalizeInputs, ReplaceHeads, RescaleOutputs
from autofix.state import preserved_randomness
from autofix.surgery.copying import NotCopiedError, copy_layer, copy_state, hand_over_attributes
from autofix.surgery.edits import Edits
from autofix.surgery.optimizers import changed_optimizer

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


def why_not_rebuilt(model: keras.Model) -> str:
    """Why no layer can be added to the network, in words that follow "because"; empty where it can."""
    if not can_edit(model):
        return "the model's class has a call or constructor of its own, so no layer can be put in"
    try:
        # The copies' initialisers draw seeds from Python's generator, by which Keras shuffles a PyDataset.
        with preserved_randomness():
            for layer in model.layers:
                _copy_part(layer, Edits(), {})
    except NotCopiedError as error:
        kind, name = type(error.layer).__name__, error.layer.name
        return f"no layer can be put in: {name!r} cannot be copied, for {kind} has no get_config() that makes another"
    return ""


# A subclass is only safe to rebuild from its layers when it has neither a call nor a constructor of its own.
def _is_sequential(model: keras.Model) -> bool:
    kind = type(model)
    is_plain = kind.call is keras.Sequential.call and kind.__init__ is keras.Sequential.__init__
    return isinstance(model, keras.Sequential) and is_plain


def _is_functional(model: keras.Model) -> bool:
    kind = type(model)
    return isinstance(model, Functional) and kind.call is Functional.call and functional_like_constructor(kind)


def output_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """For each output, the last layer with weights before it; layers without are walked over.

    Returns:
        One layer an output; shorter when some output has none that is reached along a single path.
    """
    found = []
    for tensor in keras.tree.flatten(model.outputs):
        layer, node_index, _ = tensor._keras_history
        # The node of this very tensor: a layer has several where it is called more than once.
        while isinstance(layer, _WEIGHTLESS) and layer._inbound_nodes:
            layer, node_index, _ = layer._inbound_nodes[node_index].input_tensors[0]._keras_history
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
    copies: Copies = {}
    edits = Edits(recipe, model)
    rebuilt = _rebuilt(model, recipe, edits, copies)
    for layer, copy in copies.values():
        if isinstance(layer, keras.layers.Layer):
            copy_state(layer, copy, with_weights=not edits.restarts(layer))
    edits.set_trainable(copy for _, copy in copies.values())
    if model.compiled:
        compile_again(rebuilt, compile_arguments(model, recipe))
    hand_over_attributes(model, rebuilt, list(copies.values()))
    return rebuilt


def fresh_copy(model: keras.Model) -> keras.Model:
    """A new model like the given one, compiled alike, that has yet to be trained.

    Weights of layers that train are drawn by their initialisers. Those of layers that do not, such as frozen ones and
    adapted `Normalization`, are copied.

    Args:
        model: Compiled. Not changed.

    Raises:
        ModelError: The model is subclassed without `get_config`.
    """
    copies: Copies = {}
    if can_edit(model):
        copy = _rebuilt(model, Recipe(), Edits(), copies)
    else:
        try:
            copy = type(model).from_config(model.get_config())
        except (NotImplementedError, TypeError) as error:
            raise ModelError(
                "The model cannot be copied. Expected a Sequential or functional model, or one with get_config. "
                f"Received: model={model!r}. Pass a function that builds and compiles it."
            ) from error
    for old, new in zip(model._flatten_layers(), copy._flatten_layers(), strict=False):
        # Only where it differs: the setter reaches nested layers, which come after and have their own.
        if new.trainable != old.trainable:
            new.trainable = old.trainable
        if old.weights and not old.trainable_weights and new.built:
            copy_state(old, new)
    arguments = compile_arguments(model, Recipe())
    # The others have no state.
    arguments.update({key: _fresh_metrics(arguments[key]) for key in ("metrics", "weighted_metrics")})
    compile_again(copy, arguments)
    hand_over_attributes(model, copy, list(copies.values()))
    return copy


def _fresh_metrics(metrics: Any) -> Any:
    """The metrics of a model with their counts at zero; `metrics` itself goes on with its own."""
    if isinstance(metrics, dict):
        return {key: _fresh_metrics(value) for key, value in metrics.items()}
    if isinstance(metrics, list | tuple):
        return [_fresh_metrics(value) for value in metrics]
    return metrics.from_config(metrics.get_config()) if isinstance(metrics, keras.Metric) else metrics


Copies = dict[int, tuple[Any, Any]]
"""Pairs of a layer of the user and its copy, by the layer's id; all levels of nested models share one."""


def _rebuilt(model: keras.Model, recipe: Recipe, edits: Edits, copies: Copies) -> keras.Model:
    return (_build_sequential if _is_sequential(model) else _build_functional)(model, recipe, edits, copies)


def _build_sequential(model: keras.Sequential, recipe: Recipe, edits: Edits, copies: Copies) -> keras.Sequential:
    heads = output_layers(model) if recipe.of(InsertHiddenLayers) else []
    layers: list[Any] = [keras.Input(batch_shape=model.input_shape, dtype=model.inputs[0].dtype)]
    layers += _preprocessing(recipe, 0, model.inputs[0])
    for layer in model.layers:
        if layer in heads:
            layers += _hidden_layers(recipe, heads.index(layer), layer.dtype_policy)
        layers += [_copy_part(layer, edits, copies), *edits.behind(layer)]
    layers += [rescale for rescale in [_rescaling(recipe, 0, model.outputs[0])] if rescale is not None]
    return type(model)(layers, name=model.name)


def _build_functional(model: keras.Model, recipe: Recipe, edits: Edits, copies: Copies) -> keras.Model:
    hidden_layers: dict[int, list[keras.layers.Dense]] = {}
    heads = [id(layer) for layer in output_layers(model)] if recipe.of(InsertHiddenLayers) else []
    rescalings = [_rescaling(recipe, index, tensor) for index, tensor in enumerate(model.outputs)]
    renamed = _hand_over_names(model, rescalings)

    def copy_once(layer: Any) -> Any:
        _copy_part(layer, edits, copies).name = renamed.get(layer.name, layer.name)
        return layer

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if id(layer) in heads:
            index = heads.index(id(layer))
            # A head that is called more than once has one set of hidden layers.
            hidden = args[0]
            for new_layer in hidden_layers.setdefault(index, _hidden_layers(recipe, index, layer.dtype_policy)):
                hidden = new_layer(hidden)
            args = (hidden, *args[1:])
        outputs = copies[id(layer)][1](*args, **kwargs)
        for new_layer in edits.behind(layer):
            outputs = new_layer(outputs)
        return outputs

    inputs = [copy_layer(tensor._keras_history.operation).output for tensor in model.inputs]
    prepared = []
    for index, tensor in enumerate(inputs):
        for layer in _preprocessing(recipe, index, tensor):
            tensor = layer(tensor)
        prepared.append(tensor)
    graph = model._run_through_graph(prepared, operation_fn=copy_once, call_fn=call)
    outputs = [
        tensor if layer is None else layer(tensor)
        for tensor, layer in zip(keras.tree.flatten(graph), rescalings, strict=True)
    ]
    return type(model)(
        keras.tree.pack_sequence_as(model._inputs_struct, inputs),
        keras.tree.pack_sequence_as(model._outputs_struct, outputs),
        name=model.name,
    )


def _hand_over_names(model: keras.Model, rescalings: Sequence[keras.layers.Rescaling | None]) -> dict[str, str]:
    """Gives each rescaling the name of the output it stands behind; new names for the layers that had them.

    Losses, metrics and targets given by the output's name keep finding it.
    """
    names = list(model.output_names)
    renamed = {}
    for name, layer in zip(names, rescalings, strict=True):
        if layer is not None and names.count(name) == 1:
            layer.name, renamed[name] = name, f"{name}_standardized"
    return renamed


def _copy_part(part: Any, edits: Edits, copies: Copies) -> Any:
    """The one copy of a layer or operation; of a model inside the model, with copies of all it is made of."""
    if id(part) not in copies:
        is_model = isinstance(part, keras.Model) and can_edit(part)
        if is_model:
            copy = _rebuilt(part, Recipe(), edits, copies)
        else:
            copy = edits.replaced(part) or copy_layer(part, edits.configured)
        copies[id(part)] = (part, copy)
    return copies[id(part)][1]


def _preprocessing(recipe: Recipe, index: int, tensor: Any) -> list[Any]:
    """The layers between an input and the network of the user."""
    return [
        layer for layer in (_normalization(recipe, index, len(tensor.shape)), _encoding(recipe, index, tensor)) if layer
    ]


def _encoding(recipe: Recipe, index: int, tensor: Any) -> keras.Model | None:
    """A model of Keras' own layers that one-hot encodes columns of codes and hands the other ones on in front."""
    for remedy in recipe.of(EncodeCategories):
        if not remedy.columns[index]:
            continue
        inputs = keras.Input(tensor.shape[1:], dtype=tensor.dtype)
        encoded = {column.column for column in remedy.columns[index]}
        others = [column for column in range(tensor.shape[-1]) if column not in encoded]
        parts = [keras.ops.cast(keras.ops.take(inputs, others, axis=-1), keras.config.floatx())] if others else []
        for column, minimum, n_codes in remedy.columns[index]:
            codes = keras.layers.Rescaling(1.0, offset=-minimum)(keras.ops.take(inputs, [column], axis=-1))
            parts.append(keras.layers.CategoryEncoding(n_codes, output_mode="one_hot")(codes))
        outputs = keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
        name = "autofix_encoding" if index == 0 else f"autofix_encoding_{index}"
        return keras.Model(inputs, outputs, name=name)
    return None


def _normalization(recipe: Recipe, index: int, n_axes: int) -> keras.layers.Normalization | None:
    for remedy in recipe.of(NormalizeInputs):
        mean, variance = remedy.mean[index], remedy.variance[index]
        if mean is not None and variance is not None:
            name = "autofix_normalization" if index == 0 else f"autofix_normalization_{index}"
            axis: int | None = -1
            if n_axes == 1:  # rows of single numbers have no axis of features to keep
                mean, variance, axis = mean[0], variance[0], None
            # In full precision, whatever the model computes in: raw values may not fit into 16 bits.
            precise = keras.config.floatx()
            return keras.layers.Normalization(axis=axis, mean=mean, variance=variance, name=name, dtype=precise)
    return None


def _rescaling(recipe: Recipe, index: int, output: Any) -> keras.layers.Rescaling | None:
    for remedy in recipe.of(RescaleOutputs):
        if remedy.scale[index] is not None:
            name = "autofix_rescaling" if index == 0 else f"autofix_rescaling_{index}"
            scale, offset = remedy.scale[index], remedy.offset[index]
            return keras.layers.Rescaling(scale=scale, offset=offset, name=name, dtype=output.dtype)
    return None


def _hidden_layers(recipe: Recipe, head: int, dtype: Any) -> list[keras.layers.Dense]:
    return [
        keras.layers.Dense(
            remedy.units,
            activation=remedy.activation,
            kernel_initializer=remedy.kernel_initializer,
            dtype=dtype,
            name=f"autofix_hidden_{head}_{index}",
        )
        for remedy in recipe.of(InsertHiddenLayers)
        for index in range(remedy.depth)
    ]


def compile_arguments(model: keras.Model, recipe: Recipe) -> dict[str, Any]:
    """The user's compile arguments, with a new optimizer at the recipe's learning rate."""
    config = dict(model._compile_config.config)
    config["optimizer"] = changed_optimizer(model.optimizer, recipe)
    # The user's optimizer is wrapped already, or was not to be: Keras does not keep this argument.
    config["auto_scale_loss"] = False
    for remedy in recipe.of(ReplaceHeads):
        config["loss"] = _replaced_losses(config["loss"], remedy, model)
    return config


def _replaced_losses(losses: Any, remedy: ReplaceHeads, model: keras.Model) -> Any:
    """The losses given to `compile`, those of replaced heads exchanged."""
    new = {index: head.loss for index, head in enumerate(remedy.heads) if head is not None and head.loss is not None}
    if not new:
        return losses
    if len(remedy.heads) == 1:
        return new[0]
    names = list(model.output_names)
    if isinstance(losses, dict):
        return {**losses, **{names[index]: loss for index, loss in new.items()}}
    listed = list(losses) if isinstance(losses, list | tuple) else [losses] * len(remedy.heads)
    return [new.get(index, loss) for index, loss in enumerate(listed)]


def compile_again(model: keras.Model, arguments: dict[str, Any]) -> None:
    """Compiles a model with Keras' own `compile`.

    A `compile` of the user's class may take other arguments; what it has set besides is left as it is.
    """
    keras.Model.compile(model, **arguments)
