import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import DTypeLike

from autofix.data.training_data import (
    CROSS_VALIDATION_ROWS,
    HELD_OUT_SHARE,
    MAX_HELD_OUT_ROWS,
    MAX_SAMPLE_ROWS,
    MIN_HELD_OUT_ROWS,
    N_FOLDS,
    TrainingData,
    permuted,
)
from autofix.errors import DataError


def rows(n_rows: int, n_features: int = 2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((n_rows, n_features))


def sample(y: np.ndarray, **arguments) -> TrainingData:
    return TrainingData.from_arrays(rows(len(y)), y, **arguments)


def with_value(value: object, row: int, column: int, dtype: DTypeLike = float) -> np.ndarray:
    array = rows(20).astype(dtype)
    array[row, column] = value
    return array


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_first_value_that_is_not_finite_is_named_by_array_row_and_column(value):
    with pytest.raises(DataError, match=r"1 NaN or infinite values in x, the first at row 7, column 1: .*"):
        TrainingData.from_arrays(with_value(value, 7, 1), rows(20, 1))


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (
            {"x": {"a": rows(20), "b": with_value(np.nan, 3, 0)}, "y": rows(20, 1)},
            r"x\['b'\], the first at row 3, column 0",
        ),
        ({"x": rows(20), "y": with_value(np.nan, 4, 1)[:, 1]}, "in y, the first at row 4: "),
        ({"x": rows(20), "y": [rows(20), with_value(np.nan, 5, 1)]}, r"in y\[1\], the first at row 5, column 1"),
        (
            {"x": rows(20), "y": rows(20), "sample_weight": with_value(np.inf, 6, 0)[:, 0]},
            "in sample_weight, the first at row 6: ",
        ),
        (
            {"x": rows(20), "y": rows(20), "validation_data": (with_value(np.nan, 8, 1), rows(20))},
            "in validation x, the first at row 8, column 1",
        ),
        (
            {"x": rows(20), "y": rows(20), "validation_data": (rows(20), with_value(np.nan, 9, 0))},
            "in validation y, the first at row 9, column 0",
        ),
    ],
)
def test_values_that_are_not_finite_are_found_in_every_array(arguments, where):
    with pytest.raises(DataError, match=where):
        TrainingData.from_arrays(**arguments)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (
            with_value("red", 2, 1, object),
            rows(20),
            r"x does not hold numbers.*x\.dtype=object, first at row 2, column 1: 'red'",
        ),
        (with_value(None, 4, 0, object), rows(20), "first at row 4, column 0: None"),
        (rows(20), np.array(["yes", "no"] * 10), r"y does not hold numbers.*y\.dtype=<U3, first at row 0: .*yes"),
        (
            np.full((20, 1), np.datetime64(datetime.date(2024, 1, 1))),
            rows(20),
            r"x does not hold numbers.*x\.dtype=datetime64",
        ),
    ],
)
def test_columns_that_hold_no_numbers_are_named(x, y, message):
    with pytest.raises(DataError, match=message):
        TrainingData.from_arrays(x, y)


def test_text_inputs_are_let_through_because_keras_has_layers_for_them():
    text = np.array(["red", "green"] * 10)
    assert TrainingData.from_arrays(text, rows(20, 1)).inputs[0][1] == "green"


@pytest.mark.parametrize(
    ("arguments", "counts"),
    [
        ({"x": rows(20), "y": rows(19)}, "x with 20 rows, y with 19 rows"),
        ({"x": [rows(20), rows(21)], "y": rows(20)}, r"x\[0\] with 20 rows, x\[1\] with 21 rows, y with 20 rows"),
        ({"x": rows(20), "y": rows(20), "sample_weight": np.ones(5)}, "sample_weight with 5 rows"),
        (
            {"x": rows(20), "y": rows(20), "validation_data": (rows(4), rows(3))},
            "validation x with 4 rows, validation y with 3",
        ),
    ],
)
def test_arrays_of_different_lengths_are_refused_with_each_length(arguments, counts):
    with pytest.raises(DataError, match=counts):
        TrainingData.from_arrays(**arguments)


