"""Adoption: the user's model object takes over the repaired network, and is trained as the user asked."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from autofix.feeding import build_optimizer
from autofix.recipe import Recipe
from autofix.state import Snapshot
from autofix.surgery import architecture, optimizers


class Adoption:
    """The change of the user's model, and the way back.

    Args:
        model: The user's model; the object stays the same one.
        recipe: The repair.
        initial: The model's values when its training began.
    """

    def __init__(self, model: keras.Model, recipe: Recipe, initial: Snapshot) -> None:
        self._model = model
        self._initial = initial
        self._state = dict(model.__dict__)
        self._recipe = recipe

    def apply(self, initial_values: Sequence[np.ndarray] | None = None) -> None:
        """Puts the repair into the model: untrained, compiled, at its initial weights.

        Args:
            initial_values: Of the repaired network's trainable variables, in order; None to keep the user's where
                shapes allow.
        """
        self._initial.restore()
        # New variables belong to the strategy that the user's model was made under.
        with self._model.distribute_strategy.scope():
            if self._recipe.needs_surgery:
                repaired = architecture.build(self._model, self._recipe)
                self._take_over(repaired.__dict__)
            elif optimizers.takes_rate(self._model.optimizer, self._recipe):
                # What `fit` has compiled for the model serves on.
                rate = optimizers.constant_rate(self._model.optimizer)
                self._model.optimizer.learning_rate = optimizers.rescaled(rate, self._recipe.learning_rate_factor)
            else:
                architecture.compile_again(self._model, architecture.compile_arguments(self._model, self._recipe))
        # Left to the first step, it would have TensorFlow trace that step twice.
        build_optimizer(self._model)
        if initial_values is not None:
            for variable, value in zip(self._model.trainable_variables, initial_values, strict=True):
                variable.assign(value)

    def undo(self) -> None:
        """Gives the model its own network, compile state and initial values back."""
        self._take_over(self._state)
        self._initial.restore()

    def _take_over(self, state: dict[str, Any]) -> None:
        # Keras tracks attributes in `__setattr__`; a model's whole state is taken as it is, tracker included.
        self._model.__dict__.clear()
        self._model.__dict__.update(state)


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
