"""An engine that trains nothing: predictions of a known skill, for the tests of what is made of them."""

import math
from typing import Any

import numpy as np

from autofix.data.training_data import TrainingData
from autofix.recipe import Recipe
from autofix.remedies import SetFitArgument, SetLearningRate
from autofix.scoring.numpy_losses import loss_spec
from autofix.search.held_out import HeldOut
from autofix.search.judge import Judge
from autofix.search.probe import ProbeRun
from autofix.search.trials import SEEDS_A_REPEAT, Trials

N_ROWS = 120
LESS_NOISE = 0.5
GOOD = Recipe((SetLearningRate("lower_learning_rate", factor=0.1),))
BETTER = Recipe((*GOOD, SetFitArgument("reshuffle", name="shuffle", value=True)))


class CannedEngine:
    """Predicts the targets plus noise, an amount a recipe and head; infinite noise stands for NaN predictions.

    Args:
        targets: One array `(n_rows, 1)` an output.
        noise: `(recipe, repeat) -> amount`, or one amount an output; None for predictions that are all 0.
    """

    def __init__(self, targets, noise):
        self.output_shapes = [target.shape[1:] for target in targets]
        self.runs = []
        self._targets = targets
        self._noise = noise

    def seconds_per_step(self, recipe):
        return 1e-6

    def run(self, recipe, rows=None, seed=0, steps=None, *, own_initialization=False, targets=None, also_after=0):
        self.runs.append((recipe, seed, steps, own_initialization))
        if targets is not None:
            return ProbeRun(self.predict(targets, rows), steps or 0, 0.0, "graph")
        amounts = self._noise(recipe, seed // SEEDS_A_REPEAT)
        if not isinstance(amounts, list):
            amounts = [amounts] * len(self._targets)
        predictions = self._noisy(amounts, seed)
        earlier = self._noisy([amount and LESS_NOISE * amount for amount in amounts], seed) if also_after else None
        return ProbeRun(predictions, steps or 0, 0.0, "graph", earlier)

    def _noisy(self, amounts, seed):
        rng = np.random.default_rng(seed)
        predictions = []
        for target, amount in zip(self._targets, amounts, strict=True):
            noise = rng.normal(size=target.shape)
            if amount is None:
                predictions.append(np.zeros_like(target))
            else:
                predictions.append(target + noise * amount if math.isfinite(amount) else np.full_like(target, np.nan))
        return predictions


def make(noise, n_heads=1, sample_weight=None, n_rows=N_ROWS, epochs=10, n_losses=None, engine_class=CannedEngine):
    """The sample, an engine for it, and the losses of its outputs: None of those beyond `n_losses`."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(n_rows, 2))
    y = [rng.normal(size=(n_rows, 1)) for _ in range(n_heads)]
    data = TrainingData.from_arrays(x, y if n_heads > 1 else y[0], sample_weight, epochs=epochs)
    engine: Any = engine_class(data.targets, noise)
    n_losses = n_heads if n_losses is None else n_losses
    losses = [loss_spec("mean_squared_error")] * n_losses + [None] * (n_heads - n_losses)
    return data, engine, losses


def make_judge(noise, *, accept=0.98, budget_s=60.0, **sample):
    data, engine, losses = make(noise, **sample)
    return Judge(engine, data, losses, seed=0, accept=accept, budget_s=budget_s), engine


def make_trials(noise, *, budget_s=60.0, shapes=None, **sample):
    data, engine, losses = make(noise, **sample)
    shapes = engine.output_shapes if shapes is None else shapes
    return Trials(engine, data, HeldOut(data, losses, 0), shapes, seed=0, budget_s=budget_s), engine


def by_recipe(**amounts):
    """Noise of the control arm, of GOOD and of BETTER."""
    return lambda recipe, repeat: amounts[{0: "control", 1: "good", 2: "better"}[len(recipe)]]
