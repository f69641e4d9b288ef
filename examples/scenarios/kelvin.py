"""A scenario for the benchmark: `autofix bench --scenario kelvin` compares all arms on it.

The program predicts a yield from two temperatures in kelvin, whose differences of a few degrees drown in their size.
The hand-made fix takes them in degrees around the mean.
"""

import keras
import numpy as np

from autofix.benchmarks.own_program import OwnProgram
from autofix.benchmarks.scenarios import Scenario

N_ROWS, N_FRESH_ROWS = 300, 1_000
MEAN_KELVIN, DEVIATION_KELVIN = 293.0, 4.0


def make_model():
    """A small network for two numbers."""
    layers = [keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((2,)), *layers])
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
    return model


def draw(seed, offset=MEAN_KELVIN, scale=DEVIATION_KELVIN, planted=("temperatures in kelvin",)):
    """The broken program, with the rows and initial weights of a seed."""
    rng = np.random.default_rng(seed)
    degrees = rng.normal(size=(N_ROWS + N_FRESH_ROWS, 2))
    y = np.sin(2.0 * degrees[:, 0]) + 0.5 * degrees[:, 1] ** 2 + rng.normal(0.0, 0.1, size=len(degrees))
    x = offset + scale * degrees
    rows = (x[:N_ROWS], y[:N_ROWS], x[N_ROWS:], y[N_ROWS:])
    return OwnProgram("regression", *rows, make_model, {"epochs": 30, "batch_size": 16}, seed, planted)


def fix(seed):
    """The program as an expert would change it."""
    return draw(seed, offset=0.0, scale=1.0, planted=())


KELVIN = Scenario(
    name="kelvin",
    family="physics",
    verdict="repaired",
    draw=draw,
    fix=fix,
    causes=(("unscaled_inputs",),),
    fixes=(frozenset({"standardize_inputs"}),),
)
