"""Fine-tuning: what was trained before is built on, unless it had collapsed already."""

import keras
import numpy as np
import pytest

import autofix

layers = keras.layers
MANY, FEW = 2000, 100


def task(n_rows, seed, weights):
    """Rows whose target is a weighted sum of three relations that are the same for every task."""
    x = np.random.default_rng(seed).uniform(-1.0, 1.0, size=(n_rows, 4)).astype("float32")
    relations = [np.sin(3.0 * x[:, 0] * x[:, 1]), np.cos(3.0 * x[:, 1] + x[:, 2]), np.tanh(4.0 * x[:, 3] * x[:, 0])]
    return x, np.dot(weights, relations).astype("float32")[:, None]


def encoder():
    inputs = keras.Input((4,))
    body = layers.Dense(32, activation="relu")(inputs)
    return keras.Model(inputs, layers.Dense(16, activation="relu")(body), name="encoder")


def under_a_new_head(body, rate):
    model = keras.Sequential([body, layers.Dense(1, name="head")])
    model.compile(keras.optimizers.Adam(rate), "mse")
    return model


@pytest.fixture(scope="module")
def pretrained():
    """The weights of an encoder that was trained on many rows of another task."""
    keras.utils.set_random_seed(0)
    body = encoder()
    under_a_new_head(body, 0.01).fit(*task(MANY, 0, [1.0, 1.0, -1.0]), epochs=20, verbose=0)
    return body.get_weights()


class Beginnings(keras.callbacks.Callback):
    """The weights of each training's beginning."""

    def __init__(self):
        super().__init__()
        self.weights = []

    def on_train_begin(self, logs=None):
        self.weights.append(self.model.get_weights())


def test_a_repair_builds_on_pretrained_layers(pretrained):
    keras.utils.set_random_seed(1)
    body, beginnings = encoder(), Beginnings()
    body.set_weights(pretrained)
    model = under_a_new_head(body, rate=1.0)
    x, y = task(FEW, 2, [-0.5, 1.0, 1.0])
    given = model.get_weights()
    report = autofix.fit(model, x, y, epochs=40, verbose=0, callbacks=[beginnings]).report
    assert report.verdict == "repaired", str(report)
    (begun,) = beginnings.weights  # of the training that counts
    for one, other in zip(begun, pretrained, strict=False):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(begun[-2], given[-2])  # the kernel of the head was drawn anew
    unseen, targets = task(MANY, 1, [-0.5, 1.0, 1.0])
    assert model.evaluate(unseen, targets, verbose=0) < 0.15 * targets.var()


def test_a_training_that_goes_on_from_a_collapsed_one_starts_from_new_weights():
    keras.utils.set_random_seed(0)
    x, y = task(FEW, 2, [-0.5, 1.0, 1.0])
    model = under_a_new_head(encoder(), rate=3.0)
    model.fit(x, y, epochs=20, verbose=0)
    assert np.ptp(model.predict(x, verbose=0)) < 1e-3, "it should collapse under Keras"
    report = autofix.fit(model, x, y, epochs=40, verbose=0).report
    assert report.verdict == "repaired", str(report)
    assert np.corrcoef(model.predict(x, verbose=0)[:, 0], y[:, 0])[0, 1] > 0.8
