"""Adoption: the user's model object takes over the repaired network, and is trained as the user asked."""

import copy
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from autofix import architecture
from autofix.data import DEFAULT_BATCH_SIZE, split_validation
from autofix.feeding import as_tensor
from autofix.recipe import Recipe
from autofix.state import Snapshot

MAX_STREAM_BYTES = 2**28
"""Arrays up to this size (256 MB) are fed by one endless pipeline: rebuilding Keras' own takes 15 ms an epoch, most
of the time of a small training. Larger ones are fed by Keras, where that does not count."""


class Adoption:
    """The change of the user's model, and the way back.

    Args:
        model: The user's model; the object stays the same one.
        recipe: The repair.
        initial: The model's values when its training began.
        initial_values: Initial values of the repaired network's trainable variables, in order; None to keep the
            user's where shapes allow.
    """

    def __init__(
        self, model: keras.Model, recipe: Recipe, initial: Snapshot, initial_values: Sequence[np.ndarray] | None
    ) -> None:
        self._model = model
        self._initial = initial
        self._state = dict(model.__dict__)
        self._recipe = recipe
        self._initial_values = initial_values

    def apply(self) -> None:
        """Puts the repair into the model: untrained, compiled, at its initial weights."""
        self._initial.restore()
        if self._recipe.needs_surgery:
            repaired = architecture.build(self._model, self._recipe)
            self._take_over(repaired.__dict__)
        else:
            self._model.compile(**architecture.compile_arguments(self._model, self._recipe))
        if self._initial_values is not None:
            for variable, value in zip(self._model.trainable_variables, self._initial_values, strict=True):
                variable.assign(value)

    def undo(self) -> None:
        """Gives the model its own network, compile state and initial values back."""
        self._take_over(self._state)
        self._initial.restore()

    def _take_over(self, state: dict[str, Any]) -> None:
        # Keras tracks attributes in `__setattr__`; a model's whole state is taken as it is, tracker included.
        self._model.__dict__.clear()
        self._model.__dict__.update(state)


def training_stream(
    x: Any, y: Any, sample_weight: Any, batch_size: int, *, shuffle: bool, seed: int
) -> tf.data.Dataset | None:
    """An endless dataset of the batches that `fit` would make of arrays, epoch after epoch.

    Args:
        x: Array or tree of arrays.
        y: Array or tree of arrays.
        sample_weight: Like `y`, one array, or None.
        batch_size: Rows a batch; an epoch's last one may be smaller.
        shuffle: Whether each epoch has a new order.
        seed: Of the orders.

    Returns:
        The dataset, or None when the arrays are too large to be kept as tensors.
    """
    # tf.data would stack the arrays of a list.
    rows = keras.tree.lists_to_tuples((x, y) if sample_weight is None else (x, y, sample_weight))
    leaves = [np.asarray(leaf) for leaf in keras.tree.flatten(rows)]
    if sum(leaf.nbytes for leaf in leaves) > MAX_STREAM_BYTES:
        return None
    tensors = [as_tensor(leaf) for leaf in leaves]
    n_rows = len(leaves[0])

    def epoch(seeds: tf.Tensor) -> tf.data.Dataset:
        order = tf.range(n_rows)
        if shuffle:
            order = tf.random.experimental.stateless_shuffle(order, seeds)
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

    def gather(order: tf.Tensor) -> Any:
        return keras.tree.pack_sequence_as(rows, [tf.gather(tensor, order) for tensor in tensors])

    options = tf.data.Options()
    options.autotune.enabled = False
    counter = tf.data.Dataset.counter().map(lambda number: tf.stack([tf.cast(seed, tf.int64), number]))
    return counter.flat_map(epoch).map(gather).prefetch(2).with_options(options)


def final_arguments(arguments: dict[str, Any], seed: int) -> dict[str, Any]:
    """The arguments of the final `fit`: the same batches, fed from one endless pipeline where that is possible.

    Args:
        arguments: All arguments of `fit`, the recipe's among them. Not changed.
        seed: Of the rows' order.
    """
    if arguments["shuffle"] == "batch" or arguments["steps_per_epoch"]:
        return arguments
    x, y, weights, validation = (arguments[key] for key in ("x", "y", "sample_weight", "validation_data"))
    if arguments["validation_split"] and validation is None:
        (x, y, weights), validation = split_validation(x, y, weights, arguments["validation_split"])
    batch_size = arguments["batch_size"] or DEFAULT_BATCH_SIZE
    stream = training_stream(x, y, weights, batch_size, shuffle=bool(arguments["shuffle"]), seed=seed)
    if stream is None:
        return arguments
    return {
        **arguments,
        "x": stream,
        "y": None,
        "sample_weight": None,
        "batch_size": None,
        "shuffle": False,  # the stream does
        "validation_split": 0.0,
        "validation_data": validation,
        "validation_batch_size": arguments["validation_batch_size"] or batch_size,
        "steps_per_epoch": -(-len(keras.tree.flatten(x)[0]) // batch_size),
    }


class CallbackStates:
    """The states of the user's callbacks before a training, so that they see the one that counts from their start.

    Args:
        callbacks: The user's; numbers, text, arrays and containers of them are copied, everything else is left.
    """

    def __init__(self, callbacks: Sequence[Any]) -> None:
        self._states = [(callback, _copied(callback.__dict__)) for callback in callbacks]

    def restore(self) -> None:
        """Puts every callback back to where it was."""
        for callback, state in self._states:
            callback.__dict__.clear()
            callback.__dict__.update(_copied(state))


def _copied(value: Any) -> Any:
    """A copy of arrays and containers, at every depth; everything else is kept by reference."""
    if isinstance(value, dict | list):
        twin = copy.copy(value)
        for key in value if isinstance(value, dict) else range(len(value)):
            twin[key] = _copied(value[key])
        return twin
    if type(value) is tuple:
        return tuple(_copied(item) for item in value)
    return copy.copy(value) if isinstance(value, np.ndarray | set) else value


def is_raised_by(error: BaseException, callbacks: Sequence[Any]) -> bool:
    """Whether an error comes out of a user's callback rather than out of the training."""
    trace = error.__traceback__
    known = {id(callback) for callback in callbacks}
    # The functions of a LambdaCallback have no `self`, and Keras takes its own frames out of tracebacks.
    functions = {getattr(value, "__code__", None) for callback in callbacks for value in vars(callback).values()}
    while trace is not None:
        if id(trace.tb_frame.f_locals.get("self")) in known or trace.tb_frame.f_code in functions:
            return True
        trace = trace.tb_next
    return False
