"""What recipes make of the user's layers, in the models that `Recipe.apply` returns."""

import keras
import numpy as np
import pytest

from autofix.recipe import Recipe
from autofix.remedies import (
    ChangeLayers,
    CodeColumn,
    EncodeCategories,
    HeadChange,
    LayerChange,
    NormalizeInputs,
    NormalizeLayers,
    ReplaceHeads,
)

layers = keras.layers


def change(layer, argument, value):
    return Recipe((ChangeLayers("s", (LayerChange(layer, "Dense", argument, value, None),)),))


def network(*stack, width=3):
    model = keras.Sequential([keras.Input((width,)), *stack])
    model.compile("adam", "mse")
    return model


def weights(model, name):
    return model.get_layer(name).get_weights()


def test_an_activation_changes_and_the_weights_stay():
    model = network(layers.Dense(4, activation="sigmoid", name="hidden"), layers.Dense(1))
    changed = change("hidden", "activation", "relu").apply(model)
    assert changed.get_layer("hidden").activation is keras.activations.relu
    assert model.get_layer("hidden").activation is keras.activations.sigmoid
    np.testing.assert_array_equal(weights(changed, "hidden")[0], weights(model, "hidden")[0])


@pytest.mark.parametrize("behind", [layers.Activation("sigmoid"), layers.ReLU(), layers.Softmax()])
def test_the_activation_of_a_layer_without_one_is_the_layer_behind_it(behind):
    model = network(layers.Dense(4, name="hidden"), layers.BatchNormalization(), behind, layers.Dense(1))
    changed = change("hidden", "activation", "elu").apply(model)
    assert changed.get_layer(behind.name).activation is keras.activations.elu
    assert changed.get_layer("hidden").activation is keras.activations.linear


def test_a_layer_whose_initialiser_changes_begins_with_new_weights():
    model = network(layers.Dense(4, kernel_initializer="zeros", name="hidden"), layers.Dense(1, name="out"))
    changed = change("hidden", "kernel_initializer", "he_normal").apply(model)
    assert np.ptp(weights(changed, "hidden")[0]) > 0.0
    np.testing.assert_array_equal(weights(changed, "out")[0], weights(model, "out")[0])


def test_layers_inside_models_and_wrappers_change_too():
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(4, activation="tanh", name="deep")], name="inner")
    x = keras.Input((5, 3))
    wrapped = layers.TimeDistributed(inner)(x)
    wrapped = layers.Bidirectional(layers.GRU(2, dropout=0.9, name="gru"), name="both")(wrapped)
    model = keras.Model(x, layers.Dense(1)(wrapped))
    name = model.get_layer("both").forward_layer.name
    both = change(name, "dropout", 0.1).apply(model).get_layer("both")
    assert (both.forward_layer.dropout, both.backward_layer.dropout) == (0.1, 0.9)  # each has its own name
    outer = network(inner, layers.Dense(1))
    changed = change("deep", "activation", "relu").apply(outer)
    assert changed.get_layer("inner").get_layer("deep").activation is keras.activations.relu


def test_frozen_layers_are_trained_again():
    base = keras.Sequential([keras.Input((3,)), layers.Dense(4, name="deep")], name="base")
    base.trainable = False
    model = network(base, layers.Dense(1))
    changed = change("base", "trainable", True).apply(model)
    assert len(changed.trainable_variables) == 4
    assert len(model.trainable_variables) == 2
    np.testing.assert_array_equal(changed.get_layer("base").get_weights()[0], base.get_weights()[0])


