import pytest

from tests.strategies.records import case, layer, prescribe, settings

LONG = {"total_steps": 5000}


def test_hidden_dense_and_convolutional_layers_are_normalised():
    program = case(layer("conv", kind="Conv2D"), layer("hidden"), layer("out", is_output=True, units=1), fit=LONG)
    remedy = prescribe("normalize_layers", program)
    assert (remedy.layer, remedy.after) == ("BatchNormalization", ("conv", "hidden"))
    assert prescribe("normalize_layers", program, layer="LayerNormalization").layer == "LayerNormalization"


@pytest.mark.parametrize(
    "stays",
    [
        layer("out", is_output=True),
        layer("lstm", kind="LSTM"),
        layer("conv_lstm", kind="ConvLSTM2D"),
        layer("embedding", kind="Embedding"),
        layer("frozen", is_trainable=False),
        layer("dropout", kind="Dropout", has_weights=False),
    ],
    ids=lambda layer: layer.name,
)
def test_outputs_recurrent_frozen_and_other_layers_are_not(stays):
    assert prescribe("normalize_layers", case(stays)) is None


def test_layers_that_a_normalisation_follows_are_not_normalised_again():
    program = case(layer("a"), layer("norm", kind="BatchNormalization"), layer("b"))
    assert prescribe("normalize_layers", program).after == ("b",)


def test_layers_that_get_another_activation_are_not_normalised_as_well():
    a, b = layer("a", activation="tanh"), layer("b", activation="relu")
    replaced = prescribe("replace_activations", case(a, b))
    assert prescribe("normalize_layers", case(a, b, recipe=[replaced])).after == ("b",)
    assert prescribe("normalize_layers", case(a, recipe=[replaced])) is None


def test_rows_of_a_few_values_are_not_normalised_each():
    assert settings("normalize_layers", case(layer("narrow", units=2))) == {}


@pytest.mark.parametrize("fit", [{**LONG, "batch_size": 2}, {**LONG, "total_steps": 200}])
def test_small_batches_and_short_trainings_are_tried_with_layer_normalisation_first(fit):
    program = case(layer("a"), fit=fit)
    assert settings("normalize_layers", program) == {"layer": ["LayerNormalization", "BatchNormalization"]}
