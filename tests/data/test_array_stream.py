import keras
import numpy as np
import pandas as pd
import pytest

from autofix.data import array_stream
from autofix.data.array_stream import training_stream


def epochs_of(stream, steps, n_epochs):
    batches = iter(stream)
    return [[next(batches) for _ in range(steps)] for _ in range(n_epochs)]


def orders_of(stream, steps, n_epochs):
    return [np.concatenate([np.asarray(y) for _, y in epoch]) for epoch in epochs_of(stream, steps, n_epochs)]


def test_a_stream_without_shuffling_keeps_the_order_and_the_partial_last_batch():
    stream = training_stream(np.arange(10.0)[:, None], np.arange(10), None, 4, shuffle=False, seed=0)
    for epoch in epochs_of(stream, 3, 2):
        assert [len(y) for _, y in epoch] == [4, 4, 2]
        np.testing.assert_array_equal(np.concatenate([y for _, y in epoch]), np.arange(10))
        np.testing.assert_array_equal(np.concatenate([x for x, _ in epoch])[:, 0], np.arange(10.0))


def test_a_shuffled_stream_has_all_rows_in_a_new_order_each_epoch():
    stream = training_stream(np.arange(30.0), np.arange(30), None, 8, shuffle=True, seed=3)
    orders = orders_of(stream, 4, 3)
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(30))
        assert not np.array_equal(order, np.arange(30))
    assert not np.array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[1], orders[2])


@pytest.mark.parametrize("seed", [0, -1, 2**31, 2**32 - 1])
def test_the_same_seed_gives_the_same_orders_and_another_one_others(seed):
    def orders(seed):
        return orders_of(training_stream(np.arange(30.0), np.arange(30), None, 30, shuffle=True, seed=seed), 1, 2)

    np.testing.assert_array_equal(orders(seed), orders(seed))
    assert not np.array_equal(orders(seed), orders(seed + 1))


def test_trees_weights_and_types_arrive_as_fit_makes_them():
    x = {"b": np.arange(6.0), "a": [np.arange(6)]}
    y = {"out": np.arange(6.0)[:, None]}
    stream = training_stream(x, y, np.linspace(0.0, 1.0, 6), 3, shuffle=True, seed=0)
    for batch_x, batch_y, weights in epochs_of(stream, 2, 1)[0]:
        np.testing.assert_array_equal(batch_x["b"], batch_x["a"][0])
        np.testing.assert_array_equal(batch_y["out"][:, 0], batch_x["b"])
        np.testing.assert_allclose(weights * 5, batch_x["b"], rtol=1e-6)
        assert batch_x["b"].dtype == weights.dtype == keras.config.floatx()
        assert batch_x["a"][0].dtype == "int64"


def test_large_arrays_are_left_to_keras(monkeypatch):
    x, y = np.zeros(100), np.zeros(100)
    monkeypatch.setattr(array_stream, "MAX_STREAM_BYTES", 1599)
    assert training_stream(x, y, None, 10, shuffle=True, seed=0) is None
    monkeypatch.setattr(array_stream, "MAX_STREAM_BYTES", 1600)
    assert training_stream(x, y, None, 10, shuffle=True, seed=0) is not None


def test_fit_on_a_stream_ends_where_fit_on_the_arrays_ends(make_model, plane):
    x, y = plane[0][:50], plane[1][:50]
    model, other = make_model(), make_model()
    model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0)
    other.fit(
        training_stream(x, y, None, 16, shuffle=False, seed=0), steps_per_epoch=4, epochs=2, shuffle=False, verbose=0
    )
    for own, streamed in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(own, streamed, rtol=1e-5, atol=1e-6)


def test_lists_of_inputs_and_outputs_are_trained_on_from_a_stream(plane):
    inputs = [keras.Input((1,)), keras.Input((1,))]
    hidden = keras.layers.concatenate(inputs)
    model = keras.Model(inputs, [keras.layers.Dense(1)(hidden), keras.layers.Dense(1)(hidden)])
    model.compile("sgd", ["mse", "mae"])
    x, y, weights = [plane[0][:, :1], plane[0][:, 1:]], [plane[1], plane[1]], [np.ones(64), np.zeros(64)]
    stream = training_stream(x, y, weights, 16, shuffle=False, seed=0)
    history = model.fit(stream, steps_per_epoch=4, shuffle=False, verbose=0).history
    assert len(history["loss"]) == 1
    assert np.isfinite(history["loss"][0])


def test_a_series_is_a_column_as_in_fit(plane):
    x, y = pd.DataFrame(plane[0]), pd.Series(plane[1][:, 0])
    stream = training_stream(x, y, y.abs(), 16, shuffle=False, seed=0)
    assert [tuple(leaf.shape) for leaf in stream.element_spec] == [(None, 2), (None, 1), (None, 1)]
    first = next(iter(stream))
    np.testing.assert_array_equal(first[1], plane[1][:16])


def test_truth_values_beside_numbers_are_numbers_as_in_fit(plane):
    frame = pd.DataFrame({"number": plane[0][:, 0], "is_large": plane[0][:, 1] > 0.5})
    stream = training_stream(frame, plane[1], None, 16, shuffle=False, seed=0)
    first = next(iter(stream))[0]
    np.testing.assert_array_equal(first, frame.to_numpy("float32")[:16])
