"""What the strategies make of evidence that is measured on networks with planted faults, not written by hand."""

import keras
import numpy as np
import pytest

import autofix
from autofix.sample_programs import describe, sample_programs
from autofix.search.search_space import SearchSpace
from autofix.strategy import resolve_strategies

ANYWHERE = {"lower_learning_rate", "resize_batches"}
"""What can be changed in any of the programs."""

FAULTS = {
    "raw numbers": {"standardize_inputs", "standardize_targets", "reshuffle", "clip_gradients", "encode_categories"},
    "dead units": {"repair_output_head", "revive_units", "replace_activations", "reinitialize"},
    "images": {"relax_regularization", "normalize_layers"},
    "texts": {"unfreeze"},
    "two outputs": {"repair_output_head", "standardize_inputs", "standardize_targets"},
    "subclassed": set(),
}

ON_EVIDENCE = {
    *("repair_output_head", "revive_units", "reinitialize", "unfreeze", "relax_regularization"),
    *("clip_gradients", "balance_classes", "encode_categories", "train_longer", "reshuffle"),
}
"""Strategies that have nothing to change in a healthy program."""


def applying(program):
    return set(SearchSpace(resolve_strategies(None), program.case).strategies)


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_has_its_strategy(name):
    (program,) = [one for one in sample_programs() if one.name == name]
    found = applying(program)
    assert found >= FAULTS[name] | ANYWHERE
    if name == "subclassed":
        assert found == ANYWHERE


def test_every_sample_program_says_its_faults():
    assert [program.name for program in sample_programs()] == list(FAULTS)


def test_a_healthy_network_has_little_to_change():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(128, 4))
    y = x[:, :1] - np.abs(x[:, 1:2])
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(32, activation="relu"), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    run = {"losses": (0.9, 0.1), "half_skill": 0.88, "end_skill": 0.9}
    assert applying(describe("healthy", model, x, y, ("regression",), run, epochs=50)) & ON_EVIDENCE == set()


def dense(*stack, loss="mse"):
    model = keras.Sequential([keras.Input((4,)), *stack])
    model.compile(keras.optimizers.Adam(0.01), loss)
    return model


LAYERS = keras.layers
REPAIRS = {
    "repair_output_head": lambda: dense(
        LAYERS.Dense(16, activation="relu"), LAYERS.Dense(1, activation="softmax"), loss="binary_crossentropy"
    ),
    "reinitialize": lambda: dense(
        LAYERS.Dense(16, activation="relu", kernel_initializer="zeros"), LAYERS.Dense(1, kernel_initializer="zeros")
    ),
    "unfreeze": lambda: dense(LAYERS.Dense(16, activation="relu", trainable=False), LAYERS.Dense(1, trainable=False)),
}


# Keras warns of two of the faults: a softmax over one unit, and a model in which nothing is trained.
@pytest.mark.filterwarnings("ignore:(?s).*softmax over axis:UserWarning", "ignore:.*any trainable weights:UserWarning")
@pytest.mark.slow
@pytest.mark.parametrize("name", REPAIRS)
def test_a_fault_is_repaired_by_its_strategy_alone(name):
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(300, 4))
    y = 2 * x[:, :1] - x[:, 1:2] + np.abs(x[:, 2:3])
    model = REPAIRS[name]()
    if model.loss == "binary_crossentropy":
        y = (y > 0.7).astype("float32")
    report = autofix.fit(model, x, y, epochs=40, verbose=0, strategies=[name]).report
    assert report.verdict == "repaired", str(report)
    assert report.recipe.strategies == (name,)
    assert np.ptp(model.predict(x, verbose=0)) > 0.5
