"""Feeding a model as Keras' `fit` does: arrays as tensors, forward passes, and the optimizer's state."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf


def as_tensor(array: np.ndarray) -> tf.Tensor:
    """An array as a tensor; float64 becomes Keras' float type, as `fit` makes it."""
    return tf.convert_to_tensor(array.astype(keras.config.floatx()) if array.dtype.kind == "f" else array)


def forward(model: keras.Model, x: Any, *, training: bool = False) -> Any:
    """The model's outputs. A `training` argument that its own signature lacks would be refused."""
    return model(x, training=training) if model._call_has_training_arg else model(x)


def build_optimizer(model: keras.Model) -> None:
    """Creates the optimizer's state, as Keras would in the first step, so that snapshots hold it."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
