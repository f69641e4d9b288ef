import keras
import numpy as np
import pytest

from autofix.data.training_data import TrainingData
from autofix.measuring.inspection import collect
from autofix.measuring.layer_profiles import is_same
from autofix.state import Snapshot

layers = keras.layers
initializers = keras.initializers
X = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
Y = (X[:, :1] * X[:, 1:2]).astype("float32")


def compiled(*stack, optimizer="adam", x=X):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(x.shape[1:]), *stack])
    model.compile(optimizer, "mse")
    return model


def profiled(model, x=X, **arguments):
    profiles = collect(model, TrainingData.from_arrays(x, Y), ["regression"], **arguments).model.layers
    return {profile.name: profile for profile in profiles}


def test_layers_with_weights_or_a_rate_are_listed_in_order():
    inner = keras.Sequential([keras.Input((8,)), layers.Dense(3, name="inner")], name="model_inside")
    model = compiled(
        layers.Dense(8, "relu", name="first"),
        layers.Dropout(0.3, name="drop"),
        layers.Flatten(),
        inner,
        layers.Dense(1),
    )
    found = profiled(model)
    assert [*found][:3] == ["first", "drop", "inner"]
    assert [profile.is_output for profile in found.values()] == [False, False, False, True]
    assert [profile.has_weights for profile in found.values()] == [True, False, True, True]
    assert found["drop"].argument("rate") == 0.3
    assert (found["first"].units, found["first"].activation, found["inner"].kind) == (8, "relu", "Dense")


def test_arguments_are_named_as_keras_names_them():
    stack = [
        layers.Dense(3, "tanh", kernel_initializer="he_normal", kernel_regularizer="l1", trainable=False, name="a"),
        layers.Reshape((3, 1)),
        layers.LSTM(2, dropout=0.2, name="b"),
        layers.GaussianNoise(0.5, name="c"),
    ]
    found = profiled(compiled(*stack, layers.Dense(1)))
    assert found["a"].argument("activation") == "tanh"
    assert found["a"].argument("kernel_initializer") == "he_normal"
    assert found["a"].argument("bias_initializer") == "zeros"
    assert found["a"].argument("kernel_regularizer") == "l1"
    assert found["a"].argument("bias_regularizer") is None
    assert found["a"].argument("trainable") is False
    assert not found["a"].is_trainable
    assert found["b"].argument("recurrent_initializer") == "orthogonal"
    assert found["b"].argument("dropout") == 0.2
    assert found["c"].argument("stddev") == 0.5


def test_units_are_compared_at_the_start_and_now():
    model = compiled(layers.Dense(8, "relu", name="hidden"), layers.Dense(1, name="out"))
    initial = Snapshot(model)
    model.layers[0].bias.assign([-1e3] * 6 + [0.0] * 2)
    found = profiled(model, initial=initial)
    assert (found["hidden"].start_dead_share, found["hidden"].dead_share) == (0.0, 0.75)
    assert found["hidden"].update > 100.0
    assert found["out"].update == 0.0
    assert found["hidden"].gradient < found["hidden"].start_gradient
    assert profiled(model)["hidden"].start_dead_share == 0.75


@pytest.mark.parametrize(
    ("activation", "scale", "low", "high"),
    [("tanh", 1.0, 0.0, 0.1), ("tanh", 100.0, 0.9, 1.0), ("sigmoid", 100.0, 0.9, 1.0), ("relu", 100.0, 0.0, 0.0)],
)
def test_saturation_is_the_share_of_values_near_the_ends(activation, scale, low, high):
    wide = initializers.VarianceScaling(scale**2, mode="fan_avg", distribution="uniform")
    found = profiled(compiled(layers.Dense(16, activation, kernel_initializer=wide, name="a"), layers.Dense(1)))
    assert low <= found["a"].saturated_share <= high
    assert found["a"].kernel_scale == pytest.approx(scale, rel=0.3)


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (lambda: layers.Dense(32), X),
        (lambda: layers.Conv1D(16, 3), X[:, :, None]),
        (lambda: layers.LSTM(16), X[:, :, None]),
    ],
)
def test_glorots_initialisation_has_scale_one(layer, x):
    first = layer()
    model = compiled(first, layers.Flatten(), layers.Dense(1), x=x)
    assert profiled(model, x)[first.name].kernel_scale == pytest.approx(1.0, rel=0.25)
    assert profiled(model, x)[first.name].equal_share == 0.0


def test_the_bias_is_that_of_the_start():
    model = compiled(layers.Dense(4, bias_initializer=keras.initializers.Constant(-7.0), name="a"), layers.Dense(1))
    found = profiled(model)
    assert found["a"].start_bias == pytest.approx(-7.0)
    assert found[model.layers[-1].name].start_bias == 0.0


@pytest.mark.parametrize("kernel", ["zeros", "ones"])
@pytest.mark.parametrize("kind", ["dense", "gru"])
def test_equal_units_are_counted(kernel, kind):
    if kind == "dense":
        model = compiled(layers.Dense(6, kernel_initializer=kernel, name="a"), layers.Dense(1))
        found = profiled(model)
    else:
        stack = layers.GRU(6, kernel_initializer=kernel, recurrent_initializer="zeros", name="a")
        found = profiled(compiled(stack, layers.Dense(1), x=X[:, :, None]), X[:, :, None])
    assert found["a"].equal_share == 1.0


def test_penalties_are_those_of_the_layer():
    model = compiled(
        layers.Dense(4, kernel_regularizer=keras.regularizers.L2(0.5), name="a"), layers.Dense(1, name="b")
    )
    initial = Snapshot(model)
    start = 0.5 * float((model.layers[0].get_weights()[0] ** 2).sum())
    model.layers[0].kernel.assign(np.ones((4, 4)))
    found = profiled(model, initial=initial)
    assert found["a"].penalty == pytest.approx(8.0)
    assert found["a"].start_penalty == pytest.approx(start)
    assert found["b"].penalty == 0.0


def test_gradients_fall_through_a_stack_of_sigmoids():
    stack = [layers.Dense(8, "sigmoid", name=f"h{index}") for index in range(6)]
    found = profiled(compiled(*stack, layers.Dense(1, name="out")))
    gradients = [found[f"h{index}"].gradient for index in range(6)]
    assert gradients == sorted(gradients)
    assert 0.0 < gradients[0] < 1e-2 * gradients[-1]


def test_weights_that_are_not_finite_give_a_profile_without_them():
    model = compiled(layers.Dense(4, "relu", name="a"), layers.Dense(1, name="b"))
    initial = Snapshot(model)
    model.layers[0].kernel.assign(np.full((4, 4), np.nan))
    evidence = collect(model, TrainingData.from_arrays(X, Y), ["regression"], initial, [1.0, float("nan")])
    assert evidence.curve.has_nonfinite_weights
    assert np.isfinite([profile.gradient for profile in evidence.model.layers]).all()
    assert np.isfinite([profile.update for profile in evidence.model.layers]).all()
    assert evidence.model.layers[0].start_gradient > 0.0


def test_same_is_told_within_rounding():
    values = np.array([[1e6, 1.0, 0.0, np.nan], [1e6 + 0.1, 1.1, 0.0, 1.0]])
    assert is_same(values).tolist() == [True, False, True, False]
