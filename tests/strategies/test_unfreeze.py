from tests.strategies.records import case, changes, layer, prescribe, settings

FROZEN = {"trainable": False}


def test_all_frozen_layers_or_the_last_one_are_trained():
    program = case(*(layer(name, arguments=FROZEN, is_trainable=False) for name in "ab"), layer("c"))
    assert changes(prescribe("unfreeze", program)) == {("a", "trainable"): True, ("b", "trainable"): True}
    assert changes(prescribe("unfreeze", program, layers="last")) == {("b", "trainable"): True}
    assert "frozen: a, b" in prescribe("unfreeze", program).departure()


def test_a_single_frozen_layer_needs_no_setting():
    program = case(layer("a", arguments=FROZEN, is_trainable=False), layer("b"))
    assert settings("unfreeze", program) == {}
    assert changes(prescribe("unfreeze", program)) == {("a", "trainable"): True}


def test_layers_that_are_trained_adapted_or_without_weights_stay():
    adapted = layer("norm", kind="Normalization", arguments=FROZEN, is_trainable=False)
    empty = layer("dropout", kind="Dropout", arguments=FROZEN, is_trainable=False, has_weights=False)
    assert prescribe("unfreeze", case(layer("a"), adapted, empty)) is None
