import keras
import numpy as np
import pytest

from autofix.surgery.initialization import fresh_values, is_trained_throughout, trained_layers

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


# Layers that were trained before


def fresh_networks():
    return [
        layers.Conv1D(4, 2),
        layers.BatchNormalization(),
        layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
        layers.GRU(4),
        layers.Dense(6, kernel_initializer="he_normal", bias_initializer=keras.initializers.Constant(0.1)),
        layers.PReLU(),
        layers.Dense(5, kernel_initializer=keras.initializers.RandomUniform(2.0, 3.0), use_bias=False),
        layers.Dense(1, kernel_initializer="zeros"),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_no_layer_of_a_new_network_seems_trained(seed):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((5, 3)), *fresh_networks()])
    assert trained_layers(model) == []


def test_every_layer_of_a_trained_network_is_seen(make_model, plane):
    model = make_model()
    assert not is_trained_throughout(model)
    model.fit(*plane, epochs=2, verbose=0)
    assert trained_layers(model) == model.layers
    assert is_trained_throughout(model)
    model.compile("adam", "mse")  # forgets the steps, and not the weights
    assert is_trained_throughout(model)


def test_a_table_of_values_set_from_elsewhere_is_seen():
    model = keras.Sequential([keras.Input((4,)), layers.Embedding(50, 8), layers.Flatten(), layers.Dense(1)])
    model.compile("adam", "mse")
    model.layers[0].set_weights([np.random.default_rng(0).normal(size=(50, 8))])
    assert trained_layers(model) == [model.layers[0]]
    assert not is_trained_throughout(model)


def test_trained_layers_keep_their_values_and_new_ones_are_drawn(make_model):
    model = make_model()
    body, head = model.layers
    body.set_weights([3.0 * body.kernel.numpy(), np.ones(6)])
    assert set(drawn(model, 0)) == {head.kernel.path}
    both = {variable.path for variable, _ in fresh_values(model, 0, keeps_trained=False)}
    assert both == {head.kernel.path, body.kernel.path, body.bias.path}


def test_what_is_kept_does_not_change_what_is_drawn(make_model):
    model = make_model()
    body, head = model.layers
    before = drawn(model, 0)[head.kernel.path]
    body.bias.assign(np.ones(6))
    np.testing.assert_array_equal(drawn(model, 0)[head.kernel.path], before)


def test_where_nothing_is_kept_every_variable_begins_anew(plane):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2, 1)), layers.LSTM(3), layers.BatchNormalization(), layers.Dense(1)])
    new = {variable.path: variable.numpy() for variable in model.trainable_variables}
    for variable in model.trainable_variables:
        variable.assign(variable + 50.0)
    values = {variable.path: np.asarray(value) for variable, value in fresh_values(model, 0, keeps_trained=False)}
    assert set(values) == set(new)
    for path, value in values.items():
        if "kernel" in path:
            assert abs(value).max() < 3.0
        else:
            np.testing.assert_array_equal(value, new[path])
