from autofix.remedies import NormalizeInputs
from tests.strategies.records import case, changes, layer, prescribe, settings


def test_layers_whose_units_died_get_an_activation_with_a_slope():
    program = case(layer("dead", activation="relu", dead_share=1.0), layer("alive", activation="relu", dead_share=0.1))
    assert settings("revive_units", program) == {"activation": ["leaky_relu", "elu"]}
    assert changes(prescribe("revive_units", program)) == {("dead", "activation"): "leaky_relu"}
    assert changes(prescribe("revive_units", program, activation="elu")) == {("dead", "activation"): "elu"}


def test_initialisers_that_kill_are_replaced_first_of_all():
    deadly = {"bias_initializer": "constant", "kernel_initializer": "random_uniform"}
    program = case(layer("a", activation="relu", arguments=deadly, dead_share=1.0, start_dead_share=1.0))
    assert settings("revive_units", program)["activation"][0] == "relu"
    expected = {("a", "bias_initializer"): "zeros", ("a", "kernel_initializer"): "he_normal"}
    assert changes(prescribe("revive_units", program)) == expected
    assert changes(prescribe("revive_units", program, activation="elu")) == {**expected, ("a", "activation"): "elu"}


def test_ordinary_initialisers_stay():
    program = case(layer("a", activation="relu", dead_share=1.0, start_dead_share=1.0))
    assert changes(prescribe("revive_units", program)) == {("a", "activation"): "leaky_relu"}


def test_an_output_that_is_dead_by_its_bias_gets_another_bias_and_keeps_its_activation():
    dead = {"is_output": True, "dead_share": 1.0, "start_dead_share": 1.0}
    program = case(layer("out", activation="relu", arguments={"bias_initializer": "constant"}, units=1, **dead))
    assert settings("revive_units", program) == {}
    assert changes(prescribe("revive_units", program)) == {("out", "bias_initializer"): "zeros"}
    assert prescribe("revive_units", case(layer("out", activation="relu", units=1, **dead))) is None


def test_layers_that_are_alive_frozen_or_of_another_activation_stay():
    assert prescribe("revive_units", case(layer("a", activation="relu", dead_share=0.1))) is None
    assert prescribe("revive_units", case(layer("a", activation="relu", dead_share=1.0, is_trainable=False))) is None
    assert prescribe("revive_units", case(layer("a", activation="tanh", dead_share=1.0))) is None
    wrapper = layer("a", kind="TimeDistributed", arguments={"activation": None}, activation="relu", dead_share=1.0)
    assert prescribe("revive_units", case(wrapper)) is None


def test_an_activation_layer_behind_the_dead_one_counts_as_its_own():
    program = case(layer("a", arguments={"activation": "linear"}, activation="relu", dead_share=1.0))
    (change,) = prescribe("revive_units", program).changes
    assert (change.layer, change.argument, change.value, change.was) == ("a", "activation", "leaky_relu", "relu")


def test_a_bias_that_kills_once_the_inputs_are_standardised_is_replaced_with_them():
    biased = {"arguments": {"bias_initializer": "constant"}, "activation": "relu"}
    low, ordinary = layer("low", start_bias=-20.0, **biased), layer("ordinary", start_bias=0.1, **biased)
    assert prescribe("revive_units", case(low, ordinary)) is None
    scaled = NormalizeInputs("standardize_inputs", mean=((0.0, 0.0),), variance=((1.0, 1.0),))
    expected = {("low", "bias_initializer"): "zeros"}
    assert changes(prescribe("revive_units", case(low, ordinary, recipe=[scaled]))) == expected
    tanh = layer("tanh", start_bias=-20.0, **{**biased, "activation": "tanh"})
    assert prescribe("revive_units", case(tanh, recipe=[scaled])) is None
