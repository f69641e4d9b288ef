"""A training program for scenarios of one's own: rows, a function that builds the network, arguments of `fit`."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras

from autofix.benchmarks.faults.skill import Task


@dataclasses.dataclass(frozen=True, eq=False)
class OwnProgram:
    """A program as plain data.

    Args:
        task: `"regression"`, `"binary"` or `"multiclass"`; of several outputs a tuple with one each.
        x: Training inputs, an array.
        y: Training targets, an array of shape `(n_rows,)`; of several outputs a tuple of them.
        x_fresh: Inputs of at least 1,000 rows that no training sees.
        y_fresh: Their targets.
        make_model: The compiled, untrained network; called right after Keras' random state was seeded.
        fit: Arguments of `fit` other than `x`, `y` and `verbose`.
        seed: Of initial weights and shuffles.
        planted: What is wrong, one sentence a fault; for the records only.

    Example:

    >>> import numpy as np
    >>> def make_model():
    ...     model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    ...     model.compile(loss="mse")
    ...     return model
    >>> rows = np.zeros((4, 1)), np.zeros(4)
    >>> program = OwnProgram("regression", *rows, *rows, make_model, {"epochs": 2})
    >>> sorted(program.fit_arguments)
    ['epochs', 'verbose', 'x', 'y']
    """

    task: Task
    x: Any
    y: Any
    x_fresh: Any
    y_fresh: Any
    make_model: Callable[[], keras.Model]
    fit: dict[str, Any]
    seed: int = 0
    planted: tuple[str, ...] = ()

    def build(self) -> keras.Model:
        """The compiled network with the initial weights of the seed."""
        keras.utils.set_random_seed(self.seed)
        return self.make_model()

    @property
    def fit_arguments(self) -> dict[str, Any]:
        """All arguments of `fit`."""
        y = list(self.y) if isinstance(self.y, tuple) else self.y
        return {"epochs": 1, "x": self.x, "y": y, "verbose": 0, **self.fit}

    def with_seed(self, seed: int) -> "OwnProgram":
        """The same rows under other initial weights and shuffles."""
        return dataclasses.replace(self, seed=seed)
