"""One training of a program, timed and judged on fresh rows; and what a worker process does with a case."""

import contextlib
import dataclasses
import functools
import json
import traceback
import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

import autofix
from autofix.benchmarks import summary
from autofix.benchmarks.faults import skill
from autofix.benchmarks.faults.bases import BASES, BY_NAME
from autofix.benchmarks.faults.catalogue import BY_FAULT, Case
from autofix.benchmarks.faults.programs import Program


@dataclasses.dataclass(frozen=True)
class Trained:
    """What a training led to.

    Args:
        skill: On fresh rows.
        skill_lower: Lower bound of its 95 % interval.
        seconds: Wall time of the call.
        weights: All weights of the model, in its order.
        report: Of `autofix.fit`; None of `model.fit`.
    """

    skill: float
    skill_lower: float
    seconds: float
    weights: list[np.ndarray] = dataclasses.field(repr=False, compare=False)
    report: autofix.Report | None = None


@contextlib.contextmanager
def _cleared() -> Iterator[None]:
    """Frees afterwards what Keras keeps of the models that were built inside."""
    try:
        with warnings.catch_warnings():
            # Programs that are broken on purpose make Keras, TensorFlow and autofix say so.
            warnings.simplefilter("ignore")
            yield
    finally:
        keras.backend.clear_session()


def train(program: Program, order: str | None = None) -> Trained:
    """Trains the program and judges it.

    Args:
        program: What to train.
        order: Of the strategies of `autofix.fit`; None for plain `model.fit`.
    """
    with _cleared():
        model = program.build()
        if order is None:
            history, seconds = summary.timed(lambda: model.fit(**program.fit_arguments))
        else:
            history, seconds = summary.timed(lambda: autofix.fit(model, **program.fit_arguments, order=order))
        outputs = model.predict(program.x_fresh, verbose=0)
        found = skill.measure(program.base.task, program.y_fresh, outputs)
        return Trained(found.value, found.lower, seconds, model.get_weights(), getattr(history, "report", None))


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


@functools.cache
def _healthy_skill(base: str, seed: int, fault: str) -> float:
    program = Case(fault, base, seed).healthy()
    starts = [program.seed + FAR * number for number in range(HEALTHY_STARTS)]
    return float(np.median([train(dataclasses.replace(program, seed=start)).skill for start in starts]))


def healthy_skill(case: Case) -> float:
    """The skill of the healthy program of a case; where faults share it, it is trained once a process."""
    if getattr(BY_FAULT[case.fault], "undo", None):
        return _healthy_skill(case.base, case.seed, case.fault)
    return _healthy_skill(case.base, case.seed, next(iter(BY_FAULT)))


def check_base(base: str, seed: int) -> dict[str, Any]:
    """Plain `model.fit` on a healthy program, as a record of JSON values."""
    done = train(BY_NAME[base].draw(seed))
    figures = {"skill": done.skill, "skill_lower": done.skill_lower, "plain_seconds": done.seconds}
    safe: dict[str, Any] = summary.json_safe({"kind": "base", "base": base, "seed": seed, "error": "", **figures})
    return safe


def check_case(case: Case) -> dict[str, Any]:
    """Plain `model.fit` on the healthy and on the broken program, as a record of JSON values."""
    program = case.broken()
    record = {"kind": "check", **case._asdict(), "planted": program.planted, "healthy_skill": healthy_skill(case)}
    try:
        broken = train(program)
    except Exception as error:  # noqa: BLE001 - what Keras refuses to train is no collapse; the table shows it
        return summary.json_safe({**record, "error": repr(error)})
    return summary.json_safe({**record, "plain_skill": broken.skill, "plain_seconds": broken.seconds, "error": ""})


def diagnose_case(case: Case, order: str) -> dict[str, Any]:
    """`model.fit` and `autofix.fit` on the broken program, as a record of JSON values.

    Args:
        case: What to plant, into which program, from which seed.
        order: Of the strategies.
    """
    program = case.broken()
    record: dict[str, Any] = {"kind": "diagnosis", **case._asdict(), "order": order, "planted": program.planted}
    try:
        healthy = healthy_skill(case)
        plain, fixed = train(program), train(program, order)
    except Exception:  # noqa: BLE001 - one run that fails is a result; it must not end the others
        return summary.json_safe({**record, "error": traceback.format_exc(limit=-6)})
    return summary.json_safe({**record, "error": "", "healthy_skill": healthy, **_figures(plain, fixed)})


def _figures(plain: Trained, fixed: Trained) -> dict[str, Any]:
    report = fixed.report
    assert report is not None
    return {
        "plain_skill": plain.skill,
        "plain_seconds": plain.seconds,
        "skill": fixed.skill,
        "skill_lower": fixed.skill_lower,
        "seconds": fixed.seconds,
        "verdict": report.verdict,
        "findings": [(finding.cause, finding.confidence, finding.evidence) for finding in report.findings],
        "strategies": report.recipe.strategies,
        "fix": report.fix,
        "n_trials": len(report.trials),
        "trials": [(trial.status, trial.recipe.strategies, trial.skill, trial.note) for trial in report.trials],
        "references": [(one.name, one.skill, one.skill_lower) for one in report.references],
        "left_out": report.left_out,
        "notes": report.notes,
        "parts": report.seconds,
        # As text, because strict JSON has no NaN, which the evidence of a diverged training holds.
        "evidence": json.dumps(report.evidence),
    }
