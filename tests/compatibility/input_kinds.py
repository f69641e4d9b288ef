"""Kinds of input: what `x`, `y` and the validation rows are given as."""

import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pandas as pd
import scipy.sparse
import tensorflow as tf

from tests.compatibility import data
from tests.compatibility.case import Case

layers = keras.layers

BATCH = 16
STEPS = data.N_ROWS // BATCH

X = data.numbers()
Y = data.target(X)

CASES: list[Case] = []


def case(name: str, build: Any = None, **options: Any) -> Any:
    """Registers the case whose arguments of `fit` the decorated function makes."""

    def register(arguments: Any) -> Any:
        kept = {"healthy_rate": 0.03, "collapsed_rate": 30.0, "rows": lambda: (X, Y), **options}
        CASES.append(Case(name, "input", build or network, arguments, **kept))
        return arguments

    return register


def compiled(model: keras.Model, rate: float, loss: Any = "mse") -> keras.Model:
    model.compile(optimizer=keras.optimizers.Adam(rate), loss=loss)
    return model


def network(rate: float) -> keras.Model:
    hidden = layers.Dense(10, activation="relu")
    return compiled(keras.Sequential([keras.Input((4,)), hidden, layers.Dense(1)]), rate)


def arrays(x: Any, y: Any = Y, **others: Any) -> dict[str, Any]:
    return {"x": x, "y": y, "epochs": data.EPOCHS, "batch_size": BATCH, **others}


def stream(x: Any, **others: Any) -> dict[str, Any]:
    return {"x": x, "epochs": data.EPOCHS, "shuffle": False, **others}


# Arrays


@case("NumPy arrays")
def numpy_arrays() -> dict[str, Any]:
    return arrays(X)


@case("NumPy arrays of float64 and integers", rows=lambda: (X, np.round(4 * Y)))
def other_types() -> dict[str, Any]:
    return arrays(X.astype("float64"), np.round(4 * Y).astype("int64"))


@case("tensors")
def tensors() -> dict[str, Any]:
    return arrays(tf.constant(X), tf.constant(Y))


@case("pandas DataFrame and Series")
def pandas() -> dict[str, Any]:
    return arrays(pd.DataFrame(X, columns=list("abcd")), pd.Series(Y[:, 0]))


@case("SciPy sparse matrix")
def sparse() -> dict[str, Any]:
    return arrays(scipy.sparse.csr_matrix(X))


@case("memory-mapped file")
def memory_map() -> dict[str, Any]:
    path = pathlib.Path(tempfile.mkdtemp()) / "x.npy"
    np.save(path, X)
    return arrays(np.load(path, mmap_mode="r"))


# Trees


def two_inputs(rate: float, names: tuple[str, str] = ("first", "last")) -> keras.Model:
    inputs = [keras.Input((2,), name=name) for name in names]
    hidden = layers.Dense(10, activation="relu")(layers.Concatenate()(inputs))
    return compiled(keras.Model(inputs, layers.Dense(1)(hidden)), rate)


def named_input(rate: float) -> keras.Model:
    inputs = {"first": keras.Input((2,), name="first"), "last": keras.Input((2,), name="last")}
    hidden = layers.Dense(10, activation="relu")(layers.Concatenate()(list(inputs.values())))
    return compiled(keras.Model(inputs, layers.Dense(1)(hidden)), rate)


def nested_inputs(rate: float) -> keras.Model:
    inputs = {"left": [keras.Input((1,)), keras.Input((1,))], "right": {"deep": keras.Input((2,))}}
    hidden = layers.Dense(10, activation="relu")(layers.Concatenate()(keras.tree.flatten(inputs)))
    return compiled(keras.Model(inputs, layers.Dense(1)(hidden)), rate)


HALVES = {"first": X[:, :2], "last": X[:, 2:]}
NESTED = {"left": [X[:, :1], X[:, 1:2]], "right": {"deep": X[:, 2:]}}


@case("list of inputs", two_inputs, rows=lambda: ([X[:, :2], X[:, 2:]], Y))
def list_of_inputs() -> dict[str, Any]:
    return arrays([X[:, :2], X[:, 2:]])


@case("dict of inputs", named_input, rows=lambda: (HALVES, Y))
def dict_of_inputs() -> dict[str, Any]:
    return arrays(dict(HALVES))


@case("dict for a list of inputs", lambda rate: two_inputs(rate, ("last", "first")), rows=lambda: (HALVES, Y))
def dict_for_a_list() -> dict[str, Any]:
    return arrays(dict(HALVES))


@case("nested dicts and lists of inputs", nested_inputs, rows=lambda: (NESTED, Y))
def nested() -> dict[str, Any]:
    return arrays(NESTED)


def two_outputs(rate: float, as_dict: bool = False) -> keras.Model:
    inputs = keras.Input((4,))
    hidden = layers.Dense(10, activation="relu")(inputs)
    outputs = {
        "number": layers.Dense(1, name="number")(hidden),
        "label": layers.Dense(1, "sigmoid", name="label")(hidden),
    }
    losses = {"number": "mse", "label": "binary_crossentropy"}
    return compiled(keras.Model(inputs, outputs if as_dict else list(outputs.values())), rate, losses)


TARGETS = {"number": Y, "label": data.label(X)}


