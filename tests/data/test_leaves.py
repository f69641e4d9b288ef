import keras
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import tensorflow as tf

from autofix.data.leaves import Leaves, as_dense, for_each_target, is_trainable, joined_batches, named_leaves
from autofix.errors import DataError


def as_it_is(tree):
    return tree


def joined(*batches):
    return joined_batches(batches, as_it_is, as_it_is)


STRUCTURES = {"x_structure": 0, "y_structure": 0}


def leaves(n_rows=4, weights=None, width=1, **changes):
    x, y = np.arange(2.0 * n_rows).reshape(n_rows, 2), np.zeros((n_rows, width), np.float32)
    names = ["x", "y", *(["sample_weight"] if weights is not None else [])]
    given = {"inputs": [x], "targets": [y], "weights": weights, "names": names, **STRUCTURES}
    return Leaves(**{**given, **changes})


@pytest.mark.parametrize(
    "batches",
    [
        [np.ones((3, 2)), np.zeros((2, 2))],
        [(np.ones((3, 2)),), (np.zeros((2, 2)),)],
        [[np.ones((3, 2))], [np.zeros((2, 2))]],
    ],
)
def test_batches_of_inputs_alone_have_no_targets(batches):
    rows = joined(*batches)
    assert rows.n_rows == 5
    assert rows.targets == []
    assert rows.weights is None
    assert rows.names == ["x"]


def test_batches_follow_each_other_leaf_by_leaf():
    first = ({"b": np.zeros((2, 1)), "a": np.full((2, 3), 5)}, [np.ones(2), np.zeros(2)], np.array([1.0, 2.0]))
    second = ({"b": np.ones((1, 1)), "a": np.full((1, 3), 6)}, [np.zeros(1), np.ones(1)], np.array([3.0]))
    rows = joined(first, second)
    np.testing.assert_array_equal(rows.inputs[0][:, 0], [5, 5, 6])  # dicts are flattened by name
    np.testing.assert_array_equal(rows.inputs[1][:, 0], [0, 0, 1])
    np.testing.assert_array_equal(rows.targets, [[1, 1, 0], [0, 0, 1]])
    np.testing.assert_array_equal(rows.weights, [[1, 2, 3], [1, 2, 3]])
    assert rows.names == ["x['a']", "x['b']", "y[0]", "y[1]", "sample_weight", "sample_weight"]
    assert keras.tree.pack_sequence_as(rows.x_structure, rows.inputs).keys() == {"a", "b"}


def test_sequences_of_other_lengths_are_filled_up_with_zeros():
    rows = joined((np.ones((2, 3, 1)), np.ones(2)), (np.ones((1, 5, 1)), np.ones(1)))
    assert rows.inputs[0].shape == (3, 5, 1)
    np.testing.assert_array_equal(rows.inputs[0][:, :, 0].sum(axis=1), [3, 3, 5])


@pytest.mark.parametrize(
    "leaf",
    [
        [[1, 0], [0, 2]],
        np.array([[1, 0], [0, 2]]),
        tf.constant([[1, 0], [0, 2]]),
        pd.DataFrame([[1, 0], [0, 2]]),
        scipy.sparse.csr_matrix([[1, 0], [0, 2]]),
        tf.sparse.from_dense([[1, 0], [0, 2]]),
        tf.SparseTensor([[1, 1], [0, 0]], [2, 1], (2, 2)),  # out of order
        tf.ragged.constant([[1], [0, 2]]),
    ],
    ids=lambda leaf: type(leaf).__name__,
)
def test_every_kind_of_leaf_becomes_an_array(leaf):
    np.testing.assert_array_equal(as_dense(leaf), [[1, 0], [0, 2]])


def test_leaves_are_named_by_their_place():
    tree = {"age": 1, "more": [2, None, (3,)]}
    assert named_leaves(tree, "x") == [("x['age']", 1), ("x['more'][0]", 2), ("x['more'][2][0]", 3)]
    assert named_leaves(4, "y") == [("y", 4)]
    assert named_leaves(None, "y") == []


@pytest.mark.parametrize(
    ("dtype", "is_input", "takes_text", "expected"),
    [
        ("f4", False, False, True),
        ("i8", True, False, True),
        ("?", False, False, True),
        ("U3", True, False, True),
        ("U3", False, True, False),
        ("O", True, True, True),
        ("O", True, False, False),
        ("O", False, True, False),
        ("M8[D]", True, True, False),
    ],
)
def test_numbers_and_input_text_are_trained_on(dtype, is_input, takes_text, expected):
    assert is_trainable(np.dtype(dtype), is_input, takes_text) is expected


def test_validation_rows_come_behind_and_weigh_1_where_nothing_is_said():
    both = leaves(3, weights=[np.full(3, 7.0)]).extend(leaves(2))
    assert both.n_rows == 5
    np.testing.assert_array_equal(both.weights[0], [7, 7, 7, 1, 1])


def test_validation_rows_take_the_training_rows_type_where_no_value_suffers():
    training = leaves(targets=[np.array([0, 1, 1, 0])])
    assert training.extend(leaves(targets=[np.array([1.0, 0.0, 1.0, 1.0])])).targets[0].dtype.kind == "i"
    assert training.extend(leaves(targets=[np.array([0.5, 0.0, 1.0, 1.0])])).targets[0].dtype.kind == "f"


def test_a_column_and_a_vector_are_the_same_targets():
    assert leaves(targets=[np.zeros(4)]).extend(leaves(2)).targets[0].shape == (6,)


def test_validation_rows_of_another_shape_are_refused():
    with pytest.raises(DataError, match=r"Expected y of shape \('n_rows', 1\)"):
        leaves().extend(leaves(width=2))
    with pytest.raises(DataError, match="Expected 1 inputs and 1 targets"):
        leaves().extend(leaves(targets=[]))


def test_an_autoencoder_is_judged_by_its_inputs():
    rows = leaves(targets=[], names=["x"]).reconstructed()
    np.testing.assert_array_equal(rows.targets[0], rows.inputs[0])
    assert rows.names == ["x", "x"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, None),
        ({"inputs": [np.array([[1.0], [np.nan]])]}, "x holds NaN or infinite values"),
        ({"targets": [np.array(["a", "b"])]}, "y does not hold numbers"),
        ({"weights": [np.array([1.0, np.inf])], "names": ["x", "y", "w"]}, "w holds NaN or infinite values"),
    ],
)
def test_what_cannot_be_judged_by_is_told(changes, problem):
    assert leaves(2, **changes).problem(takes_text=False) == problem


def test_one_item_stands_for_all_targets():
    assert for_each_target(["w"], ["a", "b"]) == ["w", "w"]
    assert for_each_target(["v", "w"], ["a", "b"]) == ["v", "w"]
    assert for_each_target([], ["a", "b"]) == []
