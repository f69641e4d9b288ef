"""A measured pass: what every layer puts out on a few rows, the loss, its gradients. The model keeps no trace of it."""

import contextlib
import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from autofix.data.training_data import TrainingData
from autofix.feeding import as_tensor, has_own_code
from autofix.measuring.layer_facts import activation_name, inner_graph, is_activation, listed_layers
from autofix.surgery import architecture

MOST_ROWS = 256
"""A share of units is known to a few hundredths on so many rows, and a small network passes them in milliseconds."""

FEWEST_ROWS = 8
"""With fewer rows, units that are the same for every row would be common by chance."""

MAX_OUTPUTS = 8_000_000
"""Numbers that all layers together may put out: 32 MB, and less than a tenth of a second."""

MAX_MULTIPLICATIONS = 600_000_000
"""Multiplications of the forward pass; with the gradients three times as many, about a tenth of a second."""

MAX_EAGER_STEPS = 60
"""Steps of a recurrent layer that are taken without tracing it. A hundred of them, measured twice with their gradients,
took 1.2 s, and traced 0.6 s."""

HALF_PRECISION_SCALE = 1024.0
"""Keeps small gradients of a loss computed in float16 from becoming 0, as Keras' loss scaling does."""


@dataclasses.dataclass(frozen=True)
class Activity:
    """What one layer was given and put out, when it was first called.

    Args:
        given: Its first input, `(n_rows, ...)`.
        own: Its output.
        output: The output of the activation layer directly behind it; its own where there is none.
        activation: The activation's name; empty without one.
    """

    given: np.ndarray
    own: np.ndarray
    output: np.ndarray
    activation: str


@dataclasses.dataclass(frozen=True)
class Pass:
    """What was measured. Whatever could not be is empty, or NaN.

    Args:
        predictions: One array an output.
        activities: By the layer's id; empty for models with a call of their own.
        gradients: Norm of the gradient of the loss by a trainable variable, by its id.
        penalties: What a layer adds to the loss, by its id.
        data_loss: The loss without penalties.
        penalty: All penalties.
    """

    predictions: list[np.ndarray] = dataclasses.field(default_factory=list)
    activities: dict[int, Activity] = dataclasses.field(default_factory=dict)
    gradients: dict[int, float] = dataclasses.field(default_factory=dict)
    penalties: dict[int, float] = dataclasses.field(default_factory=dict)
    data_loss: float = math.nan
    penalty: float = 0.0


@dataclasses.dataclass
class _Call:
    operation: Any
    given: Any
    own: Any
    output: Any
    activation: str


