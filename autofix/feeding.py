"""Feeding a model as Keras' `fit` does: arrays as tensors, forward passes, and the optimizer's state."""

import contextlib
import functools
from typing import Any

import keras
import numpy as np
import tensorflow as tf


def as_tensor(array: np.ndarray) -> tf.Tensor:
    """An array as a tensor; float64 becomes Keras' float type, as `fit` makes it."""
    return tf.convert_to_tensor(array.astype(keras.config.floatx()) if array.dtype.kind == "f" else array)


def forward(model: keras.Model, x: Any, *, training: bool = False) -> Any:
    """The model's outputs.

    Unless it is for training, the pass leaves no trace: what layers assign to their variables on the way, such as the
    states of a stateful recurrent network or a count of calls, is dropped.

    Args:
        model: Unbuilt layers are built.
        x: Tree of tensors or arrays, as the model takes it.
        training: As in Keras.
    """
    # A `training` argument that the model's own signature lacks would be refused.
    arguments = {"training": training} if model._call_has_training_arg else {}
    with contextlib.nullcontext() if training else keras.StatelessScope():
        return model(x, **arguments)


def output_masks(model: keras.Model, x: Any) -> list[np.ndarray | None] | None:
    """For each output, the steps that Keras' losses count, `(n_rows, n_steps)`; None where all are.

    Args:
        model: Built. Not changed.
        x: Inputs as `fit` hands them to the model.
    """
    layers = model._flatten_layers()
    if not any(isinstance(layer, keras.layers.Masking) or getattr(layer, "mask_zero", False) for layer in layers):
        return None

    # In a graph only what the masks depend on is computed.
    arrays = [np.asarray(mask) for mask in tf.function(functools.partial(_masks, model), autograph=False)(x)]
    return [array if array.ndim else None for array in arrays] if any(array.ndim for array in arrays) else None


def _masks(model: keras.Model, x: Any) -> list[Any]:
    """The masks of the outputs that are sequences; a number for the others."""
    leaves = keras.tree.flatten(forward(model, x))
    pairs = [(getattr(leaf, "_keras_mask", None), leaf) for leaf in leaves]
    return [
        mask if mask is not None and mask.shape.rank == 2 < leaf.shape.rank else tf.zeros(()) for mask, leaf in pairs
    ]


def build_optimizer(model: keras.Model) -> None:
    """Creates the optimizer's state, as Keras would in the first step, so that snapshots hold it."""
    if not model.optimizer.built:
        with model.distribute_strategy.scope():
            model.optimizer.build(model.trainable_variables)


def is_distributed(model: keras.Model) -> bool:
    """Whether the model was made under a `tf.distribute` strategy."""
    return model._distribute_strategy is not None


def has_own_code(model: keras.Model) -> bool:
    """Whether any part of a model is of the user's own: its class, a layer, a function in a layer, or a loss."""
    parts = [model, *model._flatten_layers(include_self=False, recursive=True)]
    parts += keras.tree.flatten(getattr(model, "loss", None))
    return any(_is_own(part) for part in parts)


def _is_own(part: Any) -> bool:
    if part is None or isinstance(part, str):
        return False
    if isinstance(part, keras.layers.Lambda):
        return True
    home = getattr(part, "__module__", None) if callable(part) and hasattr(part, "__name__") else None
    return not str(home or type(part).__module__).startswith("keras.")
