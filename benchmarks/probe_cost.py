"""What a probe costs: the probe engine against `model.fit` for the same work, for each kind of model.

A step is its share of a whole call, once Keras has traced the model and the engine has compiled it; what the
engine does around its loop counts. A trial is what a search pays: for Keras a new model, built,
compiled, trained and asked for predictions; for the engine one more recipe.
"""

import dataclasses
import math
import os
import resource
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np

from autofix.benchmarks import overhead, summary
from autofix.data.training_data import TrainingData
from autofix.recipe import Recipe
from autofix.remedies import SetLearningRate
from autofix.search.probe import ProbeEngine, ProbeRun

BATCH_SIZE = 32

CHEAPER = 20.0
"""How many times cheaper a step must be for the dense models."""

GROWTH_MB = 20.0
"""What 200 trials may add to the resident memory.

Source: resetting one compiled Keras model costs about 0.1 MB each time, 20 MB for 200; a new one 5.5 MB.
"""

SETTLING_TRIALS = 20
"""Trials before memory is first read: until then allocators take their pools and loops are compiled."""

MEMORY_STEPS = 8
"""Training steps of a trial that only serves to watch memory, which does not depend on their number."""

PROBE_REPEATS = 5
FIT_REPEATS = 3


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of model with its data.

    Args:
        name: For the results.
        make_data: `rng -> (x, y)`.
        build: The compiled, untrained model.
        epochs: Of one trial.
        is_dense: Whether the floor on the cost of a step holds for it.
    """

    name: str
    make_data: Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]
    build: Callable[[], keras.Model]
    epochs: int
    is_dense: bool = False


KINDS = (
    Kind(
        "dense 10, 100 rows",
        lambda rng: overhead.noisy_linear(100, 2, rng),
        lambda: overhead.dense(2, [10]),
        100,
        True,
    ),
    Kind(
        "dense 64-64, 2,000 rows",
        lambda rng: overhead.noisy_linear(2_000, 20, rng),
        lambda: overhead.dense(20, [64, 64]),
        20,
        True,
    ),
    Kind("CNN", overhead.digits, overhead.convolutional, 3),
    Kind("LSTM", lambda rng: overhead.fading_sums(1_000, 20, rng), lambda: overhead.recurrent(20), 10),
)


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one kind of model costs both ways.

    Args:
        kind: Name of the kind.
        mode: How the engine ran it.
        steps: Training steps of one trial.
        fit_step_s: Wall time of a step of `model.fit`, compiled before.
        probe_step_s: Wall time of a step of the engine, compiled before.
        fit_trial_s: Wall time of a whole trial with a new Keras model.
        first_trial_s: Wall time of the first trial of the engine, its construction and compilation included.
        probe_trial_s: Wall time of each further trial.
        growth_mb: What the trials added to the resident memory.
        resident_mb: Resident memory of the process after them.
    """

    kind: str
    mode: str
    steps: int
    fit_step_s: float
    probe_step_s: float
    fit_trial_s: float
    first_trial_s: float
    probe_trial_s: float
    growth_mb: float
    resident_mb: float

    @property
    def cheaper(self) -> float:
        """How many times cheaper a step of the engine is."""
        return self.fit_step_s / self.probe_step_s