class Measurement:
    """Passes of one model over the same rows, with the weights that it has when it is asked.

    Args:
        model: Built and compiled. Not changed.
        data: The sample; training rows are looked at.
    """

    def __init__(self, model: keras.Model, data: TrainingData) -> None:
        self._model = model
        self._layers = listed_layers(model)
        self._can_record = architecture.can_edit(model)
        # In training mode as `fit` has it; code of the user's own might count its calls.
        self._training = not has_own_code(model)
        rows = np.linspace(0, data.n_training - 1, min(data.n_training, self._n_rows(data))).astype(int)
        self.rows = np.unique(rows)
        self._x = keras.tree.pack_sequence_as(data.x_structure, [as_tensor(a[self.rows]) for a in data.inputs])
        self._y = keras.tree.pack_sequence_as(data.y_structure, [as_tensor(a[self.rows]) for a in data.targets])
        self._weights = None
        if data.sample_weights is not None:
            weights = [as_tensor(array[self.rows]) for array in data.sample_weights]
            self._weights = weights[0] if len(weights) == 1 else keras.tree.pack_sequence_as(data.y_structure, weights)
        self._calls: list[_Call] = []
        self._traced: dict[str, Any] = {}

    def take(self) -> Pass:
        """A pass with the weights as they are now; a part that fails is left out."""
        try:
            forward = self._run(self._forward, False)
        except Exception:  # noqa: BLE001 - a network that Keras trains may still refuse to be called like this
            return Pass()
        predictions, tensors = forward
        activities: dict[int, Activity] = {}
        for call, (given, own, output) in zip(self._calls, tensors, strict=True):
            arrays = (np.asarray(given), np.asarray(own), np.asarray(output))
            activities.setdefault(id(call.operation), Activity(*arrays, call.activation))
        measured = Pass([np.asarray(leaf) for leaf in predictions], activities)
        try:
            norms, penalties, data_loss, penalty = self._run(self._losses, self._training)
        except Exception:  # noqa: BLE001 - such as a loss that the user's own train_step computes
            return measured
        variables = self._model.trainable_variables
        return dataclasses.replace(
            measured,
            gradients={id(variable): float(norm) for variable, norm in zip(variables, norms, strict=True)},
            penalties={id(layer): float(value) for layer, value in zip(self._layers, penalties, strict=True)},
            data_loss=float(data_loss),
            penalty=float(penalty),
        )

    def _run(self, function: Any, training: bool) -> Any:
        if not self._is_long:
            return function(training)
        if function.__name__ not in self._traced:
            self._traced[function.__name__] = tf.function(function, autograph=False)
        return self._traced[function.__name__](training)

    @property
    def _is_long(self) -> bool:
        """Whether recurrent layers take so many steps that tracing them is cheaper."""
        layers = self._model._flatten_layers(include_self=False, recursive=True)
        is_recurrent = any(isinstance(layer, keras.layers.RNN) for layer in layers)
        lengths = [leaf.shape[1] or 0 for leaf in keras.tree.flatten(self._x) if leaf.shape.rank > 1]
        return is_recurrent and max(lengths, default=0) > MAX_EAGER_STEPS

    def _forward(self, training: bool) -> tuple[list[Any], list[Any]]:
        with keras.StatelessScope():
            outputs = self._call(training)
        return keras.tree.flatten(outputs), [(call.given, call.own, call.output) for call in self._calls]

    def _call(self, training: bool) -> Any:
        self._calls = []
        if self._can_record:
            recorder = _Recorder(training)
            outputs = recorder.run(self._model, self._x)
            self._calls = recorder.calls
            return outputs
        arguments = {"training": training} if self._model._call_has_training_arg else {}
        return self._model(self._x, **arguments)

    def _losses(self, training: bool) -> tuple[list[Any], list[Any], Any, Any]:
        """Norms of the gradients, penalties by layer, the loss without penalties, all penalties."""
        model = self._model
        values = [variable.value for variable in model.trainable_variables]
        scale = HALF_PRECISION_SCALE if model.compute_dtype == "float16" else 1.0
        with tf.GradientTape() as tape, _borrowed_loss(model), contextlib.ExitStack() as stack:
            tape.watch(values)
            # The scope keeps what layers and metrics assign, and draws of random numbers, out of the model. Keras 3.15
            # does not find the weights to regularise in it unless they are put there.
            regularized = [(one, one.value) for one in model.trainable_variables if one.regularizer is not None]
            stack.enter_context(keras.StatelessScope(regularized, collect_losses=True))
            outputs = self._call(training)
            penalties = [_sum(layer.losses) for layer in self._layers]
            penalty = _sum(model.losses)
            has_own_loss = type(model).compute_loss is not keras.Model.compute_loss
            if has_own_loss or model._compile_loss is None or model.loss is None:
                total = model._compute_loss(
                    x=self._x, y=self._y, y_pred=outputs, sample_weight=self._weights, training=training
                )
                data_loss, minimised = total - penalty, total
            else:
                # Without the penalties, whose gradients would hide that those of the data vanish.
                data_loss = minimised = model._compile_loss(self._y, outputs, self._weights)
            minimised = tf.cast(minimised, tf.float32) * scale
            model._clear_losses()
        gradients = tape.gradient(minimised, values)
        return [_norm(gradient) / scale for gradient in gradients], penalties, data_loss, penalty

    def _n_rows(self, data: TrainingData) -> int:
        """As many rows as the network can pass in some tenths of a second."""
        if not self._can_record:
            weights = sum(int(np.prod(variable.shape)) for variable in self._model.variables)
            return _limited(MAX_MULTIPLICATIONS / max(1, weights))
        outputs, multiplications = 0, 0
        longest = max([array.shape[1] for array in data.inputs if array.ndim > 1], default=1)
        for operation, shape in _operations(self._model):
            sizes = [longest if size is None else size for size in shape[1:]]
            outputs += math.prod(sizes)
            weights = sum(math.prod(weight.shape) for weight in getattr(operation, "weights", ()))
            steps = longest if isinstance(operation, keras.layers.RNN) else math.prod(sizes[:-1])
            multiplications += 0 if isinstance(operation, keras.layers.Embedding) else weights * steps
        return _limited(min(MAX_OUTPUTS / max(1, outputs), MAX_MULTIPLICATIONS / max(1, multiplications)))


