"""What trains well is left alone: the same weights, bit for bit, and the same history."""

import keras
import numpy as np
import pytest

import autofix

layers = keras.layers
N_ROWS = 96


def plane_data(n_features=3):
    x = np.random.default_rng(0).normal(size=(N_ROWS, n_features)).astype("float32")
    return x, (x[:, :1] - 0.5 * x[:, 1:2]).astype("float32")


def image_data():
    x = np.random.default_rng(0).normal(size=(N_ROWS, 6, 6, 1)).astype("float32")
    return x, x.mean(axis=(1, 2)) * 6.0


def series_data():
    x = np.random.default_rng(0).normal(size=(N_ROWS, 5, 2)).astype("float32")
    return x, x[:, -1, :1] + 0.5 * x[:, -2, :1]


def model_of(*parts, rate=0.05, shape=None):
    inputs = [keras.Input(shape)] if shape else []
    model = keras.Sequential([*inputs, *parts])
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="mse", metrics=["mae"])
    return model


KINDS = {
    "dense": (plane_data, lambda: model_of(layers.Dense(8, activation="relu"), layers.Dense(1), shape=(3,))),
    "dropout": (
        plane_data,
        lambda: model_of(layers.Dense(16, activation="relu"), layers.Dropout(0.2), layers.Dense(1), shape=(3,)),
    ),
    "batch_normalization": (
        plane_data,
        lambda: model_of(
            layers.Dense(8), layers.BatchNormalization(momentum=0.5), layers.ReLU(), layers.Dense(1), shape=(3,)
        ),
    ),
    "conv2d": (
        image_data,
        lambda: model_of(layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(1), shape=(6, 6, 1)),
    ),
    "lstm": (series_data, lambda: model_of(layers.LSTM(6), layers.Dense(1), shape=(5, 2))),
    "unbuilt": (plane_data, lambda: model_of(layers.Dense(8, activation="relu"), layers.Dense(1))),
}


def train(fit, build, *arguments, **options):
    keras.utils.set_random_seed(7)
    model = build()
    history = fit(model, *arguments, verbose=0, **options)
    return model, history


def assert_same(build, *arguments, own=None, callbacks=list, **options):
    """Trains both ways and compares everything; returns the history of `autofix.fit`."""
    plain, expected = train(keras.Model.fit, build, *arguments, callbacks=callbacks(), **options)
    model, history = train(autofix.fit, build, *arguments, callbacks=callbacks(), **options, **(own or {}))
    assert history.history == expected.history
    assert history.epoch == expected.epoch
    assert len(plain.variables) == len(model.variables)
    for one, other in zip(plain.variables, model.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    for one, other in zip(plain.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    return history


@pytest.mark.parametrize("kind", KINDS)
def test_healthy_runs_end_bit_identical(kind):
    data, build = KINDS[kind]
    x, y = data()
    history = assert_same(build, x, y, epochs=12, validation_data=(x[:70], y[:70]))
    assert history.report.verdict == "healthy"
    assert history.report.trials == ()
    assert history.report.before[0].skill > 0.2


class Recorder(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.calls = []

    def on_train_begin(self, logs=None):
        self.calls.append("begin")

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append((epoch, dict(logs)))

    def on_train_end(self, logs=None):
        self.calls.append("end")


def test_user_callbacks_see_what_they_see_in_keras():
    data, build = KINDS["dense"]
    x, y = data()
    seen = []

    def callbacks():
        seen.append(Recorder())
        return [keras.callbacks.EarlyStopping("loss", patience=1, min_delta=0.02), seen[-1]]

    history = assert_same(build, x, y, epochs=60, callbacks=callbacks)
    assert len(history.epoch) < 60
    assert seen[0].calls == seen[1].calls
    assert seen[1].calls.count("begin") == seen[1].calls.count("end") == 1


def test_the_list_of_callbacks_is_not_changed():
    data, build = KINDS["dense"]
    given = [Recorder()]
    keras.utils.set_random_seed(7)
    autofix.fit(build(), *data(), epochs=12, verbose=0, callbacks=given)
    assert len(given) == 1


def test_a_callback_list_of_keras_is_taken_and_given_back_as_it_was():
    data, build = KINDS["dense"]
    keras.utils.set_random_seed(7)
    model = build()
    given = keras.callbacks.CallbackList([Recorder()], add_history=True, model=model, epochs=12)
    before = list(given.callbacks)
    autofix.fit(model, *data(), epochs=12, verbose=0, callbacks=given)
    assert given.callbacks == before


def slow_starter():
    """Nothing is learned for a third of the epochs, because the rate is almost 0 there; then it gets there."""
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([60], [1e-7, 0.1])
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, kernel_initializer="zeros")])
    model.compile(optimizer=keras.optimizers.Adam(schedule), loss="mse")
    return model


class Batches(keras.utils.PyDataset):
    """Eight batches, which Keras shuffles by Python's own generator."""

    def __init__(self):
        super().__init__()
        self.x, self.y = plane_data()

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return self.x[index::8], self.y[index::8]


def test_batches_that_keras_shuffles_stay_in_its_order():
    hidden = [lambda: layers.Dense(8, activation="relu")] * 2
    history = assert_same(lambda: model_of(*[make() for make in hidden], layers.Dense(1)), Batches(), epochs=6)
    assert history.report.verdict == "healthy"


def test_a_false_alarm_leaves_the_run_bit_identical():
    x, y = plane_data()
    history = assert_same(slow_starter, x, y, epochs=60)
    assert history.report.verdict == "healthy"
    assert [trial.status for trial in history.report.trials] == ["control"]


@pytest.mark.parametrize("seed", [None, 5])
def test_the_seed_of_autofix_does_not_change_the_users_run(seed):
    data, build = KINDS["dropout"]
    assert_same(build, *data(), epochs=8, own={"seed": seed})


def test_the_global_random_generators_go_on_as_after_keras():
    import random

    import tensorflow as tf

    x, y = plane_data()
    draws = []
    for fit in (keras.Model.fit, autofix.fit):
        train(fit, slow_starter, x, y, epochs=60)
        draws.append((random.random(), np.random.rand(), float(tf.random.uniform(()))))  # noqa: NPY002
    assert draws[0] == draws[1]
