"""Where runs begin: given or fresh values, of the network's own initialisers or of another one's."""

import keras
import numpy as np
import pytest

from autofix.search.initial_weights import InitialWeights
from autofix.state import Snapshot
from autofix.surgery.initialization import fresh_values


def network(kernel="glorot_uniform", bias="zeros", *, seed=0, units=3):
    keras.utils.set_random_seed(seed)
    hidden = keras.layers.Dense(units, kernel_initializer=kernel, bias_initializer=bias)
    model = keras.Sequential([keras.Input((2,)), hidden, keras.layers.BatchNormalization(), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def values_of(model):
    return [variable.numpy() for variable in model.variables]


def assert_equal(arrays, others):
    for array, other in zip(arrays, others, strict=True):
        np.testing.assert_array_equal(array, other)


def put(weights, model, seed=0, *, own=False):
    """The values that a run begins with after another one."""
    for variable in model.variables:
        variable.assign(variable.numpy() + 7.0)
    weights.put(seed, own)
    return values_of(model)


def test_a_run_begins_at_the_values_that_the_network_was_given():
    model = network()
    given = values_of(model)
    assert_equal(put(InitialWeights(model, Snapshot(model)), model, own=True), given)


def test_a_seed_gives_the_same_fresh_values_in_every_run():
    model = network()
    weights = InitialWeights(model, Snapshot(model))
    first, second, first_again = (put(weights, model, seed) for seed in (1, 2, 1))
    assert_equal(first, first_again)
    assert not np.array_equal(first[0], second[0])
    assert_equal([first[0]], [np.asarray(fresh_values(model, 1)[0][1])])


def test_what_was_drawn_before_is_drawn_again_where_it_is_no_longer_kept(monkeypatch):
    monkeypatch.setattr("autofix.search.initial_weights.KEPT_INITIALIZATIONS", 2)
    model = network()
    weights = InitialWeights(model, Snapshot(model))
    first = put(weights, model, 0)
    for seed in range(1, 5):
        put(weights, model, seed)
    assert_equal(put(weights, model, 0), first)


@pytest.mark.parametrize("own", [True, False])
def test_the_values_of_another_network_count_where_it_is_given(own):
    model, other = network(kernel="zeros"), network(kernel="he_normal", bias="ones", seed=3)
    before = values_of(other)
    begun = put(InitialWeights(model, Snapshot(model)).drawn_as(other), model, seed=5, own=own)
    if own:
        expected = before
    else:
        drawn = {id(variable): np.asarray(value) for variable, value in fresh_values(other, 5)}
        expected = [drawn.get(id(variable), value) for variable, value in zip(other.variables, before, strict=True)]
        assert not np.array_equal(expected[0], before[0])
    assert_equal(begun, expected)
    assert begun[1].tolist() == [1.0, 1.0, 1.0]
    assert_equal(values_of(other), before)


def test_a_network_of_other_variables_is_refused():
    model = network()
    with pytest.raises(ValueError, match="argument 2 is longer"):
        InitialWeights(model, Snapshot(model)).drawn_as(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))
