"""The three published failing programs as scenarios, each with a fix by hand."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from autofix.benchmarks import published
from autofix.benchmarks.own_program import OwnProgram
from autofix.benchmarks.scenarios import Scenario

UNITS, RATE = 64, 0.01
"""Of the networks fixed by hand: 400 steps take a rate above Adam's default to get anywhere."""


def _program(one: published.Program, seed: int) -> OwnProgram:
    rng = np.random.default_rng(seed)
    rows = (*one.make_data(published.TRAINING_ROWS, rng), *one.make_data(published.FRESH_ROWS, rng))
    return OwnProgram("regression", *rows, one.build, {"epochs": one.epochs}, seed, (one.title,))


def _compiled(*hidden: keras.layers.Layer) -> keras.Model:
    model = keras.Sequential([keras.Input((2,)), *hidden, keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(RATE), loss="mse")
    return model


def _with_hidden_layers() -> keras.Model:
    return _compiled(*(keras.layers.Dense(UNITS, activation="relu") for _ in range(2)))


def _with_lower_rate() -> keras.Model:
    return _compiled(keras.layers.Dense(10, activation="relu"))


def _standardized(program: OwnProgram) -> OwnProgram:
    """Inputs and targets in units of their training rows' deviations, around their means."""
    x, y = program.x, program.y
    return dataclasses.replace(
        program,
        x=(x - x.mean(axis=0)) / x.std(axis=0),
        x_fresh=(program.x_fresh - x.mean(axis=0)) / x.std(axis=0),
        y=(y - y.mean()) / y.std(),
        y_fresh=(program.y_fresh - y.mean()) / y.std(),
    )


def _scenario(
    one: published.Program,
    fixed: Callable[[], keras.Model],
    change: Callable[[OwnProgram], OwnProgram],
    *known: Any,
) -> Scenario:
    def draw(seed: int) -> OwnProgram:
        return _program(one, seed)

    def fix(seed: int) -> OwnProgram:
        return dataclasses.replace(change(_program(one, seed)), make_model=fixed, planted=())

    suites = frozenset({"quick", "full"})
    return Scenario(
        f"published/{one.name}", "published", "repaired", draw, fix, *known, suites=suites, is_searched=True
    )


_LINEAR, _RATE, _SCALES = published.PROGRAMS

SCENARIOS = (
    _scenario(
        _LINEAR,
        _with_hidden_layers,
        lambda program: program,
        (("insufficient_capacity",),),
        # New layers have 400 steps to learn from nothing: at Adam's default rate that is not enough.
        (frozenset({"add_hidden_layers"}), frozenset({"add_hidden_layers", "lower_learning_rate"})),
    ),
    _scenario(
        _RATE,
        _with_lower_rate,
        lambda program: program,
        (("learning_rate_too_high",),),
        (frozenset({"lower_learning_rate"}),),
    ),
    _scenario(
        _SCALES,
        _with_lower_rate,
        _standardized,
        # The targets are the inputs' sum: as large as these.
        (("unscaled_inputs", "unscaled_targets"),),
        (frozenset({"standardize_targets"}), frozenset({"standardize_inputs", "standardize_targets"})),
    ),
)