@case("list of targets", two_outputs, rows=lambda: (X, list(TARGETS.values())))
def list_of_targets() -> dict[str, Any]:
    return arrays(X, list(TARGETS.values()))


@case("dict of targets", lambda rate: two_outputs(rate, as_dict=True), rows=lambda: (X, TARGETS))
def dict_of_targets() -> dict[str, Any]:
    return arrays(X, dict(TARGETS))


# Streams


def dataset(*parts: Any, x: Any = X, y: Any = Y) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices((x, y, *parts))


@case("tf.data.Dataset")
def finite_dataset() -> dict[str, Any]:
    return stream(dataset().shuffle(data.N_ROWS, seed=1).batch(BATCH).prefetch(2))


@case("tf.data.Dataset without end, with steps_per_epoch")
def endless_dataset() -> dict[str, Any]:
    return stream(dataset().shuffle(data.N_ROWS, seed=1).repeat().batch(BATCH), steps_per_epoch=STEPS)


@case("tf.data.Dataset of unknown length")
def dataset_of_unknown_length() -> dict[str, Any]:
    return stream(dataset().filter(lambda x, y: True).batch(BATCH))


@case("tf.data.Dataset with sample weights")
def weighted_dataset() -> dict[str, Any]:
    return stream(dataset(np.linspace(0.5, 1.5, data.N_ROWS)).batch(BATCH))


class Subclassed(keras.Model):
    """Built by its first batch."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.dropout, self.head = layers.Dense(16, activation="relu"), layers.Dropout(0.1), layers.Dense(1)

    def call(self, x: Any, training: bool = False) -> Any:
        return self.head(self.dropout(self.hidden(x), training=training))


@case("tf.data.Dataset, a model that its first batch builds", lambda rate: compiled(Subclassed(), rate))
def dataset_that_builds() -> dict[str, Any]:
    return stream(dataset().shuffle(data.N_ROWS, seed=1).batch(BATCH))


@case("tf.data.Dataset of dicts", named_input, rows=lambda: (HALVES, Y))
def dataset_of_dicts() -> dict[str, Any]:
    return stream(dataset(x=HALVES).batch(BATCH))


@case("tf.data.Dataset sorted by target")
def sorted_dataset() -> dict[str, Any]:
    order = np.argsort(Y[:, 0])
    return stream(dataset(x=X[order], y=Y[order]).batch(BATCH))


class Batches(keras.utils.PyDataset):
    """Batches of rows."""

    def __len__(self) -> int:
        return STEPS

    def __getitem__(self, index: int) -> Any:
        rows = slice(index * BATCH, (index + 1) * BATCH)
        return X[rows], Y[rows]


@case("keras.utils.PyDataset")
def pydataset() -> dict[str, Any]:
    return stream(Batches(), shuffle=True)


@case("keras.utils.PyDataset with workers")
def pydataset_with_workers() -> dict[str, Any]:
    return stream(Batches(workers=2))


def batches(epochs: int) -> Iterator[Any]:
    for _ in range(epochs):
        for start in range(0, data.N_ROWS, BATCH):
            yield X[start : start + BATCH], Y[start : start + BATCH]


@case("Python generator")
def generator() -> dict[str, Any]:
    return stream(batches(10**6), steps_per_epoch=STEPS)


def unbuilt(rate: float) -> keras.Model:
    return compiled(keras.Sequential([layers.Dense(10, activation="relu"), layers.Dense(1)]), rate)


@case("Python generator, a model that its first batch builds", unbuilt)
def generator_that_builds() -> dict[str, Any]:
    return stream(batches(10**6), steps_per_epoch=STEPS)


@case("Python generator that ends")
def finite_generator() -> dict[str, Any]:
    # Keras fetches some batches ahead of the last step.
    return stream(batches(data.EPOCHS + 2), steps_per_epoch=STEPS)


# Validation rows

VALIDATION_X = np.random.default_rng(5).uniform(size=(80, 4)).astype("float32")
VALIDATION_Y = data.score(VALIDATION_X)[:, None].astype("float32")


@case("validation rows as arrays")
def validation_arrays() -> dict[str, Any]:
    return arrays(X, validation_data=(VALIDATION_X, VALIDATION_Y))


@case("weighted validation rows")
def weighted_validation() -> dict[str, Any]:
    weights = np.linspace(0.5, 1.5, len(VALIDATION_X))
    return arrays(X, validation_data=(VALIDATION_X, VALIDATION_Y, weights))


@case("validation rows as tf.data.Dataset")
def validation_dataset() -> dict[str, Any]:
    return arrays(X, validation_data=dataset(x=VALIDATION_X, y=VALIDATION_Y).batch(BATCH))


@case("validation rows as generator")
def validation_generator() -> dict[str, Any]:
    # One batch, again and again: which ones an evaluation gets depends on how far Keras has fetched ahead.
    forever = iter(lambda: (VALIDATION_X, VALIDATION_Y), None)
    return arrays(X, validation_data=(batch for batch in forever), validation_steps=1)


@case("tf.data.Dataset for both")
def both_datasets() -> dict[str, Any]:
    return stream(dataset().batch(BATCH), validation_data=dataset(x=VALIDATION_X, y=VALIDATION_Y).batch(BATCH))
