import pytest

from autofix.remedies import ChangeLayers, LayerChange
from tests.strategies.records import case, changes, layer, prescribe, settings


@pytest.mark.parametrize("activation", ["sigmoid", "hard_sigmoid", "tanh", "softsign", "softmax"])
def test_squashing_hidden_layers_get_an_activation_and_the_kernel_that_goes_with_it(activation):
    program = case(layer("a", activation=activation), layer("b", activation="relu"))
    expected = {("a", "activation"): "relu", ("a", "kernel_initializer"): "he_normal"}
    assert changes(prescribe("replace_activations", program)) == expected
    expected = {("a", "activation"): "selu", ("a", "kernel_initializer"): "lecun_normal"}
    assert changes(prescribe("replace_activations", program, activation="selu")) == expected
    assert settings("replace_activations", program) == {"activation": ["relu", "selu"]}


@pytest.mark.parametrize(
    "stays",
    [
        layer("out", activation="sigmoid", is_output=True),
        layer("lstm", kind="LSTM", activation="tanh"),
        layer("gru", kind="GRU", activation="tanh"),
        layer("frozen", activation="tanh", is_trainable=False),
        layer("wrapper", kind="TimeDistributed", arguments={"activation": None}, activation="tanh"),
        layer("plain", activation="relu"),
    ],
    ids=lambda layer: layer.name,
)
def test_outputs_recurrent_frozen_and_other_layers_stay(stays):
    assert prescribe("replace_activations", case(stays)) is None


def test_an_activation_layer_behind_counts_as_the_layers_own():
    program = case(layer("a", arguments={"activation": "linear"}, activation="tanh"))
    assert changes(prescribe("replace_activations", program))[("a", "activation")] == "relu"


def test_what_the_recipe_has_changed_already_counts_as_it_is_now():
    earlier = ChangeLayers("other", (LayerChange("a", "Dense", "activation", "elu", "tanh"),))
    program = case(layer("a", activation="tanh"), layer("b", activation="tanh"), recipe=[earlier])
    assert {name for name, _ in changes(prescribe("replace_activations", program))} == {"b"}
