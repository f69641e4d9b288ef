import keras
import numpy as np
import pytest

import autofix
from autofix.recipe import Recipe
from autofix.remedies import (
    ChangeLayers,
    HeadChange,
    InsertHiddenLayers,
    LayerChange,
    NormalizeInputs,
    NormalizeLayers,
    ReplaceHeads,
    RescaleOutputs,
    SetLearningRate,
)

FIX = Recipe(
    (
        SetLearningRate("lower_learning_rate", factor=0.1, was=1.0),
        NormalizeInputs("standardize_inputs", mean=((500.0, 0.5),), variance=((250.0**2, 0.1),)),
        InsertHiddenLayers("add_hidden_layers", units=4, depth=1),
        RescaleOutputs("standardize_targets", scale=(250.0,), offset=(500.0,)),
    )
)


def functional() -> keras.Model:
    inputs = keras.Input((2,), name="numbers")
    hidden = keras.layers.Dense(3, activation="tanh", name="hidden")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1, name="out")(hidden))
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss="mae")
    return model


def test_a_recipe_goes_into_another_model_which_keeps_its_own_settings():
    model = functional()
    other = FIX.apply(model)
    assert other.loss == "mae"
    assert type(other.optimizer) is keras.optimizers.SGD
    assert float(other.optimizer.learning_rate) == pytest.approx(0.005)
    kinds = [type(layer).__name__ for layer in other.layers]
    assert kinds == ["InputLayer", "Normalization", "Dense", "Dense", "Dense", "Rescaling"]
    np.testing.assert_array_equal(other.get_layer("hidden").kernel, model.get_layer("hidden").kernel)
    x = np.random.default_rng(0).uniform(size=(20, 2)) * [1000.0, 1.0]
    assert np.isfinite(other.fit(x, x[:, 0], epochs=2, verbose=0).history["loss"]).all()
    assert model.predict(x, verbose=0).std() < other.predict(x, verbose=0).std()


def test_a_recipe_from_json_is_the_same_one():
    assert Recipe.from_json(FIX.to_json()).apply(functional()).count_params() == FIX.apply(functional()).count_params()


UNFIT = {
    "Expected a layer named 'dense_7'": ChangeLayers(
        "s", (LayerChange("dense_7", "Dense", "activation", "relu", "sigmoid"),)
    ),
    "Expected a layer named 'head'": ReplaceHeads("s", (HeadChange("head", None, "linear", None, (1, "relu", "mse")),)),
    "Expected a layer named 'conv'": NormalizeLayers("s", layer="BatchNormalization", after=("hidden", "conv")),
    "Expected 3 features in 'numbers'": NormalizeInputs("s", mean=((1.0, 2.0, 3.0),), variance=((1.0, 2.0, 3.0),)),
    "Expected 2 inputs": NormalizeInputs("s", mean=((1.0, 2.0), None), variance=((1.0, 2.0), None)),
    "Expected 2 outputs": RescaleOutputs("s", scale=(1.0, None), offset=(1.0, None)),
}


@pytest.mark.parametrize("problem", UNFIT)
def test_a_recipe_that_does_not_fit_is_refused(problem):
    with pytest.raises(autofix.ModelError, match=f"does not fit the model. {problem}"):
        Recipe((UNFIT[problem],)).apply(functional())
