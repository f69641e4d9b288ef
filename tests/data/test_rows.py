import tracemalloc

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import tensorflow as tf
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter

from autofix.data import rows
from autofix.data.rows import Table, by_position, is_array_tree, sampled
from autofix.errors import DataError

N_ROWS = 12
NUMBERS = np.random.default_rng(0).random((N_ROWS, 3)).astype("float32")
LABELS = np.arange(N_ROWS) % 2


def ragged():
    return tf.RaggedTensor.from_row_lengths(tf.range(2.0 * N_ROWS + 1.0), [3, *[2] * (N_ROWS - 1)])


KINDS = {
    "NumPy": lambda: NUMBERS,
    "a view in another order": lambda: np.asfortranarray(NUMBERS)[::-1],
    "a tensor": lambda: tf.constant(NUMBERS),
    "a Keras variable": lambda: keras.Variable(NUMBERS),
    "a DataFrame": lambda: pd.DataFrame(NUMBERS, columns=list("abc"), index=range(100, 100 + N_ROWS)),
    "a DataFrame of types": lambda: pd.DataFrame({"a": NUMBERS[:, 0], "b": LABELS}),
    "a DataFrame with truth values": lambda: pd.DataFrame({"a": NUMBERS[:, 0].astype(float), "b": LABELS > 0}),
    "a Series": lambda: pd.Series(LABELS, index=range(100, 100 + N_ROWS)),
    "a sparse matrix": lambda: scipy.sparse.coo_matrix(NUMBERS * (NUMBERS > 0.5)),
    "a sparse tensor": lambda: tf.sparse.from_dense(NUMBERS * (NUMBERS > 0.5)),
    "a list of lists of arrays": lambda: [[NUMBERS, LABELS], NUMBERS[:, :1]],
    "a nested dict": lambda: {"b": NUMBERS, "a": {"z": LABELS, "y": [NUMBERS]}},
}


def dense(leaf):
    return np.asarray(tf.sparse.to_dense(leaf)) if isinstance(leaf, tf.SparseTensor) else np.asarray(leaf)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_those_that_keras_makes_of_them(kind):
    x = KINDS[kind]()
    adapter = ArrayDataAdapter(x, batch_size=N_ROWS, shuffle=False)
    expected = next(iter(adapter.get_tf_dataset()))
    table = Table(x, None)
    taken = table.take(np.array([1, 4, 11]))
    assert table.n_rows == N_ROWS
    for leaf, array in zip(keras.tree.flatten(expected), taken.inputs, strict=True):
        np.testing.assert_allclose(array, dense(leaf)[[1, 4, 11]], rtol=1e-6)
    packed = keras.tree.pack_sequence_as(taken.x_structure, taken.inputs)
    keras.tree.assert_same_structure(packed, x)


def test_ragged_rows_are_filled_up_with_zeros():
    taken = Table(ragged(), None).take(np.array([0, 1]))
    np.testing.assert_array_equal(taken.inputs[0], [[0, 1, 2], [3, 4, 0]])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "a Keras variable"])
def test_what_keras_takes_as_arrays_is_a_table(kind):
    assert is_array_tree(KINDS[kind]())
    assert is_array_tree(KINDS[kind](), LABELS, None)


@pytest.mark.parametrize(
    "stream",
    [tf.data.Dataset.from_tensor_slices((NUMBERS, LABELS)), iter([NUMBERS]), "text"],
    ids=["dataset", "iterator", "text"],
)
def test_streams_and_text_are_no_tables(stream):
    assert not is_array_tree(stream)


def test_a_memory_mapped_file_is_sampled_without_being_copied(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "MAX_CHECKED_BYTES", 0)
    path = tmp_path / "large.npy"
    large = np.lib.format.open_memmap(path, mode="w+", dtype="float32", shape=(400_000, 64))  # 100 MB, all zeros
    large.flush()
    x = np.load(path, mmap_mode="r")
    tracemalloc.start()
    table = Table(x, np.zeros(len(x), np.int8))
    table.check()
    taken = table.sample(1000, seed=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken.n_rows == 1000
    assert peak < 8 * 2**20


def test_arrays_are_checked_piece_by_piece():
    x = np.zeros((200_000, 32))  # 51 MB
    tracemalloc.start()
    Table(x, None).check()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * rows.CHUNK_BYTES


def test_a_sample_is_bounded_by_its_size_too(monkeypatch):
    monkeypatch.setattr(rows, "MAX_SAMPLE_BYTES", 5 * NUMBERS[0].nbytes)
    assert Table(NUMBERS, None).sample(8, seed=0).n_rows == 5


def test_a_sample_lies_between_start_and_stop_in_the_users_order():
    taken = Table(np.arange(100.0), None).sample(20, seed=1, start=30, stop=60).inputs[0]
    assert len(taken) == 20
    assert taken.min() >= 30
    assert taken.max() < 60
    assert (np.diff(taken) > 0).all()


def test_what_was_passed_is_never_written_to():
    x = NUMBERS.copy()
    taken = Table(x, None).sample(N_ROWS, seed=0)
    taken.inputs[0][:] = -1.0
    np.testing.assert_array_equal(x, NUMBERS)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"age": [1.0, 2.0, np.nan]}), "first at row 2, column 'age'"),
        (pd.DataFrame({"age": [1, 2, 3], "color": ["red", "blue", "red"]}), "first at row 0, column 'color': 'red'"),
        (pd.Series([1.0, np.inf, 2.0], name="y"), "first at row 1, column 0"),
    ],
)
def test_columns_of_dataframes_are_named(frame, message):
    with pytest.raises(DataError, match=message):
        Table(frame, None).check()


def test_a_value_that_is_not_finite_is_found_in_a_later_piece(monkeypatch):
    monkeypatch.setattr(rows, "CHUNK_BYTES", 3 * NUMBERS[0].nbytes)
    x = NUMBERS.copy()
    x[7, 2] = x[10, 0] = np.nan
    with pytest.raises(DataError, match="2 NaN or infinite values in x, the first at row 7, column 2"):
        Table(x, None).check()


def test_large_values_whose_sum_overflows_are_finite_values():
    Table(np.full((100, 2), 3e38, np.float32), None).check()


def test_one_array_of_weights_stands_for_every_target():
    table = Table(NUMBERS, [LABELS, LABELS], np.ones(N_ROWS))
    assert len(table.take(np.arange(2)).weights) == 2


@pytest.mark.parametrize(
    ("tree", "names", "structure", "expected"),
    [
        ({"b": 1, "a": 2}, ["b", "a"], [0, 0], [1, 2]),
        ({"b": 1, "a": 2, "unused": 3}, ["b", "a"], [0, 0], [1, 2]),
        ({"b": 1, "a": 2}, ["b", "a"], {"b": 0, "a": 0}, {"b": 1, "a": 2}),
        ({"b": 1, "a": 2}, ["c", "a"], [0, 0], {"b": 1, "a": 2}),
        ({"b": 1, "a": 2}, None, None, {"b": 1, "a": 2}),
        ([1, 2], ["b", "a"], [0, 0], [1, 2]),
    ],
)
def test_named_data_takes_the_order_of_the_model_where_the_model_has_one(tree, names, structure, expected):
    assert by_position(tree, names, structure) == expected


def test_a_sample_of_few_rows_is_all_of_them():
    np.testing.assert_array_equal(sampled(5, 10, seed=0), np.arange(5))
    assert len(np.unique(sampled(100, 10, seed=0))) == 10
    np.testing.assert_array_equal(sampled(100, 10, seed=3), sampled(100, 10, seed=3))
