import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from autofix.data.sources import ArraySource, StreamSource, Unwatchable, Unwatched, open_source
from autofix.errors import DataError

N_ROWS = 80
X = np.random.default_rng(0).normal(size=(N_ROWS, 2)).astype("float32")
Y = (X[:, :1] - 0.5 * X[:, 1:]).astype("float32")
CLASSES = (Y[:, 0] > 0).astype("int32")

DEFAULTS = {
    name: parameter.default
    for name, parameter in inspect.signature(keras.Model.fit).parameters.items()
    if name != "self"
}


def source_of(model, seed=0, **given):
    return open_source(model, {**DEFAULTS, "verbose": 0, "shuffle": False, **given}, seed)


def read(model, source):
    """Trains as the watched training does, so that a stream has been read."""
    arguments = {**source.first(), "epochs": 1, "shuffle": False}
    model.fit(**arguments)
    steps = arguments["steps_per_epoch"]
    return source.sample(steps)


def dataset(*arrays, batch=16):
    return tf.data.Dataset.from_tensor_slices(arrays).batch(batch)


class Own(keras.layers.Layer):
    def call(self, x):
        return keras.ops.nan_to_num(x)


class OwnFit(keras.Model):
    def fit(self, *args, **kwargs):
        return super().fit(*args, **kwargs)


def test_arrays_are_a_sample_before_the_training(make_model):
    source = source_of(make_model(), x=X, y=Y, batch_size=20, epochs=7, initial_epoch=2)
    assert isinstance(source, ArraySource)
    assert source.is_ready
    data = source.sample()
    assert (data.n_rows, data.n_training, data.batch_size, data.epochs) == (N_ROWS, N_ROWS, 20, 5)
    assert (data.source, data.can_regroup, data.trains_on_targets) == ("arrays", True, True)


def test_a_stream_is_a_sample_when_it_has_been_read(make_model):
    model = make_model()
    source = source_of(model, x=dataset(X, Y), epochs=7)
    assert isinstance(source, StreamSource)
    assert not source.is_ready
    with pytest.raises(Unwatchable, match="no batch was seen"):
        source_of(model, x=dataset(X, Y)).sample()
    data = read(model, source)
    np.testing.assert_array_equal(data.inputs[0], X)
    assert (data.n_rows, data.batch_size, data.steps_per_epoch, data.epochs) == (N_ROWS, 16, 5, 7)
    assert (data.source, data.can_regroup) == ("dataset", True)


def test_the_order_of_a_stream_tells_whether_it_is_shuffled(make_model):
    model, order = make_model(), np.argsort(Y[:, 0])
    assert read(model, source_of(model, x=dataset(X, Y))).shuffle
    assert not read(model, source_of(model, x=dataset(X[order], Y[order]))).shuffle


def test_an_endless_dataset_cannot_be_regrouped(make_model):
    model = make_model()
    data = read(model, source_of(model, x=dataset(X, Y).repeat(), steps_per_epoch=3))
    assert not data.can_regroup
    assert data.steps_per_epoch == 3
    assert data.n_rows == 48


def test_weights_of_a_dataset_and_class_weights_reach_the_sample(make_model):
    model = make_model(loss="binary_crossentropy")
    weights = np.linspace(0.0, 1.0, N_ROWS).astype("float32")
    data = read(model, source_of(model, x=dataset(X, CLASSES, weights)))
    np.testing.assert_array_equal(data.sample_weights[0], weights)
    data = read(model, source_of(model, x=dataset(X, CLASSES), class_weight={0: 1.0, 1: 3.0}))
    np.testing.assert_array_equal(data.sample_weights[0], np.where(CLASSES == 1, 3.0, 1.0))


VALIDATION = {
    "arrays": lambda: {"validation_data": (X[:70], Y[:70])},
    "a dataset": lambda: {"validation_data": dataset(X[:70], Y[:70])},
    "a generator": lambda: {"validation_data": (pair for pair in [(X[:70], Y[:70])] * 9), "validation_steps": 1},
}


@pytest.mark.parametrize("training", ["arrays", "dataset"])
@pytest.mark.parametrize("kind", VALIDATION)
def test_validation_rows_are_held_out_whatever_they_come_as(make_model, training, kind):
    model = make_model()
    given = {"x": X, "y": Y} if training == "arrays" else {"x": dataset(X, Y)}
    data = read(model, source_of(model, **given, **VALIDATION[kind]()))
    assert data.n_training == N_ROWS
    assert data.n_held_out == 70
    np.testing.assert_array_equal(data.inputs[0][N_ROWS:], X[:70])