@pytest.mark.parametrize(
    ("x", "y"), [(rows(0), rows(0)), (None, rows(3)), (rows(20), np.float64(3.0)), ({"a": rows(0)}, rows(0))]
)
def test_empty_data_is_refused(x, y):
    with pytest.raises(DataError, match="no rows to train on"):
        TrainingData.from_arrays(x, y)


def test_validation_data_of_another_structure_is_refused():
    with pytest.raises(DataError, match=r"Expected 2 inputs and 1 targets\. Received: 1 inputs and 1 targets"):
        TrainingData.from_arrays([rows(20), rows(20)], rows(20), validation_data=(rows(20), rows(20)))


def test_validation_data_of_another_shape_is_refused():
    with pytest.raises(
        DataError, match=r"Expected validation x of shape .*2\). Received: validation x.shape=\(20, 3\)"
    ):
        TrainingData.from_arrays(rows(20), rows(20), validation_data=(rows(20, 3), rows(20)))


def test_validation_values_keep_their_fractions_where_training_values_are_whole():
    x, y = np.arange(20).reshape(10, 2), np.arange(10)
    data = TrainingData.from_arrays(x, y, validation_data=(x + 0.5, y + 0.25))
    np.testing.assert_array_equal(data.inputs[0][10:], x + 0.5)
    np.testing.assert_array_equal(data.targets[0][10:], y + 0.25)


def test_validation_targets_of_one_axis_join_targets_of_two():
    data = TrainingData.from_arrays(rows(20), rows(20, 1), validation_data=(rows(6), np.arange(6.0)))
    assert data.targets[0].shape == (26, 1)
    np.testing.assert_array_equal(data.targets[0][20:, 0], np.arange(6.0))


def test_validation_rows_without_weights_weigh_one():
    data = TrainingData.from_arrays(rows(20), rows(20), np.full(20, 3.0), validation_data=(rows(6), rows(6)))
    assert data.sample_weights is not None
    np.testing.assert_array_equal(data.sample_weights[0], [3.0] * 20 + [1.0] * 6)


@pytest.mark.parametrize(
    "y",
    [np.array([0, 1, 2, 1]), np.array([[0], [1], [2], [1]]), np.eye(3)[[0, 1, 2, 1]], np.array([0.0, 1.0, 2.0, 1.0])],
)
def test_class_weights_become_weights_of_rows_and_unlisted_classes_weigh_one(y):
    data = TrainingData.from_arrays(rows(4), y, class_weight={0: 5.0, 2: 0.5})
    assert data.sample_weights is not None
    np.testing.assert_array_equal(data.sample_weights[0], [5.0, 1.0, 0.5, 1.0])


def test_one_weight_array_counts_for_every_output():
    weights = np.arange(20.0)
    data = TrainingData.from_arrays(rows(20), {"a": rows(20), "b": rows(20)}, weights)
    assert data.sample_weights is not None
    assert [array.tolist() for array in data.sample_weights] == [weights.tolist()] * 2


@pytest.mark.parametrize(
    ("arguments", "batch_size", "steps_per_epoch", "total_steps"),
    [
        ({}, 32, 4, 12),
        ({"batch_size": 10}, 10, 10, 30),
        ({"batch_size": 64}, 64, 2, 6),
        ({"steps_per_epoch": 3}, 34, 3, 9),
        ({"batch_size": 10, "steps_per_epoch": 4}, 10, 4, 12),
    ],
)
def test_the_horizon_is_the_one_of_fit(arguments, batch_size, steps_per_epoch, total_steps):
    data = TrainingData.from_arrays(rows(100), rows(100), epochs=3, **arguments)
    assert (data.batch_size, data.steps_per_epoch, data.total_steps) == (batch_size, steps_per_epoch, total_steps)


TARGETS = {
    "numbers": lambda n_rows: np.random.default_rng(1).normal(size=n_rows),
    "column": lambda n_rows: np.random.default_rng(1).normal(size=(n_rows, 1)),
    "classes": lambda n_rows: np.random.default_rng(1).integers(0, 3, n_rows),
    "binary": lambda n_rows: np.random.default_rng(1).integers(0, 2, n_rows).astype(np.float32),
    "one-hot": lambda n_rows: np.eye(3)[np.random.default_rng(1).integers(0, 3, n_rows)],
}


