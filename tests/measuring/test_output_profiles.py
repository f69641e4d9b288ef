import keras
import numpy as np
import pytest

from autofix.data.training_data import TrainingData
from autofix.measuring.inspection import collect
from autofix.scoring.losses import loss_forms

layers = keras.layers
X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
Y = np.abs(X[:, :1])


def outputs_of(stack, loss="mse", y=Y, kind="regression"):
    model = keras.Sequential([keras.Input((4,)), *stack])
    model.compile("adam", loss)
    return collect(model, TrainingData.from_arrays(X, y), [kind]).model.outputs


@pytest.mark.parametrize(
    ("stack", "layer", "activation", "can_replace"),
    [
        (lambda: [layers.Dense(1, name="out")], "out", "linear", True),
        (lambda: [layers.Dense(1, "relu", name="out")], "out", "relu", True),
        (lambda: [layers.Dense(1, name="out"), layers.Activation("tanh")], "out", "tanh", True),
        (lambda: [layers.Dense(1, name="out"), layers.LeakyReLU()], "out", "leaky_relu", True),
        (lambda: [layers.Dense(1, "relu", name="out"), layers.Softmax()], "out", "softmax", True),
        (lambda: [layers.Dense(1, "sigmoid", name="out"), layers.Reshape((1,))], "out", "sigmoid", True),
        (lambda: [layers.Dense(1, name="out"), layers.Rescaling(9.0)], "out", "linear", True),
        (lambda: [layers.Dense(1, "tanh", name="out"), layers.Rescaling(9.0)], "out", "unknown", True),
        (lambda: [layers.Reshape((4, 1)), layers.LSTM(1, name="out")], "out", "tanh", False),
        (
            lambda: [keras.Sequential([keras.Input((4,)), layers.Dense(1, "sigmoid", name="inner")])],
            "inner",
            "sigmoid",
            False,
        ),
        (lambda: [layers.Dense(4), layers.GlobalAveragePooling1D(keepdims=True)], "", "unknown", False),
    ],
)
def test_an_output_is_traced_to_its_layer_and_activation(stack, layer, activation, can_replace):
    made = stack()
    if isinstance(made[-1], layers.GlobalAveragePooling1D):
        made = [layers.Dense(4), layers.Reshape((4, 1)), made[-1], layers.Flatten()]
    (output,) = outputs_of(made)
    assert (output.layer, output.activation, output.can_replace) == (layer, activation, can_replace)
    assert (output.units, output.shape) == (1, (1,))


@pytest.mark.parametrize(
    ("loss", "name", "from_logits"),
    [
        ("mae", "mean_absolute_error", False),
        ("MSE", "mean_squared_error", False),
        (keras.losses.Huber(), "huber", False),
        (keras.losses.BinaryCrossentropy(from_logits=True), "binary_crossentropy", True),
        (keras.losses.binary_crossentropy, "binary_crossentropy", False),
        ("crossentropy", "binary_crossentropy", False),
        (keras.losses.Poisson(), "poisson", False),
        (keras.losses.BinaryFocalCrossentropy(), "binary_focal_crossentropy", False),
        (lambda y_true, y_pred: keras.ops.mean(y_true - y_pred), "<lambda>", False),
    ],
)
def test_losses_have_the_names_of_keras(loss, name, from_logits):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile("adam", loss)
    assert loss_forms(model, Y) == [(name, from_logits)]


def test_outputs_without_a_loss_have_no_name():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, [layers.Dense(1)(inputs), layers.Dense(1)(inputs)])
    model.compile("adam", ["mse", None])
    assert loss_forms(model, [Y, Y]) == [("mean_squared_error", False), ("", False)]


def test_predictions_are_described():
    (output,) = outputs_of([layers.Dense(1, kernel_initializer="ones", bias_initializer="ones")])
    assert output.minimum == pytest.approx(float((X.sum(axis=1) + 1.0).min()), rel=1e-5)
    assert output.maximum == pytest.approx(float((X.sum(axis=1) + 1.0).max()), rel=1e-5)
    assert not output.is_flat


@pytest.mark.parametrize(
    ("stack", "is_flat"),
    [
        (lambda: [layers.Dense(1, "relu", bias_initializer=keras.initializers.Constant(-99.0))], True),
        (lambda: [layers.Dense(1, bias_initializer=keras.initializers.Constant(-99.0)), layers.ReLU()], True),
        (lambda: [layers.Dense(1, "softmax")], True),
        (
            lambda: [layers.Dense(3, "relu", kernel_initializer="zeros"), layers.Dense(1)],
            False,
        ),
        (lambda: [layers.Dense(3, "relu"), layers.Dense(1)], False),
    ],
)
def test_an_output_is_flat_where_what_it_is_given_is_not(stack, is_flat):
    assert outputs_of(stack())[0].is_flat == is_flat


class OwnCall(keras.Model):
    def __init__(self):
        super().__init__()
        self.out = layers.Dense(2)

    def call(self, inputs):
        return self.out(inputs)


def test_a_model_with_its_own_call_has_outputs_by_their_predictions():
    model = OwnCall()
    model.compile("adam", "mse")
    model(X[:1])
    evidence = collect(model, TrainingData.from_arrays(X, np.repeat(Y, 2, axis=1)), ["regression"])
    (output,) = evidence.model.outputs
    assert (output.layer, output.activation, output.loss, output.units) == ("", "unknown", "mean_squared_error", 2)
    assert output.maximum > output.minimum