def test_the_last_rows_are_held_out_for_validation_split(make_model):
    data = source_of(make_model(), x=X, y=Y, validation_split=0.2).sample()
    assert (data.n_rows, data.n_training, data.n_held_out) == (64, 64, 16)
    np.testing.assert_array_equal(data.inputs[0], X)


def two_inputs():
    inputs = {"b": keras.Input((1,), name="b"), "a": keras.Input((1,), name="a")}
    joined = keras.layers.Concatenate()(list(inputs.values()))
    model = keras.Model(list(inputs.values()), keras.layers.Dense(1)(joined))
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("kind", ["arrays", "dataset"])
def test_named_inputs_take_the_models_order(kind):
    model = two_inputs()
    named = {"a": X[:, :1], "b": X[:, 1:]}
    source = source_of(model, x=named, y=Y) if kind == "arrays" else source_of(model, x=dataset(named, Y))
    data = read(model, source)
    np.testing.assert_array_equal(data.inputs[0], X[:, 1:])
    np.testing.assert_array_equal(data.inputs[1], X[:, :1])


def test_without_targets_the_inputs_are_what_is_judged_by(make_model):
    data = source_of(make_model(), x=X).sample()
    assert not data.trains_on_targets
    np.testing.assert_array_equal(data.targets[0], X)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_keras_parts_cannot_take_are_refused_before_the_training(make_model, bad):
    x = X.copy()
    x[3, 1] = bad
    with pytest.raises(DataError, match="first at row 3, column 1"):
        source_of(make_model(), x=x, y=Y)
    with pytest.raises(DataError, match="validation x, the first at row 3"):
        source_of(make_model(), x=X, y=Y, validation_data=(x, Y))


def test_a_part_of_the_users_own_may_know_what_to_do_with_them(make_model):
    x = X.copy()
    x[3, 1] = np.nan
    source = source_of(make_model(lambda: [Own(), keras.layers.Dense(1)]), x=x, y=Y)
    assert isinstance(source, Unwatched)
    with pytest.raises(Unwatchable, match="x holds NaN or infinite values"):
        source.sample()
    assert source.first()["x"] is x


def test_a_stream_with_nan_is_not_watched(make_model):
    x = X.copy()
    x[3, 1] = np.nan
    model = make_model()
    with pytest.raises(Unwatchable, match="x holds NaN or infinite values"):
        read(model, source_of(model, x=dataset(x, Y)))


def test_a_fit_of_the_users_own_gets_the_stream_as_it_is():
    model = OwnFit(*(lambda tensor: (tensor, keras.layers.Dense(1)(tensor)))(keras.Input((2,))))
    model.compile("sgd", "mse")
    given = dataset(X, Y)
    source = source_of(model, x=given)
    assert isinstance(source, Unwatched)
    assert source.first()["x"] is given is source.plain()["x"]
    assert isinstance(source_of(model, x=X, y=Y), ArraySource)


def test_validation_rows_of_another_shape_are_refused(make_model):
    with pytest.raises(DataError, match=r"Expected validation y of shape \('n_rows', 1\)"):
        source_of(make_model(), x=X, y=Y, validation_data=(X, np.zeros((N_ROWS, 2))))


def test_constant_targets_are_known_before_the_training_where_rows_are(make_model):
    constant = np.full(N_ROWS, 3.0)
    assert source_of(make_model(), x=X, y=constant).constant_targets() == ["y"]
    assert source_of(make_model(), x=X, y=Y).constant_targets() == []
    assert source_of(make_model(), x=np.ones_like(X)).constant_targets() == []
    assert source_of(make_model(), x=dataset(X, constant)).constant_targets() == []


def test_the_arguments_that_were_given_are_not_changed(make_model):
    given = {**DEFAULTS, "x": dataset(X, Y), "verbose": 0, "shuffle": False}
    before = dict(given)
    model = make_model()
    source = open_source(model, given, 0)
    read(model, source)
    source.repaired({"shuffle": True, "batch_size": 8})
    assert given == before


def test_a_repaired_training_gets_the_changed_arguments(make_model):
    model = make_model()
    changed = source_of(model, x=X, y=Y).repaired({"batch_size": 8})
    assert changed["steps_per_epoch"] == 10
    source = source_of(model, x=dataset(X, Y))
    read(model, source)
    assert [len(y) for _, y in source.repaired({"batch_size": 40})["x"]] == [40, 40]
