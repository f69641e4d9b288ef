"""Feeding arrays to `fit` by one endless pipeline."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.trainers.data_adapters.array_slicing import train_validation_split  # the split that `fit` makes

from autofix.data.rows import column_of
from autofix.data.training_data import DEFAULT_BATCH_SIZE
from autofix.feeding import as_tensor

MAX_STREAM_BYTES = 2**28
"""Arrays up to this size (256 MB) are fed by one endless pipeline: rebuilding Keras' own takes 15 ms an epoch, most
of the time of a small training. Larger ones are fed by Keras, where that does not count."""


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
    rows = keras.tree.lists_to_tuples(keras.utils.pack_x_y_sample_weight(x, y, sample_weight))
    leaves = keras.tree.flatten(rows)
    # Sparse tensors, and what else NumPy cannot hold, are left to Keras.
    if not all(isinstance(leaf, np.ndarray | tf.Tensor) or hasattr(leaf, "iloc") for leaf in leaves):
        return None
    # With another rank or type than those of Keras' own batches, a step that is compiled already would not serve.
    columns = [column_of("", leaf) for leaf in leaves]
    n_rows = columns[0].shape[0]
    if n_rows * sum(column.row_bytes for column in columns) > MAX_STREAM_BYTES:
        return None
    tensors = [as_tensor(column.read(slice(None))) for column in columns]

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


def streamed(arguments: dict[str, Any], seed: int) -> dict[str, Any]:
    """The arguments of a `fit`: the same batches, fed from one endless pipeline where that is possible.

    Args:
        arguments: All arguments of `fit`, for arrays. Not changed.
        seed: Of the rows' order.
    """
    if arguments["shuffle"] == "batch" or arguments["steps_per_epoch"]:
        return arguments
    x, y, weights, validation = (arguments[key] for key in ("x", "y", "sample_weight", "validation_data"))
    if arguments["validation_split"] and validation is None:
        (x, y, weights), validation = train_validation_split((x, y, weights), arguments["validation_split"])
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
