"""Nothing to learn: targets that do not depend on the inputs, in programs that work and in broken ones.

A repair claimed here is a false one.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from autofix.benchmarks.faults import data
from autofix.benchmarks.faults.bases import BINARY, BY_NAME
from autofix.benchmarks.faults.data_faults import scale_inputs
from autofix.benchmarks.faults.network_faults import kill_units
from autofix.benchmarks.faults.programs import Base, Options, Program
from autofix.benchmarks.faults.training_faults import raise_rate

FEATURES = 5
FEW_ROWS = 12


def noise(n_rows: int, rng: np.random.Generator) -> data.Rows:
    """Standard normal inputs and independent standard normal targets."""
    return rng.normal(size=(n_rows, FEATURES)), rng.normal(size=n_rows)


def constant(n_rows: int, rng: np.random.Generator) -> data.Rows:
    """The same target in every row."""
    return rng.normal(size=(n_rows, FEATURES)), np.full(n_rows, 3.0)


def coins(n_classes: int) -> data.MakeData:
    """Standard normal inputs, and classes drawn without a look at them."""

    def make_data(n_rows: int, rng: np.random.Generator) -> data.Rows:
        return rng.normal(size=(n_rows, FEATURES)), rng.integers(n_classes, size=n_rows)

    return make_data


def noise_images(n_rows: int, rng: np.random.Generator) -> data.Rows:
    """Images of noise, and classes drawn without a look at them."""
    size = (n_rows, data.IMAGE_SIZE, data.IMAGE_SIZE, 1)
    return rng.normal(size=size), rng.integers(len(data.SHAPES), size=n_rows)


def noise_series(n_rows: int, rng: np.random.Generator) -> data.Rows:
    """Sequences of noise and independent targets."""
    return rng.normal(size=(n_rows, data.SERIES_STEPS, 2)), rng.normal(size=n_rows)


def _shuffled_targets(program: Program, rng: np.random.Generator) -> Program:
    """Real rows, whose targets were dealt out anew, with inputs out of scale on top."""
    dealt = program.changed("targets shuffled", y=rng.permutation(program.y), y_fresh=rng.permutation(program.y_fresh))
    return scale_inputs(dealt, rng)


@dataclasses.dataclass(frozen=True)
class Unlearnable:
    """A program with nothing to learn.

    Args:
        base: The program.
        plant: A fault to plant on top, or None.
    """

    base: Base
    plant: Callable[[Program, np.random.Generator], Program] | None = None

    def draw(self, seed: int) -> Program:
        """The program with the rows of one seed."""
        program = self.base.draw(seed)
        return self.plant(program, np.random.default_rng([seed, 1])) if self.plant else program


NOISE = Base("noise", "regression", noise, Options(units=16), 200)
COINS = Base("coins", "binary", coins(2), Options(units=16, **BINARY), 200)
THREE = Options(units=16, head_units=3, head_activation="softmax", loss="sparse_categorical_crossentropy")

PROGRAMS = (
    Unlearnable(NOISE),
    Unlearnable(dataclasses.replace(BY_NAME["regression"], name="shuffled targets", n_rows=200), _shuffled_targets),
    Unlearnable(dataclasses.replace(NOISE, name="constant targets", make_data=constant)),
    Unlearnable(dataclasses.replace(NOISE, name="few rows", n_rows=FEW_ROWS)),
    Unlearnable(COINS),
    Unlearnable(Base("three classes", "multiclass", coins(3), THREE, 200)),
    Unlearnable(dataclasses.replace(BY_NAME["images"], name="noise images", make_data=noise_images, n_rows=200)),
    Unlearnable(dataclasses.replace(BY_NAME["series"], name="noise series", make_data=noise_series, n_rows=200)),
    Unlearnable(dataclasses.replace(NOISE, name="noise, high rate"), raise_rate),
    Unlearnable(dataclasses.replace(COINS, name="coins, dead network"), kill_units),
)
