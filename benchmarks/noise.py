"""Pure noise: targets drawn independently of the inputs. A repair claimed here is a false one."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

import autofix
from autofix.benchmarks import summary
from autofix.benchmarks.published import describe_fix

ROWS = 200
FEATURES = 5
FRESH_ROWS = 1_000
EPOCHS = 100

FALSE_REPAIR_SHARE = 0.04
"""At most 2 of 50 runs may end as repaired."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One run on noise.

    Args:
        seed: Of the data and the initial weights.
        verdict: Of the report.
        strategies: Names of the strategies in the fix.
        r2: On fresh noise; nothing above 0 can be real.
        seconds: Wall time of the whole call.
    """

    seed: int
    verdict: str
    strategies: tuple[str, ...]
    r2: float
    seconds: float


def make_data(n_rows: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Inputs of shape `(n_rows, 5)` and independent targets of shape `(n_rows,)`, all standard normal."""
    return rng.normal(size=(n_rows, FEATURES)), rng.normal(size=n_rows)


def build() -> keras.Model:
    """The compiled, untrained network."""
    layers = [keras.Input((FEATURES,)), keras.layers.Dense(10, activation="relu"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(optimizer="adam", loss="mse")
    return model


def run(seed: int) -> Outcome:
    """Trains on the noise of one seed with `autofix.fit`."""
    rng = np.random.default_rng(seed)
    x, y = make_data(ROWS, rng)
    x_fresh, y_fresh = make_data(FRESH_ROWS, rng)
    keras.utils.set_random_seed(seed)
    model = build()
    history, seconds = summary.timed(lambda: autofix.fit(model, x, y, epochs=EPOCHS, verbose=0))
    report = history.report
    r2 = summary.r_squared(y_fresh, model.predict(x_fresh, verbose=0))
    return Outcome(seed, report.verdict, tuple(report.recipe.strategies), r2, seconds)


def check(outcomes: Sequence[Outcome]) -> list[summary.Check]:
    """The requirement beside the measured figure."""
    n = len(outcomes)
    repaired = sum(outcome.verdict == "repaired" for outcome in outcomes)
    most = summary.at_most(FALSE_REPAIR_SHARE, n)
    return [summary.count_check("pure noise: verdict repaired", repaired, n, most=most)]


def main(seeds: int, first_seed: int, json: Path | None) -> int:
    """Runs the seeds and prints verdicts and the requirement.

    Args:
        seeds: How many seeds.
        first_seed: The first of them.
        json: Where to write every outcome; nowhere when None.

    Returns:
        The exit code: 1 when a floor is missed.
    """
    outcomes = []
    for seed in range(first_seed, first_seed + seeds):
        outcome = run(seed)
        outcomes.append(outcome)
        summary.console.print(
            f"seed {seed}: {outcome.verdict}, fix {describe_fix(outcome.strategies)}, R² {outcome.r2:.3f}, "
            f"{outcome.seconds:.2f} s",
            soft_wrap=True,
        )
    rows = []
    for verdict in sorted({outcome.verdict for outcome in outcomes}):
        own = [outcome for outcome in outcomes if outcome.verdict == verdict]
        seconds = summary.quartiles(outcome.seconds for outcome in own)
        rows.append((verdict, str(len(own)), f"{seconds.median:.2f}"))
    summary.print_table("Verdicts on pure noise", ("verdict", "runs", "median seconds"), rows)
    checks = check(outcomes)
    summary.write_json(json, outcomes=outcomes, checks=checks)
    return summary.print_checks(checks)
