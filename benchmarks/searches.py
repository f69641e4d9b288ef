"""The opponents that search: KerasTuner's RandomSearch and Hyperband, over the search space of the strategies.

They get what autofix has: the strategies that apply to the program, whether to use each, and their settings; and as
many trials as `autofix.fit` may run. They do not get what is likely, what is proven, and when to stop: they take the
best of all trials on a fifth of the rows, which is how they are used.
"""

import contextlib
import dataclasses
import io
import math
import tempfile
import time
import warnings
from typing import Any

import keras
import keras_tuner
import numpy as np
from keras_tuner.errors import FatalError

import autofix
from autofix.benchmarks.faults import skill
from autofix.benchmarks.faults.trained import Trainable, Trained, cleared
from autofix.benchmarks.usage import Usage
from autofix.recipe import Recipe
from autofix.search.search_space import SearchSpace
from autofix.strategy import Case, resolve_strategies

VALIDATION_SHARE = 0.2

RESOURCE = 27
"""Hyperband's unit: 27ths of a training, so that a third, a ninth and a 27th of it are whole numbers."""

FACTOR = 3
"""Of Hyperband: a third of the trials goes on, for three times as long. KerasTuner's default."""

WORST = -1e9
"""In place of a skill that is not finite, which KerasTuner takes for a trial to be repeated."""

NEVER = 1_000_000


class BudgetUsedError(FatalError):
    """Ends a search: KerasTuner passes fatal errors on."""


@dataclasses.dataclass(frozen=True)
class Point:
    """A trial that was better on the validation rows than all before.

    Args:
        seconds: Since the search began, the time that went into judging on fresh rows left out.
        trial: Its number, from 1.
        skill: On the fresh rows.
        skill_lower: Lower bound of its 95 % interval.
        strategies: That it used.
    """

    seconds: float
    trial: int
    skill: float
    skill_lower: float
    strategies: tuple[str, ...]


def search_space(program: Trainable) -> SearchSpace:
    """The strategies that apply to a program, and their settings; as far as a look at it tells."""
    arguments = program.fit_arguments
    told = {name: arguments[name] for name in ("batch_size", "epochs", "shuffle") if name in arguments}
    diagnosis = autofix.diagnose(program.build(), arguments["x"], arguments["y"], **told)
    return SearchSpace(resolve_strategies(None), Case(diagnosis.evidence, diagnosis.findings))


def hyperparameters(space: SearchSpace) -> keras_tuner.HyperParameters:
    """Whether to use each strategy, and its settings."""
    hp = space.hyperparameters.copy()
    for name in space.strategies:
        hp.Boolean(f"use/{name}")
    return hp


