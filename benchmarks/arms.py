"""The arms: what may be done with a scenario. All are judged on the same fresh rows, by the same yardstick."""

import dataclasses
import functools
import importlib.metadata
import os
import platform
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autofix.benchmarks import autokeras_search, learners, searches, summary
from autofix.benchmarks.faults import skill, trained
from autofix.benchmarks.faults.trained import Trainable, Trained
from autofix.benchmarks.scenarios import Scenario, registered

ANOTHER_SEED = 500_000
"""Far from the seeds of other runs and from those that a hand-made fix is trained from."""

PACKAGES = ("autofix-keras", "tensorflow", "keras", "keras-tuner", "numpy", "scikit-learn")

DIED_S = 1_800.0
"""Seconds after which a run is given up: ten times what the longest takes on an idle machine."""


class NotRunError(Exception):
    """An arm cannot be run here; the message says why."""


@dataclasses.dataclass(frozen=True)
class Budget:
    """What the searches of others may use.

    Args:
        n_trials: Trainings, or as many epochs as these have; as many as `autofix.fit` may run trials.
        limit_s: Seconds after which no further trial begins.
    """

    n_trials: int = 60
    limit_s: float = 300.0


Figures = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Arm:
    """Something that may be done with a program.

    Args:
        name: For the command line and the results.
        run: `(scenario, program, budget) -> (what came out, further figures)`.
        verdicts: Of the scenarios that it is run on.
        is_search: Whether it takes minutes: it is then run on some scenarios only, from their first seed.
        is_comparable: Whether its outputs are for the fresh rows of the program as it is drawn. Those of a fix by hand
            may be in other units, or of other rows.
    """

    name: str
    run: Callable[[Scenario, Trainable, Budget], tuple[Trained, Figures]]
    verdicts: tuple[str, ...] = ("repaired", "healthy", "unlearnable")
    is_search: bool = False
    is_comparable: bool = True

    def applies_to(self, scenario: Scenario) -> bool:
        """Whether it is run on a scenario."""
        return scenario.verdict in self.verdicts and (scenario.is_searched or not self.is_search)


def _nothing(scenario: Scenario, program: Trainable, budget: Budget) -> tuple[Trained, Figures]:
    done = trained.train(program)
    _keep(_PLAIN, (scenario.name, program.seed), done, MOST_KEPT)
    return done, {}


def _again(scenario: Scenario, program: Trainable, budget: Budget) -> tuple[Trained, Figures]:
    return trained.train(program.with_seed(program.seed + ANOTHER_SEED)), {}


def _autofix(order: str) -> Callable[[Scenario, Trainable, Budget], tuple[Trained, Figures]]:
    def run(scenario: Scenario, program: Trainable, budget: Budget) -> tuple[Trained, Figures]:
        # One seed would be one random order for all programs.
        settings = {"seed": program.seed} if order == "random" else {}
        done = trained.train(program, order, **settings)
        assert done.report is not None
        return done, trained.report_figures(done.report)

    return run


def _hand(scenario: Scenario, program: Trainable, budget: Budget) -> tuple[Trained, Figures]:
    assert scenario.fix is not None
    fixed, key = scenario.fix(program.seed), (scenario.fixed_as, program.seed)
    if scenario.fixed_as and key in _BY_HAND:
        # Only the time is measured anew, beside that of the other arms.
        typical = _BY_HAND[key]
        return dataclasses.replace(trained.train(fixed), skill=typical.skill, skill_lower=typical.skill_lower), {}
    done = trained.from_starts(fixed)
    if scenario.fixed_as:
        _keep(_BY_HAND, key, done, MOST_KEPT_BY_HAND)
    return done, {}


def _sklearn(scenario: Scenario, program: Trainable, budget: Budget) -> tuple[Trained, Figures]:
    return learners.train(program)


def _tuner(kind: str) -> Callable[[Scenario, Trainable, Budget], tuple[Trained, Figures]]:
    def run(scenario: Scenario, program: Trainable, budget: Budget) -> tuple[Trained, Figures]:
        return searches.train(kind, program, budget.n_trials, budget.limit_s)

    return run


