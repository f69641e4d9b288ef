"""Samples of predictions, in the terms of the task."""

import math

import numpy as np
import pytest

from autofix.measuring.prediction_samples import MOST_COLUMNS, MOST_ROWS, sample_predictions
from autofix.scoring.assess import assess
from autofix.scoring.numpy_losses import loss_spec

Y = np.arange(6.0)


def sample(targets, predictions, loss, **options):
    spec = loss_spec(loss, **options)
    return sample_predictions(targets, predictions, spec, assess(targets, predictions, spec))


def test_numbers_stay_numbers():
    found = sample(Y, Y[:, None] + 0.5, "mean_squared_error")
    assert (found.kind, found.n_columns) == ("regression", 1)
    assert found.targets == tuple((value,) for value in Y)
    assert found.predictions == tuple((value + 0.5,) for value in Y)


@pytest.mark.parametrize("n_rows", [1, 499, 500, 501, 4096])
def test_rows_are_spread_evenly_and_bounded(n_rows):
    y = np.arange(float(n_rows))
    found = sample(y, y[:, None], "mean_squared_error")
    assert len(found.targets) == min(n_rows, MOST_ROWS)
    assert (found.targets[0][0], found.targets[-1][0]) == (0.0, n_rows - 1.0)


def test_columns_are_bounded_and_their_number_is_kept():
    y = np.random.default_rng(0).normal(size=(7, 28, 28))
    found = sample(y, y, "mean_squared_error")
    assert found.n_columns == 784
    assert {len(row) for row in found.targets} == {MOST_COLUMNS}


def test_logits_become_probabilities():
    found = sample(np.array([0, 1]), np.array([[0.0], [np.log(3.0)]]), "binary_crossentropy", from_logits=True)
    assert found.kind == "binary"
    assert found.predictions == ((0.5,), (0.75,))


def test_classes_become_numbers_with_the_probability_of_the_likeliest():
    probabilities = np.array([[0.2, 0.7, 0.1], [0.5, 0.25, 0.25]])
    for targets, loss in (
        (np.array([1, 2]), "sparse_categorical_crossentropy"),
        (np.eye(3)[[1, 2]], "categorical_crossentropy"),
    ):
        found = sample(targets, probabilities, loss)
        assert (found.kind, found.n_classes) == ("multiclass", 3)
        assert found.targets == ((1.0,), (2.0,))
        assert found.predictions == ((1.0, 0.7), (0.0, 0.5))


def test_signs_become_classes():
    found = sample(np.array([-1.0, 1.0]), np.array([[-3.0], [0.5]]), "hinge")
    assert (found.kind, found.targets, found.predictions) == ("binary", ((0.0,), (1.0,)), ((0.0,), (0.75,)))


def test_several_labels_are_columns():
    y = np.array([[0, 1, 1], [1, 0, 1]])
    found = sample(y, np.full((2, 3), 0.25), "binary_crossentropy")
    assert (found.kind, found.targets) == ("multilabel", ((0.0, 1.0, 1.0), (1.0, 0.0, 1.0)))


def test_soft_labels_are_drawn_as_numbers():
    assert sample(np.array([0.2, 0.9]), np.array([[0.5], [0.5]]), "binary_crossentropy").kind == "regression"


def test_predictions_that_are_not_finite_are_kept_as_such():
    found = sample(Y, np.full((6, 1), np.nan), "mean_squared_error")
    assert all(math.isnan(value) for (value,) in found.predictions)
    found = sample(np.array([0, 1]), np.full((2, 3), np.nan), "sparse_categorical_crossentropy")
    assert all(math.isnan(value) for row in found.predictions for value in row)


def test_labels_that_are_no_class_are_not_drawn():
    spec = loss_spec("sparse_categorical_crossentropy")
    assert sample_predictions(np.array([0, 7]), np.full((2, 3), 0.3), spec, None) is None