class _Recorder:
    """Runs a functional model operation by operation and keeps what each is given and puts out."""

    def __init__(self, training: bool) -> None:
        self._training = training
        self._makers: dict[int, _Call] = {}
        self.calls: list[_Call] = []

    def run(self, model: Any, x: Any) -> Any:
        graph = inner_graph(model)
        return graph._run_through_graph(graph._standardize_inputs(x), call_fn=self._call)

    def _call(self, operation: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(operation, keras.Model) and architecture.can_edit(operation):
            return self.run(operation, args[0])
        if getattr(operation, "_call_has_training_arg", False):
            kwargs.setdefault("training", self._training)
        output = operation(*args, **kwargs)
        given, own = keras.tree.flatten((args, kwargs)), keras.tree.flatten(output)
        tensors = [leaf for leaf in given if tf.is_tensor(leaf)]
        if not tensors or not own:
            return output
        maker = self._makers.get(id(tensors[0]))
        if maker is not None and is_activation(operation):
            maker.output, maker.activation = own[0], activation_name(operation) or maker.activation
        if getattr(operation, "weights", None):
            call = _Call(operation, tensors[0], own[0], own[0], activation_name(operation))
            self._makers[id(own[0])] = call
            self.calls.append(call)
        return output


def _operations(model: Any) -> Iterator[tuple[Any, tuple[int | None, ...]]]:
    """Every operation of a network with the shape of its first output."""
    for node in [node for nodes in inner_graph(model)._nodes_by_depth.values() for node in nodes]:
        operation = node.operation
        if isinstance(operation, keras.Model) and architecture.can_edit(operation):
            yield from _operations(operation)
        elif not node.is_input and node.outputs:
            yield operation, tuple(node.outputs[0].shape)


@contextlib.contextmanager
def _borrowed_loss(model: keras.Model) -> Iterator[None]:
    """Before the first step the compiled loss is not bound to the form of the targets, and shall not be by looking."""
    own = model._compile_loss
    if own is None or own.built:
        yield
        return
    borrowed = type(own)(own._user_loss, own._user_loss_weights, output_names=own.output_names)
    vars(model)["_compile_loss"] = borrowed
    try:
        yield
    finally:
        vars(model)["_compile_loss"] = own


def _limited(n_rows: float) -> int:
    return int(min(MOST_ROWS, max(FEWEST_ROWS, n_rows)))


def _sum(losses: list[Any]) -> Any:
    return tf.add_n([tf.cast(tf.reduce_sum(loss), tf.float32) for loss in losses]) if losses else tf.zeros(())


def _norm(gradient: Any) -> Any:
    """Of a gradient; 0 where the loss does not depend on the variable."""
    if gradient is None:
        return tf.zeros(())
    values = gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient
    values = tf.cast(values, tf.float64)
    return tf.cast(tf.sqrt(tf.reduce_sum(values * values)), tf.float64)
