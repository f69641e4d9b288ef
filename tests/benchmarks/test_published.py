import dataclasses
import inspect
import math
import types

import keras
import numpy as np
import pytest

import autofix
from autofix.benchmarks import published

LINEAR, HIGH_RATE, UNSCALED = published.PROGRAMS


def draw(program, n_rows, seed=0):
    return program.make_data(n_rows, np.random.default_rng(seed))


@pytest.mark.parametrize("program", published.PROGRAMS, ids=lambda program: program.name)
def test_data_has_two_features_and_one_target_a_row(program):
    x, y = draw(program, 7)
    assert x.shape == (7, 2)
    assert y.shape == (7,)


@pytest.mark.parametrize("program", published.PROGRAMS, ids=lambda program: program.name)
def test_same_seed_same_data_and_fresh_rows_differ_from_training_rows(program):
    rng = np.random.default_rng(3)
    first, fresh = program.make_data(10, rng), program.make_data(10, rng)
    np.testing.assert_array_equal(first[0], draw(program, 10, seed=3)[0])
    np.testing.assert_array_equal(first[1], draw(program, 10, seed=3)[1])
    assert not np.isin(first[0], fresh[0]).any()


def test_targets_follow_the_published_formulas():
    x, y = draw(LINEAR, 50)
    np.testing.assert_allclose(y, np.sin(10 * x[:, 0]) + np.cos(10 * x[:, 1]))
    x, y = draw(UNSCALED, 50)
    np.testing.assert_allclose(y, x[:, 0] + x[:, 1])
    x, y = draw(HIGH_RATE, 20_000)
    noise = y - 2 * x[:, 0] - 3 * x[:, 1]
    assert noise.mean() == pytest.approx(0, abs=0.005)
    assert noise.std() == pytest.approx(0.1, rel=0.05)


def test_inputs_fill_the_published_ranges():
    for program, highest in ((LINEAR, (1, 1)), (HIGH_RATE, (1, 1)), (UNSCALED, (1000, 1))):
        x, _ = draw(program, 5_000)
        np.testing.assert_allclose(x.max(axis=0), highest, rtol=0.01)
        np.testing.assert_allclose(x.min(axis=0) / highest, 0, atol=0.01)


def test_models_are_the_published_ones():
    rates = [float(program.build().optimizer.learning_rate) for program in published.PROGRAMS]
    assert rates == pytest.approx([0.001, 1.0, 0.001])
    assert [program.build().count_params() for program in published.PROGRAMS] == [3, 41, 41]
    assert {program.build().loss for program in published.PROGRAMS} == {"mse"}
    assert {program.epochs for program in published.PROGRAMS} == {100}


@pytest.fixture
def calls(monkeypatch):
    """Calls of `autofix.fit`, which is replaced by a plain training with a report."""
    received = []

    def fit(model, *args, **kwargs):
        received.append((model, args, kwargs, model.get_weights()))
        history = model.fit(*args, **kwargs)
        recipe = types.SimpleNamespace(strategies=("lower_learning_rate",))
        history.report = types.SimpleNamespace(verdict="repaired", fix="code", recipe=recipe, seconds={"total": 1.0})
        return history

    monkeypatch.setattr(autofix, "fit", fit, raising=False)
    return received


def test_autofix_is_given_the_model_the_data_and_arguments_of_keras_alone(calls):
    program = dataclasses.replace(UNSCALED, epochs=1)
    published.run(program, seed=0)
    ((model, (x, y), keywords, _),) = calls
    expected_x, expected_y = draw(program, published.TRAINING_ROWS)
    np.testing.assert_array_equal(x, expected_x)
    np.testing.assert_array_equal(y, expected_y)
    assert set(keywords) <= set(inspect.signature(keras.Model.fit).parameters)
    told = " ".join([model.name, *(layer.name for layer in model.layers), repr(keywords)])
    assert program.name not in told
    assert program.title not in told


@pytest.mark.parametrize("seed", [0, 1])
def test_both_arms_start_from_the_same_state_whichever_runs_first(calls, seed):
    outcome = published.run(dataclasses.replace(HIGH_RATE, epochs=2), seed)
    assert outcome.plain == dataclasses.replace(outcome.fixed, seconds=outcome.plain.seconds)
    assert outcome.strategies == ("lower_learning_rate",)
    assert not outcome.is_worse


def outcome_with(plain_r2, fixed_r2, *, program=HIGH_RATE, strategies=("lower_learning_rate",), ratio=1.0):
    plain = published.Side(plain_r2, 0.0, 1.0, np.zeros(1))
    fixed = published.Side(fixed_r2, 1.0, ratio, np.zeros(1))
    return published.Outcome(program.name, 0, plain, fixed, "repaired", "code", strategies, {}, np.zeros(1))


def test_worse_means_less_skill_than_plain_beyond_the_tolerance():
    assert not outcome_with(0.5, 0.5 - published.WORSE_THAN_PLAIN / 2).is_worse
    assert outcome_with(0.5, 0.5 - published.WORSE_THAN_PLAIN * 2).is_worse
    assert not outcome_with(-math.inf, -math.inf).is_worse
    assert outcome_with(0.0, math.nan).is_worse


def test_every_floor_holds_for_good_outcomes():
    good = [outcome_with(0.0, 0.99, program=program) for program in published.PROGRAMS for _ in range(20)]
    assert all(check.passed for check in published.check(good))


@pytest.mark.parametrize(
    ("bad", "title"),
    [
        ({"fixed_r2": 0.9}, "R² >= 0.95"),
        ({"ratio": 2 * published.TIME_RATIO}, "autofix over broken"),
        ({"strategies": ("standardize_inputs", "lower_learning_rate")}, "alone"),
        ({"plain_r2": 1.0, "fixed_r2": 0.96}, "worse"),
    ],
)
def test_a_missed_floor_is_named(bad, title):
    outcome = outcome_with(**{"plain_r2": 0.0, "fixed_r2": 0.99, **bad})
    missed = [check.title for check in published.check([outcome], [HIGH_RATE]) if not check.passed]
    assert len(missed) == 1
    assert title in missed[0]


def test_figures_of_an_outcome_leave_out_the_rows():
    figures = outcome_with(0.0, 0.9).to_dict()
    assert set(figures["plain"]) == {"r2", "spread", "seconds"}
    assert "targets" not in figures