def resident_mb() -> float:
    """Resident memory of this process in MB; its peak where the system does not tell the present figure."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        # ru_maxrss is in bytes on macOS and in kilobytes elsewhere.
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _recipe(factor: float) -> Recipe:
    """A recipe that differs from others in the learning rate alone, as most trials of a rung do."""
    return Recipe((SetLearningRate("lower_learning_rate", factor=factor),))


def _fit_costs(kind: Kind, x: np.ndarray, y: np.ndarray, steps: int) -> tuple[float, float]:
    """Wall time of a compiled step and of a whole trial with `model.fit`, in seconds."""

    def trial() -> keras.Model:
        keras.utils.set_random_seed(0)
        model = kind.build()
        model.fit(x, y, batch_size=BATCH_SIZE, epochs=kind.epochs, verbose=0)
        model.predict(x, verbose=0)
        return model

    trial()
    model, trial_s = summary.timed(trial)

    def fit() -> None:
        model.fit(x, y, batch_size=BATCH_SIZE, epochs=kind.epochs, verbose=0)

    seconds = [summary.timed(fit)[1] for _ in range(FIT_REPEATS)]
    return summary.quartiles(seconds).median / steps, trial_s


def measure(kind: Kind, trials: int) -> Cost:
    """Trains one kind of model both ways and watches memory over `trials` trials of the engine."""
    x, y = kind.make_data(np.random.default_rng(0))
    rows = np.arange(len(x))
    steps = math.ceil(len(x) / BATCH_SIZE) * kind.epochs
    fit_step_s, fit_trial_s = _fit_costs(kind, x, y, steps)

    keras.utils.set_random_seed(0)
    model = kind.build()

    def first() -> tuple[ProbeEngine, ProbeRun]:
        data = TrainingData.from_arrays(x, y, batch_size=BATCH_SIZE, epochs=kind.epochs)
        engine = ProbeEngine(model, data)
        return engine, engine.run(Recipe(), rows, seed=0, steps=steps)

    (engine, run), first_s = summary.timed(first)
    factors = np.geomspace(0.1, 10.0, PROBE_REPEATS)
    further = [
        summary.timed(lambda factor=factor: engine.run(_recipe(factor), rows, seed=1, steps=steps))
        for factor in factors
    ]
    trial_s = summary.quartiles(seconds for _, seconds in further).median
    step_s = summary.quartiles(seconds / done.steps for done, seconds in further).median

    factors = np.geomspace(0.01, 100.0, SETTLING_TRIALS + trials)
    before = 0.0
    for index, factor in enumerate(factors):
        if index == SETTLING_TRIALS:
            before = resident_mb()
        engine.run(_recipe(factor), rows, seed=index, steps=MEMORY_STEPS)
    after = resident_mb()
    return Cost(
        kind=kind.name,
        mode=run.mode,
        steps=run.steps,
        fit_step_s=fit_step_s,
        probe_step_s=step_s,
        fit_trial_s=fit_trial_s,
        first_trial_s=first_s,
        probe_trial_s=trial_s,
        growth_mb=after - before,
        resident_mb=after,
    )


def check(costs: Sequence[Cost], trials: int) -> list[summary.Check]:
    """The requirements beside the measured figures."""
    dense = {kind.name for kind in KINDS if kind.is_dense}
    checks = [
        summary.Check(
            f"{cost.kind}: a step against model.fit",
            f"at least {CHEAPER:.0f} times cheaper",
            f"{cost.cheaper:.1f} times",
            cost.cheaper >= CHEAPER,
        )
        for cost in costs
        if cost.kind in dense
    ]
    checks += [
        summary.Check(
            f"{cost.kind}: memory added by {trials} trials",
            f"at most {GROWTH_MB:.0f} MB",
            f"{cost.growth_mb:+.1f} MB, {cost.resident_mb:.0f} MB in all",
            cost.growth_mb <= GROWTH_MB,
        )
        for cost in costs
    ]
    return checks


def _show(costs: Sequence[Cost]) -> None:
    rows = [
        (
            cost.kind,
            cost.mode,
            f"{cost.fit_step_s * 1e6:.0f}",
            f"{cost.probe_step_s * 1e6:.0f}",
            f"{cost.cheaper:.1f}",
            f"{cost.fit_trial_s:.2f}",
            f"{cost.first_trial_s:.2f}",
            f"{cost.probe_trial_s:.3f}",
        )
        for cost in costs
    ]
    columns = (
        "kind",
        "mode",
        "fit µs/step",
        "probe µs/step",
        "times",
        "fit s/trial",
        "first probe s",
        "next probe s",
    )
    summary.print_table("Cost of a probe", columns, rows)


def main(trials: int, json: Path | None) -> int:
    """Measures every kind of model and prints the requirements.

    Args:
        trials: Over how many trials memory is watched.
        json: Where to write the costs; nowhere when None.

    Returns:
        The exit code: 1 when a floor is missed.
    """
    costs = []
    for kind in KINDS:
        costs.append(measure(kind, trials))
        summary.console.print(f"{kind.name}: {costs[-1].cheaper:.1f} times cheaper ({costs[-1].mode})")
    _show(costs)
    checks = check(costs, trials)
    summary.write_json(json, costs=costs, checks=checks)
    return summary.print_checks(checks)
