import keras
import numpy as np
import pytest

from autofix.initialization import fresh_values

layers = keras.layers


def drawn(model, seed):
    return {variable.path: np.asarray(value) for variable, value in fresh_values(model, seed)}


def test_every_kernel_of_a_dense_network_is_drawn_and_no_bias(make_model):
    model = make_model()
    assert set(drawn(model, 0)) == {layer.kernel.path for layer in model.layers}


def test_the_same_seed_draws_the_same_and_another_one_something_else(make_model):
    model = make_model()
    one, again, other = drawn(model, 1), drawn(model, 1), drawn(model, 2)
    for path, value in one.items():
        np.testing.assert_array_equal(value, again[path])
        assert not np.array_equal(value, other[path])


def test_layers_of_the_same_shape_draw_different_values(make_model):
    model = make_model(lambda: [layers.Dense(2), layers.Dense(2), layers.Dense(1)])
    first, second, _ = drawn(model, 0).values()
    assert not np.array_equal(first, second)


def test_the_model_is_not_changed(make_model):
    model = make_model()
    before = model.get_weights()
    fresh_values(model, 3)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    "initializer",
    [
        keras.initializers.RandomUniform(2.0, 3.0, seed=1),
        keras.initializers.TruncatedNormal(mean=2.5, stddev=0.1),
        keras.initializers.GlorotUniform(),
    ],
)
def test_values_come_from_the_users_initializer(make_model, initializer):
    model = make_model(lambda: [layers.Dense(200, kernel_initializer=initializer)])
    ((variable, value),) = fresh_values(model, 0)
    own = variable.numpy()
    assert np.asarray(value).mean() == pytest.approx(own.mean(), abs=0.1)
    assert np.asarray(value).std() == pytest.approx(own.std(), rel=0.2)
    assert not np.array_equal(value, own)


@pytest.mark.parametrize("initializer", ["zeros", "ones", keras.initializers.Constant(0.3)])
def test_variables_without_a_random_initializer_are_left_out(make_model, initializer):
    assert not drawn(make_model(lambda: [layers.Dense(3, kernel_initializer=initializer)]), 0)


def test_freezing_a_layer_leaves_it_out_and_changes_no_other_layer(make_model):
    model = make_model()
    free = drawn(model, 0)
    model.layers[0].trainable = False
    frozen = drawn(model, 0)
    (path,) = frozen
    assert path == model.layers[1].kernel.path
    np.testing.assert_array_equal(frozen[path], free[path])


@pytest.mark.parametrize(
    ("layer", "shape", "names"),
    [
        (lambda: layers.LSTM(3), (4, 2), {"kernel", "recurrent_kernel"}),
        (lambda: layers.Bidirectional(layers.GRU(2)), (4, 2), {"kernel", "recurrent_kernel"}),
        (lambda: layers.Embedding(10, 3), (4,), {"embeddings"}),
        (lambda: layers.Conv1D(3, 2), (4, 2), {"kernel"}),
        (lambda: layers.DepthwiseConv1D(2), (4, 2), {"kernel"}),
        (lambda: layers.SeparableConv1D(3, 2), (4, 2), {"depthwise_kernel", "pointwise_kernel"}),
        (lambda: layers.BatchNormalization(), (4,), set()),
        (lambda: keras.Sequential([layers.Dense(3)]), (4,), {"kernel"}),
    ],
)
def test_the_kernels_of_every_kind_of_layer_are_found(layer, shape, names):
    model = keras.Sequential([keras.Input(shape), layer()])
    assert {path.split("/")[-1] for path in drawn(model, 0)} == names
    for variable, value in fresh_values(model, 0):
        assert tuple(value.shape) == tuple(variable.shape)
