"""Several outputs: what collapsed is found and repaired output by output, and the others stay as good as they were."""

import warnings

import keras
import numpy as np
import pytest

import autofix

layers = keras.layers
N_ROWS = 160
X = np.random.default_rng(0).uniform(size=(N_ROWS, 2)).astype("float32")
PLANE = (2.0 * X[:, :1] - X[:, 1:]).astype("float32")
WAVES = (np.sin(8.0 * X[:, :1]) + np.cos(8.0 * X[:, 1:])).astype("float32")
NOISE = np.random.default_rng(8).normal(size=(N_ROWS, 1)).astype("float32")


def model_of(second, rate=0.01):
    """The first output comes out of a hidden layer, the second of what `second` makes of the inputs and that layer."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((2,))
    body = layers.Dense(16, activation="relu")(inputs)
    model = keras.Model(inputs, [layers.Dense(1, name="first")(body), second(inputs, body)])
    model.compile(keras.optimizers.Adam(rate), ["mse", "mse"])
    return model


def linear(inputs, body):
    return layers.Dense(1, name="second")(inputs)


def like_the_first(inputs, body):
    return layers.Dense(1, name="second")(body)


def skills(model, targets):
    predictions = model.predict(X, verbose=0)
    return [1.0 - np.mean((p - y) ** 2) / y.var() for p, y in zip(predictions, targets, strict=True)]


def trained(fit, model, targets):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", autofix.CollapseWarning)
        return fit(model, X, targets, epochs=60, verbose=0)


@pytest.mark.parametrize(
    ("second", "targets", "strategy"),
    [
        (linear, [PLANE, WAVES], "add_hidden_layers"),
        (like_the_first, [PLANE, 1e4 * PLANE + 5e4], "standardize_targets"),
    ],
    ids=["a linear output", "a target in the ten thousands"],
)
def test_one_collapsed_output_is_repaired_and_the_other_stays(second, targets, strategy):
    plain = model_of(second)
    trained(keras.Model.fit, plain, targets)
    before = skills(plain, targets)
    assert before[0] > 0.8 > 0.1 > before[1], "only the second output should collapse under Keras"
    model = model_of(second)
    report = trained(autofix.fit, model, targets).report
    assert report.verdict == "repaired", str(report)
    assert strategy in report.recipe.strategies
    assert [head.output_name for head in report.before] == ["first", "second"]
    assert report.before[1].is_collapsed
    after = skills(model, targets)
    assert after[0] > before[0] - 0.02
    assert after[1] > 0.8


def test_noise_in_one_output_does_not_keep_the_other_from_being_repaired():
    model = model_of(like_the_first, rate=3.0)
    report = trained(autofix.fit, model, [PLANE, NOISE]).report
    assert report.verdict == "repaired", str(report)
    assert skills(model, [PLANE, NOISE])[0] > 0.95


def test_noise_in_one_output_does_not_make_a_training_sick():
    plain, model = model_of(like_the_first), model_of(like_the_first)
    trained(keras.Model.fit, plain, [PLANE, NOISE])
    report = trained(autofix.fit, model, [PLANE, NOISE]).report
    assert report.verdict in ("healthy", "unlearnable"), str(report)
    for one, other in zip(plain.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_noise_in_every_output_is_unlearnable():
    model = model_of(like_the_first)
    noise = np.random.default_rng(9).normal(size=(N_ROWS, 1)).astype("float32")
    report = trained(autofix.fit, model, [noise, NOISE]).report
    assert report.verdict in ("unlearnable", "healthy"), str(report)
    assert not report.recipe
