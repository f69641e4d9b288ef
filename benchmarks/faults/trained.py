"""One training of a program, timed and judged on fresh rows."""

import contextlib
import dataclasses
import json
import warnings
from collections.abc import Iterator
from typing import Any, Protocol

import keras
import numpy as np

import autofix
from autofix.benchmarks import summary
from autofix.benchmarks.faults import skill
from autofix.benchmarks.faults.bases import BASES
from autofix.benchmarks.usage import Usage


@dataclasses.dataclass(frozen=True)
class Trained:
    """What a training led to.

    Args:
        skill: On fresh rows.
        skill_lower: Lower bound of its 95 % interval.
        seconds: Wall time of the call.
        usage: Memory and processor time of the call.
        weights: All weights of the model, in its order.
        outputs: On the fresh rows, as `predict` gives them.
        report: Of `autofix.fit`; None of `model.fit`.
    """

    skill: float
    skill_lower: float
    seconds: float
    usage: Usage
    weights: list[np.ndarray] = dataclasses.field(repr=False, compare=False)
    outputs: Any = dataclasses.field(repr=False, compare=False)
    report: autofix.Report | None = None


@contextlib.contextmanager
def cleared() -> Iterator[None]:
    """Frees afterwards what Keras keeps of the models that were built inside."""
    try:
        with warnings.catch_warnings():
            # Programs that are broken on purpose make Keras, TensorFlow and autofix say so.
            warnings.simplefilter("ignore")
            yield
    finally:
        keras.backend.clear_session()


class Trainable(Protocol):
    """What a training program has to offer here; `faults.programs.Program` is one.

    Attributes:
        task: What there is to be learned: `"regression"`, `"binary"` or `"multiclass"`; of several outputs one each.
        seed: Of the initial weights and shuffles.
        x: Training inputs.
        y: Training targets; of several outputs a tuple of them.
        x_fresh: Inputs of rows that no training sees, 1,000 or more.
        y_fresh: Their targets.
        fit_arguments: All arguments of `fit`, `x` and `y` included.
        planted: What is wrong, with its strength, one sentence a fault; for the records.
    """

    @property
    def task(self) -> skill.Task: ...
    @property
    def seed(self) -> int: ...
    @property
    def x(self) -> Any: ...
    @property
    def y(self) -> Any: ...
    @property
    def x_fresh(self) -> Any: ...
    @property
    def y_fresh(self) -> Any: ...
    @property
    def fit_arguments(self) -> dict[str, Any]: ...
    @property
    def planted(self) -> tuple[str, ...]: ...

    def build(self) -> keras.Model:
        """The compiled network with the initial weights of the seed, and Keras' random state right behind them."""

    def with_seed(self, seed: int) -> "Trainable":
        """The same rows under other initial weights and shuffles."""


def train(program: Trainable, order: str | None = None, **settings: Any) -> Trained:
    """Trains the program and judges it.

    Args:
        program: What to train.
        order: Of the strategies of `autofix.fit`; None for plain `model.fit`.
        settings: Further arguments that `autofix.fit` has and Keras has not.
    """
    with cleared():
        model = program.build()
        with Usage() as usage:
            if order is None:
                history, seconds = summary.timed(lambda: model.fit(**program.fit_arguments))
            else:
                settings = {"order": order, **settings}
                history, seconds = summary.timed(lambda: autofix.fit(model, **program.fit_arguments, **settings))
        outputs = model.predict(program.x_fresh, verbose=0)
        found = skill.measure(program.task, program.y_fresh, outputs)
        report = getattr(history, "report", None)
        return Trained(found.value, found.lower, seconds, usage, model.get_weights(), outputs, report)


HEALTHY_STARTS = 3
"""Initial weights that a healthy program is trained from: its skill depends on them by up to 0.1, and a repair starts
from others."""

FAR = 1_000
"""Keeps these seeds apart from those of other cases."""


def warm_up() -> None:
    """Trains a program both ways, so that no measured call pays what a process pays once.

    Of a single epoch, so that autofix looks for a repair too.
    """
    program = dataclasses.replace(BASES[0].draw(0), epochs=1)
    train(program)
    train(program, "evidence")


def from_starts(program: Trainable) -> Trained:
    """The training of median skill of a few that begin with other initial weights."""
    starts = [program.seed + FAR * number for number in range(HEALTHY_STARTS)]
    runs = [train(program.with_seed(start)) for start in starts]
    return sorted(runs, key=lambda run: run.skill)[len(runs) // 2]


def report_figures(report: autofix.Report) -> dict[str, Any]:
    """What the records keep of a report."""
    return {
        "verdict": report.verdict,
        "findings": [(finding.cause, finding.confidence, finding.evidence) for finding in report.findings],
        "strategies": report.recipe.strategies,
        "fix": report.fix,
        "n_trials": len(report.trials),
        "trials": [
            (trial.status, trial.recipe.strategies, trial.skill, trial.note, trial.rung, trial.seconds)
            for trial in report.trials
        ],
        "references": [(one.name, one.skill, one.skill_lower) for one in report.references],
        "left_out": report.left_out,
        "notes": report.notes,
        "parts": report.seconds,
        # As text, because strict JSON has no NaN, which the evidence of a diverged training holds.
        "evidence": json.dumps(report.evidence),
    }
