"""Where a run of a network begins: at the values that it was given, or at fresh ones of the same initialisers."""

import functools
from typing import Any

import keras
import tensorflow as tf

from autofix.state import Snapshot
from autofix.surgery.initialization import fresh_values, trained_layers

KEPT_INITIALIZATIONS = 16
"""Sets of fresh initial weights kept a network: the folds of a cross-validation and of its repeats."""


class InitialWeights:
    """Puts the weights of a network to where a run begins.

    Args:
        model: The network. Built.
        initial: Its values at the beginning.
        keeps_trained: Whether fresh initial weights leave out layers that were trained before.
        drawn_as: A network of the same variables whose values and initialisers count in place of the network's own;
            None for these.
    """

    def __init__(
        self,
        model: keras.Model,
        initial: Snapshot,
        *,
        keeps_trained: bool = True,
        drawn_as: keras.Model | None = None,
    ) -> None:
        self._model = model
        self._initial = initial
        self._keeps_trained = keeps_trained
        self._drawn_as = model if drawn_as is None else drawn_as
        self._drawn: dict[int, list[tuple[Any, Any]]] = {}
        pairs = list(zip(self._drawn_as.variables, model.variables, strict=True))
        self._own = {id(theirs): own for theirs, own in pairs}
        self._given = [] if drawn_as is None else [(own, tf.identity(theirs.value)) for theirs, own in pairs]

    def drawn_as(self, network: keras.Model) -> "InitialWeights":
        """Those of another network of the same variables: networks that differ in nothing else can be trained as one.

        Args:
            network: At its initial values. Not changed.
        """
        return InitialWeights(self._model, self._initial, keeps_trained=self._keeps_trained, drawn_as=network)

    def put(self, seed: int, own_initialization: bool) -> None:
        """Puts every variable of the network, its optimizer's included, to the beginning of a run.

        Args:
            seed: Of the fresh values.
            own_initialization: Whether to begin at the values that the network was given, rather than at fresh ones.
        """
        self._initial.restore()
        for variable, value in self._given:
            variable.value.assign(value)
        if not own_initialization:
            for variable, value in self._fresh(seed):
                variable.value.assign(value)

    def _fresh(self, seed: int) -> list[tuple[Any, Any]]:
        """Fresh initial values; the latest seeds' are kept, because every trial asks for the same ones."""
        if seed not in self._drawn:
            if len(self._drawn) >= KEPT_INITIALIZATIONS:
                self._drawn.pop(next(iter(self._drawn)))
            drawn = fresh_values(self._drawn_as, seed, keeps_trained=self._keeps_trained, trained=self._trained)
            self._drawn[seed] = [(self._own[id(variable)], value) for variable, value in drawn]
        return self._drawn[seed]

    @functools.cached_property
    def _trained(self) -> list[keras.layers.Layer] | None:
        """The layers that were trained before; first asked for at the initial values. None where none is kept."""
        return trained_layers(self._drawn_as) if self._keeps_trained else None
