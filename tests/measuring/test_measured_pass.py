import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from autofix.data.training_data import TrainingData
from autofix.feeding import build_optimizer
from autofix.measuring.inspection import collect
from autofix.measuring.measured_pass import FEWEST_ROWS, Measurement
from autofix.state import Snapshot

layers = keras.layers
N_ROWS = 48
RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(N_ROWS, 4)).astype("float32")
SEQUENCE = RNG.normal(size=(N_ROWS, 5, 3)).astype("float32")
IMAGES = RNG.normal(size=(N_ROWS, 8, 8, 1)).astype("float32")
TOKENS = RNG.integers(1, 9, (N_ROWS, 6))
NUMBERS = (TABLE[:, :1] - TABLE[:, 1:2]).astype("float32")
CLASSES = (NUMBERS[:, 0] > 0).astype("int64")


def compiled(model, loss="mse", **arguments):
    model.compile(keras.optimizers.Adam(0.01), loss, **arguments)
    return model


def sequential(shape, *stack, **arguments):
    return compiled(keras.Sequential([keras.Input(shape), *stack]), **arguments)


def plain():
    stack = [layers.Dense(6, activation="tanh"), layers.Dropout(0.2), layers.BatchNormalization(), layers.Dense(1)]
    return sequential((4,), *stack), TABLE, NUMBERS


def penalised():
    stack = [
        layers.Dense(6, kernel_regularizer="l2", activity_regularizer="l1", activation="relu"),
        layers.Dense(1, bias_regularizer="l1"),
    ]
    return sequential((4,), *stack), TABLE, NUMBERS


def convolutional():
    stack = [layers.Conv2D(4, 3), layers.ReLU(), layers.MaxPooling2D(), layers.Flatten()]
    return sequential((8, 8, 1), *stack, layers.Dense(1)), IMAGES, NUMBERS


def recurrent():
    return sequential((5, 3), layers.LSTM(4, dropout=0.1), layers.Dense(1)), SEQUENCE, NUMBERS


def bidirectional():
    return sequential((5, 3), layers.Bidirectional(layers.GRU(3)), layers.Dense(1)), SEQUENCE, NUMBERS


def masked_tokens():
    stack = [layers.Embedding(9, 3, mask_zero=True), layers.LSTM(3), layers.Dense(2, activation="softmax")]
    model = sequential((6,), *stack, loss="sparse_categorical_crossentropy")
    return model, TOKENS, CLASSES


def two_by_two():
    left, right = keras.Input((4,), name="left"), keras.Input((5, 3), name="right")
    hidden = layers.Concatenate()([layers.Dense(3, activation="relu")(left), layers.GRU(3)(right)])
    outputs = {
        "number": layers.Dense(1, name="number")(hidden),
        "label": layers.Dense(1, activation="sigmoid", name="label")(hidden),
    }
    model = compiled(
        keras.Model({"left": left, "right": right}, outputs),
        {"number": "mse", "label": "binary_crossentropy"},
        loss_weights={"number": 2.0, "label": 1.0},
    )
    targets = {"number": NUMBERS, "label": CLASSES[:, None].astype("float32")}
    return model, {"left": TABLE, "right": SEQUENCE}, targets


def nested_and_shared():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(5), layers.Activation("tanh")], name="inner")
    shared = layers.Dense(5, activation="relu", name="shared")
    inputs = keras.Input((4,))
    hidden = inner(inputs)
    hidden = shared(shared(hidden)) + keras.ops.relu(layers.Dense(5, name="before_function")(hidden))
    return compiled(keras.Model(inputs, layers.Dense(1)(hidden))), TABLE, NUMBERS


def half_precision():
    policy = keras.DTypePolicy("mixed_float16")
    stack = [layers.Dense(6, activation="relu", dtype=policy), layers.Dense(1, dtype="float32")]
    return sequential((4,), *stack), TABLE, NUMBERS


def own_loss():
    def loss(y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_true - y_pred))

    return sequential((4,), layers.Dense(6, activation="relu"), layers.Dense(1), loss=loss), TABLE, NUMBERS


