"""Small training programs with planted faults, and what is known of each: what the contract of a strategy is tested on.

Together they have every cause that the built-in strategies treat, in networks of most kinds.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from autofix.causes import rank
from autofix.data.training_data import TrainingData
from autofix.measuring.inspection import collect
from autofix.strategy import Case

N_ROWS = 64

layers = keras.layers


@dataclasses.dataclass(frozen=True)
class Program:
    """A training program, and what a strategy is told of it.

    Args:
        name: What stands in the messages of failed tests.
        model: Built and compiled.
        x: A tree of arrays with `N_ROWS` rows.
        y: The targets.
        case: What is known.
    """

    name: str
    model: Any
    x: Any
    y: Any
    case: Case


def describe(
    name: str, model: Any, x: Any, y: Any, kinds: tuple[str, ...], run: Mapping[str, Any], **fit: Any
) -> Program:
    """A program with its evidence measured and its causes ranked.

    Args:
        name: Of the program.
        model: Built and compiled. Not changed.
        x: A tree of arrays.
        y: A tree of arrays.
        kinds: The kind of task of each output, as in `TargetProfile`.
        run: Fields of `autofix.evidence.CurveProfile` that no look at the model can tell, such as `losses`.
        fit: Arguments of `fit`.
    """
    data = TrainingData.from_arrays(x, y, **fit)
    measured = collect(model, data, list(kinds))
    evidence = dataclasses.replace(measured, curve=dataclasses.replace(measured.curve, **run))
    return Program(name, model, x, y, Case(evidence, rank(evidence)))


@functools.cache
def sample_programs() -> tuple[Program, ...]:
    """All programs; made once, since none of them may be changed."""
    return tuple(make() for make in PROGRAMS)


def regression_on_raw_numbers() -> Program:
    """Unscaled inputs and targets, codes of categories, sorted rows, a huge rate, infinite losses, no capacity."""
    rng = np.random.default_rng(0)
    codes = np.arange(N_ROWS) % 5
    y = np.array([300.0, 10.0, 250.0, 40.0, 180.0])[codes] + rng.normal(size=N_ROWS)
    order = np.argsort(y)
    x = np.column_stack([rng.normal(500.0, 100.0, N_ROWS), rng.normal(size=N_ROWS), codes])[order]
    model = keras.Sequential([keras.Input((3,)), layers.Dense(8, name="hidden"), layers.Dense(1, name="out")])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    run = {"losses": (4e4, float("inf")), "half_skill": 0.1, "end_skill": 0.3}
    return describe(
        *("raw numbers", model, x, y[order][:, None], ("regression",), run), shuffle=False, batch_size=16, epochs=2
    )


def regression_that_is_dead() -> Program:
    """Units that are dead, saturated and equal from the start, under an output that cannot reach the targets."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(N_ROWS, 4))
    stack = [
        layers.Dense(
            8, activation="sigmoid", kernel_initializer=keras.initializers.RandomNormal(stddev=60.0), name="a"
        ),
        layers.Dense(8, activation="tanh", kernel_initializer="ones", name="b"),
        layers.Dense(8, activation="relu", bias_initializer=keras.initializers.Constant(-50.0), name="c"),
        layers.Dense(1, activation="sigmoid", name="out"),
    ]
    model = keras.Sequential([keras.Input((4,)), *stack])
    model.compile("adam", "mse")
    y = 20.0 * x[:, :1] + 50.0
    return describe("dead units", model, x, y, ("regression",), {"losses": (3e3, 3e3)}, epochs=20)


def classes_of_images() -> Program:
    """A convolutional network under heavy dropout and penalties; one class is rare."""
    rng = np.random.default_rng(2)
    y = (np.arange(N_ROWS) % 16 == 0).astype("int64") + 2 * (np.arange(N_ROWS) % 4 == 1)
    x = rng.normal(size=(N_ROWS, 8, 8, 1)) + y[:, None, None, None]
    stack = [
        layers.Conv2D(4, 3, activation="relu", kernel_regularizer=keras.regularizers.L2(10.0), name="conv"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(8, activation="relu", name="hidden"),
        layers.Dropout(0.95, name="dropout"),
        layers.Dense(3, activation="softmax", name="out"),
    ]
    model = keras.Sequential([keras.Input((8, 8, 1)), *stack])
    model.compile("adam", "sparse_categorical_crossentropy")
    return describe("images", model, x, y, ("multiclass",), {"losses": (21.0, 20.0)}, epochs=5)


def classes_of_texts() -> Program:
    """A recurrent network on tokens, whose embedding and output are frozen."""
    rng = np.random.default_rng(3)
    x = rng.integers(0, 20, (N_ROWS, 6))
    y = (x[:, :1] > 9).astype("float32")
    stack = [
        layers.Embedding(20, 4, trainable=False, name="embedding"),
        layers.LSTM(4, name="lstm"),
        layers.Dense(1, activation="sigmoid", trainable=False, name="out"),
    ]
    model = keras.Sequential([keras.Input((6,), dtype="int64"), *stack])
    model.compile("adam", "binary_crossentropy")
    return describe("texts", model, x, y, ("binary",), {"losses": (0.69, 0.69)}, epochs=3)


def two_inputs_and_outputs() -> Program:
    """A functional network with a softmax over a single unit beside a linear output in the wrong units."""
    rng = np.random.default_rng(4)
    x = {"left": rng.normal(50.0, 20.0, (N_ROWS, 3)), "right": rng.normal(size=(N_ROWS, 2))}
    y = {"number": x["left"][:, :1] * 10.0, "class": (x["right"][:, :1] > 0).astype("float32")}
    inputs = {"left": keras.Input((3,), name="left"), "right": keras.Input((2,), name="right")}
    both = layers.Concatenate()([inputs["left"], inputs["right"]])
    hidden = layers.Dense(6, activation="tanh", name="hidden")(both)
    number, label = layers.Dense(1, name="number"), layers.Dense(1, activation="softmax", name="class")
    model = keras.Model(inputs, {"number": number(hidden), "class": label(hidden)})
    model.compile("adam", {"number": "mse", "class": "binary_crossentropy"})
    kinds = tuple({"number": "regression", "class": "binary"}[name] for name in sorted(y))
    return describe("two outputs", model, x, y, kinds, {"losses": (2.5e5, 2.5e5)}, epochs=4)


class OwnCall(keras.Model):
    """A network whose class has a `call` of its own, so that no layer can be put in."""

    def __init__(self) -> None:
        super().__init__()
        self.out = layers.Dense(1)

    def call(self, inputs: Any) -> Any:
        return self.out(inputs)


def subclassed() -> Program:
    """A healthy network that takes no surgery."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(N_ROWS, 2))
    model = OwnCall()
    model(x[:1])
    model.compile("adam", "mse")
    y = x[:, :1] - x[:, 1:]
    return describe("subclassed", model, x, y, ("regression",), {"losses": (0.5, 0.1)}, epochs=50)


PROGRAMS: tuple[Callable[[], Program], ...] = (
    regression_on_raw_numbers,
    regression_that_is_dead,
    classes_of_images,
    classes_of_texts,
    two_inputs_and_outputs,
    subclassed,
)