@given(kind=st.sampled_from(sorted(TARGETS)), n_rows=st.integers(10, 300), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=60)
def test_cross_validation_holds_every_row_out_once_in_the_users_order_and_is_stratified(kind, n_rows, seed):
    y = TARGETS[kind](n_rows)
    data = sample(y)
    splits = data.splits(seed)
    assert len(splits) == N_FOLDS
    np.testing.assert_array_equal(np.sort(np.concatenate([held_out for _, held_out in splits])), np.arange(n_rows))
    labels = y.argmax(axis=1) if kind == "one-hot" else y
    for train, held_out in splits:
        np.testing.assert_array_equal(np.sort(np.concatenate([train, held_out])), np.arange(n_rows))
        assert (np.diff(train) > 0).all()
        assert (np.diff(held_out) > 0).all()
        if kind in ("classes", "binary", "one-hot"):
            for label in np.unique(labels):
                share = (labels == label).sum() / N_FOLDS
                assert abs((labels[held_out] == label).sum() - share) < 2
    again = data.splits(seed)
    assert all(
        np.array_equal(a, b) for one, two in zip(splits, again, strict=True) for a, b in zip(one, two, strict=True)
    )


def test_another_seed_splits_otherwise():
    data = sample(TARGETS["classes"](100))
    assert not np.array_equal(data.splits(0)[0][1], data.splits(1)[0][1])


def test_large_samples_hold_out_one_stratified_quarter():
    y = (np.arange(CROSS_VALIDATION_ROWS + 400) % 10 == 0).astype(int)
    ((train, held_out),) = sample(y).splits(0)
    assert len(held_out) == pytest.approx(HELD_OUT_SHARE * len(y), abs=1)
    assert len(train) + len(held_out) == len(y)
    assert y[held_out].sum() == pytest.approx(HELD_OUT_SHARE * y.sum(), abs=1)
    assert (np.diff(held_out) > 0).all()


def test_all_quarters_of_a_large_sample_hold_out_every_row_once():
    data = sample(TARGETS["classes"](CROSS_VALIDATION_ROWS + 400))
    (first,), splits = data.splits(3), data.splits(3, throughout=True)
    np.testing.assert_array_equal(first[1], splits[0][1])
    held_out = np.sort(np.concatenate([rows for _, rows in splits]))
    np.testing.assert_array_equal(held_out, np.arange(CROSS_VALIDATION_ROWS + 400))
    small = sample(TARGETS["classes"](100))
    assert len(small.splits(3, throughout=True)) == len(small.splits(3)) == N_FOLDS


@pytest.mark.parametrize("n_validation", [MIN_HELD_OUT_ROWS - 1, MIN_HELD_OUT_ROWS])
def test_the_users_validation_rows_are_the_held_out_ones_where_there_are_enough(n_validation):
    data = sample(rows(50, 1), validation_data=(rows(n_validation), rows(n_validation, 1)))
    splits = data.splits(3)
    if n_validation < MIN_HELD_OUT_ROWS:
        assert len(splits) == N_FOLDS
        assert max(held_out.max() for _, held_out in splits) < 50
        assert (data.watch_rows(1000) < 50).all()
    else:
        ((train, held_out),) = splits
        np.testing.assert_array_equal(train, np.arange(50))
        np.testing.assert_array_equal(held_out, 50 + np.arange(n_validation))
        np.testing.assert_array_equal(data.watch_rows(1000), held_out)


def test_watched_rows_are_spread_over_the_training_rows():
    watched = sample(rows(100, 1)).watch_rows(10)
    assert len(watched) == 10
    assert (watched[0], watched[-1]) == (0, 99)
    assert (np.diff(watched) == 11).all()