class OwnCall(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = layers.Dense(4, activation="relu"), layers.Dense(1)

    def call(self, inputs):
        hidden = self.hidden(inputs)
        self.add_loss(0.1 * keras.ops.mean(hidden**2))
        return self.out(hidden)


def subclassed():
    model = OwnCall()
    model(TABLE[:1])
    return compiled(model), TABLE, NUMBERS


class OwnStep(keras.Model):
    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = keras.ops.mean(keras.ops.square(y - self(x, training=True)))
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        return {"loss": loss}


def own_train_step():
    inputs = keras.Input((4,))
    outputs = layers.Dense(1)(layers.Dense(4, activation="relu")(inputs))
    return compiled(OwnStep(inputs, outputs), loss="mse"), TABLE, NUMBERS


def texts():
    words = np.array(["a b", "b c", "c d d"] * (N_ROWS // 3), dtype=object)[:, None]
    vectorize = layers.TextVectorization(vocabulary=["a", "b", "c", "d"], output_mode="multi_hot")
    model = compiled(keras.Sequential([keras.Input((1,), dtype="string"), vectorize, layers.Dense(1)]))
    return model, words, NUMBERS


PROGRAMS = [
    *(plain, penalised, convolutional, recurrent, bidirectional, masked_tokens, two_by_two, nested_and_shared),
    *(half_precision, own_loss, subclassed, own_train_step, texts),
]


def fresh(make):
    keras.utils.set_random_seed(0)
    return make()


def sampled(model, x, y, **arguments):
    return TrainingData.from_arrays(x, y, takes_text=model.name and _takes_text(model), **arguments)


def _takes_text(model):
    return any(tensor.dtype == "string" for tensor in getattr(model, "inputs", None) or [])


@pytest.mark.parametrize("make", PROGRAMS)
def test_every_kind_of_network_is_measured_whole(make):
    model, x, y = fresh(make)
    measured = Measurement(model, sampled(model, x, y)).take()
    assert len(measured.predictions) == len(keras.tree.flatten(y))
    assert np.isfinite(measured.data_loss)
    norms = [measured.gradients[id(variable)] for variable in model.trainable_variables]
    assert all(np.isfinite(norms))
    assert sum(norm > 0.0 for norm in norms) >= 0.7 * len(norms)
    if make is not subclassed:
        assert {id(layer) for layer in model._flatten_layers(recursive=False) if layer.weights} & set(
            measured.activities
        )


@pytest.mark.parametrize("make", PROGRAMS)
def test_evidence_leaves_no_trace(make):
    model, x, y = fresh(make)
    build_optimizer(model)
    initial, values, draws = Snapshot(model), Snapshot(model).values, random.getstate()
    collect(model, sampled(model, x, y), ["regression"] * len(keras.tree.flatten(y)), initial, [1.0])
    for before, after in zip(values, Snapshot(model).values, strict=True):
        np.testing.assert_array_equal(before, after)
    assert draws == random.getstate()
    following = keras.random.normal((2,))
    fresh(make)
    np.testing.assert_array_equal(following, keras.random.normal((2,)))


@pytest.mark.parametrize("make", [plain, recurrent, half_precision, subclassed, own_train_step])
def test_the_training_goes_on_bit_identically(make):
    trained = []
    for looks in (False, True):
        model, x, y = fresh(make)
        model.fit(x, y, epochs=1, batch_size=16, verbose=0)
        if looks:
            collect(model, sampled(model, x, y), ["regression"], Snapshot(model), [1.0])
        model.fit(x, y, epochs=1, batch_size=16, verbose=0)
        trained.append(model.get_weights())
    for one, other in zip(*trained, strict=True):
        np.testing.assert_array_equal(one, other)


def test_looking_before_the_first_step_does_not_bind_the_loss():
    model, x, y = fresh(two_by_two)
    collect(model, sampled(model, x, y), ["regression", "regression"])
    assert not model._compile_loss.built


def test_the_loss_and_its_penalties_are_those_of_keras():
    model, x, y = fresh(penalised)
    measured = Measurement(model, sampled(model, x, y)).take()
    total = model.evaluate(x, y, batch_size=N_ROWS, verbose=0)
    assert measured.data_loss + measured.penalty == pytest.approx(total, rel=1e-5)
    mse = float(np.mean((model.predict(x, verbose=0) - y) ** 2))
    assert measured.data_loss == pytest.approx(mse, rel=1e-5)
    assert sum(measured.penalties.values()) == pytest.approx(measured.penalty, rel=1e-5)


def test_gradients_are_those_of_the_data_alone():
    model, x, y = fresh(penalised)
    measured = Measurement(model, sampled(model, x, y)).take()
    with tf.GradientTape() as tape:
        loss = keras.ops.mean(keras.ops.square(y - model(x, training=True)))
    expected = [float(tf.norm(one)) for one in tape.gradient(loss, [v.value for v in model.trainable_variables])]
    found = [measured.gradients[id(variable)] for variable in model.trainable_variables]
    assert found == pytest.approx(expected, rel=1e-4)


def test_an_activation_behind_a_layer_counts_as_its_own():
    model, x, y = fresh(nested_and_shared)
    measured = Measurement(model, sampled(model, x, y)).take()
    dense = model.get_layer("inner").layers[0]
    assert measured.activities[id(dense)].activation == "tanh"
    assert abs(measured.activities[id(dense)].output).max() <= 1.0
    before_function = model.get_layer("before_function")
    assert measured.activities[id(before_function)].activation == "relu"


def test_a_large_network_is_looked_at_on_few_rows():
    model = sequential((4,), layers.Dense(8000, activation="relu"), layers.Dense(8000), layers.Dense(1))
    x = np.zeros((512, 4), dtype="float32")
    assert FEWEST_ROWS <= len(Measurement(model, TrainingData.from_arrays(x, x[:, :1])).rows) < 64
    model, x, y = fresh(plain)
    assert len(Measurement(model, sampled(model, x, y)).rows) == N_ROWS


def test_long_sequences_are_traced_with_the_same_result():
    model = sequential((None, 2), layers.SimpleRNN(3), layers.Dense(1))
    x = RNG.normal(size=(16, 70, 2)).astype("float32")
    measurement = Measurement(model, TrainingData.from_arrays(x, x[:, 0, :1]))
    assert measurement._is_long
    measured = measurement.take()
    np.testing.assert_allclose(measured.predictions[0], model.predict(x, verbose=0), rtol=1e-4, atol=1e-6)
    assert set(measured.activities) == {id(layer) for layer in model.layers}
    assert min(measured.gradients.values()) > 0.0
