"""Snapshots: putting a model, an optimizer and the random generators back exactly as they were."""

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state  # Keras' own generator cannot be reached otherwise
from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR
from tensorflow.python.eager import context


class Snapshot:
    """The values of a model's variables, of its metrics and its optimizer, at one moment.

    Args:
        model: Built.
        with_optimizer: Whether the optimizer's state belongs to it.
    """

    def __init__(self, model: keras.Model, *, with_optimizer: bool = True) -> None:
        # Metrics are no part of `variables`, but a probe's loss moves them.
        self._variables = [*model.variables, *getattr(model, "metrics_variables", ())]
        if with_optimizer and getattr(model, "optimizer", None) is not None:
            known = {id(variable) for variable in self._variables}
            self._variables += [v for v in model.optimizer.variables if id(v) not in known]
        self.values = [variable.value.value() if _is_ref(variable) else variable.value for variable in self._variables]
        self.values = [tf.identity(value) for value in self.values]

    def restore(self) -> None:
        """Puts every variable back."""
        for variable, value in zip(self._variables, self.values, strict=True):
            variable.value.assign(value)


def _is_ref(variable: Any) -> bool:
    return hasattr(variable.value, "value") and callable(variable.value.value)


@contextlib.contextmanager
def preserved_randomness(seed: int | None = None) -> Iterator[None]:
    """Leaves the random generators of Python, NumPy, TensorFlow and Keras as they were.

    Args:
        seed: What to seed them with inside; None leaves them where they are.
    """
    saved = RandomState()
    try:
        if seed is not None:
            random.seed(seed)
            np.random.seed(seed)
        yield
    finally:
        saved.restore()


class RandomState:
    """Where the global random generators of Python, NumPy, TensorFlow and Keras stand.

    TensorFlow gives each new random op and dataset its seed from here. An op that ran eagerly keeps a state of its
    own: resetting those would reset compiled trainings, so a second eager `tf.random` draw of one shape goes on.
    """

    def __init__(self) -> None:
        self._python = random.getstate()
        self._numpy = np.random.get_state()
        # TensorFlow has no public way to read its global seed and where its eager op seeds stand (seen up to 2.21).
        eager = context.context()
        rng = getattr(eager, "_rng", None)  # there is none before the first global seed
        self._tensorflow = getattr(eager, "_seed", None), None if rng is None else rng.getstate()
        self._keras = global_state.get_global_attribute(GLOBAL_SEED_GENERATOR)
        self._keras_state = None if self._keras is None else tf.identity(self._keras.state.value)

    def restore(self) -> None:
        """Puts the generators back."""
        random.setstate(self._python)
        np.random.set_state(self._numpy)
        eager = context.context()
        eager._seed, rng_state = self._tensorflow
        if rng_state is not None:
            eager._rng.setstate(rng_state)
        global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, self._keras)
        if self._keras is not None:
            self._keras.state.assign(self._keras_state)