def test_large_data_is_sampled_in_the_users_order_with_rows_kept_together():
    n_rows, n_validation = MAX_SAMPLE_ROWS + 1000, MAX_HELD_OUT_ROWS + 500
    number, held_out = np.arange(n_rows), np.arange(n_validation)
    arguments: Any = {"validation_data": (-held_out[:, None], -held_out)}
    data = TrainingData.from_arrays(number[:, None], number, number.astype(float), **arguments)
    assert (data.n_training, data.n_held_out, data.n_rows) == (MAX_SAMPLE_ROWS, MAX_HELD_OUT_ROWS, n_rows)
    np.testing.assert_array_equal(data.inputs[0][:, 0], data.targets[0])
    assert (np.diff(data.targets[0][: data.n_training]) > 0).all()
    assert data.sample_weights is not None
    np.testing.assert_array_equal(data.sample_weights[0][: data.n_training], data.targets[0][: data.n_training])
    other = TrainingData.from_arrays(number[:, None], number, seed=1)
    assert not np.array_equal(data.targets[0][:MAX_SAMPLE_ROWS], other.targets[0])


@pytest.mark.parametrize(
    "x",
    [
        {"b": rows(12, 3), "a": rows(12, 1)},
        [rows(12), {"c": rows(12, 1)}],
        (rows(12), rows(12, 1)),
    ],
)
def test_trees_are_flattened_and_pack_again(x):
    import keras

    data = TrainingData.from_arrays(x, {"out": rows(12, 1)})
    packed = keras.tree.pack_sequence_as(data.x_structure, data.inputs)
    keras.tree.assert_same_structure(packed, x)
    keras.tree.map_structure(np.testing.assert_array_equal, packed, x)
    assert list(keras.tree.pack_sequence_as(data.y_structure, data.targets)) == ["out"]


def test_arrays_of_the_user_are_read_only_read():
    arrays = [rows(40), rows(40, 1), np.ones(40), rows(10), rows(10, 1)]
    for array in arrays:
        array.flags.writeable = False
    x, y, weights, validation_x, validation_y = arrays
    data = TrainingData.from_arrays(x, y, weights, validation_data=(validation_x, validation_y))
    data.splits(0)
    data.inputs[0][:] = 0.0  # the sample is the engine's own
    assert x.any()


def test_tensors_are_taken_like_arrays():
    import tensorflow as tf

    x, y = rows(12).astype(np.float32), np.arange(12)
    data = TrainingData.from_arrays(tf.constant(x), tf.constant(y))
    np.testing.assert_array_equal(data.inputs[0], x)
    np.testing.assert_array_equal(data.targets[0], y)


@pytest.mark.parametrize(
    ("y", "names"),
    [
        (np.full(10, 3.0), ["y"]),
        (np.tile([1.0, 2.0], (10, 1)), ["y"]),
        ([np.ones(10), np.zeros((10, 1))], ["y[0]", "y[1]"]),
        ([np.ones(10), np.arange(10)], []),
        (np.arange(10), []),
    ],
)
def test_targets_are_called_constant_when_all_of_them_are(y, names):
    assert TrainingData.from_arrays(rows(10), y).constant_targets() == names


class TestPermuted:
    def test_targets_are_dealt_out_anew_and_stay_what_they_are(self):
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(50, 2)), np.arange(50.0)
        data = TrainingData.from_arrays(x, y)
        twin = permuted(data, seed=1)
        assert sorted(twin.targets[0].ravel()) == sorted(y)
        assert (twin.targets[0].ravel() != y).mean() > 0.8
        np.testing.assert_array_equal(twin.targets[0], permuted(data, seed=1).targets[0])
        np.testing.assert_array_equal(data.targets[0].ravel(), y)

    def test_copies_of_a_row_keep_equal_targets(self):
        x = np.repeat(np.random.default_rng(0).normal(size=(10, 2)), 5, axis=0)
        twin = permuted(TrainingData.from_arrays(x, np.repeat(np.arange(10.0), 5)), seed=0)
        assert (np.ptp(twin.targets[0].reshape(10, 5), axis=1) == 0).all()

    def test_rows_of_categories_are_no_copies(self):
        x = np.repeat(np.arange(10.0), 5)[:, None]
        twin = permuted(TrainingData.from_arrays(x, np.repeat(np.arange(10.0), 5)), seed=0)
        assert (np.ptp(twin.targets[0].reshape(10, 5), axis=1) > 0).any()
