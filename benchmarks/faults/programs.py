"""A training program as plain data: rows, a network to build, arguments of `fit`. Faults are changes of it."""

import dataclasses
from typing import Any, NamedTuple

import keras
import numpy as np

from autofix.benchmarks.faults.data import VOCABULARY, MakeData
from autofix.benchmarks.faults.skill import Task

FRESH_ROWS = 1_000

FILTERS = (8, 16)
EMBEDDING_UNITS = 8

LOSSES_OF_LOGITS = {
    "binary_crossentropy": lambda: keras.losses.BinaryCrossentropy(from_logits=True),
    "sparse_categorical_crossentropy": lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
}


class Head(NamedTuple):
    """An output layer: its units, its activation, Keras' name of its loss."""

    units: int
    activation: str
    loss: str


@dataclasses.dataclass(frozen=True)
class Options:
    """What the network is built of, and what it is compiled with.

    Args:
        body: What stands before the hidden Dense layers: `"none"`, `"convolutions"`, `"embedded_lstm"`, `"gru"`, or
            `"flat"` for a Flatten layer alone.
        depth: Hidden Dense layers.
        units: Of each of them.
        recurrent_units: Of the LSTM or GRU layer.
        activation: Of the hidden Dense and convolutional layers.
        initial_std: Standard deviation of the initial kernels (embeddings included) in all but the last layer; None
            for Keras' own initialisation.
        initial_constant: One value for all those initial weights; None for a random initialisation.
        initial_bias: Of all but the last layer.
        l2: Factor of an L2 penalty on all kernels.
        dropout: Rate of a Dropout layer before the last layer; 0 for none.
        frozen: `""`, `"hidden"` for all but the last layer, or `"all"`.
        head_units: Of the last layer.
        head_activation: Of the last layer.
        loss: Keras' name of the loss.
        from_logits: Whether the loss takes logits.
        optimizer: Class name in `keras.optimizers`.
        learning_rate: Its rate.
        more_heads: Output layers beside the first one, on the same hidden layers.
    """

    body: str = "none"
    depth: int = 2
    units: int = 32
    recurrent_units: int = 16
    activation: str = "relu"
    initial_std: float | None = None
    initial_constant: float | None = None
    initial_bias: float = 0.0
    l2: float = 0.0
    dropout: float = 0.0
    frozen: str = ""
    head_units: int = 1
    head_activation: str = "linear"
    loss: str = "mean_squared_error"
    from_logits: bool = False
    optimizer: str = "Adam"
    learning_rate: float = 0.003
    more_heads: tuple[Head, ...] = ()

    def _hidden(self) -> dict[str, Any]:
        """Arguments of every layer with weights but the last."""
        arguments: dict[str, Any] = {"kernel_regularizer": keras.regularizers.L2(self.l2) if self.l2 else None}
        if (initializer := self._initializer()) is not None:
            arguments["kernel_initializer"] = initializer
        if self.initial_bias:
            arguments["bias_initializer"] = keras.initializers.Constant(self.initial_bias)
        return arguments

    def _initializer(self) -> keras.Initializer | None:
        if self.initial_constant is not None:
            return keras.initializers.Constant(self.initial_constant)
        return None if self.initial_std is None else keras.initializers.RandomNormal(stddev=self.initial_std)

    def _body(self) -> list[keras.Layer]:
        layers = keras.layers
        if self.body == "convolutions":
            built: list[keras.Layer] = []
            for filters in FILTERS:
                built.append(layers.Conv2D(filters, 3, activation=self.activation, **self._hidden()))
                built.append(layers.MaxPooling2D())
            return [*built, layers.Flatten()]
        if self.body == "gru":
            return [layers.GRU(self.recurrent_units, **self._hidden())]
        if self.body == "embedded_lstm":
            embeddings = {"embeddings_initializer": self._initializer()} if self._initializer() else {}
            return [
                layers.Embedding(VOCABULARY, EMBEDDING_UNITS, **embeddings),
                layers.LSTM(self.recurrent_units, **self._hidden()),
            ]
        return [layers.Flatten()] if self.body == "flat" else []

    def build(self, shape: tuple[int, ...], dtype: str = "float32") -> keras.Model:
        """The compiled, untrained network.

        Args:
            shape: Of one row of the inputs.
            dtype: Of the inputs.
        """
        dense = [
            keras.layers.Dense(self.units, activation=self.activation, **self._hidden()) for _ in range(self.depth)
        ]
        dropout = [keras.layers.Dropout(self.dropout)] if self.dropout else []
        penalty = keras.regularizers.L2(self.l2) if self.l2 else None
        heads = [
            keras.layers.Dense(units, activation=activation, kernel_regularizer=penalty)
            for units, activation, _ in (Head(self.head_units, self.head_activation, self.loss), *self.more_heads)
        ]
        hidden = [*self._body(), *dense, *dropout]
        model = _assembled(keras.Input(shape, dtype=dtype), hidden, heads)
        for layer in (*hidden, *heads):
            layer.trainable = not (self.frozen == "all" or (self.frozen == "hidden" and layer not in heads))
        first = LOSSES_OF_LOGITS[self.loss]() if self.from_logits else self.loss
        losses = [first, *(head.loss for head in self.more_heads)]
        optimizer = getattr(keras.optimizers, self.optimizer)(self.learning_rate)
        model.compile(optimizer=optimizer, loss=losses if self.more_heads else first)
        return model


