import pytest

from autofix.remedies import ChangeLayers, LayerChange
from tests.strategies.records import case, changes, layer, prescribe


@pytest.mark.parametrize(
    ("measured", "kernel"),
    [({"equal_share": 1.0}, "zeros"), ({"equal_share": 1.0}, "constant"), ({"kernel_scale": 30.0}, "random_normal")],
)
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_equal_and_far_too_large_weights_are_drawn_anew(measured, kernel, activation):
    program = case(layer("a", activation=activation, arguments={"kernel_initializer": kernel}, **measured))
    assert changes(prescribe("reinitialize", program)) == {("a", "kernel_initializer"): "glorot_uniform"}


def test_tiny_weights_are_drawn_anew():
    program = case(layer("a", arguments={"kernel_initializer": "random_normal"}, kernel_scale=1e-3))
    assert changes(prescribe("reinitialize", program)) == {("a", "kernel_initializer"): "glorot_uniform"}


def test_recurrent_layers_and_embeddings_get_the_initialisers_of_their_kinds():
    zeros = {"kernel_initializer": "zeros", "recurrent_initializer": "zeros"}
    lstm = layer("lstm", kind="LSTM", activation="tanh", arguments=zeros, equal_share=1.0)
    embedding = layer("tokens", kind="Embedding", arguments={"embeddings_initializer": "ones"}, equal_share=1.0)
    found = changes(prescribe("reinitialize", case(embedding, lstm)))
    assert found[("lstm", "kernel_initializer")] == "glorot_uniform"
    assert found[("lstm", "recurrent_initializer")] == "orthogonal"
    assert found[("tokens", "embeddings_initializer")] == "uniform"


def test_initialisers_that_make_all_weights_equal_are_replaced_where_equal_units_cannot_be_told():
    embedding = layer("tokens", kind="Embedding", arguments={"embeddings_initializer": "zeros"})
    assert changes(prescribe("reinitialize", case(embedding))) == {("tokens", "embeddings_initializer"): "uniform"}
    arguments = {"kernel_initializer": None, "depthwise_initializer": "glorot_uniform", "pointwise_initializer": "ones"}
    separable = layer("conv", kind="SeparableConv2D", arguments=arguments)
    found = changes(prescribe("reinitialize", case(separable)))
    assert found == {("conv", "pointwise_initializer"): "glorot_uniform"}


def test_weights_that_were_set_to_equal_values_are_drawn_anew_though_their_initialiser_is_a_good_one():
    program = case(layer("a", equal_share=1.0))
    assert changes(prescribe("reinitialize", program)) == {("a", "kernel_initializer"): "glorot_normal"}


def test_a_bias_that_saturates_the_units_from_the_start_is_reset():
    arguments = {"bias_initializer": "constant"}
    program = case(layer("a", activation="sigmoid", arguments=arguments, start_saturated_share=1.0))
    assert changes(prescribe("reinitialize", program)) == {("a", "bias_initializer"): "zeros"}


@pytest.mark.parametrize(
    "stays",
    [
        layer("usual"),
        layer("he", arguments={"kernel_initializer": "he_normal"}, kernel_scale=8.0),
        layer("frozen", arguments={"kernel_initializer": "zeros"}, equal_share=1.0, is_trainable=False),
        layer("tokens", kind="Embedding", arguments={"embeddings_initializer": "random_uniform"}, kernel_scale=0.1),
        layer("out", arguments={"kernel_initializer": "zeros"}, is_output=True),
        layer("moderate", arguments={"kernel_initializer": "random_normal"}, kernel_scale=0.4),
    ],
    ids=lambda layer: layer.name,
)
def test_ordinary_and_frozen_layers_stay(stays):
    assert prescribe("reinitialize", case(stays)) is None


def test_initialisers_that_the_recipe_has_replaced_already_stay():
    earlier = ChangeLayers("other", (LayerChange("a", "Dense", "kernel_initializer", "lecun_normal", "zeros"),))
    bad = layer("a", arguments={"kernel_initializer": "zeros"}, equal_share=1.0)
    assert prescribe("reinitialize", case(bad, recipe=[earlier])) is None
