import keras
import numpy as np
import pytest
import tensorflow as tf

from autofix.data.training_data import TrainingData
from autofix.measuring.inspection import collect, profile_model

layers = keras.layers
optimizers = keras.optimizers


def sampled(x, y, **arguments):
    return TrainingData.from_arrays(x, y, **arguments)


@pytest.mark.parametrize(
    ("optimizer", "name", "rate", "default", "is_scale_free"),
    [
        (lambda: optimizers.Adam(0.5), "Adam", 0.5, 0.001, True),
        (lambda: optimizers.SGD(0.1), "SGD", 0.1, 0.01, False),
        (lambda: optimizers.LossScaleOptimizer(optimizers.SGD(0.1)), "SGD", 0.1, 0.01, False),
        (lambda: optimizers.Adam(optimizers.schedules.ExponentialDecay(0.2, 5, 0.5)), "Adam", 0.2, 0.001, True),
    ],
)
def test_the_optimizer_and_its_rate_are_read(make_model, plane, optimizer, name, rate, default, is_scale_free):
    profile = profile_model(make_model(optimizer=optimizer()), sampled(*plane))
    assert (profile.optimizer, profile.is_scale_free, profile.can_rescale_rate) == (name, is_scale_free, True)
    assert profile.learning_rate == pytest.approx(rate)
    assert profile.default_learning_rate == pytest.approx(default)
    assert profile.schedule == ("ExponentialDecay" if rate == 0.2 else None)


def test_the_rate_of_a_distributed_training_is_read(make_model, plane):
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        profile = profile_model(make_model(optimizer=optimizers.SGD(0.1)), sampled(*plane))
    assert profile.learning_rate == pytest.approx(0.1)
    assert profile.default_learning_rate == pytest.approx(0.01)


class OwnSchedule(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.1

    def get_config(self):
        return {}


class OwnOptimizer(keras.optimizers.SGD):
    pass


def test_a_schedule_and_an_optimizer_of_the_users_own_are_not_guessed_at(make_model, plane):
    profile = profile_model(make_model(optimizer=OwnOptimizer(OwnSchedule())), sampled(*plane))
    assert not profile.can_rescale_rate
    assert profile.default_learning_rate is None
    assert profile.learning_rate == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("stack", "is_nonlinear", "activations", "can_insert"),
    [
        (lambda: [layers.Dense(1)], False, ("linear",), True),
        (lambda: [layers.Dense(4), layers.Dense(1)], False, ("linear",), True),
        (lambda: [layers.Dense(4, activation="relu"), layers.Dense(1)], True, ("linear",), True),
        (lambda: [layers.Dense(4), layers.LeakyReLU(), layers.Dense(1)], True, ("linear",), True),
        (lambda: [layers.Dense(1, activation="sigmoid")], False, ("sigmoid",), True),
        (lambda: [layers.Dense(3), layers.Softmax()], False, ("softmax",), True),
        (lambda: [layers.Dense(3), layers.Activation("tanh")], False, ("tanh",), True),
        (lambda: [layers.Dense(1), layers.Flatten()], False, ("unknown",), True),
        (lambda: [layers.Reshape((2, 1)), layers.LSTM(3), layers.Dense(1)], True, ("linear",), True),
        (lambda: [layers.Reshape((2, 1)), layers.LSTM(1)], True, ("tanh",), False),
    ],
)
def test_non_linear_hidden_layers_and_output_activations_are_read(
    make_model, plane, stack, is_nonlinear, activations, can_insert
):
    profile = profile_model(make_model(stack), sampled(*plane))
    assert (profile.nonlinear_layers > 0, profile.output_activations) == (is_nonlinear, activations)
    assert (profile.can_edit, profile.can_insert) == (True, can_insert)


class OwnCall(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = layers.Dense(4, activation="relu"), layers.Dense(1)

    def call(self, inputs):
        return self.out(self.hidden(inputs))


def test_a_model_with_its_own_call_is_profiled_as_far_as_it_shows(plane):
    model = OwnCall()
    model.compile("adam", "mse")
    model(plane[0])
    profile = profile_model(model, sampled(*plane))
    assert not profile.can_edit
    assert not profile.can_insert
    assert profile.nonlinear_layers > 0
    assert profile.layer_types == ("Dense",)


@pytest.mark.parametrize(("n_dead", "share"), [(0, 0.0), (3, 0.5), (6, 1.0)])
def test_units_that_are_zero_for_every_row_are_counted(make_model, plane, n_dead, share):
    model = make_model()
    model.layers[0].bias.assign(np.where(np.arange(6) < n_dead, -1e3, 1e3).astype("float32"))
    before = model.get_weights()
    layers_found = profile_model(model, sampled(*plane)).layers
    assert max(layer.dead_share for layer in layers_found if not layer.is_output) == share
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_evidence_is_that_of_the_training_rows_and_of_fit(make_model, plane):
    x, y = plane
    data = sampled(x, y, epochs=5, batch_size=16, shuffle=False, validation_data=(x + 100.0, y + 100.0))
    evidence = collect(make_model(), data, ["regression"])
    assert evidence.inputs[0].mean == pytest.approx(tuple(x.mean(axis=0)), abs=1e-5)
    assert evidence.targets[0].mean == pytest.approx(y.mean(), abs=1e-5)
    assert (evidence.fit.n_rows, evidence.fit.batch_size, evidence.fit.total_steps) == (64, 16, 20)
    assert not evidence.fit.shuffle
    assert evidence.references.linear is None


def test_every_input_and_output_has_a_profile(plane):
    inputs = [keras.Input((2,)), keras.Input((1,))]
    hidden = layers.concatenate(inputs)
    model = keras.Model(inputs, [layers.Dense(1)(hidden), layers.Dense(1, activation="sigmoid")(hidden)])
    model.compile("adam", ["mse", "binary_crossentropy"])
    data = sampled([plane[0], plane[1]], [plane[1], (plane[1] > 0).astype(int)])
    evidence = collect(model, data, ["regression", "binary"])
    assert [len(profile.mean) for profile in evidence.inputs] == [2, 1]
    assert [profile.kind for profile in evidence.targets] == ["regression", "binary"]
    assert evidence.model.output_activations == ("linear", "sigmoid")