def _assembled(inputs: Any, hidden: list[keras.Layer], heads: list[keras.Layer]) -> keras.Model:
    """A Sequential model where there is one output, else a functional one."""
    if len(heads) == 1:
        return keras.Sequential([inputs, *hidden, *heads])
    values = inputs
    for layer in hidden:
        values = layer(values)
    return keras.Model(inputs, [head(values) for head in heads])


@dataclasses.dataclass(frozen=True)
class Base:
    """A healthy program.

    Args:
        name: For the command line and the results.
        task: `"regression"`, `"binary"` or `"multiclass"`; of several outputs one each.
        make_data: Draws rows.
        options: Of the network.
        n_rows: Of the training set.
        epochs: Of the training.
        batch_size: Rows a step.
        is_finite: Whether there is a fixed stock of rows: training and fresh ones are then dealt out of it together.
    """

    name: str
    task: Task
    make_data: MakeData
    options: Options
    n_rows: int = 400
    epochs: int = 40
    batch_size: int = 16
    is_finite: bool = False

    def draw(self, seed: int) -> "Program":
        """The program with the rows of one seed."""
        rng = np.random.default_rng(seed)
        if self.is_finite:
            x, y = self.make_data(self.n_rows + FRESH_ROWS, rng)
            parts = (x[: self.n_rows], y[: self.n_rows], x[self.n_rows :], y[self.n_rows :])
            return Program(self, seed, *parts, self.options, self.epochs, self.batch_size)
        x, y = self.make_data(self.n_rows, rng)
        x_fresh, y_fresh = self.make_data(FRESH_ROWS, rng)
        return Program(self, seed, x, y, x_fresh, y_fresh, self.options, self.epochs, self.batch_size)


@dataclasses.dataclass(frozen=True, eq=False)
class Program:
    """A program with its rows, healthy or not.

    Args:
        base: What it was made from.
        seed: Of its rows and initial weights.
        x: Training inputs, shape `(n_rows, ...)`.
        y: Training targets, shape `(n_rows,)`; of several outputs a tuple of them.
        x_fresh: Inputs of rows that no training sees, shape `(1000, ...)`.
        y_fresh: Their targets.
        options: Of the network.
        epochs: Of the training.
        batch_size: Rows a step.
        shuffle: Whether each epoch has a new order of the rows.
        class_weight: As in Keras.
        planted: What was done to the healthy program, with its strength, one sentence a fault.
    """

    base: Base
    seed: int
    x: np.ndarray
    y: Any
    x_fresh: np.ndarray
    y_fresh: Any
    options: Options
    epochs: int
    batch_size: int
    shuffle: bool = True
    class_weight: dict[int, float] | None = None
    planted: tuple[str, ...] = ()

    @property
    def task(self) -> Task:
        """What there is to be learned: see `Base`."""
        return self.base.task

    def with_seed(self, seed: int) -> "Program":
        """The same rows and options under other initial weights and shuffles."""
        return dataclasses.replace(self, seed=seed)

    def build(self) -> keras.Model:
        """The compiled network with the initial weights of the seed, and Keras' random state right behind them."""
        keras.utils.set_random_seed(self.seed)
        dtype = "int64" if self.x.dtype.kind == "i" else "float32"
        return self.options.build(self.x.shape[1:], dtype)

    @property
    def fit_arguments(self) -> dict[str, Any]:
        """The arguments of `fit`, quiet."""
        return {
            "x": self.x,
            "y": list(self.y) if isinstance(self.y, tuple) else self.y,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "class_weight": self.class_weight,
            "verbose": 0,
        }

    def changed(self, planted: str, **fields: Any) -> "Program":
        """The program with other fields; those of `Options` go by their names too.

        Args:
            planted: What was done, as a sentence.
            fields: New values.
        """
        own = {field.name for field in dataclasses.fields(self)}
        options = dataclasses.replace(
            self.options, **{name: value for name, value in fields.items() if name not in own}
        )
        kept = {name: value for name, value in fields.items() if name in own}
        return dataclasses.replace(self, **kept, options=options, planted=(*self.planted, planted))