class _Trials:
    """Runs the trials of a search and keeps the best.

    Args:
        program: What is searched on.
        space: Turns values into recipes.
        n_trials: Whole trainings after which the search ends.
        limit_s: Seconds after which no further trial begins.
    """

    def __init__(self, program: Trainable, space: SearchSpace, n_trials: int, limit_s: float) -> None:
        self._program, self._space = program, space
        self._left, self._limit_s = float(n_trials), limit_s
        self._kept: dict[str, list[np.ndarray]] = {}
        self._started, self._judging_s = time.perf_counter(), 0.0
        order = np.random.default_rng(program.seed).permutation(len(program.x))
        n_validation = max(1, round(VALIDATION_SHARE * len(order)))
        self._validation, self._training = np.sort(order[:n_validation]), np.sort(order[n_validation:])
        self.best_skill, self.best_outputs = -math.inf, None
        self.curve: list[Point] = []
        self.n_trials = 0
        self.n_failed = 0

    @property
    def seconds(self) -> float:
        """Wall time so far, less what went into judging on fresh rows."""
        return time.perf_counter() - self._started - self._judging_s

    def run(self, trial: Any) -> dict[str, float]:
        """Trains what a trial proposes, or goes on with it, and says how good it is on the validation rows."""
        if self._left <= 0.0 or self.seconds > self._limit_s:
            raise BudgetUsedError
        values = dict(trial.hyperparameters.values)
        begin, end = (
            values.get(f"tuner/{name}", other) / RESOURCE
            for name, other in (("initial_epoch", 0), ("epochs", RESOURCE))
        )
        self._left -= end - begin
        self.n_trials += 1
        used = [name for name in self._space.strategies if values.get(f"use/{name}")]
        recipe = self._space.recipe(used, {name: values[name] for name in self._space.settings if name in values})
        try:
            with cleared():
                return {"skill": self._trained(trial.trial_id, recipe, begin, end, values.get("tuner/trial_id"))}
        except Exception:
            self.n_failed += 1
            raise

    def _trained(self, trial_id: str, recipe: Recipe, begin: float, end: float, goes_on_from: str | None) -> float:
        model = recipe.apply(self._program.build())
        arguments = {**self._program.fit_arguments, **recipe.fit_arguments}
        if goes_on_from is not None:
            model.set_weights(self._kept[goes_on_from])
        epochs = arguments["epochs"]
        first = min(round(begin * epochs), epochs - 1)
        arguments.update(x=self._program.x[self._training], y=self._targets(self._training))
        arguments.update(initial_epoch=first, epochs=max(first + 1, round(end * epochs)))
        model.fit(**arguments)
        self._kept[trial_id] = model.get_weights()
        outputs = model.predict(self._program.x[self._validation], verbose=0)
        reached = skill.measure(self._program.task, self._targets(self._validation), outputs).value
        if reached > self.best_skill:
            self.best_skill = reached
            self._judge(model, recipe)
        return reached if math.isfinite(reached) else WORST

    def _judge(self, model: keras.Model, recipe: Recipe) -> None:
        """Notes how good the best so far is on fresh rows; the search does not get to know."""
        seconds, started = self.seconds, time.perf_counter()
        self.best_outputs = model.predict(self._program.x_fresh, verbose=0)
        found = skill.measure(self._program.task, self._program.y_fresh, self.best_outputs)
        self.curve.append(Point(seconds, self.n_trials, found.value, found.lower, recipe.strategies))
        self._judging_s += time.perf_counter() - started

    def _targets(self, rows: np.ndarray) -> Any:
        y = self._program.y
        return [one[rows] for one in y] if isinstance(y, tuple) else y[rows]


class _RandomSearch(keras_tuner.RandomSearch):
    trials: _Trials

    def run_trial(self, trial: Any, *_: Any, **__: Any) -> dict[str, float]:
        return self.trials.run(trial)


class _Hyperband(keras_tuner.Hyperband):
    trials: _Trials

    def run_trial(self, trial: Any, *_: Any, **__: Any) -> dict[str, float]:
        return self.trials.run(trial)


def _tuner(kind: str, hp: keras_tuner.HyperParameters, seed: int, n_trials: int, directory: str) -> Any:
    shared = {
        "objective": keras_tuner.Objective("skill", "max"),
        "seed": seed,
        "hyperparameters": hp,
        "tune_new_entries": False,
        "max_consecutive_failed_trials": NEVER,
        "directory": directory,
    }
    if kind == "random_search":
        return _RandomSearch(max_trials=n_trials, **shared)
    return _Hyperband(max_epochs=RESOURCE, factor=FACTOR, hyperband_iterations=n_trials, **shared)


def train(kind: str, program: Trainable, n_trials: int, limit_s: float) -> tuple[Trained, dict[str, Any]]:
    """Searches, and judges the model of the best trial.

    Args:
        kind: `"random_search"` or `"hyperband"`.
        program: What to search on.
        n_trials: Trials, or as many epochs as these have in all.
        limit_s: Seconds after which no further trial begins.

    Returns:
        What came out, and the figures of the search, among them `curve`: the best so far, as it grew.
    """
    with cleared():
        space = search_space(program)
    trials = _Trials(program, space, n_trials, limit_s)
    with tempfile.TemporaryDirectory(prefix="autofix-bench-") as directory, Usage() as usage:
        # KerasTuner prints on its own, whatever `verbose` says, and names threads by a deprecated method (1.4.8).
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tuner = _tuner(kind, hyperparameters(space), program.seed, n_trials, directory)
            tuner.trials = trials
            with contextlib.suppress(BudgetUsedError):
                tuner.search(verbose=0)
        seconds = trials.seconds
    found = trials.curve[-1] if trials.curve else Point(seconds, 0, -math.inf, -math.inf, ())
    outputs = trials.best_outputs
    if outputs is None:  # no trial ended with predictions that are finite
        outputs = np.full((len(program.x_fresh), 1), np.nan)
    figures = {
        "n_trials": trials.n_trials,
        "n_failed": trials.n_failed,
        "strategies": found.strategies,
        "curve": [dataclasses.asdict(point) for point in trials.curve],
    }
    return Trained(found.skill, found.skill_lower, seconds, usage, [], outputs), figures