def test_a_head_gets_units_an_activation_and_a_loss():
    model = network(layers.Dense(4), layers.Dense(1, name="out"), layers.Softmax())
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    head = HeadChange(
        "out", 3, "softmax", "sparse_categorical_crossentropy", (1, "softmax", "categorical_crossentropy")
    )
    changed = Recipe((ReplaceHeads("s", (head,)),)).apply(model)
    assert changed.output_shape == (None, 3)
    assert changed.loss == "sparse_categorical_crossentropy"
    np.testing.assert_allclose(changed.predict(np.ones((2, 3)), verbose=0).sum(axis=1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("loss", ["mse", ["mse", "mse"], {"first": "mse", "second": "mse"}])
def test_the_loss_of_one_of_several_outputs_changes(loss):
    x = keras.Input((3,))
    model = keras.Model(x, [layers.Dense(1, name="first")(x), layers.Dense(1, name="second")(x)])
    model.compile("adam", loss)
    head = HeadChange("second", None, "sigmoid", "binary_crossentropy", (1, "linear", "mse"))
    changed = Recipe((ReplaceHeads("s", (None, head)),)).apply(model)
    losses = [changed.loss[name] for name in model.output_names] if isinstance(loss, dict) else changed.loss
    assert list(losses) == ["mse", "binary_crossentropy"]
    assert changed.get_layer("second").activation is keras.activations.sigmoid
    changed.train_on_batch(np.ones((4, 3)), [np.ones(4), np.ones(4)])


@pytest.mark.parametrize("kind", ["BatchNormalization", "LayerNormalization"])
def test_normalisation_stands_behind_the_layers_named(kind):
    model = network(layers.Dense(4, name="hidden"), layers.Dense(2, name="more"), layers.Dense(1))
    changed = Recipe((NormalizeLayers("s", kind, ("hidden", "more")),)).apply(model)
    assert [type(layer).__name__ for layer in changed.layers] == ["Dense", kind, "Dense", kind, "Dense"]
    x = keras.Input((3,))
    functional = keras.Model(x, layers.Dense(1)(layers.Dense(2, name="hidden")(x)))
    changed = Recipe((NormalizeLayers("s", kind, ("hidden",)),)).apply(functional)
    assert [type(layer).__name__ for layer in changed.layers] == ["InputLayer", "Dense", kind, "Dense"]


class TestEncodedCategories:
    COLUMNS = EncodeCategories("encode_categories", ((CodeColumn(1, 2, 3),),))

    def first_layer_sees(self, recipe, x):
        """What the user's first layer is given: it hands its inputs on."""
        model = network(layers.Dense(5, name="first"), width=x.shape[1])
        applied = recipe.apply(model)
        kernel = applied.get_layer("first").kernel
        applied.get_layer("first").set_weights([np.eye(*kernel.shape), np.zeros(5)])
        return applied, applied.predict(x, verbose=0)

    def test_codes_become_columns_and_unknown_ones_zeros(self, tmp_path):
        x = np.array([[0.5, 2, 7.0], [0.25, 4, 8.0], [0.125, 9, 9.0]])
        model, seen = self.first_layer_sees(Recipe((self.COLUMNS,)), x)
        np.testing.assert_allclose(seen, [[0.5, 7, 1, 0, 0], [0.25, 8, 0, 0, 1], [0.125, 9, 0, 0, 0]])
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
        np.testing.assert_array_equal(loaded.predict(x, verbose=0), seen)

    def test_the_other_features_are_standardised_before(self):
        normal = NormalizeInputs("s", mean=((0.5, 0.0, 7.0),), variance=((0.25, 1.0, 4.0),))
        x = np.array([[1.0, 3, 9.0]])
        _, seen = self.first_layer_sees(Recipe((normal, self.COLUMNS)), x)
        np.testing.assert_allclose(seen, [[1.0, 1.0, 0, 1, 0]], rtol=1e-6)

    def test_integers_and_nothing_but_codes_are_fine(self):
        columns = tuple(CodeColumn(column, 0, 2) for column in range(2))
        x = np.array([[0, 1], [1, 0]])
        model = keras.Sequential([keras.Input((2,), dtype="int32"), layers.Dense(4, name="first")])
        applied = Recipe((EncodeCategories("s", (columns,)),)).apply(model)
        assert applied.get_layer("first").kernel.shape == (4, 4)
        assert applied.predict(x, verbose=0).shape == (2, 4)
