"""Snapshots: putting a model, an optimizer and the random generators back exactly as they were."""

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf


class Snapshot:
    """The values of a model's variables, and of its optimizer's, at one moment.

    Args:
        model: Built.
        with_optimizer: Whether the optimizer's state belongs to it.
    """

    def __init__(self, model: keras.Model, *, with_optimizer: bool = True) -> None:
        self._variables = list(model.variables)
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
    """Leaves the random generators of Python, NumPy and TensorFlow as they were.

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
    """Where the global random generators of Python, NumPy and TensorFlow stand."""

    def __init__(self) -> None:
        self._python = random.getstate()
        self._numpy = np.random.get_state()
        # TensorFlow has no public way to read where its eager op seeds stand (seen up to 2.21).
        self._tensorflow = _eager_rng().getstate() if _eager_rng() is not None else None

    def restore(self) -> None:
        """Puts the generators back."""
        random.setstate(self._python)
        np.random.set_state(self._numpy)
        rng = _eager_rng()
        if rng is not None and self._tensorflow is not None:
            rng.setstate(self._tensorflow)


def _eager_rng() -> random.Random | None:
    from tensorflow.python.eager import context

    return getattr(context.context(), "_rng", None)
