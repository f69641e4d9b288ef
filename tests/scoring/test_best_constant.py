import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from autofix.errors import DataError
from autofix.scoring.best_constant import best_constant
from autofix.scoring.loss_specs import LossSpec
from autofix.scoring.numpy_losses import loss_spec

steady = settings(deadline=None, derandomize=True, max_examples=40, database=None)
fewer = settings(steady, max_examples=15)

numbers = st.integers(-1000, 1000).map(lambda n: n / 8)
columns = arrays.arrays(np.float64, st.integers(2, 30).map(lambda n: (n, 1)), elements=numbers)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def labels_of(n, k, seed=0):
    return np.random.default_rng(seed).integers(0, k, n)


def mean_loss(loss, y, constant, weights=None):
    rows = np.broadcast_to(constant, (len(y), *np.shape(constant)))
    return float(np.average(loss.per_row(y, rows), weights=weights))


def quantile_loss(y_true, y_pred):
    error = np.reshape(y_true, (len(y_true), -1)) - np.reshape(y_pred, (len(y_pred), -1))
    return np.maximum(0.9 * error, -0.1 * error).mean(axis=1)


def test_the_best_constants_are_mean_median_and_priors():
    y = np.array([0.0, 0.0, 9.0, 3.0, 1.0])
    assert best_constant(y, loss_spec("mean_squared_error"), (1,)).tolist() == [2.6]
    assert best_constant(y, loss_spec("mean_absolute_error"), (1,)).tolist() == [1.0]
    classes = np.array([0, 0, 1, 0])
    sparse = loss_spec("sparse_categorical_crossentropy")
    np.testing.assert_allclose(best_constant(classes, sparse, (2,)), [0.75, 0.25])
    logits = best_constant(classes, loss_spec("sparse_categorical_crossentropy", from_logits=True), (2,))
    np.testing.assert_allclose(np.exp(logits) / np.exp(logits).sum(), [0.75, 0.25])
    binary = best_constant(classes, loss_spec("binary_crossentropy", from_logits=True), (1,))
    np.testing.assert_allclose(binary, [-math.log(3.0)])


def test_constant_targets_are_their_own_best_constant_exactly():
    y = np.full((7, 1), 0.1)
    for name in ("mean_squared_error", "mean_absolute_error", "huber", "log_cosh"):
        assert best_constant(y, loss_spec(name), (1,)).tolist() == [0.1]


@pytest.mark.parametrize("name", ["mean_squared_error", "mean_absolute_percentage_error", "huber"])
def test_weights_count_like_repeated_rows(name):
    y, counts = noise(41, 2), labels_of(41, 4)
    weighted = best_constant(y, loss_spec(name), (2,), counts)
    np.testing.assert_allclose(weighted, best_constant(np.repeat(y, counts, axis=0), loss_spec(name), (2,)), atol=1e-6)


@steady
@given(y=columns, name=st.sampled_from(["mean_absolute_error", "huber", "log_cosh", "mean_squared_error"]))
def test_no_constant_on_a_grid_beats_the_best_one(y, name):
    loss = loss_spec(name)
    best = mean_loss(loss, y, best_constant(y, loss, (1,)))
    for constant in np.linspace(y.min() - 1.0, y.max() + 1.0, 41):
        assert mean_loss(loss, y, [constant]) >= best * (1.0 - 1e-9) - 1e-9


@fewer
@given(y=columns, name=st.sampled_from(["mean_squared_error", "mean_absolute_error"]))
def test_the_numerical_constant_is_as_good_as_the_closed_form(y, name):
    known = loss_spec(name)
    custom = LossSpec("custom", known.per_row)
    expected = mean_loss(known, y, best_constant(y, known, (1,)))
    assert mean_loss(known, y, best_constant(y, custom, (1,))) <= expected * (1.0 + 1e-4) + 1e-6


@pytest.mark.parametrize("scale", [1e-5, 1.0, 1e6])
def test_the_numerical_constant_finds_the_minimum_at_every_scale(scale):
    y = scale * (3.0 + noise(101, 1))
    found = best_constant(y, LossSpec("quantile", quantile_loss), (1,))
    best = mean_loss(LossSpec("quantile", quantile_loss), y, np.quantile(y, 0.9, axis=0))
    assert quantile_loss(y, np.broadcast_to(found, y.shape)).mean() <= best * 1.001


def test_the_constant_of_a_hand_written_crossentropy_stays_among_probabilities():
    def unbounded(y_true, y_pred):
        return -np.log(np.take_along_axis(y_pred, y_true.astype(int).reshape(-1, 1), axis=1))[:, 0]

    y = labels_of(90, 3)
    found = best_constant(y, LossSpec("mine", unbounded), (3,))
    np.testing.assert_allclose(found, np.bincount(y) / len(y), atol=1e-3)


def test_there_is_no_best_constant_of_no_rows():
    with pytest.raises(DataError, match=r"Expected at least 1 row"):
        best_constant(np.zeros((0, 1)), loss_spec("mean_squared_error"), (1,))
