import keras
import numpy as np
import pytest
import tensorflow as tf

import autofix
from autofix.feeding import build_optimizer, forward, is_distributed, output_masks
from autofix.surgery.optimizers import constant_rate


class Counting(keras.layers.Layer):
    """Counts its calls in a variable, whatever they are for."""

    def __init__(self):
        super().__init__()
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs):
        self.calls.assign_add(1)
        return inputs


def stateful_model():
    model = keras.Sequential(
        [keras.Input((3, 2), batch_size=4), keras.layers.LSTM(2, stateful=True), keras.layers.Dense(1)]
    )
    return model, np.ones((4, 3, 2), "float32")


def counting_model():
    return keras.Sequential([keras.Input((2,)), Counting(), keras.layers.Dense(1)]), np.ones((4, 2), "float32")


def normalized_model():
    model = keras.Sequential([keras.Input((2,)), keras.layers.BatchNormalization(), keras.layers.Dense(1)])
    return model, np.ones((4, 2), "float32")


@pytest.mark.parametrize("make", [stateful_model, counting_model, normalized_model])
def test_a_forward_pass_leaves_no_trace(make):
    model, x = make()
    forward(model, x)
    before = model.get_weights()
    forward(model, x)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("make", [stateful_model, counting_model, normalized_model])
def test_its_outputs_are_those_of_the_model(make):
    model, x = make()
    outputs = forward(model, x)
    np.testing.assert_allclose(outputs, model(x, training=False), rtol=1e-6)


def test_a_forward_pass_for_training_is_one():
    model, x = counting_model()
    forward(model, x, training=True)
    assert int(model.layers[0].calls.value) == 1


def test_a_forward_pass_builds_what_is_not_built():
    keras.utils.set_random_seed(0)
    built, x = keras.Sequential([Counting(), keras.layers.Dense(3), keras.layers.Dense(1)]), np.ones((4, 2), "float32")
    forward(built, x)
    keras.utils.set_random_seed(0)
    expected = keras.Sequential([keras.Input((2,)), Counting(), keras.layers.Dense(3), keras.layers.Dense(1)])
    for one, other in zip(expected.get_weights(), built.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("is_built", [True, False])
def test_a_layer_that_counts_its_calls_counts_those_of_keras_alone(is_built, plane):
    models = []
    for fit in (keras.Model.fit, autofix.fit):
        keras.utils.set_random_seed(0)
        inputs = [keras.Input((2,))] if is_built else []
        model = keras.Sequential([*inputs, Counting(), keras.layers.Dense(1)])
        model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
        fit(model, *plane, epochs=4, verbose=0)
        models.append(model)
    assert int(models[1].layers[0].calls.value) == int(models[0].layers[0].calls.value)
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)


# Masks, optimizers and distribution strategies

layers = keras.layers
WORDS = np.array([[1, 2, 0, 0], [3, 1, 2, 0], [1, 0, 0, 0]])


def tagger(*parts, mask_zero=True):
    return keras.Sequential([keras.Input((4,), dtype="int32"), layers.Embedding(5, 3, mask_zero=mask_zero), *parts])


@pytest.mark.parametrize("parts", [[layers.Dense(1)], [layers.LSTM(3, return_sequences=True), layers.Dense(2)]])
def test_the_steps_that_count_are_those_with_words(parts):
    (mask,) = output_masks(tagger(*parts), WORDS)
    np.testing.assert_array_equal(mask, WORDS > 0)


@pytest.mark.parametrize(
    "model",
    [
        lambda: tagger(layers.Dense(1), mask_zero=False),
        lambda: tagger(layers.GlobalAveragePooling1D(), layers.Dense(1)),
        lambda: tagger(layers.LSTM(3)),
    ],
)
def test_outputs_that_count_throughout_have_no_mask(model):
    assert output_masks(model(), WORDS) is None


def test_each_output_has_its_own_mask():
    inputs = keras.Input((4,), dtype="int32")
    words = layers.Embedding(5, 3, mask_zero=True)(inputs)
    model = keras.Model(inputs, [layers.Dense(1)(layers.LSTM(2)(words)), layers.Dense(1)(words)])
    first, second = output_masks(model, WORDS)
    assert first is None
    np.testing.assert_array_equal(second, WORDS > 0)


@pytest.mark.parametrize("is_mirrored", [False, True])
def test_the_rate_is_read_and_the_optimizer_built_wherever_the_model_was_made(is_mirrored):
    strategy = tf.distribute.MirroredStrategy(["CPU:0"]) if is_mirrored else tf.distribute.get_strategy()
    with strategy.scope():
        model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
        model.compile(keras.optimizers.Adam(0.25), "mse")
    assert is_distributed(model) == is_mirrored
    build_optimizer(model)
    assert model.optimizer.built
    assert constant_rate(model.optimizer) == 0.25