def _autokeras(scenario: Scenario, program: Trainable, budget: Budget) -> tuple[Trained, Figures]:
    if why := autokeras_search.why_not(program):
        raise NotRunError(why)
    return autokeras_search.train(program, budget.n_trials, budget.limit_s)


BROKEN = ("repaired",)

ARMS = (
    Arm("nothing", _nothing),
    Arm("again", _again),
    Arm("autofix", _autofix("evidence")),
    Arm("ladder", _autofix("ladder")),
    Arm("random", _autofix("random")),
    Arm("hand", _hand, BROKEN, is_comparable=False),
    Arm("sklearn", _sklearn),
    Arm("random_search", _tuner("random_search"), BROKEN, is_search=True),
    Arm("hyperband", _tuner("hyperband"), BROKEN, is_search=True),
    Arm("autokeras", _autokeras, BROKEN, is_search=True),
)

BY_NAME = {arm.name: arm for arm in ARMS}

MOST_KEPT = 2

_PLAIN: dict[tuple[str, int], Trained] = {}
"""What plain trainings of this process led to, for the arms that are compared with them."""

MOST_KEPT_BY_HAND = 8

_BY_HAND: dict[tuple[str, int], Trained] = {}
"""What fixes by hand that scenarios share led to in this process."""


def _keep(kept: dict[tuple[str, int], Trained], key: tuple[str, int], done: Trained, most: int) -> None:
    """Adds to what is kept, and lets go of what was added first where it is too much."""
    kept[key] = done
    while len(kept) > most:
        kept.pop(next(iter(kept)))


def _plain(scenario: Scenario, program: Trainable) -> Trained:
    """The plain training of the same program; run once more where another process ran it: it repeats exactly."""
    if (scenario.name, program.seed) not in _PLAIN:
        _nothing(scenario, program, Budget())
    return _PLAIN[scenario.name, program.seed]


@functools.cache
def _measured_on() -> dict[str, Any]:
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    return {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count(), **versions}


def run(name: str, arm: str, seed: int, budget: Budget, workers: int) -> dict[str, Any]:
    """One arm on the program that one seed draws, as a record of JSON values.

    Args:
        name: Of the scenario.
        arm: Name of the arm.
        seed: Of rows, initial weights, and of the fault's strength where that is drawn.
        budget: Of the searches of others.
        workers: Processes that run at a time, for the record: times depend on them.
    """
    scenario = registered()[name]
    program = scenario.draw(seed)
    record: dict[str, Any] = {
        "kind": "bench",
        "scenario": name,
        "arm": arm,
        "seed": seed,
        "family": scenario.family,
        "expected": scenario.verdict,
        "cause": scenario.cause,
        "causes": scenario.causes,
        "fixes": [sorted(fix) for fix in scenario.fixes],
        "strength": scenario.strength,
        "difficulty": scenario.difficulty,
        "planted": program.planted,
        "measured_on": {**_measured_on(), "workers": workers},
        "error": "",
    }
    try:
        done, figures = BY_NAME[arm].run(scenario, program, budget)
        compared = _compared(_plain(scenario, program), done, program) if BY_NAME[arm].is_comparable else {}
    except NotRunError as why:
        return summary.json_safe({**record, "not_run": str(why)})
    except Exception:  # noqa: BLE001 - one run that fails is a result; it must not end the others
        return summary.json_safe({**record, "error": traceback.format_exc(limit=-6)})
    measured = {
        "skill": done.skill,
        "skill_lower": done.skill_lower,
        "seconds": done.seconds,
        **done.usage.figures(),
        **compared,
    }
    return summary.json_safe({**record, **measured, **figures})


def _compared(plain: Trained, done: Trained, program: Trainable) -> dict[str, Any]:
    """What came out beside the plain training of the same program."""
    found = skill.drop(program.task, program.y_fresh, plain.outputs, done.outputs)
    # A number: JSON has no infinity, and by how much the one that is not finite is worse has no number either.
    drop = [max(-1e9, min(1e9, value)) for value in found]
    return {"drop": drop, "is_identical": _are_identical(plain.weights, done.weights)}


def _are_identical(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> bool:
    """Whether two models have the same weights, to the last bit."""
    return len(first) == len(second) and all(
        one.shape == other.shape and one.tobytes() == other.tobytes() for one, other in zip(first, second, strict=True)
    )
