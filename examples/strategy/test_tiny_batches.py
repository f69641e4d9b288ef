"""The contract of a strategy, and a training that this one repairs."""

import keras
import numpy as np
from tiny_batches import TinyBatches

import autofix
from autofix.testing import StrategyTests


class TestTinyBatches(StrategyTests):
    strategy = TinyBatches


def test_it_repairs_a_training_of_too_few_steps():
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(200, 2))
    y = 2 * x[:, :1] - x[:, 1:] + 3
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.005), "mse")
    history = autofix.fit(model, x, y, epochs=10, batch_size=200, verbose=0, strategies=["tiny_batches"])
    assert history.report.verdict == "repaired", str(history.report)
    assert history.report.recipe.strategies == ("tiny_batches",)
