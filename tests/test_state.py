import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

from autofix.state import RandomState, Snapshot, preserved_randomness

DRAWS = {
    "python": random.random,
    "numpy": lambda: float(np.random.random()),  # noqa: NPY002
    "keras initializer": lambda: float(keras.initializers.RandomNormal()((1,))[0]),
    "keras random": lambda: float(keras.random.uniform(())),
    "shuffled dataset": lambda: [int(value) for value in tf.data.Dataset.range(20).shuffle(20)],
}


@pytest.mark.parametrize("source", DRAWS)
def test_a_restored_state_repeats_the_draws(source):
    keras.utils.set_random_seed(1)
    DRAWS[source]()
    saved = RandomState()
    first, second = DRAWS[source](), DRAWS[source]()
    assert first != second
    saved.restore()
    assert [DRAWS[source](), DRAWS[source]()] == [first, second]


@pytest.mark.parametrize("source", DRAWS)
@pytest.mark.parametrize("seed", [None, 5])
def test_what_is_drawn_inside_does_not_show_outside(source, seed):
    keras.utils.set_random_seed(1)
    expected = [DRAWS[source](), DRAWS[source]()]
    keras.utils.set_random_seed(1)
    with preserved_randomness(seed):
        DRAWS[source]()
    first = DRAWS[source]()

    def draw_and_fail():
        DRAWS[source]()
        raise KeyError

    with pytest.raises(KeyError), preserved_randomness(seed):
        draw_and_fail()
    assert [first, DRAWS[source]()] == expected


@pytest.mark.parametrize("outer", [None, 4])
def test_a_global_seed_that_is_set_inside_does_not_stay(outer):
    tf.random.set_seed(outer)
    drawn = []
    for _ in range(2):
        with preserved_randomness():
            keras.utils.set_random_seed(9)
        drawn.append(float(tf.random.uniform(())))
    # Not the first number of seed 9, twice.
    assert drawn[0] != drawn[1]
    assert context.global_seed() == outer


@pytest.mark.parametrize("source", ["python", "numpy", "keras initializer"])
def test_a_seed_inside_gives_the_same_draws_wherever_it_starts_from(source):
    values = []
    for outer in (1, 2):
        keras.utils.set_random_seed(outer)
        with preserved_randomness(seed=7):
            values.append(DRAWS[source]())
    assert values[0] == values[1]


def stateful_model():
    layers = [keras.layers.Dense(4), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5, seed=1)]
    return keras.Sequential([keras.Input((2,)), *layers, keras.layers.Dense(1)])


def values_of(variables):
    return [variable.numpy() for variable in variables]


def test_a_snapshot_puts_weights_statistics_dropout_seeds_and_optimizer_back(plane):
    model = stateful_model()
    model.compile("adam", "mse")
    model.fit(*plane, verbose=0)
    snapshot = Snapshot(model)
    variables = [*model.variables, *model.optimizer.variables]
    before = values_of(variables)
    model.fit(*plane, verbose=0)
    moved = values_of(variables)
    changed = {
        variable.path for variable, a, b in zip(variables, before, moved, strict=True) if not np.array_equal(a, b)
    }
    assert any("moving_mean" in path for path in changed)
    assert any("seed_generator" in path for path in changed)
    assert any("momentum" in path for path in changed)
    for _ in range(2):  # it can be used again
        snapshot.restore()
        for old, new in zip(before, values_of(variables), strict=True):
            np.testing.assert_array_equal(old, new)
        model.fit(*plane, verbose=0)


def test_training_from_a_restored_snapshot_repeats_itself(plane):
    model = stateful_model()
    model.compile("adam", "mse")
    model.fit(*plane, verbose=0)
    snapshot = Snapshot(model)
    losses = []
    for _ in range(2):
        snapshot.restore()
        losses.append(model.fit(*plane, epochs=2, shuffle=False, verbose=0).history["loss"])
    assert losses[0] == losses[1]


def test_the_optimizer_may_be_left_out(plane):
    model = stateful_model()
    model.compile("adam", "mse")
    model.fit(*plane, verbose=0)
    snapshot = Snapshot(model, with_optimizer=False)
    weights, iterations = values_of(model.variables), int(model.optimizer.iterations)
    model.fit(*plane, verbose=0)
    snapshot.restore()
    for old, new in zip(weights, values_of(model.variables), strict=True):
        np.testing.assert_array_equal(old, new)
    assert int(model.optimizer.iterations) > iterations


def test_a_model_without_an_optimizer_has_a_snapshot_too():
    model = stateful_model()
    before = values_of(model.variables)
    snapshot = Snapshot(model)
    model.layers[0].kernel.assign_add(model.layers[0].kernel)
    snapshot.restore()
    for old, new in zip(before, values_of(model.variables), strict=True):
        np.testing.assert_array_equal(old, new)
